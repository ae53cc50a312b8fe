//! What to do about a reason code of `docs/errors.md`.

use crate::instance::Instance;

/// The hint, where something can be done.
pub(super) fn for_reason<'a>(reason: &str, trusted: impl Iterator<Item = &'a Instance>) -> Option<String> {
    let hint = match reason {
        "clock" => "clock: set the local clock",
        "log-entry-absent" => {
            "log-entry-absent: signed in gitsign's online mode, which leaves the proof in the log's hands"
        }
        "object-missing" => "object-missing: fetch the object, then ask again",
        "openpgp-signature" | "ssh-signature" => "waxseal verifies X.509 signatures; Git itself judges others",
        "trust-material" => "trust-material: remove the instance and add it again",
        "unknown-ca" => {
            let known = known(trusted);
            return Some(format!(
                "unknown-ca: if you trust the instance it is of, \"waxseal trust add\" adds it; {known}"
            ));
        }
        "unknown-log" | "unknown-tsa" => {
            let known = known(trusted);
            return Some(format!(
                "{reason}: if its operator renewed it, remove the instance and add it again; {known}"
            ));
        }
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
