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

    /// Whether clients use TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The port, 80 or 443 where none is spelled out.
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
        let Ok(asked) = Url::parse(&format!("{}://{host}/", self.0.scheme())) else { return false };
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
            "http" | "https" if !bare || !url.has_host() => Err(BadPublicUrl::Malformed),
            "https" => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            "http" => Err(BadPublicUrl::NotLoopback),
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
    #[error("the public URL must be https://HOST[:PORT], or http://HOST:PORT on loopback, without anything after it")]
    Malformed,
    /// It needs TLS.
    #[error("the public URL must be https, except on loopback")]
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
            ("https://localhost", Ok("https://localhost")),
            ("https://sigstore.example.org:8443", Ok("https://sigstore.example.org:8443")),
            ("https://sigstore.example.org/x", Err(BadPublicUrl::Malformed)),
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
        let url: PublicUrl = "https://sigstore.example.org".parse().unwrap();
        for (host, expected) in [
            ("sigstore.example.org", true),
            ("sigstore.example.org:443", true),
            ("sigstore.example.org:80", false),
            ("sigstore.example.org:8443", false),
        ] {
            assert_eq!(url.admits_host(host), expected, "{host}");
        }
    }
}
