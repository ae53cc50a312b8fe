//! Nobody keeps the embedded stack's server busy for free: each limit over a real socket, and an orderly end.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::mpsc;
use waxseal::stack::server::{Command, Limits, Listener, RateLimits, ServerOptions, serve_until};
use waxseal::stack::{Stack, StackOptions};

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
        ("/oidc/auth/login", "the body did not come in time"),
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
}

#[test]
fn a_client_has_so_many_requests_a_second() {
    let served = Served::start(ServerOptions {
        behind_proxy: true,
        rates: RateLimits { certificates: Some(1), login: Some(1), writes: Some(1), ..RateLimits::OFF },
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
    assert!(read_some(&mut under_way).starts_with("HTTP/1.1 "), "it was begun before the end");
    assert!(TcpStream::connect(served.address).is_err(), "nobody new is let in");
    closes(never_done);
    served.ended();
    assert!((SHORT * 3..LONG).contains(&start.elapsed()), "{:?}", start.elapsed());
}

/// A stack that is served on a thread of its own.
struct Served {
    address: SocketAddr,
    commands: mpsc::Sender<Command>,
    thread: JoinHandle<()>,
    _folder: TempDir,
}

impl Served {
    fn with(limits: Limits) -> Self {
        Self::start(ServerOptions { limits, ..ServerOptions::new(|news| panic!("{news}")) })
    }

    fn start(options: ServerOptions) -> Self {
        let folder = TempDir::new().unwrap();
        let (commands, commanded) = mpsc::channel(1);
        let (told, address) = std::sync::mpsc::channel();
        let data = folder.path().to_owned();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
                let address = listener.address().unwrap();
                let url = format!("http://{address}").parse().unwrap();
                let stack = Stack::open(&data, &url, StackOptions::default(), Timestamp::now()).unwrap();
                told.send(address).unwrap();
                serve_until(stack, listener, options, commanded).await;
            });
        });
        Self { address: address.recv().unwrap(), commands, thread, _folder: folder }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(&get(path)).unwrap();
        stream
    }

    fn stop(&self) {
        self.commands.blocking_send(Command::Stop).unwrap();
    }

    fn ended(self) {
        self.thread.join().unwrap();
    }
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// The first piece of an answer, which is a whole small one.
fn read_some(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 8192];
    let length = stream.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// The server hangs up, soon.
#[track_caller]
fn closes(mut stream: TcpStream) {
    let start = Instant::now();
    // A reset is an end too.
    drop(stream.read_to_end(&mut Vec::new()));
    assert!(start.elapsed() < LONG, "the connection is still there");
}

const SHORT: Duration = Duration::from_millis(400);
/// Longer than any limit of these tests, and shorter than every one of the defaults.
const LONG: Duration = Duration::from_secs(8);
