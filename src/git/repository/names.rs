//! What a name could mean. Whoever may push a tag may give it the name of a branch, and Git looks among the tags first: where
//! it matters who made a ref, a name must have one meaning only.

use std::ffi::OsStr;

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice as _};

use super::Repository;

impl Repository {
    /// The ref or commit that `revision` begins with, before any `~`, `^` or `@{`, must be the only one of its name.
    ///
    /// # Errors
    /// [`Ambiguous`], with what it could be.
    pub fn check_unambiguous(&self, revision: &OsStr) -> Result<(), Ambiguous> {
        // What is no text names nothing, and what lies in a ref's place and is none is said when it is looked for.
        let Some(revision) = revision.to_str() else { return Ok(()) };
        let name = leading(revision);
        if self.is_full_id(name) || self.check_revision(BStr::new(name)).is_err() {
            return Ok(());
        }
        let mut meanings: Vec<String> = candidates(name).into_iter().filter(|full| self.has_ref(full)).collect();
        let is_ambiguous = if is_full(name) {
            // Another one takes the place of one that is not there.
            !self.has_ref(name) && !meanings.is_empty()
        } else {
            meanings.len() + usize::from(self.abbreviates(name)) > 1
        };
        if !is_ambiguous {
            return Ok(());
        }
        meanings.sort_by_key(|full| !full.starts_with("refs/heads/"));
        let rest = revision.get(name.len()..).unwrap_or_default();
        let example = meanings.first().map(|full| format!("{full}{rest}")).unwrap_or_default();
        Err(Ambiguous { name: name.to_owned(), meanings, example })
    }

    /// The refs that a revision could mean by the name that it begins with: whoever makes another of them changes what it
    /// means, or makes it mean nothing. None, where that cannot be.
    #[must_use]
    pub fn namesakes(&self, revision: &str) -> Vec<String> {
        let name = leading(revision);
        if self.is_full_id(name) || is_full(name) { Vec::new() } else { candidates(name) }
    }

    /// Whether `revision` begins with the name of a branch, here or on a remote: whoever makes tags cannot move it.
    #[must_use]
    pub fn begins_with_branch(&self, revision: &str) -> bool {
        let name = leading(revision);
        // Of HEAD it depends on what is checked out.
        if self.is_full_id(name) || ["", "@", "HEAD"].contains(&name) {
            return false;
        }
        let reference = self.reference(OsStr::new(name)).map(|reference| self.moved(&reference));
        reference.is_some_and(|full| ["refs/heads/", "refs/remotes/"].iter().any(|place| full.starts_with(place)))
    }

    /// What stands behind `refs/tags/` in the name of the ref that `revision` begins with, if it is one of those: a tag object
    /// should be called so.
    #[must_use]
    pub fn tag_name(&self, revision: &OsStr) -> Option<Vec<u8>> {
        if let Some(name) = revision.as_encoded_bytes().strip_prefix(TAGS.as_bytes()) {
            // Where a push brings it, it is not there yet.
            let end = name.iter().position(|byte| b"~^".contains(byte)).unwrap_or(name.len());
            let end = name.find("@{").unwrap_or(end).min(end);
            return name.get(..end).map(<[u8]>::to_vec);
        }
        let name = leading(revision.to_str()?);
        if self.is_full_id(name) {
            return None;
        }
        let full = self.reference(OsStr::new(name))?;
        full.strip_prefix(TAGS).map(|name| name.as_bytes().to_vec())
    }

    /// What the ref `full` names, and no other that is looked for where it is not.
    #[must_use]
    pub fn tip(&self, full: &str) -> Option<ObjectId> {
        self.check_ref(BStr::new(full)).ok()?;
        let found = self.inner.try_find_reference(full).ok().flatten();
        let mut found = found.filter(|found| found.name().as_bstr() == full)?;
        Some(found.follow_to_object().ok()?.detach())
    }

    fn has_ref(&self, full: &str) -> bool {
        match self.inner.try_find_reference(full) {
            Ok(found) => found.is_some_and(|found| found.name().as_bstr() == full),
            // It is there, and cannot be read.
            Err(gix::Error { .. }) => <&gix::refs::FullNameRef>::try_from(full).is_ok(),
        }
    }

    fn is_full_id(&self, name: &str) -> bool {
        name.len() == self.inner.object_hash().len_in_hex() && ObjectId::from_hex(name.as_bytes()).is_ok()
    }

    /// Whether it is the beginning of an object's id, as `git describe` writes it, too.
    fn abbreviates(&self, name: &str) -> bool {
        let hex = name.rsplit_once("-g").map_or(name, |(_, hex)| hex);
        let prefix = gix::hash::Prefix::from_hex(hex).ok();
        prefix.is_some_and(|prefix| matches!(self.inner.objects.lookup_prefix(prefix, None), Ok(Some(_))))
    }
}

/// Where tags are.
const TAGS: &str = "refs/tags/";

/// What stands before `~3`, `^{commit}` or `@{1}`.
#[must_use]
pub fn leading(revision: &str) -> &str {
    let name = revision.split(['~', '^']).next().unwrap_or_default();
    name.split_once("@{").map_or(name, |(name, _)| name)
}

/// Whether a name is looked for where it says, and nowhere else while it is there.
fn is_full(name: &str) -> bool {
    name.starts_with("refs/") || ["", "@", "HEAD"].contains(&name)
}

/// Where a short name is looked for.
fn candidates(name: &str) -> Vec<String> {
    if ["", "@", "HEAD"].contains(&name) {
        return Vec::new();
    }
    let places = ["refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
    let mut full: Vec<String> = places.iter().map(|place| format!("{place}{name}")).collect();
    full.push(format!("refs/remotes/{name}/HEAD"));
    full
}

/// A name that means more than one ref, or another one than it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{name}\" is ambiguous: it could be {}", meanings_of(meanings))]
pub struct Ambiguous {
    name: String,
    meanings: Vec<String>,
    /// The same revision with the whole name of one of them.
    pub example: String,
}

fn meanings_of(meanings: &[String]) -> String {
    match meanings {
        [one] => format!("{one} or something else"),
        many => many.join(" or "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_begins_with_a_name() {
        for (revision, name) in [
            ("main", "main"),
            ("main~3", "main"),
            ("origin/main^{commit}", "origin/main"),
            ("main@{2026-01-31 12:00}", "main"),
            ("a@b", "a@b"),
            ("@{1}", ""),
        ] {
            assert_eq!(leading(revision), name, "{revision}");
        }
        assert!(candidates("HEAD").is_empty() && candidates("@").is_empty());
        assert_eq!(
            candidates("origin"),
            ["refs/origin", "refs/tags/origin", "refs/heads/origin", "refs/remotes/origin", "refs/remotes/origin/HEAD"]
        );
    }
}
