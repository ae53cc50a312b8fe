//! Web addresses as they may be shown: what a user name, a password, a query or a fragment holds may be a secret.

use url::Url;

/// `address` without what may be secret in it; as it was written, if nothing is.
#[must_use]
pub fn without_secrets(address: &str) -> String {
    let Some(url) = stripped(address) else { return UNREADABLE.to_owned() };
    let url = String::from(url);
    if url.trim_end_matches('/') == address.trim_end_matches('/') { address.to_owned() } else { url }
}

/// Scheme, host and port of `address` alone: a path may be a secret, too, where nobody has looked at it yet.
#[must_use]
pub fn place(address: &str) -> String {
    let Some(mut url) = stripped(address) else { return UNREADABLE.to_owned() };
    url.set_path("");
    String::from(url).trim_end_matches('/').to_owned()
}

/// Whether there is nothing in `address` that may be a secret, or that some read as another host: an `http` or `https`
/// address without user name, password, query, fragment and backslash.
#[must_use]
pub fn is_plain(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && !address.contains(['?', '#', '\\'])
}

/// `None` for what has no host: it is not of the web, and its parts mean something else.
fn stripped(address: &str) -> Option<Url> {
    let mut url = Url::parse(address).ok()?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

const UNREADABLE: &str = "an address that cannot be read";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        for (address, shown, host) in [
            ("https://a.example", "https://a.example", "https://a.example"),
            ("https://a.example/", "https://a.example/", "https://a.example"),
            ("https://a.example:8443/x/y", "https://a.example:8443/x/y", "https://a.example:8443"),
            ("https://u:s3cret@a.example/x", "https://a.example/x", "https://a.example"),
            ("https:///u:s3cret@a.example/x", "https://a.example/x", "https://a.example"),
            ("http://s3cret@[::1]:1/x", "http://[::1]:1/x", "http://[::1]:1"),
            ("https://a.example/x?token=s3cret#s3cret", "https://a.example/x", "https://a.example"),
            ("https://u:s3/cret@a.example/x", UNREADABLE, UNREADABLE),
            ("u:s3cret@a.example", UNREADABLE, UNREADABLE),
            ("s3cret", UNREADABLE, UNREADABLE),
            ("file:///s3cret", UNREADABLE, UNREADABLE),
        ] {
            assert_eq!(without_secrets(address), shown, "{address}");
            assert_eq!(place(address), host, "{address}");
            assert_eq!(is_plain(address), address == shown, "{address}");
        }
    }
}
