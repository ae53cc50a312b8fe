//! What to do about a reason code of `docs/errors.md`.

use std::io::{self, Write as _};

use crate::escape;
use crate::finding_cache::CacheError;
use crate::git::repository::Repository;
use crate::instance::Instance;

/// What a clone that is not whole may lack, where one of these reasons was met.
pub(super) fn for_clone(repository: &Repository, reasons: &[&str]) -> Vec<String> {
    if !["object-missing", "rule-undecided"].iter().any(|reason| reasons.contains(reason)) {
        return Vec::new();
    }
    let shallow = repository.is_shallow().then(|| {
        let fix = "\"git fetch --unshallow\" gets the rest; in CI, check out the whole history (fetch-depth: 0)";
        format!("this clone is shallow, and lacks what was cut off: {fix}")
    });
    shallow.into_iter().chain(repository.promisor().map(|promisor| for_partial_clone(&promisor))).collect()
}

/// What a partial clone lacks, and how to get it: never fetched in silence.
pub(super) fn for_partial_clone(promisor: &str) -> String {
    let promisor = escape::shell(promisor);
    format!(
        "this clone is partial, and what it lacks is not fetched unasked: \"git fetch --refetch --no-filter {promisor}\" gets \
         all of it"
    )
}

/// What was found is found again the next time.
pub(super) fn for_cache(error: &CacheError) -> String {
    format!("what was found is not kept for the next run: {error}; remove it, or verify with --no-cache")
}

/// Says it on standard error, if there is something to say.
pub(super) fn say_for_cache(error: Option<&CacheError>) {
    let Some(error) = error else { return };
    // Advice is worth less than the exit code.
    let _closed = writeln!(io::stderr().lock(), "waxseal: hint: {}", escape::terminal(for_cache(error)));
}

/// The hint; none where everything held, or where the object has nothing that could be mended.
pub(super) fn for_reason<'a>(reason: &str, trusted: impl Iterator<Item = &'a Instance>) -> Option<String> {
    let hint = match reason {
        "authority-outside-validity" | "log-outside-validity" => {
            "the trusted root vouches for it at other times only; ask the instance's operator"
        }
        "bad-signature"
        | "certificate-signature"
        | "checkpoint"
        | "inclusion-promise"
        | "inclusion-proof"
        | "log-entry-kind"
        | "log-entry-mismatch"
        | "sct"
        | "timestamp-token" => "what came with the signature is broken or forged; ask the signer to sign again",
        "certificate-form" | "malformed-signature" | "signature-form" | "unsupported-algorithm" => {
            "no program that is known writes such a signature; ask the signer what made it"
        }
        "certificate-outside-validity" => {
            "it was signed when the certificate was not valid; ask the signer to sign again"
        }
        "checkpoint-absent" | "inclusion-promise-absent" | "inclusion-proof-absent" => {
            "part of the proof was left out; ask the signer to sign again"
        }
        "clock" => "clock: set the local clock",
        "gpg-unavailable" => {
            "gpg-unavailable: OpenPGP signatures are verified by GnuPG: install it, so that gpg is in PATH"
        }
        "issuer-not-admitted" => "instance.toml of the instance lists the issuers that it may vouch for",
        "log-contradiction" => {
            "log-contradiction: a log only ever grows; ask its operator what happened, and show the two files to others who \
             use it"
        }
        "log-entry-absent" => {
            "log-entry-absent: signed in gitsign's online mode; \"waxseal evidence fetch\" asks the log and keeps the proof"
        }
        "log-entry-not-found" => {
            "log-entry-not-found: the object was rewritten after it was signed, or never logged; ask the signer to sign again"
        }
        "log-not-searchable" => {
            "log-not-searchable: Rekor v2 has no search; ask the signer to sign again, offline mode"
        }
        "log-search-incomplete" => {
            "log-search-incomplete: the log named more entries than are read, or gave some that cannot be; ask again later, or \
             ask the signer to sign again"
        }
        "log-unavailable" => "log-unavailable: is the network up, and is it the log that answers? then ask again",
        "malformed-object" | "several-signatures" => {
            "Git does not make such an object; look at it with \"git cat-file -p\""
        }
        "object-missing" => "object-missing: fetch the object, then ask again",
        "object-unreadable" => "\"git fsck\" says more",
        "openpgp-signature" | "ssh-signature" => {
            "\"waxseal verify\" judges it under a policy file that names its key (docs/policy.md)"
        }
        "out-of-time" => "out-of-time: push in parts; or --max-time of the hook gives more",
        "payload-mismatch" => "it was changed after it was signed; do not trust it",
        "rule-undecided" => {
            "rule-undecided: --ref says for which ref; a rule about a start commit needs the whole history, \
             one about a forge's merges and squashes Git 2.39"
        }
        "sct-absent" => {
            "certificates of before June 2022 have none; \"waxseal verify --insecure-ignore-sct\" does not ask"
        }
        "signature-purpose" => "a signature for Git was not made of it; do not trust it, and ask who has the key",
        "squash-unproven" => {
            "squash-unproven: heads that were squashed must be here: git fetch origin \
             '+refs/pull/*/head:refs/remotes/origin/pull/*', at GitLab refs/merge-requests/*/head; what a forge rebased or \
             edited has none"
        }
        "tag-name" => "somebody gave the tag a new name; fetch it from where it comes from, or judge it by its id",
        "time-absent" => {
            "time-absent: Rekor v2 gives no time; ask the signer to sign again with a timestamp (waxseal.timestamp = auto)"
        }
        "trust-material" => {
            "trust-material: \"waxseal trust refresh\" may mend it; else remove the instance and add it again"
        }
        "unknown-ca" => {
            let known = known(trusted);
            return Some(format!(
                "unknown-ca: if you trust the instance it is of, \"waxseal trust add\" adds it, and \"waxseal trust refresh\" asks the known ones for what is new; \
                 {known}"
            ));
        }
        "unknown-log" | "unknown-tsa" => {
            let known = known(trusted);
            return Some(format!(
                "{reason}: if its operator renewed it, \"waxseal trust refresh\" asks for what is new; {known}"
            ));
        }
        "unknown-signature-format" => "the signature begins with no line that Git knows",
        "unsupported-evidence" => "a newer waxseal may read it; ask the signer to sign again",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Each trusted instance, and how new the newest thing is that its trusted root knows.
fn known<'a>(trusted: impl Iterator<Item = &'a Instance>) -> String {
    let each = trusted.map(|instance| match instance.trusted_root.newest_start() {
        Some(newest) => format!("{} (trusted root of {})", instance.name, newest.strftime("%Y-%m-%d")),
        None => format!("{} (empty trusted root)", instance.name),
    });
    format!("trusted now: {}", each.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What to do about these depends on the signer or the policy: those who print them know.
    const ELSEWHERE: [&str; 4] = ["exempt", "identity-not-allowed", "no-policy", "unsigned"];

    #[test]
    fn every_reason_has_a_hint() {
        let documented = include_str!("../../docs/errors.md").lines().filter_map(|line| line.strip_prefix("| `"));
        let reasons: Vec<_> = documented.filter_map(|line| line.split('`').next()).collect();
        assert!(reasons.len() > 40);
        for reason in reasons {
            assert_eq!(for_reason(reason, [].into_iter()).is_none(), ELSEWHERE.contains(&reason), "{reason}");
        }
    }
}
