//! Verifying one offline signature, beside the bare signature checks that nobody can leave out: the certificate
//! authority's (P-384), the signer's, the CT log's, the transparency log's over its checkpoint and its promise (P-256).
//!
//! And asking a policy file of some twenty rules, of which the last admits the signer, beside that verification.
//!
//! `cargo bench --bench verify` fails when the whole costs more than [`LIMIT`] times the bare checks, or the policy more than
//! [`POLICY_LIMIT`] of the whole.

#![expect(clippy::indexing_slicing, clippy::print_stdout, clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../examples/histories/bare_check.rs"]
mod bare_check;
#[path = "../tests/strict/der.rs"]
mod der;
#[expect(dead_code, reason = "the strict reading's tests make bad signatures, too")]
#[path = "../tests/strict/forge.rs"]
mod forge;

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use bare_check::{BareCheck, bare_checks};
use criterion::Criterion;
use forge::{Forge, Recipe};
use waxseal::cms::armor;
use waxseal::policy::{Allowed, Circumstances, IdentityPolicy, PolicyFile, Start};
use waxseal::verify::Verdict;

/// The whole verification in units of the bare checks: what may be spent on reading, hashing and proofs.
const LIMIT: f64 = 1.3;

/// Signatures that are met again are not verified again: each of these has a certificate, a timestamp and a checkpoint of its
/// own, and together they are more than a thread remembers.
const DISTINCT: usize = 1500;

/// Asking the policy, in units of the whole verification.
const POLICY_LIMIT: f64 = 0.01;

fn main() -> ExitCode {
    let forge = Forge::new();
    let recipe = Recipe::right(&forge);
    let armors: Vec<String> = (0..DISTINCT).map(|_| armor::encode(&forge.sign(&recipe))).collect();
    let armor = &armors[0];
    let verifier = forge.verifier();
    let checks = bare_checks(&recipe.payload, armor.as_bytes(), &forge.instance(|_| {}));
    let next = Cell::new(0);
    let verify = || {
        let armor = &armors[next.replace(next.get() + 1) % DISTINCT];
        let verdict = verifier.verdict(black_box(&recipe.payload), black_box(armor.as_bytes()));
        assert!(matches!(verdict, Verdict::Verified(_)));
    };
    let bare = || checks.iter().for_each(BareCheck::run);
    let policy = policy();
    let Verdict::Verified(signature) = verifier.verdict(&recipe.payload, armor.as_bytes()) else { unreachable!() };
    // The answer makes the instance of the rule the one that counts, which here it is already.
    let signature = RefCell::new(signature);
    let ask = || {
        let allowed = policy.judge(black_box(&mut signature.borrow_mut()), &CIRCUMSTANCES);
        assert!(matches!(allowed, Allowed::Yes(_)), "{allowed:?}");
    };

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("verify", |bencher| bencher.iter(verify));
    criterion.bench_function("bare signature checks", |bencher| bencher.iter(bare));
    criterion.bench_function("policy of twenty rules", |bencher| bencher.iter(ask));
    criterion.final_summary();

    let [whole, bare] = side_by_side([&verify, &bare]);
    let ratio = whole / bare;
    println!("verify {whole:.0} µs, bare signature checks {bare:.0} µs: ratio {ratio:.2}, limit {LIMIT}");
    let [whole, asked] = side_by_side([&verify, &ask]);
    let share = asked / whole;
    println!("verify {whole:.0} µs, policy of twenty rules {asked:.1} µs: ratio {share:.4}, limit {POLICY_LIMIT}");
    if ratio <= LIMIT && share <= POLICY_LIMIT { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A project of some size: maintainers by address and by pattern, two that left, CI jobs, releases. The last rule admits the
/// signer.
fn policy() -> IdentityPolicy {
    let mut file = String::from("version = 1\n");
    let mut rule = |name: &str, issuer: &str, rest: &str| {
        file.push_str(&format!("[[rule]]\nname = \"{name}\"\nissuer = \"{issuer}\"\ninstance = \"forge\"\n{rest}\n"));
    };
    let (github, google) = ("https://github.com/login/oauth", "https://accounts.google.com");
    let actions = "https://token.actions.githubusercontent.com";
    for team in ["core", "docs", "infra", "security", "web"] {
        let addresses: Vec<_> = (0..8).map(|number| format!("\"{team}{number}@example.org\"")).collect();
        rule(&format!("{team} at github"), github, &format!("email = [{}]", addresses.join(", ")));
        rule(&format!("{team} at google"), google, &format!("email = [\"glob:*@{team}.example.org\"]"));
    }
    for name in ["carol", "dave"] {
        rule(name, forge::ISSUER, &format!("email = [\"{name}@example.org\"]\nuntil = 2026-03-01T00:00:00Z"));
    }
    for (number, path) in ["build", "release", "nightly", "docs"].iter().enumerate() {
        let workflow =
            format!("workflow = {{ repository_id = \"12345{number}\", path = \".github/workflows/{path}.yml\" }}");
        rule(path, actions, &format!("refs = [\"glob:refs/tags/v*\"]\n{workflow}"));
    }
    rule("bots", forge::ISSUER, "email = [\"regex:(renovate|dependabot)-[0-9]+@bots\\\\.example\\\\.org\"]");
    rule("stamped", forge::ISSUER, "email = [\"glob:*@example.org\"]\nrequire = [\"timestamp\"]");
    rule("another ref", forge::ISSUER, "email = [\"glob:*@example.org\"]\nrefs = [\"refs/heads/release\"]");
    rule("everybody else here", forge::ISSUER, "email = [\"glob:*@example.org\"]");
    let file = PolicyFile::read(file.as_bytes(), &"forge".parse().unwrap()).unwrap();
    assert_eq!(file.rules().len(), 20);
    IdentityPolicy::File(Box::new(file))
}

const CIRCUMSTANCES: Circumstances<'_> = Circumstances {
    reference: Some("refs/heads/main"),
    author_email: Some(b"a@example.org"),
    changes_policy: Some(false),
    object: Some("4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
    start: Start::Judged,
    places: &[],
    committer_email: None,
    merge: None,
    squash: None,
};

/// The microseconds of one run of each. Turn about, because a shared machine changes its speed by the minute; and the
/// lowest tenth, because other people's work only ever adds, and mostly falls between two runs.
fn side_by_side(works: [&dyn Fn(); 2]) -> [f64; 2] {
    const ROUNDS: usize = 2000;
    let mut times = [vec![], vec![]];
    for _ in 0..ROUNDS {
        for (work, times) in works.iter().zip(&mut times) {
            let start = Instant::now();
            work();
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 10]
    })
}
