//! What kind of request comes: for limits, and for counting.

use http::Method;

use super::below;
use crate::stack::paths::{OIDC, REKOR, REKOR_V2, TIMESTAMPS};

/// Requests that are limited together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::stack) enum RequestClass {
    /// For a certificate: a signature of the authority and an entry of the CT log.
    Certificates,
    /// A step of a login, or for a token.
    Login,
    /// Whatever changes nothing.
    Reads,
    /// For a log entry or a timestamp.
    Writes,
}

impl RequestClass {
    pub(in crate::stack) const ALL: [Self; 4] = [Self::Certificates, Self::Login, Self::Reads, Self::Writes];

    /// As configuration, metrics and logs have it.
    pub(in crate::stack) const fn name(self) -> &'static str {
        match self {
            Self::Certificates => "certificates",
            Self::Login => "login",
            Self::Reads => "reads",
            Self::Writes => "writes",
        }
    }

    /// The class of a request.
    pub(in crate::stack) fn of(method: &Method, path: &str) -> Self {
        match route(path) {
            "certificate" => Self::Certificates,
            "authorize" | "device" | "login" | "token" => Self::Login,
            "ct-add" | "rekor-entries" | "rekor2-entries" | "timestamp" if method == Method::POST => Self::Writes,
            _ => Self::Reads,
        }
    }
}

/// What `path` leads to: one of a few names, whatever is asked for.
pub(in crate::stack) fn route(path: &str) -> &'static str {
    if let Some(path) = below(REKOR_V2, path) {
        return if path == "/api/v2/log/entries" { "rekor2-entries" } else { "rekor2-files" };
    }
    if let Some(path) = below(REKOR, path) {
        return match path.strip_suffix('/').unwrap_or(path) {
            "/api/v1/log/entries" => "rekor-entries",
            "/api/v1/index/retrieve" | "/api/v1/log/entries/retrieve" => "rekor-search",
            _ => "rekor",
        };
    }
    if let Some(path) = below(OIDC, path) {
        return match path {
            "/auth" => "authorize",
            "/auth/login" => "login",
            "/revoke" | "/token" => "token",
            path if path.starts_with("/device") => "device",
            _ => "oidc",
        };
    }
    match path {
        "/api/v1/signingCert" | "/api/v2/signingCert" => "certificate",
        "/healthz" | "/metrics" => "monitoring",
        _ if path.starts_with(TIMESTAMPS) || path.starts_with(super::timestamp::STAMP) => "timestamp",
        _ if path.starts_with("/ct/") => {
            if path.ends_with("/add-chain") || path.ends_with("/add-pre-chain") {
                "ct-add"
            } else {
                "ct"
            }
        }
        _ if path.starts_with("/api/") => "fulcio",
        _ if path.starts_with("/trust/") || path.starts_with("/tuf/") => "trust",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_class() {
        for (method, path, route_name, class) in [
            (Method::POST, "/api/v2/signingCert", "certificate", RequestClass::Certificates),
            (Method::GET, "/api/v2/trustBundle", "fulcio", RequestClass::Reads),
            (Method::POST, "/api/v1/timestamp", "timestamp", RequestClass::Writes),
            (Method::GET, "/api/v1/timestamp/certchain", "timestamp", RequestClass::Reads),
            (Method::POST, "/rekor/api/v1/log/entries/", "rekor-entries", RequestClass::Writes),
            (Method::GET, "/rekor/api/v1/log/entries", "rekor-entries", RequestClass::Reads),
            (Method::POST, "/rekor/api/v1/index/retrieve", "rekor-search", RequestClass::Reads),
            (Method::POST, "/rekor2/api/v2/log/entries", "rekor2-entries", RequestClass::Writes),
            (Method::GET, "/rekor2/tile/0/000", "rekor2-files", RequestClass::Reads),
            (Method::POST, "/ct/v1/add-chain", "ct-add", RequestClass::Writes),
            (Method::GET, "/oidc/auth", "authorize", RequestClass::Login),
            (Method::POST, "/oidc/device/code", "device", RequestClass::Login),
            (Method::GET, "/oidc/keys", "oidc", RequestClass::Reads),
            (Method::GET, "/rekorx", "other", RequestClass::Reads),
        ] {
            assert_eq!((route(path), RequestClass::of(&method, path)), (route_name, class), "{method} {path}");
        }
    }
}
