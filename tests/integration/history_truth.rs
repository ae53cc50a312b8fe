//! A history of five thousand objects of every kind, of each of which is known what must be said: whatever stands beside it,
//! in whichever order it comes, found anew or kept from an earlier run.

mod kinds;
mod openpgp;
mod trees;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use waxseal::git::ObjectKind;

use self::kinds::Truth;
use self::world::{Made, World};
use super::sandbox::{Ran, Sandbox, program};

#[test]
fn every_verdict_of_a_mixed_history_is_the_known_one() {
    let has_gpg = program("gpg").is_some();
    if !has_gpg {
        println!("skipped: the OpenPGP signatures, for there is no gpg");
    }
    let sandbox = Sandbox::new();
    let world = World::make(has_gpg);
    world.store(&sandbox);
    let expected: BTreeMap<String, &Made> = world.made.iter().map(|made| (made.id.to_string(), made)).collect();
    assert_eq!(expected.len(), 5000);
    let met: BTreeSet<&str> = world.made.iter().map(|made| made.truth.what).collect();
    assert_eq!(met.len(), world.kinds.len() + kinds::MERGES.len() + 1, "{met:?}");
    // Between the commits of each bounded rule and outside.
    for rule in [kinds::UNTIL, kinds::FROM].into_iter().chain(has_gpg.then_some(kinds::OPENPGP_UNTIL)) {
        let of_rule = world.made.iter().filter(|made| made.kind.rule == Some(rule));
        let outcomes: BTreeSet<_> = of_rule.map(|made| made.truth.allowed).collect();
        assert!(outcomes.is_superset(&[Some(false), Some(true)].into()), "{rule}: {outcomes:?}");
    }

    let verify = |policy: &str| {
        let arguments = ["verify", "--all", "--tags", "*", "--json", "--trusted-root", "trusted_root.json", "--policy"];
        let policy = sandbox.path(policy);
        sandbox.waxseal(arguments.iter().copied().chain([policy.to_str().unwrap()]))
    };
    let cold = verify("policy.toml").code(1);
    compare(&cold, &expected, |made| made.truth);
    let warm = verify("policy.toml").code(1);
    compare(&warm, &expected, |made| made.truth);
    // What verified by a certificate is known now, and nothing else.
    let cached = |object: &Value| object["cached"] == true;
    let kept = |object: &Value| object["verdict"] == "verified" && object["signature"] == "keyless";
    assert!(!objects(&cold).iter().any(cached));
    assert!(objects(&warm).iter().all(|object| cached(object) == kept(object)));
    let uncached = |ran: &Ran| ran.out().replace("\"cached\":true", "\"cached\":false");
    assert_eq!(uncached(&cold), uncached(&warm));
    // A finding is no verdict: another policy judges anew.
    let other = verify("other.toml").code(1);
    compare(&other, &expected, |made| made.kind.under_the_other());
    assert!(objects(&other).iter().all(|object| cached(object) == kept(object)));

    // One commit of each kind and outcome alone: nothing else has a say in how the run ends.
    let commits = world.made.iter().filter(|made| made.git_kind == ObjectKind::Commit);
    let each: BTreeMap<_, &Made> =
        commits.map(|made| ((made.truth.what, made.truth.allowed, made.truth.verdict), made)).collect();
    for made in each.values() {
        let id = made.id.to_string();
        let arguments = ["verify", &id, "--trusted-root", "trusted_root.json", "--policy"];
        let ran = sandbox.waxseal(arguments.into_iter().chain([sandbox.path("policy.toml").to_str().unwrap()]));
        assert_eq!(ran.code, Some(made.truth.exit_code()), "{}\n{}{}", made.truth.what, ran.out(), ran.err());
    }
}

fn objects(ran: &Ran) -> Vec<Value> {
    let lines = ran.json_lines();
    assert_eq!(lines.last().unwrap()["type"], "footer");
    lines.into_iter().filter(|line| line["type"] == "object").collect()
}

fn compare(ran: &Ran, expected: &BTreeMap<String, &Made>, truth: impl Fn(&Made) -> Truth) {
    let objects = objects(ran);
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for object in &objects {
        let id = object["oid"].as_str().unwrap();
        assert!(met.insert(id), "{id} came twice");
        let Truth { what, verdict, allowed, rule, reason, .. } = truth(expected[id]);
        let said = [&object["verdict"], &object["allowed"], &object["rule"], &object["reason"]];
        let known = [verdict.into(), allowed.into(), rule.into(), Value::from(reason)];
        if said.iter().zip(&known).any(|(said, known)| *said != known) {
            wrong.push(format!("{what} {id}: {said:?} and not {known:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), objects.len(), wrong.join("\n"));
    assert_eq!(met.len(), expected.len());
    // The sums are those of the lines.
    let footer: Value = serde_json::from_str(ran.out().lines().last().unwrap()).unwrap();
    let count = |of: &dyn Fn(&Truth) -> bool| expected.values().filter(|made| of(&truth(made))).count();
    let verdict = |word: &str| count(&|truth| truth.verdict == word);
    let counts = json!({
        "objects": expected.len(),
        "verified": verdict("verified"),
        "rejected": verdict("rejected"),
        "undecided": verdict("undecided"),
        "unsigned": verdict("unsigned"),
        "other": verdict("other"),
        "allowed": count(&|truth| truth.allowed == Some(true)),
        "not_allowed": count(&|truth| truth.allowed == Some(false)),
        "rule_undecided": count(&|truth| truth.reason == Some("rule-undecided")),
        "exempt": count(&|truth| truth.reason == Some("exempt")),
    });
    assert_eq!(footer["counts"], counts);
    assert_eq!(footer["exit"], 1);
}
