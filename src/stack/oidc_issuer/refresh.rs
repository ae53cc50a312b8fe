//! Refresh tokens (RFC 6749 §6): each is good once and gives the next one. A file for each login holds the digest of its
//! newest token, so that a restart logs nobody out and the files log nobody in.
//!
//! A token that comes a second time was stolen, or its thief was faster: the whole login ends (RFC 9700 §4.14.2). Within
//! some seconds it is taken for a client that did not get its answer; then the answer that was lost is not to be used any
//! more, and whoever uses it ends the login too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Person;
use crate::crypto::{Sha256Digest, random_bytes};
use crate::stack::disk::write_durably;

/// The logins that can be refreshed.
#[derive(Debug)]
pub(super) struct RefreshTokens {
    folder: PathBuf,
    /// Changes are made one at a time.
    changes: Mutex<()>,
}

/// A login's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// Hexadecimal SHA-256 of the token that is good.
    token_sha256: String,
    /// The one before it.
    previous_sha256: Option<String>,
    rotated: Timestamp,
    person: Person,
    /// When the person logged in.
    since: Timestamp,
}

impl RefreshTokens {
    /// Those kept in `folder`, which is made when it is needed. Forgets those that are too old.
    pub(super) fn open(folder: PathBuf, now: Timestamp) -> Self {
        let tokens = Self { folder, changes: Mutex::default() };
        for id in tokens.ids() {
            if tokens.read(&id).is_ok_and(|record| record.is_none_or(|record| record.has_expired(now))) {
                tokens.forget(&id);
            }
        }
        tokens
    }

    /// The first token of a login at `since`, and the login's name.
    pub(super) fn begin(
        &self,
        person: &Person,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(String, String), RefreshError> {
        let _one_at_a_time = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ids().len() >= MAX_LOGINS {
            return Err(RefreshError::Full);
        }
        let id = hex::encode(random_bytes::<16>());
        let (token, token_sha256) = fresh(&id);
        let record = Record { token_sha256, previous_sha256: None, rotated: now, person: person.clone(), since };
        self.write(&id, &record)?;
        Ok((token, id))
    }

    /// Whom `token` is for, since when, and the next token. `is_still_known` says whether that person may still log in.
    pub(super) fn rotate(
        &self,
        token: &str,
        is_still_known: impl FnOnce(&Person) -> bool,
        now: Timestamp,
    ) -> Result<(Person, Timestamp, String), RefreshError> {
        let _one_at_a_time = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let (id, digest) = split(token).ok_or(RefreshError::Invalid)?;
        let record = self.read(&id)?.ok_or(RefreshError::Invalid)?;
        let is_newest = record.token_sha256 == digest;
        let is_previous = record.previous_sha256.as_ref() == Some(&digest);
        let answer_was_lost = is_previous && now.duration_since(record.rotated) <= REUSE_INTERVAL;
        // Only a token of this login knows its name.
        let is_superseded = !is_newest && !answer_was_lost;
        if is_superseded || record.has_expired(now) || !is_still_known(&record.person) {
            self.forget(&id);
            return Err(RefreshError::Invalid);
        }
        let (next, token_sha256) = fresh(&id);
        let rotated = if answer_was_lost { record.rotated } else { now };
        let record = Record { token_sha256, previous_sha256: Some(digest), rotated, ..record };
        self.write(&id, &record)?;
        Ok((record.person, record.since, next))
    }

    /// RFC 7009: ends the login that `token` belongs to. Unknown ones are ended already.
    pub(super) fn revoke(&self, token: &str) -> Result<(), RefreshError> {
        let _one_at_a_time = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((id, digest)) = split(token) else { return Ok(()) };
        if let Some(record) = self.read(&id)?
            && (record.token_sha256 == digest || record.previous_sha256 == Some(digest))
        {
            self.forget(&id);
        }
        Ok(())
    }

    /// Ends a login by its name.
    pub(super) fn end(&self, id: &str) {
        let _one_at_a_time = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget(id);
    }

    fn ids(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect()
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(Path::new(id).with_extension("json"))
    }

    fn read(&self, id: &str) -> Result<Option<Record>, RefreshError> {
        match fs::read(self.path(id)) {
            Ok(json) => Ok(serde_json::from_slice(&json).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, id: &str, record: &Record) -> Result<(), RefreshError> {
        let json = serde_json::to_vec(record).unwrap_or_default();
        Ok(write_durably(&self.path(id), &json)?)
    }

    /// What cannot be removed expires; nothing better can be done about it here.
    fn forget(&self, id: &str) {
        let _gone_or_expiring = fs::remove_file(self.path(id));
    }
}

impl Record {
    fn has_expired(&self, now: Timestamp) -> bool {
        now.duration_since(self.rotated) > IDLE_LIFETIME || now.duration_since(self.since) > LIFETIME
    }
}

/// A refresh token that is not taken or not made.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// More logins than a small team has.
    #[error("there are {MAX_LOGINS} logins with refresh tokens, and no room for more")]
    Full,
    /// Unknown, used, expired, revoked, or its person may not log in any more.
    #[error("the refresh token is invalid or claimed by another client")]
    Invalid,
    /// The file system said no.
    #[error("refresh-tokens: {0}")]
    Io(#[from] io::Error),
}

/// A token names its login in front, so that it is found without a search that would take longer for a better guess.
fn fresh(id: &str) -> (String, String) {
    let token = format!("{id}.{}", URL_SAFE_NO_PAD.encode(random_bytes::<32>()));
    let digest = Sha256Digest::of(token.as_bytes()).to_string();
    (token, digest)
}

fn split(token: &str) -> Option<(String, String)> {
    let (id, _secret) = token.split_once('.')?;
    let well_formed = id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    well_formed.then(|| (id.to_owned(), Sha256Digest::of(token.as_bytes()).to_string()))
}

/// Whoever signs nothing for a month logs in again.
const IDLE_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// And everyone after three.
const LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// As dex's `reuseInterval` in its examples, and a little more.
const REUSE_INTERVAL: SignedDuration = SignedDuration::from_secs(10);

const MAX_LOGINS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn alice() -> Person {
        Person { email: "alice@example.org".to_owned(), subject: "1".to_owned() }
    }

    fn rotate(tokens: &RefreshTokens, token: &str, second: i64) -> Result<String, String> {
        let rotated = tokens.rotate(token, |person| *person == alice(), at(second));
        rotated
            .map(|(person, since, next)| {
                assert_eq!((person, since), (alice(), at(0)));
                next
            })
            .map_err(|error| error.to_string())
    }

    const INVALID: &str = "the refresh token is invalid or claimed by another client";

    #[test]
    fn a_token_is_good_once_and_gives_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let open = || RefreshTokens::open(folder.path().join("r"), at(0));
        let (first, _) = open().begin(&alice(), at(0), at(0)).unwrap();
        let second = rotate(&open(), &first, 100).unwrap();
        let third = rotate(&open(), &second, 200).unwrap();
        assert_eq!(rotate(&open(), &second, 211), Err(INVALID.to_owned()), "stolen");
        assert_eq!(rotate(&open(), &third, 212), Err(INVALID.to_owned()), "and so the login is over");
    }

    #[test]
    fn a_lost_answer_is_given_again_and_its_finder_ends_the_login() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = RefreshTokens::open(folder.path().to_owned(), at(0));
        let (first, _) = tokens.begin(&alice(), at(0), at(0)).unwrap();
        let lost = rotate(&tokens, &first, 100).unwrap();
        let again = rotate(&tokens, &first, 105).unwrap();
        let next = rotate(&tokens, &again, 200).unwrap();
        assert_eq!(rotate(&tokens, &lost, 201), Err(INVALID.to_owned()), "somebody has it after all");
        assert_eq!(rotate(&tokens, &next, 202), Err(INVALID.to_owned()), "so one of the two is a thief");
    }

    #[test]
    fn no_secret_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = RefreshTokens::open(folder.path().to_owned(), at(0));
        let (token, id) = tokens.begin(&alice(), at(0), at(0)).unwrap();
        let stored = fs::read_to_string(folder.path().join(format!("{id}.json"))).unwrap();
        assert!(!stored.contains(token.split_once('.').unwrap().1), "{stored}");
    }

    #[test]
    fn a_login_ends_by_time_revocation_or_with_its_account() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = RefreshTokens::open(folder.path().to_owned(), at(0));
        let begin = || tokens.begin(&alice(), at(0), at(0)).unwrap().0;
        let days = |days: i64| days * 24 * 3600;
        assert_eq!(rotate(&tokens, &begin(), days(30) + 1), Err(INVALID.to_owned()));
        let mut token = begin();
        for day in [20, 40, 60, 80] {
            token = rotate(&tokens, &token, days(day)).unwrap();
        }
        assert_eq!(rotate(&tokens, &token, days(91)), Err(INVALID.to_owned()));
        let token = begin();
        tokens.revoke(&format!("{token}x")).unwrap();
        let token = rotate(&tokens, &token, 1).unwrap();
        tokens.revoke(&token).unwrap();
        tokens.revoke(&token).unwrap();
        assert_eq!(rotate(&tokens, &token, 2), Err(INVALID.to_owned()));
        let token = begin();
        assert!(matches!(tokens.rotate(&token, |_| false, at(1)), Err(RefreshError::Invalid)));
        assert_eq!(rotate(&tokens, &token, 1), Err(INVALID.to_owned()));
        for nonsense in ["", ".", "../../lock.x", &format!("{}.x", "0".repeat(32)), &"a".repeat(32)] {
            assert_eq!(rotate(&tokens, nonsense, 1), Err(INVALID.to_owned()), "{nonsense}");
        }
        let (old, _) = tokens.begin(&alice(), at(0), at(0)).unwrap();
        drop(RefreshTokens::open(folder.path().to_owned(), at(days(31))));
        assert_eq!(rotate(&tokens, &old, 1), Err(INVALID.to_owned()), "swept");
    }
}
