//! How a stack is served, as whoever starts a server says.

use super::limits::Limits;
use super::listener::Listener;
use super::log::LogWriter;
use super::rate::RateLimits;
use super::tls::TlsIdentity;

/// How a stack is served.
#[derive(Debug)]
pub struct ServerOptions {
    /// What to serve TLS with; without it, HTTP.
    pub tls: Option<TlsIdentity>,
    /// Whether a proxy in front says where requests come from.
    pub behind_proxy: bool,
    /// What clients may take.
    pub limits: Limits,
    /// How often one client may ask. Where only this machine comes in, as often as it likes.
    pub rates: RateLimits,
    /// Where `/metrics` and `/healthz` are served beside.
    pub metrics_listener: Option<Listener>,
    /// A line a request.
    pub access_log: Option<LogWriter>,
    /// A line for each thing that matters for longer.
    pub audit_log: Option<LogWriter>,
    /// Is told what an operator should know.
    pub report: fn(&str),
}

impl ServerOptions {
    /// HTTP, with the usual limits and no logs.
    #[must_use]
    pub fn new(report: fn(&str)) -> Self {
        Self {
            tls: None,
            behind_proxy: false,
            limits: Limits::default(),
            rates: RateLimits::default(),
            metrics_listener: None,
            access_log: None,
            audit_log: None,
            report,
        }
    }
}
