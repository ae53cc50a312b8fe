//! Who may log in with a password: `accounts.json` in the data folder, read anew for each login, so that whoever was
//! removed is out at once.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::data_folder::{ACCOUNTS, DataFolderError};
use super::disk::{create_private, readable_by_others, write_durably};
use crate::crypto::{HashedPassword, PasswordHashError, random_bytes};

/// Where accounts are kept.
#[derive(Clone, Debug)]
pub struct AccountFile(PathBuf);

impl AccountFile {
    /// The file of the stack in `data_folder`, which need not be there yet.
    #[must_use]
    pub fn in_folder(data_folder: &Path) -> Self {
        Self(data_folder.join(ACCOUNTS))
    }

    /// What is in it now; no file means no accounts.
    ///
    /// # Errors
    /// [`AccountError`] when it cannot be read, or others may read it.
    pub fn read(&self) -> Result<Accounts, AccountError> {
        let at = |error| DataFolderError::Io { path: self.0.clone(), error };
        let json = match fs::read(&self.0) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Accounts::default()),
            Err(error) => return Err(at(error).into()),
        };
        if readable_by_others(&self.0).map_err(at)? {
            return Err(DataFolderError::ReadableByOthers(self.0.clone()).into());
        }
        Accounts::from_json(&json).ok_or_else(|| DataFolderError::Malformed(self.0.clone()).into())
    }

    /// Changes what is in it, whole or not at all, while a stack may be using it. One change at a time.
    ///
    /// # Errors
    /// [`AccountError`] of the file, or whatever `change` fails with.
    pub fn change<T>(&self, change: impl FnOnce(&mut Accounts) -> Result<T, AccountError>) -> Result<T, AccountError> {
        let at = |error| DataFolderError::Io { path: self.0.clone(), error };
        if let Some(folder) = self.0.parent() {
            create_private(folder).map_err(at)?;
        }
        let lock = File::options().create(true).truncate(false).write(true).open(self.0.with_extension("lock"));
        let lock = lock.map_err(at)?;
        lock.lock().map_err(at)?;
        let mut accounts = self.read()?;
        let outcome = change(&mut accounts)?;
        write_durably(&self.0, &accounts.to_json()).map_err(at)?;
        Ok(outcome)
    }
}

/// Everyone who may log in with a password, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts(Vec<Account>);

impl Accounts {
    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everyone.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.iter()
    }

    /// By the address, whatever its case: people type it.
    #[must_use]
    pub fn find(&self, email: &str) -> Option<&Account> {
        self.0.iter().find(|account| account.email.eq_ignore_ascii_case(email))
    }

    /// By the subject of its tokens.
    #[must_use]
    pub fn with_subject(&self, subject: &str) -> Option<&Account> {
        self.0.iter().find(|account| account.subject == subject)
    }

    /// A new account.
    ///
    /// # Errors
    /// [`AccountError`] when there is one, or address or password are not good for one.
    pub fn add(&mut self, email: &str, password: &str, now: Timestamp) -> Result<(), AccountError> {
        let well_formed = matches!(email.split_once('@'), Some((local, domain))
            if !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        if !well_formed || email.len() > MAX_EMAIL_BYTES || !email.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AccountError::Email(email.to_owned()));
        }
        if self.find(email).is_some() {
            return Err(AccountError::Exists(email.to_owned()));
        }
        if password.chars().count() < MIN_PASSWORD_CHARS {
            return Err(AccountError::ShortPassword);
        }
        if password.len() > MAX_PASSWORD_BYTES {
            return Err(AccountError::LongPassword);
        }
        if self.0.len() >= MAX_ACCOUNTS {
            return Err(AccountError::TooMany);
        }
        self.0.push(Account {
            email: email.to_owned(),
            subject: URL_SAFE_NO_PAD.encode(random_bytes::<16>()),
            password: HashedPassword::of(password)?,
            created: now,
        });
        Ok(())
    }

    /// Takes an account away. Whoever gets the same address later is someone else.
    ///
    /// # Errors
    /// [`AccountError::Unknown`] when there is none.
    pub fn remove(&mut self, email: &str) -> Result<Account, AccountError> {
        let at = self.0.iter().position(|account| account.email.eq_ignore_ascii_case(email));
        at.map(|at| self.0.remove(at)).ok_or_else(|| AccountError::Unknown(email.to_owned()))
    }

    fn from_json(json: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(json).ok()?;
        let accounts = document.accounts.into_iter().map(|stored| {
            let password = HashedPassword::parse(&stored.password).ok()?;
            Some(Account { email: stored.email, subject: stored.subject, password, created: stored.created })
        });
        accounts.collect::<Option<_>>().map(Self)
    }

    fn to_json(&self) -> Vec<u8> {
        let accounts = self.0.iter().map(|account| Stored {
            email: account.email.clone(),
            subject: account.subject.clone(),
            password: account.password.as_str().to_owned(),
            created: account.created,
        });
        let mut json = serde_json::to_vec_pretty(&Document { accounts: accounts.collect() }).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

/// Someone who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The address that certificates will name.
    pub email: String,
    /// `sub` of its tokens: never given to another account, not even to one with the same address.
    pub subject: String,
    /// What the password must match.
    pub password: HashedPassword,
    /// When it was made.
    pub created: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    accounts: Vec<Stored>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    email: String,
    subject: String,
    password: String,
    created: Timestamp,
}

/// An account that is not made, found or removed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Not an address that a certificate can name.
    #[error("\"{0}\" is not an e-mail address")]
    Email(String),
    /// There is one with this address.
    #[error("{0} has an account already")]
    Exists(String),
    /// The file.
    #[error(transparent)]
    File(#[from] DataFolderError),
    /// The password's hash cannot be made.
    #[error(transparent)]
    Hash(#[from] PasswordHashError),
    /// More than a form takes.
    #[error("the password has more than {MAX_PASSWORD_BYTES} bytes")]
    LongPassword,
    /// Too easily found by trying.
    #[error("the password has fewer than {MIN_PASSWORD_CHARS} characters")]
    ShortPassword,
    /// The file is read anew for each login.
    #[error("there are {MAX_ACCOUNTS} accounts, and no room for more")]
    TooMany,
    /// There is none with this address.
    #[error("\"{0}\" has no account")]
    Unknown(String),
}

/// RFC 5321 §4.5.3.1.3, less the angle brackets.
const MAX_EMAIL_BYTES: usize = 254;

/// NIST SP 800-63B §5.1.1.2: at least eight characters where someone chose it, at least 64 allowed.
const MIN_PASSWORD_CHARS: usize = 8;
pub(super) const MAX_PASSWORD_BYTES: usize = 1024;

const MAX_ACCOUNTS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_kept_and_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let file = AccountFile::in_folder(&folder.path().join("new"));
        assert!(file.read().unwrap().is_empty());
        let add = |email: &str, password: &str| {
            file.change(|accounts| accounts.add(email, password, Timestamp::UNIX_EPOCH))
                .map_err(|error| error.to_string())
        };
        assert_eq!(add("alice@example.org", "correct horse"), Ok(()));
        assert_eq!(
            add("Alice@example.org", "correct horse"),
            Err("Alice@example.org has an account already".to_owned())
        );
        assert_eq!(add("bob@example.org", "short"), Err("the password has fewer than 8 characters".to_owned()));
        for bad in ["", "bob", "@example.org", "bob@", "b ob@example.org", "bob@example.org@x", "bób@example.org"] {
            assert_eq!(add(bad, "correct horse"), Err(format!("{bad:?} is not an e-mail address")));
        }
        let accounts = file.read().unwrap();
        let alice = accounts.find("ALICE@example.org").unwrap();
        assert_eq!(alice.email, "alice@example.org");
        assert!(alice.password.verifies("correct horse"));
        assert_eq!(accounts.with_subject(&alice.subject), Some(alice));
        file.change(|accounts| accounts.remove("alice@example.org")).unwrap();
        assert!(file.read().unwrap().is_empty());
        assert!(matches!(file.change(|accounts| accounts.remove("alice@example.org")), Err(AccountError::Unknown(_))));
        add("alice@example.org", "correct horse").unwrap();
        let again = file.read().unwrap();
        assert_ne!(again.find("alice@example.org").unwrap().subject, alice.subject, "someone else");
    }

    #[cfg(unix)]
    #[test]
    fn hashes_that_others_may_read_are_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = AccountFile::in_folder(folder.path());
        file.change(|accounts| accounts.add("alice@example.org", "correct horse", Timestamp::UNIX_EPOCH)).unwrap();
        fs::set_permissions(folder.path().join(ACCOUNTS), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(file.read(), Err(AccountError::File(DataFolderError::ReadableByOthers(_)))));
    }

    #[test]
    fn a_file_of_another_kind_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        write_durably(&folder.path().join(ACCOUNTS), b"{\"accounts\":[{}]}").unwrap();
        let read = AccountFile::in_folder(folder.path()).read();
        assert!(matches!(read, Err(AccountError::File(DataFolderError::Malformed(_)))));
    }
}
