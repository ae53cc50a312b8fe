//! The loopback address that the browser is sent back to (RFC 8252 §7.3).
//!
//! Anyone on this machine, and any page in the browser, can send requests here. What does not carry the right state, or was
//! not sent to this address by whoever was led here, is answered and forgotten; it cannot end the login.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::page::Page;

/// A listener for one login.
#[derive(Debug)]
pub(super) struct Callback {
    ipv4: TcpListener,
    /// Absent where the machine has no IPv6 or somebody else has the port there.
    ipv6: Option<TcpListener>,
    port: u16,
}

impl Callback {
    /// Listens on a free port of 127.0.0.1, and of ::1 where possible: `localhost` may mean either.
    pub(super) async fn listen() -> io::Result<Self> {
        let ipv4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = ipv4.local_addr()?.port();
        let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
        Ok(Self { ipv4, ipv6, port })
    }

    /// The form that Sigstore's issuers accept from every client: `localhost`, any port, this path.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}{PATH}", self.port)
    }

    /// Waits, for ever, for a request that carries `state` and a code or an error.
    pub(super) async fn response(&self, state: &str) -> Response {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                response = receiver.recv() => match response {
                    Some(response) => {
                        connections.detach_all();
                        return response;
                    }
                    // Not reached: `sender` lives as long as this loop.
                    None => continue,
                },
                Some(_ended) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = self.accept(), if connections.len() < MAX_CONNECTIONS => accepted,
            };
            match stream {
                Ok(stream) => {
                    let expected = Expected { state: state.to_owned(), port: self.port };
                    drop(connections.spawn(serve(stream, expected, sender.clone())));
                }
                // Out of descriptors, for one: that passes, but not at once.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        match &self.ipv6 {
            None => Ok(self.ipv4.accept().await?.0),
            Some(ipv6) => tokio::select! {
                accepted = self.ipv4.accept() => Ok(accepted?.0),
                accepted = ipv6.accept() => Ok(accepted?.0),
            },
        }
    }
}

/// The issuer's answer, with the browser still waiting for a page.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) parameters: Parameters,
    page: oneshot::Sender<(Page, oneshot::Sender<()>)>,
}

impl Response {
    /// Shows `page` in the browser, and waits until it was sent; not long, if the browser went away.
    pub(super) async fn show(self, page: Page) {
        let (sent, receipt) = oneshot::channel();
        if self.page.send((page, sent)).is_ok() {
            drop(tokio::time::timeout(WRITE_TIME, receipt).await);
        }
    }
}

/// The parameters of an authorization response (RFC 6749 §4.1.2, RFC 9207 §2), of which the state was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) outcome: Outcome,
    /// `iss`
    pub(super) issuer: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Code(String),
    Error { error: String, description: String },
}

/// One connection: one request, one answer.
async fn serve(mut stream: TcpStream, expected: Expected, responses: mpsc::Sender<Response>) {
    let Ok(Some(head)) = tokio::time::timeout(READ_TIME, read_head(&mut stream)).await else { return };
    let parameters = match expected.parameters(&head) {
        Ok(parameters) => parameters,
        Err(refusal) => return write(&mut stream, &refusal).await,
    };
    let (sender, receiver) = oneshot::channel();
    let already_answered = || Page::refusal(400, "This login has already been answered.");
    if responses.try_send(Response { parameters, page: sender }).is_err() {
        return write(&mut stream, &already_answered()).await;
    }
    match receiver.await {
        Ok((page, sent)) => {
            write(&mut stream, &page).await;
            // An error means that whoever waited has stopped waiting.
            sent.send(()).unwrap_or_default();
        }
        Err(_) => write(&mut stream, &already_answered()).await,
    }
}

/// Reads up to the empty line that ends a request head; `None` when it does not come.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 || head.len() + read > MAX_HEAD_BYTES {
            return None;
        }
        head.extend_from_slice(chunk.get(..read)?);
    }
    String::from_utf8(head).ok()
}

async fn write(stream: &mut TcpStream, page: &Page) {
    let bytes = page.to_http();
    let sending = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    };
    // A browser that does not want the answer does not get it.
    drop(tokio::time::timeout(WRITE_TIME, sending).await);
}

/// What the one request has that is waited for.
struct Expected {
    state: String,
    port: u16,
}

impl Expected {
    /// The request line, where it was sent and by whom, and the state decide: another path is 404, another method 405,
    /// another host 421, another site's script, form or frame 403, another state 400.
    fn parameters(&self, head: &str) -> Result<Parameters, Page> {
        let refusal = |status, why| Err(Page::refusal(status, why));
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return refusal(400, "This is not an HTTP request.");
        };
        let fields = || lines.clone().filter_map(|line| line.split_once(':'));
        let values = |wanted: &'static str| {
            fields().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
        };
        // A name that leads to this machine may be anybody's (DNS rebinding).
        let mut hosts = values("host");
        if !(hosts.next().is_some_and(|host| self.is_own(host)) && hosts.next().is_none()) {
            return refusal(421, "This is another address than the login comes back to.");
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != PATH {
            return refusal(404, "There is nothing here.");
        }
        if method != "GET" {
            return refusal(405, "This address is only for the way back from a login.");
        }
        // A browser that is led here says none, or ours; only scripts and forms of a page say that page's.
        if !values("origin").all(|origin| origin.strip_prefix("http://").is_some_and(|host| self.is_own(host))) {
            return refusal(403, "Another site may not answer a login.");
        }
        // Nor does a page load the way back as an image or in a frame: a login ends in a window (Fetch Metadata).
        if !values("sec-fetch-dest").all(|destination| destination == "document") {
            return refusal(403, "Another site may not answer a login.");
        }
        let Some(query) = Query::parse(query) else {
            return refusal(400, "A parameter was given twice.");
        };
        if query.state.as_ref() != Some(&self.state) {
            return refusal(400, "This is not the login that is being waited for.");
        }
        let outcome = match (query.code, query.error) {
            (Some(code), None) if !code.is_empty() => Outcome::Code(code),
            (None, Some(error)) => Outcome::Error { error, description: query.error_description.unwrap_or_default() },
            _ => return refusal(400, "There must be either a code or an error."),
        };
        Ok(Parameters { outcome, issuer: query.iss })
    }

    /// Whether `host` is this listener's, as a browser writes it.
    fn is_own(&self, host: &str) -> bool {
        let Some((name, port)) = host.rsplit_once(':') else { return false };
        OWN_NAMES.iter().any(|own| name.eq_ignore_ascii_case(own)) && port == self.port.to_string()
    }
}

#[derive(Default)]
struct Query {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    iss: Option<String>,
}

impl Query {
    /// `None` when a parameter that matters comes twice (RFC 6749 §3.1).
    fn parse(query: &str) -> Option<Self> {
        let mut parsed = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match name.as_ref() {
                "state" => &mut parsed.state,
                "code" => &mut parsed.code,
                "error" => &mut parsed.error,
                "error_description" => &mut parsed.error_description,
                "iss" => &mut parsed.iss,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(parsed)
    }
}

/// What the redirect address may be written as; the listener has it on both addresses.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
const PATH: &str = "/auth/callback";
/// What servers commonly take as a request head; authorization codes have well under 4 KiB.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// A browser opens two or three, some of them in advance and silent.
const MAX_CONNECTIONS: usize = 128;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A browser that opens a connection in advance says nothing on it; whoever has something to say says it at once.
const READ_TIME: Duration = Duration::from_secs(2);
const WRITE_TIME: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
