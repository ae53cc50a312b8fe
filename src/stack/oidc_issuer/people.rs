//! Who may log in, and how: by password once there are accounts, until then without one where that was asked for.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::left_half;
use super::throttle::{Subject, Throttle};
use crate::crypto::{HashedPassword, PasswordHashError, Sha256Digest, random_bytes};
use crate::stack::accounts::{AccountError, AccountFile, Accounts, MAX_PASSWORD_BYTES};

/// Someone who logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Whom certificates will name.
    pub email: String,
    /// `sub`: a stable name that is not the address. A client that confuses the two is found out here, not in the field.
    pub subject: String,
}

impl Person {
    fn without_account(email: &str) -> Self {
        let digest = Sha256Digest::of_parts(&[b"waxseal account\0", email.as_bytes()]);
        Self { email: email.to_owned(), subject: URL_SAFE_NO_PAD.encode(left_half(&digest)) }
    }
}

/// Everyone who may log in.
#[derive(Debug)]
pub(super) struct People {
    auto_login: Vec<String>,
    accounts: AccountFile,
    throttle: Throttle,
    /// Held while a password is hashed, which takes 19 MiB.
    hashing: Mutex<()>,
    in_line: AtomicUsize,
}

/// What a login takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginMethod {
    /// Nothing: whoever asks is one of these.
    Automatic(Vec<String>),
    /// An address and a password.
    Password,
}

impl People {
    pub(super) fn new(auto_login: Vec<String>, accounts: AccountFile) -> Self {
        let (hashing, in_line) = (Mutex::default(), AtomicUsize::new(0));
        Self { auto_login, accounts, throttle: Throttle::default(), hashing, in_line }
    }

    /// How one logs in now; `None` when nobody can.
    pub(super) fn method(&self) -> Result<Option<LoginMethod>, AccountError> {
        if !self.accounts.read()?.is_empty() {
            return Ok(Some(LoginMethod::Password));
        }
        Ok((!self.auto_login.is_empty()).then(|| LoginMethod::Automatic(self.auto_login.clone())))
    }

    /// Without a password: the first, or the one of this address.
    pub(super) fn automatic(addresses: &[String], email: Option<&str>) -> Option<Person> {
        let found = match email {
            Some(email) => addresses.iter().find(|address| *address == email),
            None => addresses.first(),
        };
        found.map(|email| Person::without_account(email))
    }

    /// Takes as long for an address that nobody has as for a wrong password.
    pub(super) fn with_password(
        &self,
        email: &str,
        password: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Person, LoginProblem> {
        let email = email.trim();
        if email.is_empty() || password.is_empty() {
            return Err(LoginProblem::Incomplete);
        }
        let subjects = Subject::of_login(email, from);
        if let Some(wait) = self.throttle.wait(&subjects, now) {
            return Err(LoginProblem::Wait(wait));
        }
        let accounts = self.accounts.read()?;
        self.throttle.count(&subjects, now);
        let matches = self.matches(accounts.find(email).map(|account| &account.password), password)?;
        let account = accounts.find(email).filter(|_| matches).ok_or(LoginProblem::Wrong)?;
        self.throttle.forgive(&subjects);
        Ok(Person { email: account.email.clone(), subject: account.subject.clone() })
    }

    fn matches(&self, hash: Option<&HashedPassword>, password: &str) -> Result<bool, LoginProblem> {
        let place = PlaceInLine::take(&self.in_line).ok_or(LoginProblem::Busy)?;
        let one_at_a_time = self.hashing.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = match (hash, &*NOBODYS_PASSWORD) {
            (Some(hash), _) | (None, Ok(hash)) => hash,
            (None, Err(error)) => return Err(AccountError::Hash(*error).into()),
        };
        let matches = password.len() <= MAX_PASSWORD_BYTES && hash.verifies(password);
        drop((one_at_a_time, place));
        Ok(matches)
    }

    /// Who may log in at this moment, to be asked about those who logged in earlier.
    pub(super) fn now(&self) -> Result<PeopleNow<'_>, AccountError> {
        Ok(PeopleNow { auto_login: &self.auto_login, accounts: self.accounts.read()? })
    }

    /// Counts a try of a device code, and says how long to wait when there were too many.
    pub(super) fn try_device_code(&self, from: IpAddr, now: Timestamp) -> Result<(), SignedDuration> {
        let subject = [Subject::DeviceCode(crate::stack::client_network::ClientNetwork::of(from))];
        match self.throttle.wait(&subject, now) {
            Some(wait) => Err(wait),
            None => {
                self.throttle.count(&subject, now);
                Ok(())
            }
        }
    }

    /// The code was right.
    pub(super) fn device_code_was_right(&self, from: IpAddr) {
        self.throttle.forgive(&[Subject::DeviceCode(crate::stack::client_network::ClientNetwork::of(from))]);
    }
}

/// [`People`] at one moment.
pub(super) struct PeopleNow<'a> {
    auto_login: &'a [String],
    accounts: Accounts,
}

impl PeopleNow<'_> {
    /// Whether `person` could still log in.
    pub(super) fn know(&self, person: &Person) -> bool {
        if self.accounts.is_empty() {
            return People::automatic(self.auto_login, Some(&person.email)).as_ref() == Some(person);
        }
        self.accounts.with_subject(&person.subject).is_some_and(|account| account.email == person.email)
    }
}

/// One of those who wait for a password to be hashed.
struct PlaceInLine<'a>(&'a AtomicUsize);

impl<'a> PlaceInLine<'a> {
    fn take(in_line: &'a AtomicUsize) -> Option<Self> {
        // Counted first, so that it is also counted down.
        let place = Self(in_line);
        (in_line.fetch_add(1, Ordering::Relaxed) < MAX_IN_LINE).then_some(place)
    }
}

impl Drop for PlaceInLine<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginProblem {
    /// The accounts cannot be read.
    #[error(transparent)]
    Accounts(#[from] AccountError),
    /// Too many others log in at this moment.
    #[error("too many people log in at once")]
    Busy,
    /// A field was left empty.
    #[error("address or password is missing")]
    Incomplete,
    /// Too many failures.
    #[error("too many failed tries: the next is taken in {0:#}")]
    Wait(SignedDuration),
    /// No such account, or not its password.
    #[error("the address or the password is wrong")]
    Wrong,
}

/// What is compared where there is no account.
static NOBODYS_PASSWORD: LazyLock<Result<HashedPassword, PasswordHashError>> =
    LazyLock::new(|| HashedPassword::of(&URL_SAFE_NO_PAD.encode(random_bytes::<32>())));

/// A second's worth of hashing, or less.
const MAX_IN_LINE: usize = 16;
