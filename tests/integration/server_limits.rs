//! Nobody keeps the embedded stack's server busy for free: its limits over real sockets, and an orderly end. Not here, for it
//! takes an answer larger than the kernel's buffers: the end of an answer that its client takes bit by bit.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client, Version};
use waxseal::stack::server::{Limits, RateLimits, ServerOptions};

use super::sandbox::served::{LONG, SHORT, Served, closes, get, identity, read, read_some};

#[test]
fn who_says_nothing_or_not_enough_is_not_waited_for() {
    let served = Served::with(Limits { idle: SHORT, body: SHORT, ..Limits::default() });
    // Nothing; half a head, byte for byte; a request and then nothing more.
    let silent = served.connect();
    closes(silent);
    let mut slow = served.connect();
    slow.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let start = Instant::now();
    for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
        if slow.write_all(&[*byte]).is_err() || matches!(slow.read(&mut [0; 512]), Ok(0)) {
            break;
        }
        assert!(start.elapsed() < LONG, "a byte now and then keeps the connection");
    }
    let mut kept = served.connect();
    kept.write_all(&get("/healthz")).unwrap();
    assert!(read_some(&mut kept).starts_with("HTTP/1.1 200 "));
    closes(kept);
    // A body that does not come, in the words of the service that waits for it.
    for (path, says) in [
        ("/api/v2/signingCert", r#"{"code":4,"message":"the body did not come in time","details":[]}"#),
        ("/rekor/api/v1/log/entries", r#"{"code":408,"message":"the body did not come in time"}"#),
        ("/oidc/token", r#"{"error":"invalid_request","error_description":"the body did not come in time"}"#),
        ("/trust/trusted_root.json", "the body did not come in time"),
    ] {
        let mut unfinished = served.connect();
        unfinished
            .write_all(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf").as_bytes())
            .unwrap();
        let answer = read_some(&mut unfinished);
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).map_err(|_| text.trim().to_owned());
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_eq!(same(answer.split("\r\n\r\n").nth(1).unwrap()), same(says));
        closes(unfinished);
    }
}

#[test]
fn who_does_not_read_the_answers_is_cut() {
    let served = Served::with(Limits { idle: SHORT, stalled: SHORT, ..Limits::default() });
    let mut deaf = served.connect();
    deaf.set_write_timeout(Some(SHORT)).unwrap();
    // Fifty megabytes of answers: more than the kernel keeps for anybody.
    drop(deaf.write_all(&get("/trust/trusted_root.json").repeat(5000)));
    let start = Instant::now();
    // Hung up on before the end, it is a reset that comes, and the next thing to be sent fails.
    while deaf.write(b"G").map_or_else(|error| error.kind() == ErrorKind::WouldBlock, |_| true) {
        assert!(start.elapsed() < LONG * 4, "the connection is still there");
        std::thread::sleep(SHORT / 4);
    }
    assert!(read_some(&mut served.ask("/healthz")).starts_with("HTTP/1.1 200 "));
}

#[test]
fn one_host_is_named() {
    let served = Served::with(Limits::default());
    let asked = |version: &str, hosts: &str| {
        let mut stream = served.connect();
        stream.write_all(format!("GET /healthz HTTP/{version}\r\n{hosts}\r\n").as_bytes()).unwrap();
        read_some(&mut stream).split(' ').nth(1).unwrap_or_default().to_owned()
    };
    for (version, hosts, status) in [
        ("1.1", "Host: localhost\r\n", "200"),
        ("1.1", "", "400"),
        ("1.1", "Host: localhost\r\nHost: evil.example\r\n", "400"),
        ("1.1", "Host: evil.example\r\nHost: localhost\r\n", "400"),
        ("1.1", "Host: localhost\r\nX: y\r\nhost: localhost\r\n", "400"),
        ("1.0", "Host: localhost\r\n", "200"),
        ("1.0", "", "421"),
        ("1.0", "Host: localhost\r\nHost: localhost\r\n", "400"),
    ] {
        assert_eq!(asked(version, hosts), status, "{version} {hosts:?}");
    }
}

#[test]
fn people_are_refused_with_a_page() {
    let served = Served::start(ServerOptions {
        behind_proxy: true,
        rates: RateLimits { login: NonZeroU32::new(1), ..RateLimits::OFF },
        ..ServerOptions::new(|news| panic!("{news}"))
    });
    let ask = |request: &str, host: &str| {
        let mut stream = served.connect();
        let head = format!("{request} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 192.0.2.1\r\n");
        stream.write_all(format!("{head}Connection: close\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let elsewhere = ask("GET /oidc/auth", "evil.example");
    assert!(elsewhere.starts_with("HTTP/1.1 421 "), "{elsewhere}");
    assert!(elsewhere.contains("<p>This is not the host that you asked for.</p>"), "{elsewhere}");
    assert!(!elsewhere.contains("evil.example"), "{elsewhere}");
    // Twenty are saved up, and the machine may be slow.
    assert!((0..200).any(|_| ask("GET /oidc/auth", "localhost").starts_with("HTTP/1.1 429 ")));
    for request in ["GET /oidc/auth", "POST /oidc/auth/login", "GET /oidc/device", "POST /oidc/device/confirm"] {
        // Whatever is saved up meanwhile is used up first.
        let answer = (0..20).map(|_| ask(request, "localhost")).find(|answer| answer.starts_with("HTTP/1.1 429 "));
        let answer = answer.unwrap_or_else(|| panic!("{request} is never refused"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert!(head.contains("\r\ncontent-type: text/html; charset=utf-8"), "{head}");
        assert!(head.contains("\r\nretry-after: 1") && head.contains("\r\ncontent-security-policy: "), "{head}");
        assert!(body.contains("<h1>Too Many Requests</h1>"), "{body}");
        assert!(body.contains("<p>There were too many requests: come again later.</p>"), "{body}");
    }
}

#[test]
fn who_waits_too_long_for_an_answer_is_told_so() {
    let served = Served::with(Limits { answer: Duration::ZERO, ..Limits::default() });
    // Logged it is, but who waits for the disk waits too long.
    let entry = include_str!("../fuzz/seeds/rekor_v1_entry/dsse");
    let mut stream = served.connect();
    let head = "POST /rekor/api/v1/log/entries HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{entry}", entry.len()).as_bytes()).unwrap();
    let answer = read_some(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(body.trim_end(), r#"{"code":503,"message":"the server is too busy"}"#);
}

#[test]
fn tls_and_http_2_are_not_waited_for_either() {
    let (folder, tls) = identity();
    let options = ServerOptions::new(|news| panic!("{news}"));
    let limits = Limits { handshake: SHORT, ..Limits::default() };
    let served = Served::start(ServerOptions { tls: Some(tls), limits, ..options });
    // Nothing; the beginning of a handshake.
    closes(served.connect());
    let mut begun = served.connect();
    begun.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
    closes(begun);

    let options = ServerOptions::new(|news| panic!("{news}"));
    let limits = Limits { idle: SHORT, stalled: SHORT, ..Limits::default() };
    let served = Served::start(ServerOptions { tls: Some(read(&folder)), limits, ..options });
    let connect = |said: &[u8]| {
        let mut stream = served.connect_http_2(&folder);
        stream.write_all(said).unwrap();
        stream.flush().unwrap();
        let start = Instant::now();
        // An end without farewell is an end, too.
        drop(stream.read_to_end(&mut Vec::new()));
        assert!(start.elapsed() < LONG, "the connection is still there");
    };
    // Nothing; half of the preface; preface and settings (RFC 9113 §3.4), and then nothing more.
    connect(b"");
    connect(b"PRI * HTTP/2.0\r\n");
    connect(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
}

#[test]
fn heads_and_bodies_have_the_same_size_in_http_2() {
    let (folder, tls) = identity();
    let served = Served::start(ServerOptions { tls: Some(tls), ..ServerOptions::new(|news| panic!("{news}")) });
    let authority = std::fs::read(folder.path().join("ca.pem")).unwrap();
    let client = Client::builder().tls_certs_only([Certificate::from_pem(&authority).unwrap()]).build().unwrap();
    let url = format!("https://{}/api/v2/signingCert", served.address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let with = |headers: usize, header: usize, body: usize| {
        let mut request = client.post(&url).body(vec![b'x'; body]);
        for number in 0..headers {
            request = request.header(format!("x-{number}"), "y".repeat(header));
        }
        let answer = runtime.block_on(request.send()).unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        answer.status().as_u16()
    };
    assert_eq!(with(90, 1, 0), 400);
    assert_eq!(with(101, 1, 0), 431);
    assert_eq!(with(1, 200_000, 0), 431);
    assert_eq!(with(0, 0, 200_000), 413);
}

#[test]
fn unfinished_bodies_take_no_more_than_their_share() {
    const MIB: usize = 1 << 20;
    let served = Served::with(Limits { body_bytes: 8 * MIB, body_bytes_per_client: 4 * MIB, ..Limits::default() });
    let begin = |sent: usize| {
        let mut stream = served.connect();
        let head = "POST /rekor/api/v1/log/entries HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4194304\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        // Who is refused may be hung up on before the end.
        drop(stream.write_all(&vec![b'x'; sent]));
        stream
    };
    let mut begun: Vec<TcpStream> = (0..20).map(|_| begin(MIB / 2)).collect();
    let mut answers: Vec<String> = Vec::new();
    std::thread::sleep(Duration::from_secs(2));
    for stream in &mut begun {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut bytes = [0; 2048];
        if let Ok(length) = stream.read(&mut bytes) {
            answers.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
        }
    }
    // Eight halves are the client's four MiB.
    assert!((12..20).contains(&answers.len()), "{} of 20 were refused", answers.len());
    for answer in answers {
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.to_lowercase().contains("\r\nretry-after: 1\r\n"), "{answer}");
        assert!(answer.ends_with("{\"code\":503,\"message\":\"the server is too busy\"}\n"), "{answer}");
    }
    assert!(read_some(&mut served.ask("/healthz")).starts_with("HTTP/1.1 200 "), "what has no body needs no room");
    // Whoever is gone gives its share back.
    drop(begun);
    std::thread::sleep(SHORT);
    let mut whole = begin(4 * MIB);
    let answer = read_some(&mut whole);
    assert!(answer.starts_with("HTTP/1.1 4"), "it was read: {answer}");
}

#[test]
fn heads_and_bodies_have_a_size() {
    let served = Served::with(Limits::default());
    let with = |headers: &str, body: &[u8]| {
        let mut stream = served.connect();
        let head = format!("POST /api/v2/signingCert HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // Who answers before the end may have closed the connection.
        drop(stream.write_all(body));
        read_some(&mut stream).lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(with(&"X: y\r\n".repeat(98), b""), "HTTP/1.1 400 Bad Request");
    let too_large = "HTTP/1.1 431 Request Header Fields Too Large";
    assert_eq!(with(&"X: y\r\n".repeat(101), b""), too_large);
    assert_eq!(with(&format!("X: {}\r\n", "y".repeat(200_000)), b""), too_large);
    assert_eq!(with("Content-Length: 200000\r\n", &[b'x'; 1000]), "HTTP/1.1 413 Payload Too Large");
    // Nobody says how long it is.
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    assert_eq!(with("Transfer-Encoding: chunked\r\n", &chunk.repeat(4)), "HTTP/1.1 413 Payload Too Large");
}

#[test]
fn what_is_under_way_is_finished_and_the_rest_is_not_waited_for() {
    let served = Served::with(Limits { grace: SHORT * 4, ..Limits::default() });
    let idle = {
        let mut stream = served.ask("/healthz");
        read_some(&mut stream);
        stream
    };
    let begin = || {
        let mut stream = served.connect();
        let head = "POST /rekor/api/v1/index/retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let (mut under_way, never_done) = (begin(), begin());
    std::thread::sleep(SHORT);
    let start = Instant::now();
    served.stop();
    closes(idle);
    assert!(start.elapsed() < SHORT * 2, "idle connections end at once");
    under_way.write_all(b"{}").unwrap();
    let answer = read_some(&mut under_way);
    assert!(answer.starts_with("HTTP/1.1 200 "), "it was begun before the end: {answer}");
    assert!(TcpStream::connect(served.address).is_err(), "nobody new is let in");
    closes(never_done);
    served.ended();
    assert!((SHORT * 3..LONG).contains(&start.elapsed()), "{:?}", start.elapsed());
}
