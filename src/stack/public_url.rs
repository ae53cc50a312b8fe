//! The address that clients use, and which `Host` headers may come with it.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Scheme, host and port, nothing else. Displayed without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// Host and port as in the address.
    #[must_use]
    pub fn authority(&self) -> String {
        self.0.authority().to_owned()
    }

    /// The host alone: what logs are called.
    #[must_use]
    pub fn host(&self) -> String {
        self.0.host_str().unwrap_or_default().to_owned()
    }

    /// The port, 80 where none is spelled out.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// The address of `path`, which begins with a slash.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// Whether a request with this `Host` was meant for here: the address itself, or any loopback name. Others come from
    /// web pages whose host name was made to resolve to this machine.
    #[must_use]
    pub fn admits_host(&self, host: &str) -> bool {
        let Ok(asked) = Url::parse(&format!("http://{host}/")) else { return false };
        let bare = asked.path() == "/" && asked.username().is_empty() && asked.password().is_none();
        let same = asked.host() == self.0.host() && asked.port_or_known_default() == self.0.port_or_known_default();
        bare && asked.query().is_none() && asked.fragment().is_none() && (same || is_loopback(&asked))
    }
}

impl FromStr for PublicUrl {
    type Err = BadPublicUrl;

    fn from_str(text: &str) -> Result<Self, BadPublicUrl> {
        let url = Url::parse(text).map_err(|_| BadPublicUrl::Malformed)?;
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        match url.scheme() {
            "http" if !bare => Err(BadPublicUrl::Malformed),
            "http" if is_loopback(&url) => Ok(Self(url)),
            "http" | "https" => Err(BadPublicUrl::NotLoopback),
            _ => Err(BadPublicUrl::Malformed),
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Not an address for a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPublicUrl {
    /// Not scheme, host and port.
    #[error("the public URL must be http://HOST:PORT without anything after it")]
    Malformed,
    /// It would need TLS.
    #[error("the stack serves loopback addresses only for now: elsewhere it would need TLS")]
    NotLoopback,
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_and_port_on_loopback() {
        for (text, expected) in [
            ("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080")),
            ("http://localhost:8080/", Ok("http://localhost:8080")),
            ("http://[::1]:1", Ok("http://[::1]:1")),
            ("http://127.0.0.1:8080/x", Err(BadPublicUrl::Malformed)),
            ("http://u@127.0.0.1:8080", Err(BadPublicUrl::Malformed)),
            ("127.0.0.1:8080", Err(BadPublicUrl::Malformed)),
            ("ftp://localhost", Err(BadPublicUrl::Malformed)),
            ("http://sigstore.example.org", Err(BadPublicUrl::NotLoopback)),
            ("https://localhost", Err(BadPublicUrl::NotLoopback)),
        ] {
            assert_eq!(text.parse::<PublicUrl>().map(|url| url.to_string()), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn other_hosts_are_not_admitted() {
        let url: PublicUrl = "http://127.0.0.1:8080".parse().unwrap();
        for good in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "127.0.0.2"] {
            assert!(url.admits_host(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "x@localhost",
            "localhost/x",
            "localhost?x",
        ] {
            assert!(!url.admits_host(bad), "{bad}");
        }
    }
}
