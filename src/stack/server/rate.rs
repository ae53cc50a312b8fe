//! How often one client may ask: a token bucket for each client and class of request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::stack::client_network::ClientNetwork;
use crate::stack::routes::RequestClass;

/// Requests a second by class; `None`: as many as come. At a standstill a client saves up for [`SAVED_UP`] seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Certificates.
    pub certificates: Option<NonZeroU32>,
    /// Steps of a login, and tokens.
    pub login: Option<NonZeroU32>,
    /// Everything that changes nothing.
    pub reads: Option<NonZeroU32>,
    /// Log entries and timestamps.
    pub writes: Option<NonZeroU32>,
}

impl RateLimits {
    /// None at all.
    pub const OFF: Self = Self { certificates: None, login: None, reads: None, writes: None };

    fn of(&self, class: RequestClass) -> Option<NonZeroU32> {
        match class {
            RequestClass::Certificates => self.certificates,
            RequestClass::Login => self.login,
            RequestClass::Reads => self.reads,
            RequestClass::Writes => self.writes,
        }
    }
}

impl Default for RateLimits {
    /// What fifty people and their CI behind one address do not reach, and no single client takes a stack over with.
    fn default() -> Self {
        Self {
            certificates: NonZeroU32::new(100),
            login: NonZeroU32::new(100),
            reads: NonZeroU32::new(1000),
            writes: NonZeroU32::new(200),
        }
    }
}

/// The buckets.
#[derive(Debug)]
pub(super) struct Rates {
    limits: RateLimits,
    start: Instant,
    buckets: Mutex<Buckets>,
}

/// When each bucket will be full again, since the start (the generic cell rate algorithm: one number a bucket). One that is
/// full need not be kept.
#[derive(Debug, Default)]
struct Buckets {
    of: HashMap<(ClientNetwork, RequestClass), Duration>,
    /// For all who come when there is no room for more.
    shared: HashMap<RequestClass, Duration>,
    swept: Duration,
}

impl Rates {
    pub(super) fn new(limits: RateLimits) -> Self {
        Self { limits, start: Instant::now(), buckets: Mutex::default() }
    }

    /// Counts a request of `client`; how long to wait when that was one too many.
    pub(super) fn count(&self, client: IpAddr, class: RequestClass) -> Result<(), Duration> {
        self.count_at(client, class, self.start.elapsed())
    }

    fn count_at(&self, client: IpAddr, class: RequestClass, now: Duration) -> Result<(), Duration> {
        let Some(per_second) = self.limits.of(class) else { return Ok(()) };
        // More than a billion a second is a limit still.
        let each = (Duration::from_secs(1) / per_second.get()).max(Duration::from_nanos(1));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.bucket((ClientNetwork::of(client), class), now);
        let next = (*full_at).max(now) + each;
        match next.checked_sub(now + SAVED_UP) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *full_at = next;
                Ok(())
            }
        }
    }
}

impl Buckets {
    fn bucket(&mut self, whose: (ClientNetwork, RequestClass), now: Duration) -> &mut Duration {
        let is_room = self.of.len() < MAX_BUCKETS || self.of.contains_key(&whose) || {
            if now.saturating_sub(self.swept) > SWEEP_INTERVAL {
                self.swept = now;
                self.of.retain(|_, full_at| *full_at > now);
            }
            self.of.len() < MAX_BUCKETS
        };
        if is_room { self.of.entry(whose).or_default() } else { self.shared.entry(whose.1).or_default() }
    }
}

/// What may come at once after a quiet time: as much as otherwise in this one.
pub const SAVED_UP: Duration = Duration::from_secs(20);

/// Some megabytes.
const MAX_BUCKETS: usize = 50_000;

const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(number).into()
    }

    #[test]
    fn a_burst_and_then_so_many_a_second_for_each_client_and_class() {
        let rates = Rates::new(RateLimits { login: NonZeroU32::new(2), writes: NonZeroU32::new(1), ..RateLimits::OFF });
        let at = |client, class, second: u64| rates.count_at(address(client), class, Duration::from_secs(second));
        for _ in 0..40 {
            assert_eq!(at(1, RequestClass::Login, 100), Ok(()));
        }
        assert_eq!(at(1, RequestClass::Login, 100), Err(Duration::from_millis(500)));
        assert_eq!(at(1, RequestClass::Writes, 100), Ok(()), "another class");
        assert_eq!(at(2, RequestClass::Login, 100), Ok(()), "another client");
        assert_eq!(at(1, RequestClass::Reads, 100), Ok(()), "no limit");
        assert_eq!(at(1, RequestClass::Login, 101), Ok(()));
        assert_eq!(at(1, RequestClass::Login, 101), Ok(()));
        assert!(at(1, RequestClass::Login, 101).is_err(), "two a second, and a refusal costs nothing");
        for _ in 0..40 {
            assert_eq!(at(1, RequestClass::Login, 500), Ok(()));
        }
        assert!(at(1, RequestClass::Login, 500).is_err(), "no more is saved up");
    }

    #[test]
    fn memory_has_an_end_and_strangers_share_what_is_left() {
        let rates = Rates::new(RateLimits { login: NonZeroU32::new(1), ..RateLimits::OFF });
        let at =
            |client, second: u64| rates.count_at(address(client), RequestClass::Login, Duration::from_secs(second));
        for client in 0..50_000 {
            assert_eq!(at(client, 10), Ok(()));
        }
        for client in 60_000..60_020 {
            assert_eq!(at(client, 10), Ok(()));
        }
        assert!(at(70_000, 10).is_err(), "one bucket for all who are new");
        assert_eq!(at(7, 10), Ok(()), "those who are known have their own");
        assert_eq!(at(70_000, 20), Ok(()));
        assert!(rates.buckets.lock().unwrap().of.len() <= 2, "whose bucket is full is forgotten");
    }
}
