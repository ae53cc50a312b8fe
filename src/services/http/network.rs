//! The way to an address: over TLS or not, through a proxy or not, and which authorities may vouch for the other end.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::{Problem, is_loopback};
use crate::files::{self, ReadError};
use crate::settings::{NetworkSettings, ProxySetting};

/// What the user's network needs. The default one is that of a machine without a proxy.
#[derive(Debug, Default)]
pub struct Network {
    /// Beside the system's.
    authorities: Vec<reqwest::Certificate>,
    proxy: Option<Proxy>,
}

impl Network {
    /// Reads the file of certificates, and the proxy's address.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn new(settings: &NetworkSettings) -> Result<Self, NetworkError> {
        let authorities = settings.ca_file.as_deref().map(authorities).transpose()?.unwrap_or_default();
        let no_proxy = settings.no_proxy.as_deref().unwrap_or_default();
        let proxy = settings.proxy.as_ref().map(|setting| Proxy::new(setting, no_proxy)).transpose()?;
        Ok(Self { authorities, proxy })
    }

    /// The way to `address`.
    pub(super) fn route(&self, address: &str) -> Result<Route, Problem> {
        let url = Url::parse(address).map_err(|_| Problem::BadAddress)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Problem::BadAddress);
        }
        match (url.scheme(), url.host()) {
            ("https", Some(host)) if is_loopback(&host) => Ok(Route::LoopbackTls),
            ("https", Some(_)) if self.proxy.as_ref().is_some_and(|proxy| proxy.is_for(address)) => Ok(Route::Proxy),
            ("https", Some(_)) => Ok(Route::Direct),
            ("http", Some(host)) if is_loopback(&host) => Ok(Route::Loopback),
            ("http", Some(_)) => Err(Problem::Insecure),
            _ => Err(Problem::BadAddress),
        }
    }

    /// The way to the metadata server of a virtual machine, which answers beside it and over plain http only. Nothing
    /// else may be called that.
    pub(super) fn route_to_metadata(&self, address: &str) -> Result<Route, Problem> {
        let url = Url::parse(address).map_err(|_| Problem::BadAddress)?;
        match (url.scheme(), url.host_str()) {
            ("http", Some(host)) if METADATA_HOSTS.contains(&host) => Ok(Route::Loopback),
            _ => self.route(address),
        }
    }

    /// Only [`Route::Proxy`] has a proxy: reqwest's own look into the environment is switched off, because it passes
    /// over what it cannot read, and then connects directly.
    pub(super) fn configure(
        &self,
        builder: reqwest::ClientBuilder,
        route: Route,
    ) -> Result<reqwest::ClientBuilder, reqwest::Error> {
        let builder = builder.no_proxy();
        // A name that nobody else's resolver may answer (RFC 6761 §6.3).
        let at_home = |builder: reqwest::ClientBuilder| {
            builder.resolve_to_addrs(LOCALHOST, &LOOPBACK.map(|ip| SocketAddr::new(ip, 0)))
        };
        let tls = |builder: reqwest::ClientBuilder| builder.https_only(true).tls_certs_merge(self.authorities.clone());
        Ok(match (route, &self.proxy) {
            (Route::Direct, _) | (Route::Proxy, None) => tls(builder),
            (Route::Proxy, Some(proxy)) => tls(builder).proxy(reqwest::Proxy::all(proxy.address.clone())?),
            (Route::LoopbackTls, _) => at_home(tls(builder)),
            // No certificates to load.
            (Route::Loopback, _) => at_home(builder.tls_certs_only([])),
        })
    }

    /// A proxy that nobody thinks of is the likeliest culprit.
    pub(super) fn explain(&self, route: Route, problem: Problem) -> Problem {
        match (route, &self.proxy, problem) {
            (Route::Proxy, Some(proxy), Problem::Unreachable(why)) => Problem::Unreachable(format!("{why} ({proxy})")),
            (Route::Proxy, Some(proxy), Problem::Broken(why)) => Problem::Broken(format!("{why} ({proxy})")),
            (Route::Proxy, Some(proxy), Problem::Certificate(what)) => {
                Problem::Certificate(format!("{what} ({proxy})"))
            }
            (_, _, problem) => problem,
        }
    }
}

/// How an address is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// TLS, and nobody between.
    Direct,
    /// Plain http to this machine, or to what stands beside it.
    Loopback,
    /// TLS to this machine; never through a proxy.
    LoopbackTls,
    /// TLS through the proxy.
    Proxy,
}

impl Route {
    pub(super) const ALL: [Self; 4] = [Self::Direct, Self::Loopback, Self::LoopbackTls, Self::Proxy];

    pub(super) fn number(self) -> usize {
        Self::ALL.iter().position(|route| *route == self).unwrap_or_default()
    }
}

/// The proxy for https. Its address may hold a password, which is never shown.
struct Proxy {
    variable: &'static str,
    address: Url,
    matcher: Matcher,
}

impl Proxy {
    fn new(setting: &ProxySetting, no_proxy: &str) -> Result<Self, NetworkError> {
        let variable = setting.variable;
        let text = setting.address.expose().trim();
        // As curl has it: without a scheme it is http.
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let address = Url::parse(&text).map_err(|_| NetworkError::ProxyAddress(variable))?;
        match (address.scheme(), address.host()) {
            ("http" | "https", Some(_)) => {}
            ("http" | "https", None) => return Err(NetworkError::ProxyAddress(variable)),
            (scheme, _) => return Err(NetworkError::ProxyScheme { variable, scheme: scheme.to_owned() }),
        }
        let matcher = Matcher::builder().https(address.as_str()).no(no_proxy).build();
        Ok(Self { variable, address, matcher })
    }

    fn is_for(&self, address: &str) -> bool {
        address.parse().is_ok_and(|address| self.matcher.intercept(&address).is_some())
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.address.host_str().unwrap_or_default();
        write!(f, "through the proxy {}://{host}", self.address.scheme())?;
        if let Some(port) = self.address.port() {
            write!(f, ":{port}")?;
        }
        write!(f, " of {}", self.variable)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// The certificates in a file of PEM blocks.
fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, NetworkError> {
    let pem = files::read(path, MAX_CA_FILE_BYTES).map_err(|error| match error {
        ReadError::TooLarge(_) => NetworkError::CaFileTooLarge(path.to_owned()),
        other @ (ReadError::Io(_) | ReadError::NotRegular) => {
            NetworkError::CaFile { path: path.to_owned(), error: other.into() }
        }
    })?;
    let malformed = || NetworkError::NoCertificates(path.to_owned());
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| malformed())?;
    if certificates.is_empty() { Err(malformed()) } else { Ok(certificates) }
}

/// What the user says of the network cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The disk's answer.
    #[error("the CA file {path}: {error}", path = .path.display())]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// More than any bundle has.
    #[error("the CA file {path} has more than {MAX_CA_FILE_BYTES} bytes", path = .0.display())]
    CaFileTooLarge(PathBuf),
    /// None, or a block that is not one.
    #[error("the CA file {path} does not hold PEM certificates", path = .0.display())]
    NoCertificates(PathBuf),
    /// Not an address. It is not shown: it may hold a password.
    #[error("{0} is not the address of a proxy")]
    ProxyAddress(&'static str),
    /// SOCKS and others.
    #[error("{variable} names a proxy of the kind \"{scheme}\", which is not supported")]
    ProxyScheme {
        /// Which variable.
        variable: &'static str,
        /// What it wants.
        scheme: String,
    },
}

pub(super) const LOCALHOST: &str = "localhost";
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
/// Google's, by name and by its link-local address, which no router passes on.
const METADATA_HOSTS: [&str; 3] = ["169.254.169.254", "metadata", "metadata.google.internal"];
/// Mozilla's whole list has 230 kB.
const MAX_CA_FILE_BYTES: u64 = 4 << 20;
