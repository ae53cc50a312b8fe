//! What to do about a reason code of `docs/errors.md`.

/// The hint, where something can be done.
pub(super) fn for_reason(reason: &str) -> Option<&'static str> {
    match reason {
        "unknown-ca" => {
            Some("unknown-ca: if you trust the instance whose authority this is, add it with \"waxseal trust add\"")
        }
        "unknown-log" => {
            Some("unknown-log: if the instance's operator renewed its logs, remove the instance and add it again")
        }
        "clock" => Some("clock: set the local clock"),
        "log-entry-absent" => {
            Some("log-entry-absent: signed in gitsign's online mode, which leaves the proof in the log's hands")
        }
        "trust-material" => Some("trust-material: remove the instance and add it again"),
        "object-missing" => Some("object-missing: fetch the object, then ask again"),
        "openpgp-signature" | "ssh-signature" => {
            Some("waxseal verifies X.509 signatures; git verify-commit judges others")
        }
        _ => None,
    }
}
