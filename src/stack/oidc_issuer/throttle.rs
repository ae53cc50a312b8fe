//! Slows down those who try passwords or device codes: each failure beyond a few doubles the wait for the next try.
//!
//! An account is counted by itself, so that many machines together cannot try fast, and with each client, which has to
//! wait longer: whoever tries from elsewhere can delay the rightful owner by a minute at most.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::crypto::Sha256Digest;
use crate::stack::client_network::ClientNetwork;

/// Failures by what they concern.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<Subject, Failures>>);

/// What failures are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// A name that someone tried to log in with, wherever from; whether there is such an account makes no difference.
    Account(Sha256Digest),
    /// A client, whatever name it tried.
    Client(ClientNetwork),
    /// A name from one client.
    AccountAtClient(Sha256Digest, ClientNetwork),
    /// Codes of the device flow that a client tried.
    DeviceCode(ClientNetwork),
}

impl Subject {
    /// All that a try to log in counts for.
    pub(super) fn of_login(email: &str, from: IpAddr) -> [Self; 3] {
        let account = Sha256Digest::of(email.to_ascii_lowercase().as_bytes());
        let network = ClientNetwork::of(from);
        [Self::Account(account), Self::Client(network), Self::AccountAtClient(account, network)]
    }

    /// How many failures are free, and the longest wait.
    fn limits(self) -> (u32, SignedDuration) {
        match self {
            Self::Account(_) => (30, SignedDuration::from_mins(1)),
            Self::Client(_) => (20, SignedDuration::from_mins(15)),
            Self::AccountAtClient(..) | Self::DeviceCode(_) => (5, SignedDuration::from_mins(15)),
        }
    }
}

impl Throttle {
    /// How long to wait before `subjects` may be tried again; `None` when it may be done now.
    pub(super) fn wait(&self, subjects: &[Subject], now: Timestamp) -> Option<SignedDuration> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = subjects.iter().filter_map(|subject| failures.get(subject)).map(|failed| failed.until).max()?;
        (until > now).then(|| until.duration_since(now))
    }

    /// Counts a failure, before it is known to be one: tries at the same moment count too.
    pub(super) fn count(&self, subjects: &[Subject], now: Timestamp) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() + subjects.len() > MAX_COUNTED {
            failures.retain(|_, failed| now.duration_since(failed.last) < FORGOTTEN_AFTER);
        }
        if failures.len() + subjects.len() > MAX_COUNTED {
            // Someone tries from everywhere. What counts for whole accounts must stay; the youngest of the rest go last.
            let cutoff = now - SignedDuration::from_mins(1);
            failures.retain(|subject, failed| matches!(subject, Subject::Account(_)) || failed.last > cutoff);
        }
        for subject in subjects {
            if failures.len() >= MAX_COUNTED && !failures.contains_key(subject) {
                continue;
            }
            let failed = failures.entry(*subject).or_insert(Failures { count: 0, last: now, until: now });
            if now.duration_since(failed.last) >= FORGOTTEN_AFTER {
                failed.count = 0;
            }
            failed.count = failed.count.saturating_add(1);
            failed.last = now;
            let (free, longest) = subject.limits();
            if let Some(beyond) = failed.count.checked_sub(free) {
                let wait = SignedDuration::from_secs(1_i64 << beyond.min(30));
                failed.until = now + wait.min(longest);
            }
        }
    }

    /// Takes back what was counted for a try that succeeded.
    pub(super) fn forgive(&self, subjects: &[Subject]) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for subject in subjects {
            match subject {
                // Whoever knows one password may still be trying others.
                Subject::Account(_) | Subject::Client(_) => {
                    if let Some(failed) = failures.get_mut(subject) {
                        failed.count = failed.count.saturating_sub(1);
                        failed.until = failed.last;
                    }
                }
                Subject::AccountAtClient(..) | Subject::DeviceCode(_) => {
                    failures.remove(subject);
                }
            }
        }
    }
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Timestamp,
    until: Timestamp,
}

const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Some megabytes.
const MAX_COUNTED: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_sixth_try_waits_and_then_twice_as_long() {
        let throttle = Throttle::default();
        let subjects = Subject::of_login("alice@example.org", HERE);
        for _ in 0..4 {
            throttle.count(&subjects, at(0));
            assert_eq!(throttle.wait(&subjects, at(0)), None);
        }
        let mut now = 0;
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            throttle.count(&subjects, at(now));
            assert_eq!(throttle.wait(&subjects, at(now)), Some(SignedDuration::from_secs(seconds)));
            now += seconds;
            assert_eq!(throttle.wait(&subjects, at(now)), None);
        }
        let elsewhere = Subject::of_login("alice@example.org", "192.0.2.1".parse().unwrap());
        assert_eq!(throttle.wait(&elsewhere, at(0)), None, "the owner elsewhere is not locked out");
        throttle.forgive(&subjects);
        throttle.count(&subjects, at(now));
        assert_eq!(throttle.wait(&subjects, at(now)), None);
    }

    #[test]
    fn many_machines_together_are_slow_too_but_lock_nobody_out() {
        let throttle = Throttle::default();
        for last in 0..200 {
            let from = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, last));
            throttle.count(&Subject::of_login("alice@example.org", from), at(0));
        }
        let owner = Subject::of_login("Alice@example.org", "198.51.100.1".parse().unwrap());
        assert_eq!(throttle.wait(&owner, at(0)), Some(SignedDuration::from_mins(1)));
        assert_eq!(throttle.wait(&Subject::of_login("bob@example.org", HERE), at(0)), None);
    }

    #[test]
    fn names_that_nobody_has_count_for_the_client() {
        let throttle = Throttle::default();
        for number in 0..25 {
            throttle.count(&Subject::of_login(&format!("{number}@example.org"), HERE), at(0));
        }
        assert!(throttle.wait(&Subject::of_login("fresh@example.org", HERE), at(0)).is_some());
        assert_eq!(throttle.wait(&Subject::of_login("fresh@example.org", HERE), at(3600)), None);
        let network = |text: &str| ClientNetwork::of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::2:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }

    #[test]
    fn what_is_counted_has_an_end() {
        let throttle = Throttle::default();
        for number in 0..40_000 {
            throttle.count(&Subject::of_login(&format!("{number}@example.org"), HERE), at(number / 100));
        }
        assert!(throttle.0.lock().unwrap().len() <= MAX_COUNTED);
    }
}
