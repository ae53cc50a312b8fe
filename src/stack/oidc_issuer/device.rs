//! Device authorization (RFC 8628): a program that has no browser shows a short code, and a person who has one enters it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use super::Person;
use crate::crypto::{Sha256Digest, random_bytes};
use crate::stack::client_network::ClientNetwork;

/// The requests that wait for a person, by SHA-256 of the device code.
#[derive(Debug, Default)]
pub(super) struct DeviceRequests(Mutex<HashMap<Sha256Digest, DeviceRequest>>);

#[derive(Debug)]
struct DeviceRequest {
    user_code: String,
    code_challenge: Option<String>,
    wants_refresh_token: bool,
    from: ClientNetwork,
    expires_at: Timestamp,
    interval: SignedDuration,
    last_poll: Option<Timestamp>,
    decision: Option<Decision>,
}

#[derive(Clone, Debug)]
enum Decision {
    Allowed(Person, Timestamp),
    Refused,
}

/// What the program is told (RFC 8628 §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeviceCodes {
    pub(super) device_code: String,
    /// As shown: two groups of four letters.
    pub(super) user_code: String,
}

/// What a poll found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Poll {
    Allowed { person: Person, since: Timestamp, wants_refresh_token: bool },
    Expired,
    Pending,
    Refused,
    TooSoon,
    Unknown,
    WrongVerifier,
}

impl DeviceRequests {
    /// A new request; `None` when too many are waiting.
    pub(super) fn begin(
        &self,
        code_challenge: Option<String>,
        wants_refresh_token: bool,
        from: IpAddr,
        now: Timestamp,
    ) -> Option<DeviceCodes> {
        let from = ClientNetwork::of(from);
        let mut requests = self.lock();
        requests.retain(|_, request| now.duration_since(request.expires_at) < REMEMBERED);
        let of_client = requests.values().filter(|request| request.from == from).count();
        if requests.len() >= MAX_REQUESTS || of_client >= MAX_OF_CLIENT {
            return None;
        }
        let user_code = loop {
            let code = random_user_code();
            if requests.values().all(|request| request.user_code != code) {
                break code;
            }
        };
        let device_code = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
        let request = DeviceRequest {
            user_code: user_code.clone(),
            code_challenge,
            wants_refresh_token,
            from,
            expires_at: now + LIFETIME,
            interval: INTERVAL,
            last_poll: None,
            decision: None,
        };
        requests.insert(Sha256Digest::of(device_code.as_bytes()), request);
        let (first, second) = user_code.split_at(4);
        Some(DeviceCodes { device_code, user_code: format!("{first}-{second}") })
    }

    /// The code as it is shown, when it waits for a decision. What people type may lack the hyphen, or be in small letters.
    pub(super) fn waiting(&self, typed: &str, now: Timestamp) -> Option<String> {
        let code = normalized(typed)?;
        let requests = self.lock();
        let request = requests.values().find(|request| request.user_code == code)?;
        let (first, second) = code.split_at(4);
        (request.decision.is_none() && request.expires_at > now).then(|| format!("{first}-{second}"))
    }

    /// What the person decided: `None` refuses. Whether the code still waited for that.
    pub(super) fn decide(&self, user_code: &str, person: Option<Person>, now: Timestamp) -> bool {
        let Some(code) = normalized(user_code) else { return false };
        let mut requests = self.lock();
        let waiting = |request: &&mut DeviceRequest| {
            request.user_code == code && request.decision.is_none() && request.expires_at > now
        };
        let Some(request) = requests.values_mut().find(waiting) else { return false };
        request.decision = Some(person.map_or(Decision::Refused, |person| Decision::Allowed(person, now)));
        true
    }

    /// RFC 8628 §3.4. `answers` says whether the verifier that came along, if one did, answers the challenge.
    pub(super) fn poll(&self, device_code: &str, answers: impl FnOnce(Option<&str>) -> bool, now: Timestamp) -> Poll {
        let digest = Sha256Digest::of(device_code.as_bytes());
        let mut requests = self.lock();
        let Some(request) = requests.get_mut(&digest) else { return Poll::Unknown };
        if request.expires_at <= now {
            return Poll::Expired;
        }
        let too_soon = request.last_poll.is_some_and(|last| now.duration_since(last) < request.interval);
        request.last_poll = Some(now);
        match request.decision.clone() {
            // RFC 8628 §3.5: five seconds more, for this and all later requests.
            _ if too_soon => {
                request.interval = (request.interval + INTERVAL).min(LONGEST_INTERVAL);
                Poll::TooSoon
            }
            None => Poll::Pending,
            Some(Decision::Refused) => {
                requests.remove(&digest);
                Poll::Refused
            }
            Some(Decision::Allowed(..)) if !answers(request.code_challenge.as_deref()) => Poll::WrongVerifier,
            Some(Decision::Allowed(person, since)) => {
                let wants_refresh_token = request.wants_refresh_token;
                requests.remove(&digest);
                Poll::Allowed { person, since, wants_refresh_token }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sha256Digest, DeviceRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Letters that are no vowels, so that no words come out, and none that is read for another (RFC 8628 §6.1).
fn random_user_code() -> String {
    let mut code = String::with_capacity(USER_CODE_LETTERS);
    while code.len() < USER_CODE_LETTERS {
        for byte in random_bytes::<16>() {
            // 240 is the largest multiple of 20 that a byte holds.
            if byte < 240
                && code.len() < USER_CODE_LETTERS
                && let Some(letter) = LETTERS.get(usize::from(byte) % LETTERS.len())
            {
                code.push(char::from(*letter));
            }
        }
    }
    code
}

fn normalized(typed: &str) -> Option<String> {
    if typed.len() > 64 {
        return None;
    }
    let letters = typed.chars().filter(|letter| !letter.is_whitespace() && !"-–_.".contains(*letter));
    let code: String = letters.map(|letter| letter.to_ascii_uppercase()).collect();
    let well_formed = code.len() == USER_CODE_LETTERS && code.bytes().all(|letter| LETTERS.contains(&letter));
    well_formed.then_some(code)
}

/// RFC 8628 §6.1.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LETTERS: usize = 8;

/// As long as dex gives.
pub(super) const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
pub(super) const INTERVAL: SignedDuration = SignedDuration::from_secs(5);
const LONGEST_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

/// How long an expired code is still told from one that never was.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(5);

const MAX_REQUESTS: usize = 1024;
const MAX_OF_CLIENT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn alice() -> Person {
        Person { email: "alice@example.org".to_owned(), subject: "1".to_owned() }
    }

    #[test]
    fn a_code_is_allowed_once() {
        let requests = DeviceRequests::default();
        let codes = requests.begin(None, true, HERE, at(0)).unwrap();
        assert_eq!(codes.user_code.len(), 9);
        let poll = |second| requests.poll(&codes.device_code, |challenge| challenge.is_none(), at(second));
        assert_eq!(poll(0), Poll::Pending);
        assert_eq!(poll(4), Poll::TooSoon);
        assert_eq!(poll(9), Poll::TooSoon, "ten seconds now");
        assert_eq!(poll(24), Poll::Pending);
        let typed = codes.user_code.to_lowercase().replace('-', " ");
        assert_eq!(requests.waiting(&typed, at(25)), Some(codes.user_code.clone()));
        assert!(requests.decide(&typed, Some(alice()), at(25)));
        assert!(!requests.decide(&typed, None, at(25)), "decided already");
        assert_eq!(requests.waiting(&typed, at(25)), None);
        let allowed = Poll::Allowed { person: alice(), since: at(25), wants_refresh_token: true };
        assert_eq!(poll(44), allowed);
        assert_eq!(poll(64), Poll::Unknown);
        assert_eq!(requests.poll("nope", |_| true, at(0)), Poll::Unknown);
    }

    #[test]
    fn a_code_is_refused_or_expires() {
        let requests = DeviceRequests::default();
        let codes = requests.begin(None, false, HERE, at(0)).unwrap();
        assert!(requests.decide(&codes.user_code, None, at(1)));
        assert_eq!(requests.poll(&codes.device_code, |_| true, at(2)), Poll::Refused);
        let codes = requests.begin(None, false, HERE, at(0)).unwrap();
        assert_eq!(requests.waiting(&codes.user_code, at(300)), None);
        assert!(!requests.decide(&codes.user_code, Some(alice()), at(300)));
        assert_eq!(requests.poll(&codes.device_code, |_| true, at(300)), Poll::Expired);
    }

    #[test]
    fn the_challenge_is_answered_or_nothing_is_given() {
        let requests = DeviceRequests::default();
        let codes = requests.begin(Some("C".to_owned()), false, HERE, at(0)).unwrap();
        assert!(requests.decide(&codes.user_code, Some(alice()), at(1)));
        assert_eq!(requests.poll(&codes.device_code, |challenge| challenge != Some("C"), at(2)), Poll::WrongVerifier);
        let poll = requests.poll(&codes.device_code, |challenge| challenge == Some("C"), at(8));
        assert!(matches!(poll, Poll::Allowed { .. }), "{poll:?}");
    }

    #[test]
    fn one_client_cannot_take_every_place() {
        let requests = DeviceRequests::default();
        for _ in 0..MAX_OF_CLIENT {
            requests.begin(None, false, HERE, at(0)).unwrap();
        }
        assert_eq!(requests.begin(None, false, HERE, at(0)), None);
        assert!(requests.begin(None, false, "192.0.2.1".parse().unwrap(), at(0)).is_some());
        assert!(requests.begin(None, false, HERE, at(1000)).is_some(), "they expire");
    }

    #[test]
    fn only_what_can_be_a_code_is_looked_up() {
        for bad in ["", "BCDF", "AEIO-UAEI", "BCDF-GHJKL", &"-".repeat(100), "BCDFGHJÄ"] {
            assert_eq!(normalized(bad), None, "{bad}");
        }
        assert_eq!(normalized(" bcdf–ghjk ").as_deref(), Some("BCDFGHJK"));
    }
}
