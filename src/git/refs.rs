//! Names of refs.

/// Where tags are.
pub const TAGS: &str = "refs/tags/";

/// Whether what stands under this name is anybody's work: not what Git and waxseal keep for themselves, which nobody signs.
#[must_use]
pub fn is_work(name: &[u8]) -> bool {
    name != STASH && !OWN.iter().any(|own| name.starts_with(own))
}

const OWN: [&[u8]; 2] = [b"refs/notes/", b"refs/waxseal/"];
const STASH: &[u8] = b"refs/stash";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_nobodys_work() {
        for work in ["refs/heads/main", "refs/heads/refs/notes/x", "refs/changes/1", "refs/stash/x"] {
            assert!(is_work(work.as_bytes()), "{work}");
        }
        for own in ["refs/notes/waxseal-evidence", "refs/stash", "refs/waxseal/x"] {
            assert!(!is_work(own.as_bytes()), "{own}");
        }
    }
}
