//! Puts load on an embedded stack of this machine, for `scripts/bench-stack`: `stack-load KIND STACK CLIENTS SECONDS [ENTRIES]`.
//! Prints one line of JSON: answers by status, answers a second, latencies.
//!
//! STACK is its address, on loopback. It ends after SECONDS or ENTRIES, what comes first. Kinds: `v1` and `v2` (entries that
//! were never logged before), `v1-get` (one of the first ENTRIES entries, with its proof), `v2-get` (one of the tiles and
//! bundles that the first ENTRIES entries fill), `certificate` (the same key and identity token each time, a certificate
//! each time), `login` (authorization request and code exchange: two requests count as one answer) and `timestamp`.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for measuring ends by panicking, and prints"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use waxseal::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest, random_bytes};
use waxseal::stack::certificate_authority::AuthorityChains;
use waxseal::timestamp::TimeStampReq;
use waxseal::tlog::hashedrekord::{Verifier, pem};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, stack, clients, seconds, entries @ ..] = arguments.as_slice() else {
        panic!("stack-load {} STACK CLIENTS SECONDS [ENTRIES]", Kind::ALL.map(|(name, _)| name).join("|"));
    };
    let kind = Kind::ALL.iter().find(|(name, _)| name == kind).unwrap_or_else(|| panic!("{kind} is no kind of load"));
    let clients: u64 = clients.parse().unwrap();
    let seconds: u64 = seconds.parse().unwrap();
    let entries: u64 = entries.first().map_or(MAX_ENTRIES, |entries| entries.parse().unwrap());
    assert!(clients <= 256 && seconds <= 4 * 3600 && entries <= MAX_ENTRIES, "too much");
    let url = url::Url::parse(stack).unwrap();
    let host = url.host_str().unwrap();
    assert!(matches!(host, "127.0.0.1" | "localhost" | "[::1]"), "{host} is not this machine");
    assert_eq!(url.path(), "/", "the kind of load says which path");
    let mut load = Load {
        address: format!("{host}:{}", url.port_or_known_default().unwrap()),
        kind: kind.1,
        signer: Signer::new(),
        certificate_request: Vec::new(),
        sent: AtomicU64::new(0),
        entries,
        until: Instant::now() + Duration::from_secs(seconds),
    };
    if load.kind == Kind::Certificate {
        load.certificate_request = load.signer.certificate_request(&load.id_token());
    }
    let start = Instant::now();
    let answers: Vec<(u16, Duration)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(|| load.run())).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    report(kind.0, clients, start.elapsed(), answers);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Certificate,
    Login,
    Timestamp,
    V1,
    V1Get,
    V2,
    V2Get,
}

impl Kind {
    const ALL: [(&str, Self); 7] = [
        ("certificate", Self::Certificate),
        ("login", Self::Login),
        ("timestamp", Self::Timestamp),
        ("v1", Self::V1),
        ("v1-get", Self::V1Get),
        ("v2", Self::V2),
        ("v2-get", Self::V2Get),
    ];
}

struct Load {
    address: String,
    kind: Kind,
    signer: Signer,
    certificate_request: Vec<u8>,
    sent: AtomicU64,
    entries: u64,
    until: Instant,
}

impl Load {
    /// One client: one connection, one request after the other.
    fn run(&self) -> Vec<(u16, Duration)> {
        let mut connection = self.connect();
        let mut answers = Vec::new();
        while Instant::now() < self.until {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            if number >= self.entries && !matches!(self.kind, Kind::V1Get | Kind::V2Get) {
                break;
            }
            let request = self.request(number);
            let start = Instant::now();
            let status = match self.kind {
                Kind::Login => self.log_in(&mut connection, &request).0,
                _ => ask(&mut connection, &request).status,
            };
            answers.push((status, start.elapsed()));
        }
        answers
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        BufReader::new(stream)
    }

    fn id_token(&self) -> String {
        let tokens = self.log_in(&mut self.connect(), &self.http("GET", AUTHORIZE, "", &[])).1;
        tokens["id_token"].as_str().unwrap().to_owned()
    }

    /// RFC 6749 §4.1: the code, then the tokens.
    fn log_in(&self, connection: &mut BufReader<TcpStream>, request: &[u8]) -> (u16, Value) {
        let to = ask(connection, request).location;
        let code = to.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).unwrap();
        let form = format!(
            "grant_type=authorization_code&client_id=sigstore&code={code}&code_verifier={CODE_VERIFIER}\
             &redirect_uri=http%3A%2F%2Flocalhost%3A1%2F"
        );
        let request = self.http("POST", "/oidc/token", "application/x-www-form-urlencoded", form.as_bytes());
        let answer = ask(connection, &request);
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn request(&self, number: u64) -> Vec<u8> {
        let scattered = |below: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % below;
        match self.kind {
            Kind::Certificate => self.http("POST", "/api/v2/signingCert", JSON, &self.certificate_request),
            Kind::Login => self.http("GET", AUTHORIZE, "", &[]),
            Kind::Timestamp => {
                let request = TimeStampReq::for_message(&number.to_be_bytes(), random_bytes()).unwrap();
                let body = request.to_der().unwrap();
                self.http("POST", "/tsa/api/v1/timestamp", "application/timestamp-query", &body)
            }
            Kind::V1 => self.http("POST", "/rekor/api/v1/log/entries", JSON, &self.signer.v1(number)),
            Kind::V1Get => {
                let path = format!("/rekor/api/v1/log/entries?logIndex={}", scattered(self.entries));
                self.http("GET", &path, "", &[])
            }
            Kind::V2 => self.http("POST", "/rekor2/api/v2/log/entries", JSON, &self.signer.v2(number)),
            Kind::V2Get => {
                let full = scattered(self.entries / TILE_WIDTH);
                let index = match full {
                    0..1000 => format!("{full:03}"),
                    _ => format!("x{:03}/{:03}", full / 1000, full % 1000),
                };
                let kind = if number.is_multiple_of(2) { "0" } else { "entries" };
                self.http("GET", &format!("/rekor2/tile/{kind}/{index}"), "", &[])
            }
        }
    }

    fn http(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        [head.as_bytes(), body].concat()
    }
}

/// Makes entries that were never logged before.
struct Signer {
    key: ServiceKey,
    certificate: Vec<u8>,
    run: u64,
}

impl Signer {
    fn new() -> Self {
        let key = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
        let root = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
        let chains = AuthorityChains::make("load", &root, key.verifying_key(), Timestamp::UNIX_EPOCH).unwrap();
        let pem = chains.to_pem();
        let (_, certificate) = der::pem::decode_vec(&pem.as_bytes()[..=pem.find("-----END").unwrap() + 24]).unwrap();
        Self { key, certificate, run: u64::from_be_bytes(random_bytes()) }
    }

    fn signed(&self, number: u64) -> (Sha256Digest, String) {
        let message = [self.run.to_be_bytes(), number.to_be_bytes()].concat();
        (Sha256Digest::of(&message), STANDARD.encode(self.key.sign(&message).unwrap()))
    }

    /// A key, and the proof that it is ours.
    fn certificate_request(&self, id_token: &str) -> Vec<u8> {
        let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let proof = self.key.sign(claims["email"].as_str().unwrap().as_bytes()).unwrap();
        let request = json!({
            "credentials": { "oidcIdentityToken": id_token },
            "publicKeyRequest": {
                "publicKey": { "content": pem(Verifier::PublicKey(self.key.verifying_key().spki_der())) },
                "proofOfPossession": STANDARD.encode(proof),
            },
        });
        request.to_string().into_bytes()
    }

    fn v1(&self, number: u64) -> Vec<u8> {
        let (digest, signature) = self.signed(number);
        let pem = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &self.certificate).unwrap();
        let proposal = json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": digest.to_string()}},
            "signature": {"content": signature, "publicKey": {"content": STANDARD.encode(pem)}},
        }});
        proposal.to_string().into_bytes()
    }

    fn v2(&self, number: u64) -> Vec<u8> {
        let (digest, signature) = self.signed(number);
        let request = json!({"hashedRekordRequestV002": {
            "digest": STANDARD.encode(digest),
            "signature": {"content": signature, "verifier": {
                "x509Certificate": {"rawBytes": STANDARD.encode(&self.certificate)},
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            }},
        }});
        request.to_string().into_bytes()
    }
}

struct Answer {
    status: u16,
    location: String,
    body: Vec<u8>,
}

fn ask(connection: &mut BufReader<TcpStream>, request: &[u8]) -> Answer {
    connection.get_mut().write_all(request).unwrap();
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {line:?}")).parse().unwrap();
    let (mut length, mut location) = (0, String::new());
    loop {
        line.clear();
        connection.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            Some((name, value)) if name.eq_ignore_ascii_case("location") => value.clone_into(&mut location),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    assert!(status < 400, "{status} {}", String::from_utf8_lossy(&body));
    Answer { status, location, body }
}

fn report(kind: &str, clients: u64, elapsed: Duration, answers: Vec<(u16, Duration)>) {
    let mut by_status = BTreeMap::new();
    for (status, _) in &answers {
        *by_status.entry(status.to_string()).or_insert(0_u64) += 1;
    }
    let mut latencies: Vec<f64> = answers.iter().map(|(_, latency)| latency.as_secs_f64() * 1e3).collect();
    latencies.sort_by(f64::total_cmp);
    let count = u32::try_from(answers.len()).unwrap();
    let quantile = |per_cent: usize| {
        let latency = latencies.get(latencies.len() * per_cent / 100).copied().unwrap_or_default();
        (latency * 100.0).round() / 100.0
    };
    let line = json!({
        "kind": kind,
        "clients": clients,
        "seconds": (elapsed.as_secs_f64() * 100.0).round() / 100.0,
        "answers": by_status,
        "per_second": (f64::from(count) / elapsed.as_secs_f64() * 10.0).round() / 10.0,
        "median_ms": quantile(50),
        "p95_ms": quantile(95),
        "p99_ms": quantile(99),
    });
    println!("{line}");
}

const MAX_ENTRIES: u64 = 2_000_000;
const TILE_WIDTH: u64 = 256;
const JSON: &str = "application/json";

/// RFC 7636, appendix B.
const CODE_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const AUTHORIZE: &str = "/oidc/auth?client_id=sigstore&response_type=code&scope=openid%20email&state=s&nonce=n\
    &redirect_uri=http%3A%2F%2Flocalhost%3A1%2F&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
    &code_challenge_method=S256";
