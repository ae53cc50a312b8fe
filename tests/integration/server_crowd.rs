//! So many connections and requests at once, in all and of one client: who does nothing makes room, and nobody else waits.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::Duration;

use waxseal::stack::server::{Limits, RateLimits, ServerOptions};

use super::sandbox::served::{LONG, SHORT, Served, closes, get, identity, read_some};

#[test]
fn connections_are_counted_in_all_and_by_client() {
    let served = Served::with(Limits { connections: 3, connections_per_client: 2, ..Limits::default() });
    let (first, _second) = (served.ask("/healthz"), served.ask("/healthz"));
    std::thread::sleep(Duration::from_millis(50));
    closes(served.connect());
    drop(first);
    std::thread::sleep(Duration::from_millis(50));
    assert!(read_some(&mut served.ask("/healthz")).starts_with("HTTP/1.1 200 "));

    let served = Served::with(Limits { connections: 2, ..Limits::default() });
    let (first, _second) = (served.ask("/healthz"), served.ask("/healthz"));
    std::thread::sleep(Duration::from_millis(50));
    let mut waiting = served.ask("/healthz");
    waiting.set_read_timeout(Some(SHORT)).unwrap();
    assert!(waiting.read(&mut [0; 512]).is_err(), "it waits for a place");
    waiting.set_read_timeout(Some(LONG)).unwrap();
    drop(first);
    assert!(read_some(&mut waiting).starts_with("HTTP/1.1 200 "));
    // Both places are held by some who do nothing, for much less than the half minute that there is otherwise.
    assert!(read_some(&mut served.ask("/healthz")).starts_with("HTTP/1.1 200 "));
}

#[test]
fn nobody_is_counted_who_is_not_there() {
    let served = Served::with(Limits::default());
    let counted = || {
        let mut page = String::new();
        let mut stream = served.connect();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        stream.read_to_string(&mut page).unwrap();
        page.lines().find_map(|line| line.strip_prefix("waxseal_connections ")).unwrap().to_owned()
    };
    assert_eq!(counted(), "1", "the one that asks");
    let mut other = served.ask("/healthz");
    read_some(&mut other);
    assert_eq!(counted(), "2");
}

#[test]
fn who_does_nothing_makes_room_when_it_is_crowded() {
    let limits = Limits { connections: 8, ..Limits::default() };
    let half = b"GET / HTTP/1.1\r\nHost: 127";
    let crowds: Vec<_> = [b"".as_slice(), &get("/healthz"), half, &[&get("/healthz"), half.as_slice()].concat()]
        .into_iter()
        .map(|said| {
            let served = Served::with(limits);
            // More than there are places: those who wait are no better.
            let crowd: Vec<_> = (0..limits.connections + 2)
                .map(|_| {
                    let mut stream = served.connect();
                    stream.write_all(said).unwrap();
                    stream
                })
                .collect();
            (served, crowd)
        })
        .collect();
    for (served, _crowd) in crowds {
        // Far sooner than where there is room.
        assert!(read_some(&mut served.ask("/healthz")).starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn half_a_handshake_makes_room_when_it_is_crowded() {
    let (folder, tls) = identity();
    let limits = Limits { connections: 8, ..Limits::default() };
    let served = Served::start(ServerOptions { tls: Some(tls), limits, ..ServerOptions::new(|news| panic!("{news}")) });
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let here = || {
        let mut stream = served.connect_http_2(&folder);
        stream.write_all(preface).unwrap();
        stream.read_exact(&mut [0; 9]).unwrap();
        stream
    };
    let begun: Vec<_> = (0..limits.connections)
        .map(|_| {
            let mut stream = served.connect();
            stream.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
            stream
        })
        .collect();
    here();
    drop(begun);
    // A preface, and then not even an answer to the server's farewell.
    let _silent: Vec<_> = (0..limits.connections).map(|_| here()).collect();
    here();
}

#[test]
fn a_client_has_so_many_requests_a_second() {
    let one = NonZeroU32::new(1);
    let served = Served::start(ServerOptions {
        behind_proxy: true,
        rates: RateLimits { certificates: one, login: one, writes: one, ..RateLimits::OFF },
        ..ServerOptions::new(|news| panic!("{news}"))
    });
    let ask = |request: &str, client: &str| {
        let mut stream = served.connect();
        let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.9, {client}\r\n");
        stream.write_all(format!("{head}Connection: close\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let sentence = "there were too many requests: come again later";
    for (request, body) in [
        ("POST /rekor/api/v1/log/entries", format!("{{\"code\":429,\"message\":\"{sentence}\"}}\n")),
        ("POST /api/v2/signingCert", format!("{{\"code\":8,\"details\":[],\"message\":\"{sentence}\"}}\n")),
        (
            "POST /oidc/token",
            format!("{{\"error\":\"temporarily_unavailable\",\"error_description\":\"{sentence}\"}}\n"),
        ),
    ] {
        // Twenty are saved up, and the machine may be slow.
        let refused = (0..200).map(|_| ask(request, "192.0.2.1")).find(|answer| answer.starts_with("HTTP/1.1 429 "));
        let refused = refused.unwrap_or_else(|| panic!("{request} is never refused"));
        assert!(refused.to_lowercase().contains("\r\nretry-after: 1\r\n"), "{refused}");
        assert_eq!(refused.split("\r\n\r\n").nth(1).unwrap(), body);
        assert!(!ask(request, "192.0.2.2").starts_with("HTTP/1.1 429 "), "another client");
    }
    for _ in 0..30 {
        assert!(ask("GET /healthz", "192.0.2.1").starts_with("HTTP/1.1 200 "), "reads have no limit here");
    }
    assert!(ask("GET /metrics", "192.0.2.1").starts_with("HTTP/1.1 404 "), "not for everyone");
}

#[test]
fn too_many_requests_are_refused_before_their_bodies_come() {
    let served = Served::start(ServerOptions {
        behind_proxy: true,
        rates: RateLimits { writes: NonZeroU32::new(1), ..RateLimits::OFF },
        limits: Limits { body: LONG * 4, ..Limits::default() },
        ..ServerOptions::new(|news| panic!("{news}"))
    });
    let head = "POST /rekor/api/v1/log/entries HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf";
    let mut begun: Vec<TcpStream> = (0..60)
        .map(|_| {
            let mut stream = served.connect();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    assert!(read_some(begun.last_mut().unwrap()).starts_with("HTTP/1.1 429 "), "twenty are saved up");
}
