//! Where `waxseal serve` listens, and how that is kept safe: loopback, TLS, a proxy in front, or a socket in the file
//! system.

use std::io;
use std::net::SocketAddr;

use crate::cli::{Listen, Serve};
use crate::command_error::CommandError;
use crate::stack::data_folder::FixedSettings;
use crate::stack::public_url::PublicUrl;
use crate::stack::server::{Listener, TlsError, TlsFiles, TlsIdentity};

/// Refuses what would be open to everyone, before anything is touched.
pub(super) fn check(request: &Serve) -> Result<(), CommandError> {
    let listen = &request.listen;
    if !listen.is_loopback() && request.tls_cert.is_none() && !request.behind_proxy {
        return Err(CommandError::usage(format!(
            "cannot listen on {listen} without TLS: it is not a loopback address"
        ))
        .hint(THREE_WAYS));
    }
    if request.tls_cert.is_some() && matches!(listen, Listen::Unix(_)) {
        return Err(CommandError::usage(format!("--tls-cert cannot be served on the socket {listen}"))
            .hint("leave it out: the proxy in front of the socket has TLS"));
    }
    if !request.auto_login.is_empty() && (!listen.is_loopback() || is_behind_proxy(request)) {
        return Err(CommandError::usage("--auto-login would log in whoever reaches this stack from elsewhere").hint(
            "it is for a stack that only this machine reaches; otherwise make accounts with waxseal serve user add",
        ));
    }
    Ok(())
}

/// Whoever may use the socket is this user, and so may say where requests come from.
pub(super) fn is_behind_proxy(request: &Serve) -> bool {
    request.behind_proxy || matches!(request.listen, Listen::Unix(_))
}

/// Opens the socket. The port that was found at the first start is taken again.
pub(super) async fn listen(listen: &Listen, fixed: Option<&FixedSettings>) -> Result<Listener, CommandError> {
    match listen {
        Listen::Tcp(address) => {
            let mut address = *address;
            if let (0, Some(port)) = (address.port(), fixed.and_then(port_of_earlier_starts)) {
                address.set_port(port);
            }
            Listener::tcp(address).await.map_err(|error| cannot_listen(&Listen::Tcp(address), &error))
        }
        Listen::Unix(path) => Listener::unix(path).await.map_err(|error| cannot_listen(listen, &error)),
    }
}

/// The address that clients use: as asked for, as at the first start, or where it listens.
pub(super) fn public_url(
    request: &Serve,
    fixed: Option<&FixedSettings>,
    bound: Option<SocketAddr>,
) -> Result<PublicUrl, CommandError> {
    let scheme = if request.tls_cert.is_some() { "https" } else { "http" };
    let public_url: PublicUrl = match (&request.public_url, fixed, bound) {
        (Some(asked), _, _) => asked.parse()?,
        (None, Some(fixed), _) => fixed.public_url.parse()?,
        (None, None, Some(bound)) if bound.ip().is_loopback() => format!("{scheme}://{bound}").parse()?,
        (None, None, _) => {
            return Err(CommandError::usage("--public-url is missing: the address that clients use")
                .hint("it stands in everything that is issued and logged, and cannot be changed later"));
        }
    };
    match (public_url.is_https(), request.tls_cert.is_some()) {
        (true, false) if !is_behind_proxy(request) => {
            Err(CommandError::usage(format!("clients use {public_url}, but without TLS they would not be understood"))
                .hint(THREE_WAYS))
        }
        (false, true) => Err(CommandError::usage(format!("clients use {public_url}, but --tls-cert serves https"))
            .hint("leave --tls-cert out, or begin a new folder with an https address")),
        _ => Ok(public_url),
    }
}

/// What to serve TLS with.
pub(super) fn tls(request: &Serve) -> Result<Option<TlsIdentity>, CommandError> {
    let (Some(certificates), Some(key)) = (request.tls_cert.clone(), request.tls_key.clone()) else { return Ok(None) };
    Ok(Some(TlsIdentity::read(TlsFiles { certificates, key })?))
}

fn port_of_earlier_starts(fixed: &FixedSettings) -> Option<u16> {
    let public_port = || fixed.public_url.parse().ok().map(|url: PublicUrl| url.port());
    fixed.found_port.or_else(public_port)
}

fn cannot_listen(listen: &Listen, error: &io::Error) -> CommandError {
    let failed = CommandError::failed(format!("cannot listen on {listen}: {error}"));
    match (error.kind(), listen) {
        (io::ErrorKind::AddrInUse, Listen::Tcp(_)) => {
            failed.hint("another process listens there, perhaps another waxseal serve; --listen 127.0.0.1:0 finds a free port for a new stack")
        }
        (io::ErrorKind::AddrInUse, Listen::Unix(_)) => {
            failed.hint("another process listens there, perhaps another waxseal serve, or it is no socket")
        }
        _ => failed,
    }
}

impl From<TlsError> for CommandError {
    fn from(error: TlsError) -> Self {
        Self::failed(error)
    }
}

const THREE_WAYS: &str = "give --tls-cert and --tls-key, or --behind-proxy where a proxy in front has TLS, or --listen unix:PATH for \
     a proxy on this machine";
