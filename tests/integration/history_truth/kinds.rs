//! Every kind of object in the history, and what must be said of it.

use jiff::SignedDuration;

use super::openpgp::Hash;
use super::trees::Tree;
use crate::forge::{EntryAbout, Recipe, Rekor, Sct};

/// What must be said of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truth {
    pub what: &'static str,
    pub verdict: &'static str,
    pub allowed: Option<bool>,
    pub rule: Option<&'static str>,
    pub reason: Option<&'static str>,
    pub how: How,
}

/// How an object is made.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// Signed by this address; then the recipe is changed.
    Keyless(&'static str, fn(&mut Recipe)),
    /// Signed, then changed.
    Tampered,
    /// With this for a signature.
    Other(&'static str),
    /// With its signature twice.
    Twice,
    Unsigned,
    /// By the SSH key of this seed.
    Ssh {
        by: u8,
        namespace: &'static str,
        is_tampered: bool,
    },
    /// By the OpenPGP key of this seed.
    OpenPgp {
        by: u8,
        hash: Hash,
        is_tampered: bool,
    },
}

/// A merge that a host of repositories signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostMerge {
    pub truth: Truth,
    pub committer: &'static str,
    /// Of the merged side: `Theirs`, or what conflicts with `Ours`.
    pub side: Tree,
    pub tree: Tree,
}

impl Truth {
    /// What must be said of the same object, which nobody excepts, under the policy of [`super::world::World`] that admits
    /// everybody but Alice, and one SSH key.
    pub(super) fn under_the_other(self) -> Self {
        let is_alice = matches!(self.how, How::Keyless(ALICE, _));
        let (verdict, allowed, rule, reason) = match (self.how, self.verdict) {
            (How::Keyless(..), "verified") if is_alice => ("verified", Some(false), None, NOT_ALLOWED),
            (How::Keyless(..), "verified") => ("verified", Some(true), Some("the others"), None),
            (How::Keyless(..), "undecided") => ("undecided", is_alice.then_some(false), None, self.reason),
            (How::Ssh { by: STRANGER, .. }, _) => ("verified", Some(true), Some("the stranger"), None),
            // A key that no rule names is not looked at, whatever it did.
            (How::Ssh { .. }, _) => ("other", Some(false), None, Some("ssh-signature")),
            (How::OpenPgp { .. } | How::Other(PGP), _) => ("other", Some(false), None, Some("openpgp-signature")),
            (How::Keyless(..) | How::Other(_) | How::Tampered | How::Twice | How::Unsigned, _) => return self,
        };
        Self { verdict, allowed, rule, reason, ..self }
    }

    /// How a run that looks at nothing else ends.
    pub(super) fn exit_code(&self) -> i32 {
        match (self.verdict, self.allowed, self.reason) {
            (_, _, Some("exempt")) | ("verified", Some(true), _) => 0,
            ("rejected" | "unsigned", ..) | (_, Some(false), _) => 1,
            ("verified" | "undecided" | "other", None, _) => 3,
            _ => panic!("{self:?} is nothing that can be said"),
        }
    }

    /// Whether such a tag would be none to Git: it has no header for a second signature, and looks for those that it knows.
    pub(super) fn is_of_commits(&self) -> bool {
        matches!(self.how, How::Twice | How::Other(UNKNOWN))
    }

    fn needs_gpg(&self) -> bool {
        matches!(self.how, How::OpenPgp { .. } | How::Other(PGP))
    }
}

/// Those that can be made and judged here.
pub(super) fn kinds(has_gpg: bool) -> Vec<Truth> {
    KINDS.into_iter().filter(|truth| has_gpg || !truth.needs_gpg()).collect()
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

const fn allowed(what: &'static str, rule: &'static str, how: How) -> Truth {
    verified(what, Some(true), Some(rule), None, how)
}

const fn not_allowed(what: &'static str, how: How) -> Truth {
    verified(what, Some(false), None, NOT_ALLOWED, how)
}

const fn rejected(what: &'static str, reason: &'static str, how: How) -> Truth {
    Truth { what, verdict: "rejected", allowed: None, rule: None, reason: Some(reason), how }
}

const fn undecided(what: &'static str, reason: &'static str, allowed: Option<bool>, how: How) -> Truth {
    Truth { what, verdict: "undecided", allowed, rule: None, reason: Some(reason), how }
}

const fn other(what: &'static str, reason: &'static str, how: How) -> Truth {
    Truth { what, verdict: "other", allowed: Some(false), rule: None, reason: Some(reason), how }
}

const fn ssh(by: u8) -> How {
    How::Ssh { by, namespace: "git", is_tampered: false }
}

const fn openpgp(by: u8) -> How {
    How::OpenPgp { by, hash: Hash::Sha256, is_tampered: false }
}

/// Every kind of object. Those that are right stand there more than once, for so they do in a history.
const KINDS: [Truth; 43] = [
    allowed("right", "people", How::Keyless(ALICE, |_| {})),
    allowed("right, on v2", "people", How::Keyless(ALICE, |recipe| recipe.log_on_v2(Rekor::V2))),
    allowed("stamped", "stamped", How::Keyless(BOB, |recipe| recipe.log_on_v2(Rekor::V2))),
    not_allowed("not stamped", How::Keyless(BOB, |_| {})),
    verified("a ref unknown", None, Some("main only"), Some("rule-undecided"), How::Keyless(CAROL, |_| {})),
    not_allowed("who left", How::Keyless(DAVE, |_| {})),
    not_allowed("a stranger", How::Keyless(MALLORY, |_| {})),
    not_allowed("a longer name", How::Keyless("alice@example.org.example.net", |_| {})),
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
    Truth {
        what: "unsigned",
        verdict: "unsigned",
        allowed: None,
        rule: None,
        reason: Some("unsigned"),
        how: How::Unsigned,
    },
    allowed(
        "right, on v2 as gitsign writes it",
        "people",
        How::Keyless(ALICE, |recipe| recipe.log_on_v2(Rekor::V2Labelled001)),
    ),
    other("of no format", "unknown-signature-format", How::Other(UNKNOWN)),
    allowed("an SSH key", "a key", ssh(NAMED)),
    allowed("an allowed signer", "allowed signers", ssh(SIGNER)),
    not_allowed("an allowed signer and not the author", ssh(NOT_THE_AUTHOR)),
    allowed("an SSH key until it was lost", UNTIL, ssh(LOST)),
    allowed("an SSH key from its making on", FROM, ssh(NEW)),
    rejected("tampered, SSH", "bad-signature", How::Ssh { by: NAMED, namespace: "git", is_tampered: true }),
    rejected("SSH for files", "signature-purpose", How::Ssh { by: NAMED, namespace: "file", is_tampered: false }),
    other("a stranger's SSH key", "ssh-signature", ssh(STRANGER)),
    rejected("no SSH signature at all", "malformed-signature", How::Other("SSH SIGNATURE")),
    not_allowed("an edit at the host", ssh(HOST)),
    allowed("an OpenPGP key", "an OpenPGP key", openpgp(NAMED)),
    allowed("an OpenPGP key until it was lost", OPENPGP_UNTIL, openpgp(LOST)),
    not_allowed("a revoked OpenPGP key", openpgp(REVOKED)),
    rejected("tampered, OpenPGP", "bad-signature", How::OpenPgp { by: NAMED, hash: Hash::Sha256, is_tampered: true }),
    rejected(
        "OpenPGP with SHA-1",
        "unsupported-algorithm",
        How::OpenPgp { by: NAMED, hash: Hash::Sha1, is_tampered: false },
    ),
    other("a stranger's OpenPGP key", "openpgp-signature", openpgp(STRANGER)),
    rejected("no OpenPGP signature at all", "malformed-signature", How::Other(PGP)),
];

/// Every kind of merge by the host of repositories.
pub(super) const MERGES: [HostMerge; 6] = [
    HostMerge {
        truth: allowed("a merge", "the host", ssh(HOST)),
        committer: HOSTS,
        side: Tree::Theirs,
        tree: Tree::Merged,
    },
    HostMerge {
        truth: not_allowed("a merge with something slipped in", ssh(HOST)),
        committer: HOSTS,
        side: Tree::Theirs,
        tree: Tree::Evil,
    },
    HostMerge {
        truth: not_allowed("a merge that drops a side", ssh(HOST)),
        committer: HOSTS,
        side: Tree::Theirs,
        tree: Tree::Ours,
    },
    HostMerge {
        truth: not_allowed("a merge in Alice's name", ssh(HOST)),
        committer: ALICE,
        side: Tree::Theirs,
        tree: Tree::Merged,
    },
    HostMerge {
        truth: not_allowed("a conflict resolved by hand", ssh(HOST)),
        committer: HOSTS,
        side: Tree::Contrary,
        tree: Tree::Ours,
    },
    HostMerge {
        truth: rejected(
            "a merge, tampered",
            "bad-signature",
            How::Ssh { by: HOST, namespace: "git", is_tampered: true },
        ),
        committer: HOSTS,
        side: Tree::Theirs,
        tree: Tree::Merged,
    },
];

pub(super) const NOT_ALLOWED: Option<&str> = Some("identity-not-allowed");

pub(super) const ALICE: &str = "alice@example.org";
pub(super) const BOB: &str = "bob@example.org";
pub(super) const CAROL: &str = "carol@example.org";
pub(super) const DAVE: &str = "dave@example.org";
pub(super) const MALLORY: &str = "mallory@example.net";
pub(super) const HOSTS: &str = "noreply@forge.example";

/// Seeds of keys.
pub(super) const NAMED: u8 = 1;
pub(super) const SIGNER: u8 = 2;
pub(super) const NOT_THE_AUTHOR: u8 = 3;
pub(super) const LOST: u8 = 4;
pub(super) const NEW: u8 = 5;
pub(super) const HOST: u8 = 6;
pub(super) const REVOKED: u8 = 7;
pub(super) const STRANGER: u8 = 8;
pub(super) const SEEDS: u8 = 9;

/// Names of rules between commits.
pub(super) const UNTIL: &str = "until it was lost";
pub(super) const OPENPGP_UNTIL: &str = "until it was lost, too";
pub(super) const FROM: &str = "from its making on";

const PGP: &str = "PGP SIGNATURE";
const UNKNOWN: &str = "FOREIGN SIGNATURE";
