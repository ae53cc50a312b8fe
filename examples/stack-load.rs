//! Puts load on an embedded stack of this machine: `stack-load v1|v2|v1-get BASE CLIENTS SECONDS [ENTRIES]`, for
//! `scripts/bench-stack`. Prints one line of JSON: answers by status, answers a second, latencies.
//!
//! BASE is a log's address as the signing config has it, on loopback. It ends after SECONDS or ENTRIES, what comes first.

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
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;
use waxseal::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest, random_bytes};
use waxseal::stack::certificate_authority::AuthorityChains;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, base, clients, seconds, entries @ ..] = arguments.as_slice() else {
        panic!("stack-load v1|v2|v1-get BASE CLIENTS SECONDS [ENTRIES]");
    };
    let clients: u64 = clients.parse().unwrap();
    let seconds: u64 = seconds.parse().unwrap();
    let entries: u64 = entries.first().map_or(MAX_ENTRIES, |entries| entries.parse().unwrap());
    assert!(clients <= 256 && seconds <= 4 * 3600 && entries <= MAX_ENTRIES, "too much");
    let url = url::Url::parse(base).unwrap();
    let host = url.host_str().unwrap();
    assert!(matches!(host, "127.0.0.1" | "localhost" | "[::1]"), "{host} is not this machine");
    let load = Load {
        address: format!("{host}:{}", url.port_or_known_default().unwrap()),
        path: url.path().trim_end_matches('/').to_owned(),
        kind: kind.clone(),
        signer: Signer::new(),
        sent: AtomicU64::new(0),
        entries,
        until: Instant::now() + Duration::from_secs(seconds),
    };
    let start = Instant::now();
    let answers: Vec<(u16, Duration)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(|| load.run())).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    report(&load, clients, start.elapsed(), answers);
}

struct Load {
    address: String,
    path: String,
    kind: String,
    signer: Signer,
    sent: AtomicU64,
    entries: u64,
    until: Instant,
}

impl Load {
    /// One client: one connection, one request after the other.
    fn run(&self) -> Vec<(u16, Duration)> {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut connection = BufReader::new(stream);
        let mut answers = Vec::new();
        while Instant::now() < self.until {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            if number >= self.entries {
                break;
            }
            let request = self.request(number);
            let start = Instant::now();
            connection.get_mut().write_all(&request).unwrap();
            let status = read_answer(&mut connection);
            answers.push((status, start.elapsed()));
        }
        answers
    }

    fn request(&self, number: u64) -> Vec<u8> {
        let (method, path, body) = match self.kind.as_str() {
            "v1" => ("POST", format!("{}/api/v1/log/entries", self.path), self.signer.v1(number)),
            "v2" => ("POST", format!("{}/api/v2/log/entries", self.path), self.signer.v2(number)),
            "v1-get" => {
                let index = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.entries;
                ("GET", format!("{}/api/v1/log/entries?logIndex={index}", self.path), Vec::new())
            }
            other => panic!("{other} is no kind of load"),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        [head.into_bytes(), body].concat()
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

/// The status; the body is read and dropped.
fn read_answer(connection: &mut BufReader<TcpStream>) -> u16 {
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {line:?}")).parse().unwrap();
    let mut length = 0;
    loop {
        line.clear();
        connection.read_line(&mut line).unwrap();
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    assert!(status < 400, "{status} {}", String::from_utf8_lossy(&body));
    status
}

fn report(load: &Load, clients: u64, elapsed: Duration, answers: Vec<(u16, Duration)>) {
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
        "kind": load.kind,
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
