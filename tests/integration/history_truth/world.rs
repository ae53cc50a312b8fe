//! The history, what is known of each of its objects, and the policy that judges it.

use std::thread;

use gix::ObjectId;
use gix::objs::Kind;
use jiff::SignedDuration;
use waxseal::cms::armor;
use waxseal::crypto::Sha256Digest;
use waxseal::git::{HashKind, ObjectKind, signed_bytes};

use crate::der::{OCTET_STRING, oid, tlv, utc_time};
use crate::forge::{
    CONTENT_TYPE, DATA, EntryAbout, Forge, ISSUER, MESSAGE_DIGEST, Recipe, Rekor, SIGNING_TIME, Sct, attribute, san,
};
use crate::pack;
use crate::sandbox::Sandbox;

/// What must be said of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truth {
    pub what: &'static str,
    pub verdict: &'static str,
    pub allowed: Option<bool>,
    pub rule: Option<&'static str>,
    pub reason: Option<&'static str>,
    how: How,
}

/// How an object is made.
#[derive(Clone, Copy, Debug)]
enum How {
    /// Signed by this address; then the recipe is changed.
    Keyless(&'static str, fn(&mut Recipe)),
    /// Signed, then changed.
    Tampered,
    /// With this for a signature.
    Other(&'static str),
    /// With its signature twice.
    Twice,
    Unsigned,
}

pub(super) struct Made {
    pub id: ObjectId,
    pub truth: Truth,
    kind: ObjectKind,
    bytes: Vec<u8>,
}

pub(super) struct World {
    pub made: Vec<Made>,
    refs: String,
    policy: String,
    trusted_root: Vec<u8>,
}

impl World {
    pub(super) fn make() -> Self {
        let forge = Forge::new();
        let chains: Vec<Chain> = thread::scope(|scope| {
            let chains: Vec<_> = (0..CHAINS)
                .map(|number| {
                    let forge = &forge;
                    scope.spawn(move || Chain::make(forge, number))
                })
                .collect();
            chains.into_iter().map(|chain| chain.join().unwrap()).collect()
        });
        let refs = chains.iter().map(|chain| chain.refs.as_str()).collect();
        let mut made: Vec<Made> = chains.into_iter().flat_map(|chain| chain.made).collect();
        // The first commits of the first chain stand before the policy's start, tags of them do not; others are excepted.
        let commits =
            |made: &[Made]| (0..made.len()).filter(|at| made[*at].kind == ObjectKind::Commit).collect::<Vec<_>>();
        let commits = commits(&made);
        let start = made[commits[BEFORE]].id;
        let excepted: Vec<usize> = commits[BEFORE + 1..].iter().copied().step_by(97).collect();
        let mut policy = format!("version = 1\nstart = \"{start}\"\n");
        for at in &excepted {
            policy.push_str(&format!("[[exempt]]\nobject = \"{}\"\nreason = \"excepted\"\n", made[*at].id));
        }
        policy.push_str(&rules());
        for at in commits[..BEFORE].iter().chain(&excepted) {
            made[*at].truth =
                Truth { what: "exempt", allowed: None, rule: None, reason: Some("exempt"), ..made[*at].truth };
        }
        Self { made, refs, policy, trusted_root: forge.instance(|_| {}).trusted_root.to_json() }
    }

    /// Puts it into the sandbox's repository, and policy and trusted root where they belong.
    pub(super) fn store(&self, sandbox: &Sandbox) {
        let objects: Vec<_> = self.made.iter().map(|made| (pack_kind(made.kind), made.bytes.clone())).collect();
        pack::store(sandbox.path("repository/.git").to_str().unwrap(), &objects);
        let mut git = sandbox.command("git");
        crate::sandbox::Ran::of(git.args(["update-ref", "--stdin"]), self.refs.as_bytes()).success();
        sandbox.write("policy.toml", &self.policy);
        sandbox.write("repository/trusted_root.json", &self.trusted_root);
    }
}

/// A branch with merges and tags.
struct Chain<'a> {
    forge: &'a Forge,
    number: usize,
    made: Vec<Made>,
    refs: String,
}

impl<'a> Chain<'a> {
    fn make(forge: &'a Forge, number: usize) -> Self {
        let mut chain = Self { forge, number, made: Vec::new(), refs: String::new() };
        let mut commits: Vec<ObjectId> = Vec::new();
        for position in 0..COMMITS {
            // A side line now and then, which the next commit merges; and some of three heads.
            let parents: Vec<ObjectId> = match (position % 11, &commits[..]) {
                (_, []) => Vec::new(),
                (5, [.., fork, _last]) => vec![*fork],
                (6, [.., last, side]) => vec![*last, *side],
                (9, [.., one, two, three]) => vec![*three, *two, *one],
                (_, [.., last]) => vec![*last],
            };
            // Each chain has the kinds at other places: merges are of every kind.
            let truth = KINDS[(position * 7 + number * 3) % KINDS.len()];
            let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
            let who = format!("A <alice@example.org> {} +0000", 1_760_000_000 + position * CHAINS + number);
            let payload = format!(
                "tree {EMPTY_TREE}\n{parents}author {who}\ncommitter {who}\n\ncommit {position} of chain {number}, {}\n",
                truth.what
            );
            commits.push(chain.add(ObjectKind::Commit, &payload, truth));
        }
        let tip = commits[commits.len() - 1];
        chain.refs.push_str(&format!("create refs/heads/chain-{number} {tip}\n"));
        for (position, target) in commits.iter().step_by(COMMITS / TAGS).take(TAGS).enumerate() {
            // Git has no header for a second signature of a tag.
            let kinds: Vec<Truth> = KINDS.into_iter().filter(|truth| !matches!(truth.how, How::Twice)).collect();
            let truth = kinds[(position * 5 + number) % kinds.len()];
            let truth = match truth.rule {
                // A tag that is asked for by its name is reached through a ref, and that is another one.
                Some("main only") => Truth { allowed: Some(false), rule: None, reason: NOT_ALLOWED, ..truth },
                _ => truth,
            };
            let name = format!("v{number}.{position}");
            let who = format!("A <alice@example.org> {} +0000", 1_770_000_000 + position);
            let what = truth.what;
            let payload = format!("object {target}\ntype commit\ntag {name}\ntagger {who}\n\na tag, {what}\n");
            let id = chain.add(ObjectKind::Tag, &payload, truth);
            chain.refs.push_str(&format!("create refs/tags/{name} {id}\n"));
        }
        chain
    }

    fn add(&mut self, kind: ObjectKind, payload: &str, truth: Truth) -> ObjectId {
        let bytes = bytes(self.forge, kind, payload, truth.how, self.number + self.made.len());
        let git_kind = match kind {
            ObjectKind::Commit => Kind::Commit,
            ObjectKind::Tag => Kind::Tag,
        };
        let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, git_kind, &bytes).unwrap();
        self.made.push(Made { id, truth, kind, bytes });
        id
    }
}

fn bytes(forge: &Forge, kind: ObjectKind, payload: &str, how: How, number: usize) -> Vec<u8> {
    let with = |signature: &str| signed_bytes(kind, HashKind::Sha1, payload.as_bytes(), signature.as_bytes()).unwrap();
    let keyless = |address: &'static str, change: fn(&mut Recipe)| {
        armor::encode(&forge.sign(&recipe(forge, payload, address, number, change)))
    };
    match how {
        How::Keyless(address, change) => with(&keyless(address, change)),
        How::Tampered => {
            let signed = with(&keyless(ALICE, |_| {}));
            String::from_utf8(signed).unwrap().replacen("tampered", "tampered with", 1).into_bytes()
        }
        How::Other(label) => with(&format!("-----BEGIN {label}-----\n\nAAAA\n-----END {label}-----\n")),
        How::Twice => {
            let text = String::from_utf8(with(&keyless(ALICE, |_| {}))).unwrap();
            let at = text.find("gpgsig ").unwrap();
            let end = text.find("\n\n").unwrap();
            format!("{}\n{}", &text[..end], &text[at..]).into_bytes()
        }
        How::Unsigned => payload.as_bytes().to_vec(),
    }
}

fn recipe(forge: &Forge, payload: &str, address: &str, number: usize, change: fn(&mut Recipe)) -> Recipe {
    let mut recipe = Recipe::right(forge);
    recipe.payload = payload.as_bytes().to_vec();
    recipe.number = u8::try_from(number % 200).unwrap();
    let digest = Sha256Digest::of(payload.as_bytes());
    recipe.signed_attributes = vec![
        attribute(CONTENT_TYPE, &[oid(DATA)]),
        attribute(SIGNING_TIME, &[utc_time(recipe.not_before)]),
        attribute(MESSAGE_DIGEST, &[tlv(OCTET_STRING, digest.as_ref())]),
    ];
    recipe.replace_extension("2.5.29.17", None);
    recipe.extensions.push(san(&[tlv(0x81, address.as_bytes())]));
    change(&mut recipe);
    recipe
}

fn rules() -> String {
    let rule = |name: &str, address: &str, more: &str| {
        format!(
            "[[rule]]\nname = \"{name}\"\nissuer = \"{ISSUER}\"\ninstance = \"file\"\nemail = [\"{address}\"]\n{more}\n"
        )
    };
    [
        rule("people", ALICE, ""),
        rule("stamped", BOB, "require = [\"timestamp\"]"),
        rule("main only", CAROL, "refs = [\"refs/heads/main\"]"),
        rule("gone", DAVE, "until = 2025-01-01T00:00:00Z"),
    ]
    .concat()
}

fn pack_kind(kind: ObjectKind) -> u8 {
    match kind {
        ObjectKind::Commit => pack::COMMIT,
        ObjectKind::Tag => pack::TAG,
    }
}

const fn verified(
    what: &'static str,
    allowed: Option<bool>,
    rule: Option<&'static str>,
    reason: Option<&'static str>,
    how: How,
) -> Truth {
    Truth { what, verdict: "verified", allowed, rule, reason, how }
}

const fn rejected(what: &'static str, reason: &'static str, how: How) -> Truth {
    Truth { what, verdict: "rejected", allowed: None, rule: None, reason: Some(reason), how }
}

const fn undecided(what: &'static str, reason: &'static str, allowed: Option<bool>, how: How) -> Truth {
    Truth { what, verdict: "undecided", allowed, rule: None, reason: Some(reason), how }
}

const fn other(what: &'static str, reason: &'static str, label: &'static str) -> Truth {
    Truth { what, verdict: "other", allowed: Some(false), rule: None, reason: Some(reason), how: How::Other(label) }
}

/// Every kind of object. Those that are right stand there more than once, for so they do in a history.
pub(super) const KINDS: [Truth; 27] = [
    verified("right", Some(true), Some("people"), None, How::Keyless(ALICE, |_| {})),
    verified(
        "right, on v2",
        Some(true),
        Some("people"),
        None,
        How::Keyless(ALICE, |recipe| recipe.log_on_v2(Rekor::V2)),
    ),
    verified("stamped", Some(true), Some("stamped"), None, How::Keyless(BOB, |recipe| recipe.log_on_v2(Rekor::V2))),
    verified("not stamped", Some(false), None, NOT_ALLOWED, How::Keyless(BOB, |_| {})),
    verified("a ref unknown", None, Some("main only"), Some("rule-undecided"), How::Keyless(CAROL, |_| {})),
    verified("who left", Some(false), None, NOT_ALLOWED, How::Keyless(DAVE, |_| {})),
    verified("a stranger", Some(false), None, NOT_ALLOWED, How::Keyless(MALLORY, |_| {})),
    verified("a longer name", Some(false), None, NOT_ALLOWED, How::Keyless("alice@example.org.example.net", |_| {})),
    rejected("tampered", "payload-mismatch", How::Tampered),
    rejected("another key's", "bad-signature", How::Keyless(ALICE, |recipe| recipe.other_key_signs = true)),
    rejected(
        "a stranger's with another key",
        "bad-signature",
        How::Keyless(MALLORY, |recipe| recipe.other_key_signs = true),
    ),
    rejected("another authority's", "certificate-signature", How::Keyless(ALICE, |recipe| recipe.foreign_ca = true)),
    rejected("an unknown authority's", "unknown-ca", How::Keyless(ALICE, |recipe| recipe.ca_name = "nobody")),
    rejected("a wrong SCT", "sct", How::Keyless(ALICE, |recipe| recipe.sct = Sct::WrongSignature)),
    rejected(
        "another signature's entry",
        "log-entry-mismatch",
        How::Keyless(ALICE, |recipe| recipe.entry_about = EntryAbout::AnotherSignature),
    ),
    rejected(
        "another log's checkpoint",
        "checkpoint",
        How::Keyless(ALICE, |recipe| recipe.origin = "other.example.org - 42"),
    ),
    rejected(
        "too late",
        "certificate-outside-validity",
        How::Keyless(ALICE, |recipe| recipe.integrated_time = recipe.not_before + SignedDuration::from_secs(601)),
    ),
    rejected("no signature at all", "malformed-signature", How::Other("SIGNED MESSAGE")),
    rejected("two signatures", "several-signatures", How::Twice),
    undecided("no entry", "log-entry-absent", None, How::Keyless(ALICE, |recipe| recipe.entry = None)),
    undecided(
        "a stranger without entry",
        "log-entry-absent",
        Some(false),
        How::Keyless(MALLORY, |recipe| recipe.entry = None),
    ),
    undecided("no SCT", "sct-absent", None, How::Keyless(ALICE, |recipe| recipe.sct = Sct::Absent)),
    undecided(
        "no time",
        "time-absent",
        None,
        How::Keyless(ALICE, |recipe| {
            recipe.log_on_v2(Rekor::V2);
            recipe.tokens = vec![];
        }),
    ),
    other("SSH", "ssh-signature", "SSH SIGNATURE"),
    other("OpenPGP", "openpgp-signature", "PGP SIGNATURE"),
    Truth {
        what: "unsigned",
        verdict: "unsigned",
        allowed: None,
        rule: None,
        reason: Some("unsigned"),
        how: How::Unsigned,
    },
    verified(
        "right, on v2 as gitsign writes it",
        Some(true),
        Some("people"),
        None,
        How::Keyless(ALICE, |recipe| recipe.log_on_v2(Rekor::V2Labelled001)),
    ),
];

const NOT_ALLOWED: Option<&str> = Some("identity-not-allowed");
const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";
const CAROL: &str = "carol@example.org";
const DAVE: &str = "dave@example.org";
const MALLORY: &str = "mallory@example.net";
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

const CHAINS: usize = 10;
const COMMITS: usize = 450;
const TAGS: usize = 50;
/// Commits of the first chain that stand before the start.
const BEFORE: usize = 20;
