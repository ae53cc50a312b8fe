//! A server that stands in front of the stack, and answers some requests as a broken or hostile service would.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpSocket;

/// An address where nobody listens, and nobody else comes to listen while the test runs.
pub(crate) fn nobody() -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    // The port is taken until the test's process ends.
    std::mem::forget(socket);
    format!("http://{address}")
}

/// An HTTP answer, as it goes over the wire.
pub(crate) fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A server in front of the stack, which answers some requests itself.
pub(crate) struct Front {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) host: String,
    bytes: Vec<u8>,
}

#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, and the connection is closed.
    Bytes(Vec<u8>),
    /// The stack's answer, a JSON document, changed.
    Edit(Arc<dyn Fn(&mut Value) + Send + Sync>),
    /// The stack's answer, later.
    Late(Duration),
    /// The stack's answer.
    Pass,
    /// The stack's answer to the first such request, whatever is asked later.
    Replay(Arc<Mutex<Option<Vec<u8>>>>),
    /// Nothing, for longer than anybody waits.
    Silence,
}

impl Front {
    pub(crate) fn new(stack: &str, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (stack, answer, noted) =
            (stack.strip_prefix("http://").unwrap().to_owned(), Arc::new(answer), Arc::clone(&seen));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stack, answer, noted) = (stack.clone(), Arc::clone(&answer), Arc::clone(&noted));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(request) = Request::read(&mut stream) else { return };
                    noted.lock().unwrap().push(request.line.clone());
                    let bytes = answer(&request).bytes(&request, &stack);
                    // The client may have had enough.
                    drop(stream.write_all(&bytes));
                });
            }
        });
        Self { url, seen }
    }

    /// The request lines so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Request {
    fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
            bytes.extend_from_slice(&chunk[..read]);
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let header = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
            };
            let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
            if bytes.len() == end + 4 + length {
                return Some(Self { line: head.lines().next()?.to_owned(), host: header("host")?, bytes });
            }
        }
    }

    pub(crate) fn body(&self) -> &[u8] {
        let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        &self.bytes[end..]
    }

    fn pass(&self, stack: &str) -> Vec<u8> {
        let end = self.bytes.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
        let mut stream = TcpStream::connect(stack).unwrap();
        stream.write_all(&[&self.bytes[..end], b"Connection: close\r\n", &self.bytes[end..]].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }
}

impl Reply {
    fn bytes(self, request: &Request, stack: &str) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Edit(edit) => {
                let answer = request.pass(stack);
                let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
                let mut document = serde_json::from_slice(&answer[end..]).unwrap();
                edit(&mut document);
                let status = String::from_utf8_lossy(&answer[9..]).lines().next().unwrap().to_owned();
                reply(&status, "Content-Type: application/json\r\n", document.to_string().as_bytes())
            }
            Self::Late(delay) => {
                std::thread::sleep(delay);
                request.pass(stack)
            }
            Self::Pass => request.pass(stack),
            Self::Replay(kept) => kept.lock().unwrap().get_or_insert_with(|| request.pass(stack)).clone(),
            Self::Silence => {
                std::thread::sleep(Duration::from_secs(60));
                Vec::new()
            }
        }
    }
}
