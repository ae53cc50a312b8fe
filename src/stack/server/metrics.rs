//! What the server counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;

use crate::stack::audit::AuditEvent;
use crate::stack::routes::RequestClass;

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// By route and status.
    pub(super) answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
    /// By route.
    pub(super) durations: Mutex<BTreeMap<&'static str, Histogram>>,
    pub(super) limited: Mutex<BTreeMap<RequestClass, u64>>,
    pub(super) events: Mutex<BTreeMap<&'static str, u64>>,
    pub(super) faults: AtomicU64,
    pub(super) refused_connections: AtomicU64,
}

/// How long answers took.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// How many took no longer than the bound of the same place, and longer than the one before.
    pub(super) counts: [u64; BOUNDS_MS.len()],
    pub(super) total: u64,
    pub(super) sum: Duration,
}

impl Metrics {
    pub(super) fn answered(&self, route: &'static str, status: StatusCode, took: Duration) {
        *lock(&self.answers).entry((route, status.as_u16())).or_default() += 1;
        let mut durations = lock(&self.durations);
        let histogram = durations.entry(route).or_default();
        histogram.total += 1;
        histogram.sum += took;
        let bound = BOUNDS_MS.iter().position(|bound| took <= Duration::from_millis(*bound));
        if let Some(count) = bound.and_then(|bound| histogram.counts.get_mut(bound)) {
            *count += 1;
        }
    }

    pub(super) fn limited(&self, class: RequestClass) {
        *lock(&self.limited).entry(class).or_default() += 1;
    }

    pub(super) fn happened(&self, event: &AuditEvent) {
        *lock(&self.events).entry(event.name()).or_default() += 1;
    }

    pub(super) fn fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From a read out of memory to a sync on a slow disk.
pub(super) const BOUNDS_MS: [u64; 11] = [1, 2, 5, 10, 25, 50, 100, 250, 1000, 5000, 30_000];
