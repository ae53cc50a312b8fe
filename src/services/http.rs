//! The one HTTP client: whom it talks to, how long it waits, how much of an answer it reads, and what it says when
//! that goes wrong.

mod network;

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use url::Host;

use self::network::{LOCALHOST, Route};
pub use self::network::{Network, NetworkError};
use crate::crypto::random_bytes;

/// Sends requests over https, and over http to this machine only. Redirects are never followed: a request carries a
/// token or a code that belongs to one service.
///
/// Nothing is set up before the first request: loading the system's certificates takes milliseconds.
#[derive(Debug, Default)]
pub struct Http {
    limits: Limits,
    network: Network,
    clients: [OnceLock<reqwest::Client>; Route::ALL.len()],
}

impl Http {
    /// A client in the user's network.
    #[must_use]
    pub fn new(network: Network) -> Self {
        Self { network, ..Self::default() }
    }

    /// The same with other limits than the usual ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sends a GET request, and demands status 200.
    ///
    /// # Errors
    /// [`ServiceError`], also for every other status.
    pub async fn get(&self, service: ServiceName, address: &str) -> Result<Vec<u8>, ServiceError> {
        let request = request(service, Method::GET, address, Vec::new())?;
        let response = self.send(service, Repeat::Always, &request).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            _ => Err(ServiceError::refused(service, address, &response)),
        }
    }

    /// Sends `request` and reads the answer whole, whatever its status.
    ///
    /// # Errors
    /// [`ServiceError`] when there is no whole answer within the limits.
    pub async fn send(
        &self,
        service: ServiceName,
        repeat: Repeat,
        request: &Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, ServiceError> {
        let address = request.uri().to_string();
        let fail = |problem| ServiceError::new(service, &address, problem);
        let route = match service {
            ServiceName::MetadataServer => self.network.route_to_metadata(&address),
            _ => self.network.route(&address),
        };
        let route = route.map_err(fail)?;
        let client = self.client(route).map_err(fail)?;
        let outcome = tokio::time::timeout(self.limits.whole, self.attempts(client, repeat, request)).await;
        let outcome = outcome.unwrap_or(Err(Problem::TimedOut(self.limits.whole)));
        let mut response = outcome.map_err(|problem| fail(self.network.explain(route, problem)))?;
        response.extensions_mut().insert(Sent::with(request));
        Ok(response)
    }

    async fn attempts(
        &self,
        client: &reqwest::Client,
        repeat: Repeat,
        request: &Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, Problem> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            let outcome = self.attempt(client, request).await;
            let Some(wish) = repeat.wait_before_another(&outcome) else { return outcome };
            tokio::time::sleep(wish.unwrap_or(pause) + jitter(pause)).await;
            pause *= 2;
        }
        self.attempt(client, request).await
    }

    async fn attempt(
        &self,
        client: &reqwest::Client,
        request: &Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, Problem> {
        let request = reqwest::Request::try_from(request.clone()).map_err(|error| Problem::of(&error))?;
        let mut answer = client.execute(request).await.map_err(|error| Problem::of(&error))?;
        let limit = self.limits.response_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| Problem::of(&error))? {
            if body.len() + chunk.len() > limit {
                return Err(Problem::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }

    fn client(&self, route: Route) -> Result<&reqwest::Client, Problem> {
        let no_client = || Problem::NoClient("it vanished".to_owned());
        let cell = self.clients.get(route.number()).ok_or_else(no_client)?;
        if cell.get().is_none() {
            let builder = reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(self.limits.connect);
            let client = self.network.configure(builder, route).and_then(reqwest::ClientBuilder::build);
            let client = client.map_err(|error| Problem::NoClient(innermost(&error)))?;
            // Two threads may have built one each; whichever came first is used.
            drop(cell.set(client));
        }
        cell.get().ok_or_else(no_client)
    }
}

/// A request with a JSON body, or with none.
///
/// # Errors
/// [`Problem::BadAddress`] when `address` is not one.
pub(super) fn request(
    service: ServiceName,
    method: Method,
    address: &str,
    body: Vec<u8>,
) -> Result<Request<Vec<u8>>, ServiceError> {
    let json = !body.is_empty();
    let mut request = Request::builder()
        .method(method)
        .uri(address)
        .body(body)
        .map_err(|_| ServiceError::new(service, address, Problem::BadAddress))?;
    if json {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(request)
}

/// How much time and memory one request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Until the last byte of the answer, repeated attempts included.
    pub whole: Duration,
    /// Of the body of the answer.
    pub response_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            // A log answers after its next checkpoint: up to 10 s with the defaults of rekor-tiles, so 20 s and some.
            whole: Duration::from_secs(30),
            // The largest real answer, a trusted root, has under 64 KiB.
            response_bytes: 1 << 20,
        }
    }
}

/// Whether a request may be sent more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It changes nothing, or the second time says so.
    Always,
    /// Each one that arrives counts: a certificate is issued, a code is used up.
    UnlessSent,
    /// Each one that arrives counts, and the service says when it turned one away.
    UnlessTaken,
}

impl Repeat {
    /// `None`: no other attempt. `Some(None)`: after the usual pause.
    fn wait_before_another(self, outcome: &Result<Response<Vec<u8>>, Problem>) -> Option<Option<Duration>> {
        match (self, outcome) {
            (_, Err(Problem::Unreachable(_))) => Some(None),
            (Self::Always, Err(Problem::Broken(_))) => Some(None),
            (Self::Always, Ok(response)) if BUSY.contains(&response.status()) => Some(retry_after(response)),
            (Self::UnlessTaken, Ok(response)) if TURNED_AWAY.contains(&response.status()) => {
                Some(retry_after(response))
            }
            _ => None,
        }
    }
}

/// A service did not do its part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{service} at {address} {problem}")]
pub struct ServiceError {
    /// Which one.
    pub service: ServiceName,
    /// Where it was looked for; without a query.
    pub address: String,
    /// What happened.
    pub problem: Problem,
}

impl ServiceError {
    /// `problem` of `service`; `address` is cut at its query, which may hold a code.
    #[must_use]
    pub fn new(service: ServiceName, address: &str, problem: Problem) -> Self {
        let address = address.split(['?', '#']).next().unwrap_or_default();
        Self { service, address: excerpt(address.as_bytes()), problem }
    }

    /// An answer whose status is not the wanted one.
    #[must_use]
    pub fn refused(service: ServiceName, address: &str, response: &Response<Vec<u8>>) -> Self {
        let said = said(response.body(), response.extensions().get::<Sent>());
        Self::new(service, address, Problem::Refused { status: response.status().as_u16(), said })
    }

    /// An answer with the wanted status that cannot be used.
    #[must_use]
    pub fn garbage(service: ServiceName, address: &str, what: impl fmt::Display) -> Self {
        Self::new(service, address, Problem::Garbage(what.to_string()))
    }
}

/// What happened to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Problem {
    /// Not an absolute http or https address, or one with a user name.
    #[error("has an address that cannot be used")]
    BadAddress,
    /// The connection ended early, or what came is not HTTP. Why.
    #[error("did not answer properly: {0}")]
    Broken(String),
    /// The status promised more. What is wrong.
    #[error("gave an answer that cannot be used: {0}")]
    Garbage(String),
    /// Plain http to another machine.
    #[error("must be asked over https (plain http is for this machine only)")]
    Insecure,
    /// A log that gives its proof once had the entry before.
    #[error(
        "has an equal entry already{}, and gives the proof of an entry only once",
        .index.map(|index| format!(", with index {index}")).unwrap_or_default()
    )]
    LoggedAlready {
        /// Where, as far as the log says.
        index: Option<u64>,
    },
    /// TLS found somebody else, or somebody whom nobody vouches for. What is wrong.
    #[error("has a TLS certificate that cannot be trusted: {0}")]
    Certificate(String),
    /// The client could not be set up. Why.
    #[error("could not be asked, TLS cannot be set up: {0}")]
    NoClient(String),
    /// Another status than the wanted one: a refusal, trouble of the service's own, or a success of another kind.
    #[error("{} with status {status}{}", verb_of(*.status), quoted(.said))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the body says about it, cut; may be empty.
        said: String,
    },
    /// No whole answer in time.
    #[error("did not answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// More bytes than any answer needs.
    #[error("answered with more than {0} bytes")]
    TooLarge(usize),
    /// No connection. Why.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
}

impl Problem {
    /// Whether the service is down or overloaded, which says nothing about the request: another time it may be taken.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Broken(_) | Self::TimedOut(_) | Self::Unreachable(_) => true,
            Self::Refused { status, .. } => is_trouble(*status),
            Self::BadAddress
            | Self::Certificate(_)
            | Self::Garbage(_)
            | Self::Insecure
            | Self::LoggedAlready { .. }
            | Self::NoClient(_)
            | Self::TooLarge(_) => false,
        }
    }

    fn of(error: &reqwest::Error) -> Self {
        let why = innermost(error);
        if let Some(what) = why.strip_prefix(BAD_CERTIFICATE) {
            return Self::Certificate(what.to_owned());
        }
        if error.is_connect() { Self::Unreachable(why) } else { Self::Broken(why) }
    }
}

/// The services that waxseal asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceName {
    /// Fulcio.
    CertificateAuthority,
    /// OpenID Connect.
    OidcIssuer,
    /// Google's virtual machines have one at hand, over plain http.
    MetadataServer,
    /// RFC 3161.
    TimestampAuthority,
    /// Where a CI system makes identity tokens for its jobs.
    TokenService,
    /// Rekor.
    TransparencyLog,
    /// Where `waxseal trust add --url` reads.
    TrustMaterial,
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateAuthority => "the certificate authority",
            Self::OidcIssuer => "the OpenID Connect issuer",
            Self::MetadataServer => "Google's metadata server",
            Self::TokenService => "the service for identity tokens",
            Self::TimestampAuthority => "the timestamp authority",
            Self::TransparencyLog => "the transparency log",
            Self::TrustMaterial => "the source of trust material",
        })
    }
}

/// Whether `host` can only be this machine: `localhost`, 127.0.0.0/8 or ::1.
#[must_use]
pub fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == LOCALHOST,
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether waxseal, or a browser that it starts, may be sent to `address`: https anywhere, http on this machine.
#[must_use]
pub fn is_web_address(address: &str) -> bool {
    Network::default().route(address).is_ok()
}

/// What an error body wants to tell: `message` of Fulcio and Rekor, `error` and `error_description` of OAuth, or the
/// text itself; without what was secret in the request, and without tokens.
fn said(body: &[u8], sent: Option<&Sent>) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let member = |name: &str| json.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let text = match (member("message"), member("error"), member("error_description")) {
        (Some(message), _, _) => message,
        (None, Some(error), Some(description)) => format!("{error}: {description}"),
        (None, Some(text), None) | (None, None, Some(text)) => text,
        (None, None, None) => String::from_utf8_lossy(body).into_owned(),
    };
    excerpt(without_tokens(&sent.map_or(text.clone(), |sent| sent.cut_out(&text))).as_bytes()).trim().to_owned()
}

/// What of a request is nobody's business but the service's: a server may say it again, and an error is shown and kept.
#[derive(Clone)]
struct Sent(Vec<String>);

impl Sent {
    /// The credential of the `Authorization` header (RFC 9110 §11.6.2), and the secrets of OAuth's forms.
    fn with(request: &Request<Vec<u8>>) -> Self {
        let credential = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let credential = credential.and_then(|value| value.split_whitespace().last()).map(str::to_owned);
        let form = url::form_urlencoded::parse(request.body());
        let secrets =
            form.filter(|(name, _)| SECRET_PARAMETERS.contains(&&**name)).map(|(_, value)| value.into_owned());
        Self(credential.into_iter().chain(secrets).filter(|secret| secret.len() >= SHORTEST_SECRET).collect())
    }

    fn cut_out(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), CUT_OUT))
    }
}

/// Without what looks like a JSON Web Token (RFC 7519 §3): base64url of a JSON object begins like that.
fn without_tokens(text: &str) -> String {
    let part_of_token = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let pieces = text.split_inclusive(|character| !part_of_token(character));
    pieces
        .map(|piece| {
            let token = piece.trim_end_matches(|character| !part_of_token(character));
            if token.starts_with("eyJ") { piece.replace(token, CUT_OUT) } else { piece.to_owned() }
        })
        .collect()
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..EXCERPT_BYTES).unwrap_or(bytes)).into_owned()
}

/// RFC 9110 §15.6, and RFC 6585 §4: too many requests, whoever sent them.
fn is_trouble(status: u16) -> bool {
    status >= 500 || status == 429
}

fn verb_of(status: u16) -> &'static str {
    match status {
        _ if is_trouble(status) => "failed",
        400..500 => "refused",
        _ => "answered unexpectedly",
    }
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": \"{said}\"") }
}

/// The first cause: the outer layers only say that sending failed, and repeat the address.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    excerpt(cause.to_string().as_bytes())
}

fn retry_after(response: &Response<Vec<u8>>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// Up to half of `pause`, so that clients which failed together do not come back together.
fn jitter(pause: Duration) -> Duration {
    pause * u32::from(random_bytes::<1>()[0]) / 512
}

/// How rustls begins when it refuses a server's certificate. (Its error is wrapped too deep to be taken out as a type.)
const BAD_CERTIFICATE: &str = "invalid peer certificate: ";
const USER_AGENT: &str = concat!("waxseal/", env!("CARGO_PKG_VERSION"));
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Enough for every error message in the recorded exchanges.
const EXCERPT_BYTES: usize = 200;

/// In the place of a secret.
const CUT_OUT: &str = "[cut out]";

/// Shorter ones would take ordinary words along.
const SHORTEST_SECRET: usize = 6;

/// RFC 6749, 7009, 7636 and 8628.
const SECRET_PARAMETERS: [&str; 6] =
    ["client_secret", "code", "code_verifier", "device_code", "refresh_token", "token"];
/// "Not now": what each real server sends when it is overloaded or being replaced.
const BUSY: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Those of [`BUSY`] that come from the service itself, before it took anything.
const TURNED_AWAY: [StatusCode; 2] = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];

#[cfg(test)]
mod tests;
