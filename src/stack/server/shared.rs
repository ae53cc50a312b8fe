//! What the connections and requests of a server have in common.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::body::BodyBudget;
use super::limits::{ClientPlace, ClientPlaces};
use super::log::LogWriter;
use super::metrics::Metrics;
use super::options::ServerOptions;
use super::rate::Rates;
use super::tls::TlsIdentity;
use crate::stack::Stack;
use crate::stack::routes::RequestClass;

/// A server that runs.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) stack: Stack,
    pub(super) options: ServerOptions,
    /// Whether only this machine comes in.
    pub(super) is_private: bool,
    pub(super) rates: Rates,
    pub(super) metrics: Metrics,
    /// A class each: reads do not wait behind writes that wait for the disk.
    pub(super) at_once: [(RequestClass, Arc<Semaphore>); 4],
    places: Arc<Semaphore>,
    monitors: Arc<Semaphore>,
    clients: Arc<ClientPlaces>,
    pub(super) bodies: Arc<BodyBudget>,
}

impl Server {
    pub(super) fn new(stack: Stack, options: ServerOptions, is_private: bool) -> Self {
        let limits = options.limits;
        Self {
            stack,
            rates: Rates::new(options.rates),
            options,
            is_private,
            metrics: Metrics::default(),
            at_once: RequestClass::ALL.map(|class| (class, Arc::new(Semaphore::new(at_once(class))))),
            places: Arc::new(Semaphore::new(limits.connections)),
            monitors: Arc::new(Semaphore::new(MAX_MONITORS)),
            clients: Arc::default(),
            bodies: Arc::new(BodyBudget::new(&limits)),
        }
    }

    /// Takes a certificate that is another one now.
    pub(super) async fn read_certificate_again(self: &Arc<Self>) {
        let server = Arc::clone(self);
        if self.options.tls.is_none() {
            return;
        }
        let read = tokio::task::spawn_blocking(move || server.options.tls.as_ref().map(TlsIdentity::read_again)).await;
        match read {
            Ok(Some(Ok(true))) => {
                self.audit("certificate-changed", vec![]);
                (self.options.report)("new connections get the new certificate");
            }
            Ok(Some(Err(error))) => {
                (self.options.report)(&format!("the certificate that was there before stays: {error}"));
            }
            Ok(Some(Ok(false)) | None) | Err(_) => {}
        }
    }

    /// Each open log once, by name.
    pub(super) fn logs(&self) -> impl Iterator<Item = (&'static str, &LogWriter)> {
        let (access, audit) = (self.options.access_log.as_ref(), self.options.audit_log.as_ref());
        let is_one = access.zip(audit).is_some_and(|(access, audit)| access.is_same(audit));
        let access = access.map(|log| (if is_one { "both" } else { "access" }, log));
        access.into_iter().chain(audit.filter(|_| !is_one).map(|log| ("audit", log)))
    }

    pub(super) fn audit_start(&self) {
        let stack = &self.stack;
        self.audit(
            "started",
            vec![
                ("version", env!("CARGO_PKG_VERSION").into()),
                ("url", stack.public_url().to_string().into()),
                ("trust_sha256", stack.trust_digest().to_string().into()),
                ("trust_changed", stack.trust_changed().into()),
            ],
        );
    }

    /// What the server itself does, in the audit log.
    pub(super) fn audit(&self, event: &str, members: Vec<(&'static str, Value)>) {
        if let Some(log) = &self.options.audit_log {
            let members = std::iter::once(("event", event.into())).chain(members).collect();
            log.write("audit", now(), members);
        }
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> usize {
        self.options.limits.connections.saturating_sub(self.places.available_permits())
    }

    /// Whether most places for connections are taken; of a few, all.
    pub(super) fn is_crowded(&self) -> bool {
        self.places.available_permits() < (self.options.limits.connections / 8).max(1)
    }

    pub(super) async fn wait_for_connections(&self, at_most: Duration) {
        let all = u32::try_from(self.options.limits.connections).unwrap_or(u32::MAX);
        // Those that are left are cut.
        drop(tokio::time::timeout(at_most, self.places.acquire_many(all)).await);
    }

    /// One of the places for connections, as soon as there is one; an error would be that there are none any more.
    pub(super) async fn place(&self, door: Door) -> Result<OwnedSemaphorePermit, AcquireError> {
        let places = match door {
            Door::Public => &self.places,
            Door::Monitoring => &self.monitors,
        };
        Arc::clone(places).acquire_owned().await
    }

    /// `None` when the client has enough connections.
    pub(super) fn place_of_client(&self, peer: Option<IpAddr>) -> Option<Option<ClientPlace>> {
        match peer {
            Some(peer) if !self.options.behind_proxy => {
                self.clients.take(peer, self.options.limits.connections_per_client).map(Some)
            }
            _ => Some(None),
        }
    }
}

/// Which of the server's sockets a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The stack's own.
    Public,
    /// For `/metrics` and `/healthz`.
    Monitoring,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// No new connections and no new requests.
    Stopping,
    /// Nothing goes on.
    Gone,
}

/// The server's clock.
pub(super) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the server reads the clock, once a request")]
    let now = Timestamp::now();
    now
}

/// Two cores sign, and the rest waits in line; but those who write wait for the disk, all for the same sync.
fn at_once(class: RequestClass) -> usize {
    match class {
        RequestClass::Certificates | RequestClass::Writes => 128,
        RequestClass::Login | RequestClass::Reads => 32,
    }
}

/// Prometheus, a second one, and a load balancer.
const MAX_MONITORS: usize = 16;
