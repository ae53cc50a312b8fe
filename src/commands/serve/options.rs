//! The flags of `waxseal serve` that say what clients may take, and what is written down of them.

use std::path::Path;

use super::{listening, report};
use crate::cli::{LimitedClass, Listen, Serve};
use crate::command_error::CommandError;
use crate::stack::server::{Limits, Listener, LogTarget, LogWriter, RateLimits, ServerOptions, TlsIdentity};

/// Access log and audit log. They are two because they are kept for different times and read by different people; a line
/// says which one it is of, so both may go to one file.
pub(super) struct Logs {
    access: Option<LogWriter>,
    audit: Option<LogWriter>,
}

/// Opens the logs.
pub(super) fn logs(request: &Serve) -> Result<Logs, CommandError> {
    let open = |path: &Path| {
        let target = if path == Path::new("-") { LogTarget::Stdout } else { LogTarget::File(path.to_owned()) };
        LogWriter::open(target, report)
            .map_err(|error| CommandError::failed(format!("the log \"{}\" cannot be opened: {error}", path.display())))
    };
    let access = request.access_log.as_deref().map(open).transpose()?;
    let audit = match &request.audit_log {
        // One writer a file, so that no line runs into another.
        Some(_) if request.audit_log == request.access_log => access.clone(),
        Some(path) => Some(open(path)?),
        None => None,
    };
    Ok(Logs { access, audit })
}

/// Opens the socket for `/metrics`.
pub(super) async fn metrics_listener(request: &Serve) -> Result<Option<Listener>, CommandError> {
    match request.metrics_listen {
        Some(address) => listening::listen(&Listen::Tcp(address), None).await.map(Some),
        None => Ok(None),
    }
}

/// How the stack is served.
pub(super) fn server(
    request: &Serve,
    tls: Option<TlsIdentity>,
    metrics_listener: Option<Listener>,
    logs: Logs,
) -> ServerOptions {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    ServerOptions {
        tls,
        behind_proxy: listening::is_behind_proxy(request),
        limits: Limits {
            connections: number(request.max_connections.get()).min(MOST_CONNECTIONS),
            connections_per_client: number(request.max_connections_per_client.get()),
            ..Limits::default()
        },
        rates: rates(request),
        metrics_listener,
        access_log: logs.access,
        audit_log: logs.audit,
        ..ServerOptions::new(report)
    }
}

/// Later flags win over earlier ones.
fn rates(request: &Serve) -> RateLimits {
    let mut rates = RateLimits::default();
    for limit in &request.rate_limit {
        let per_second = limit.per_second;
        match limit.class {
            None => rates = RateLimits::OFF,
            Some(LimitedClass::Certificates) => rates.certificates = per_second,
            Some(LimitedClass::Login) => rates.login = per_second,
            Some(LimitedClass::Reads) => rates.reads = per_second,
            Some(LimitedClass::Writes) => rates.writes = per_second,
        }
    }
    rates
}

/// More than a process may have files open.
const MOST_CONNECTIONS: usize = 1 << 20;
