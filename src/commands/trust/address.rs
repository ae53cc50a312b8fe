//! Addresses that somebody typed, looked at before anything is asked or kept.

use url::{Host, Url};

use crate::command_error::CommandError;
use crate::services::http::is_loopback;

/// Refuses what is no address to ask. `what` names it: the address itself may hold a password, and is not shown where it
/// may.
pub(in crate::commands) fn check(what: &str, address: &str) -> Result<(), CommandError> {
    let Ok(url) = Url::parse(address) else {
        return Err(CommandError::usage(format!("{what} is no address")).hint(BEGINS));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(CommandError::usage(format!("{what} holds a user name or a password"))
            .hint("waxseal sends neither, and keeps and shows the address; give it without what stands before the @"));
    }
    // A backslash is a slash to some, and what stands before an @ to others.
    for (sign, hint) in [('?', PLAIN), ('#', PLAIN), ('\\', BEGINS)] {
        if address.contains(sign) {
            return Err(CommandError::usage(format!("{what} holds a {sign}")).hint(hint));
        }
    }
    let host = url.host().map(|host| match host {
        Host::Domain(name) => Host::Domain(name),
        Host::Ipv4(address) => Host::Ipv4(address),
        Host::Ipv6(address) => Host::Ipv6(address),
    });
    match (url.scheme(), host) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(host)) if is_loopback(&host) => Ok(()),
        ("http", Some(host)) => Err(CommandError::usage(format!("{what} is plain http to {host}")).hint(BEGINS)),
        (scheme, _) => {
            Err(CommandError::usage(format!("{what} begins with {scheme}:, which is not spoken")).hint(BEGINS))
        }
    }
}

const PLAIN: &str = "nothing is sent of what stands behind it; give the address alone";
const BEGINS: &str = "an address begins with https://, or on this machine with http://";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown_whatever_is_wrong_with_the_address() {
        let said = |address: &str| {
            let error = check("--url", address).unwrap_err();
            assert_eq!(error.kind().exit_code(), 2, "{address}");
            assert!(!error.hints().is_empty(), "{address}");
            format!("{}{:?}", error.message(), error.hints())
        };
        for address in [
            "https://user:secret@example.org/",
            "https://:secret@example.org/",
            "https://secret@example.org/",
            "http://user:secret@127.0.0.1/",
            "ftp://user:secret@example.org/",
            "//user:secret@example.org/",
            "https://user:secret@",
            "user:secret@example.org",
            r"https://example.org\@secret",
            r"https:\\user:secret@example.org",
            "https://example.org/?token=secret",
            "https://example.org#secret",
        ] {
            assert!(!said(address).contains("secret"), "{address}");
        }
        assert!(said("ftp://example.org/").starts_with("--url begins with ftp:, which is not spoken"));
        assert!(said("http://example.org/").starts_with("--url is plain http to example.org"));
        for address in ["https://example.org/x", "http://localhost:1", "http://127.0.0.1:1/", "http://[::1]:1/"] {
            assert!(check("--url", address).is_ok(), "{address}");
        }
    }
}
