//! Who a client is: the other end of the connection, or whom a proxy in front names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::header::{FORWARDED, HOST};
use http::{HeaderMap, Version};
use serde_json::Value;

/// The client that `headers` name, behind a proxy; `peer` when they name none, or two. Only what the nearest proxy added
/// counts, which is the last element: everything before it is what the client says.
pub(super) fn address(peer: Option<IpAddr>, behind_proxy: bool, headers: &HeaderMap) -> IpAddr {
    // Whoever comes through a Unix socket has no address.
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if !behind_proxy {
        return peer;
    }
    // A proxy sets one of them; the other one may be the client's own invention.
    match (last(headers, "x-forwarded-for"), last(headers, FORWARDED.as_str())) {
        (Some(for_), None) => plain(for_).unwrap_or(peer),
        (None, Some(forwarded)) => forwarded_for(forwarded).unwrap_or(peer),
        (Some(for_), Some(forwarded)) => {
            let (first, second) = (plain(for_), forwarded_for(forwarded));
            first.filter(|_| first == second).unwrap_or(peer)
        }
        (None, None) => peer,
    }
}

/// A client in the logs: without an address, nobody.
pub(super) fn logged(client: IpAddr) -> Value {
    if client.is_unspecified() { Value::Null } else { client.to_string().into() }
}

/// RFC 9112 §3.2: exactly one `Host`. HTTP/2 has `:authority` for it, and HTTP/1.0 does not need it; never are there two.
pub(super) fn names_one_host(version: Version, headers: &HeaderMap) -> bool {
    match headers.get_all(HOST).iter().count() {
        0 => version != Version::HTTP_11,
        1 => true,
        _ => false,
    }
}

/// The last element of the last header of that name.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?;
    // What is not text names nobody.
    let value = value.to_str().unwrap_or_default();
    Some(value.rsplit(',').next().unwrap_or_default().trim())
}

/// RFC 7239 §4. A quoted comma would be the client's, and then the rest is no element.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut found = element.split(';').filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    let value = found.next()?;
    plain(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// With a port or without.
fn plain(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn seen(behind_proxy: bool, headers: &[(&str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        address("10.0.0.1".parse().ok(), behind_proxy, &map).to_string()
    }

    #[test]
    fn without_an_address_nobody_is_logged() {
        assert_eq!(logged(address(None, true, &HeaderMap::new())), Value::Null);
        assert_eq!(logged("192.0.2.7".parse().unwrap()), "192.0.2.7");
    }

    #[test]
    fn the_last_hop_counts_and_only_behind_a_proxy() {
        for (headers, expected) in [
            (&[][..], "10.0.0.1"),
            (&[("x-forwarded-for", "192.0.2.7")], "192.0.2.7"),
            (&[("x-forwarded-for", "203.0.113.9, 192.0.2.7")], "192.0.2.7"),
            (&[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.7")], "192.0.2.7"),
            (&[("x-forwarded-for", "192.0.2.7:4711")], "192.0.2.7"),
            (&[("x-forwarded-for", "[2001:db8::7]:4711")], "2001:db8::7"),
            (&[("x-forwarded-for", "2001:db8::7")], "2001:db8::7"),
            (&[("x-forwarded-for", "::ffff:192.0.2.7")], "192.0.2.7"),
            (&[("x-forwarded-for", "192.0.2.7, unknown")], "10.0.0.1"),
            (&[("x-forwarded-for", "")], "10.0.0.1"),
            (&[("forwarded", "for=203.0.113.9, for=192.0.2.7;proto=https")], "192.0.2.7"),
            (&[("forwarded", "proto=https; For=\"[2001:db8::7]:4711\"")], "2001:db8::7"),
            (&[("forwarded", "for=_hidden")], "10.0.0.1"),
            (&[("forwarded", "for=\"203.0.113.9, for=192.0.2.8\"")], "10.0.0.1"),
            // Two that say the same, and two of which one is a lie.
            (&[("forwarded", "for=192.0.2.7"), ("x-forwarded-for", "192.0.2.7")], "192.0.2.7"),
            (&[("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "192.0.2.7")], "10.0.0.1"),
        ] {
            assert_eq!(seen(true, headers), expected, "{headers:?}");
            assert_eq!(seen(false, headers), "10.0.0.1", "{headers:?}");
        }
    }
}
