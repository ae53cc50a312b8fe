//! Rekor v1's search: the entries that were made with a certificate. Only what the log answers, none of it verified.
//!
//! The index is a convenience of the server's: nothing proves that an answer is complete, and nothing that comes back is
//! believed for being there. So whoever is looking for an entry must hold each against what it is looking for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::json;
use tokio::time::Instant;

use super::event_loop::EventLoop;
use super::http::{Http, Problem, Repeat, request};
use super::{ServiceError, ServiceName, join};
use crate::crypto::{KeyKind, Sha256Digest};
use crate::signing_config::SigningConfig;
use crate::tlog::TransparencyLogEntry;
use crate::tlog::hashedrekord::{Verifier, pem};
use crate::tlog::rekor_json::{self, EntryId};
use crate::trusted_root::TrustedRoot;

/// The searches of one run: each certificate is searched for once at each log, and its entries are fetched as they are
/// needed and kept for the next object, as long as it is one of the last few.
pub struct LogSearch {
    http: Http,
    event_loop: EventLoop,
    budget: Duration,
    /// When there is no more time for this run.
    deadline: Instant,
    found: Recent<Found>,
    /// What is not asked again, and why: each commit of a long history would wait for it anew.
    failed: Recent<String>,
    /// The same of whole logs.
    failed_logs: HashMap<String, String>,
}

/// A log, and the certificate that it is searched by.
type Question = (String, Sha256Digest);

/// The answers to the last few questions. A run may ask any number.
struct Recent<T> {
    answers: VecDeque<(Question, T)>,
    most: usize,
}

impl<T> Recent<T> {
    fn new(most: usize) -> Self {
        Self { answers: VecDeque::new(), most }
    }

    fn get(&self, question: &Question) -> Option<&T> {
        self.answers.iter().find(|(known, _)| known == question).map(|(_, answer)| answer)
    }

    fn take(&mut self, question: &Question) -> Option<T> {
        let place = self.answers.iter().position(|(known, _)| known == question)?;
        self.answers.remove(place).map(|(_, answer)| answer)
    }

    fn put(&mut self, question: Question, answer: T) {
        self.answers.push_front((question, answer));
        self.answers.truncate(self.most);
    }
}

impl LogSearch {
    /// Searches that take no longer than `budget` together.
    ///
    /// # Errors
    /// The system's, when it gives no event loop.
    pub fn new(http: Http, budget: Duration) -> io::Result<Self> {
        let event_loop = EventLoop::new()?;
        let deadline = Instant::now() + budget;
        let (found, failed) = (Recent::new(MAX_CERTIFICATES), Recent::new(MAX_FAILED));
        Ok(Self { http, event_loop, budget, deadline, found, failed, failed_logs: HashMap::new() })
    }

    /// Offers `accepts` the entries that the log at `base` has with the certificate, a few at a time and in the log's
    /// order, until it takes one or there are no more.
    ///
    /// # Errors
    /// [`SearchError`] when it remains open whether there is one.
    pub fn find<T>(
        &mut self,
        base: &str,
        certificate: &[u8],
        mut accepts: impl FnMut(&[TransparencyLogEntry]) -> Option<T>,
    ) -> Result<Option<T>, SearchError> {
        let question = (base.to_owned(), Sha256Digest::of(certificate));
        let failed = self.failed.get(&question).or_else(|| self.failed_logs.get(base));
        if let Some(why) = failed {
            return Err(SearchError::Unavailable(why.clone()));
        }
        let found = match self.found.take(&question) {
            Some(found) => Ok(found),
            None => self.ask(ids(&self.http, base, certificate)).map(Found::of),
        };
        let outcome = found.and_then(|mut found| {
            let outcome = self.look(base, &mut found, &mut accepts);
            self.found.put(question.clone(), found);
            outcome
        });
        outcome.map_err(|failure| match failure {
            Failure::Incomplete => SearchError::Incomplete,
            Failure::OfTheLog(why) => {
                self.failed_logs.insert(base.to_owned(), why.clone());
                SearchError::Unavailable(why)
            }
            Failure::OfTheSearch(why) => {
                self.failed.put(question, why.clone());
                SearchError::Unavailable(why)
            }
        })
    }

    /// Does something else with the network of the searches, in the time that is left for them.
    ///
    /// # Errors
    /// A sentence, when the time is over.
    pub fn within_budget<T>(&self, job: impl AsyncFnOnce(&Http) -> T) -> Result<T, String> {
        let deadline = self.deadline;
        let done = self.event_loop.run(async { tokio::time::timeout_at(deadline, job(&self.http)).await });
        done.map_err(|_elapsed| self.over())
    }

    fn over(&self) -> String {
        format!("the {} s that one run has for searches are over", self.budget.as_secs())
    }

    /// Does something else with the network of the searches, and waits for it.
    pub fn with_http<T>(&self, job: impl AsyncFnOnce(&Http) -> T) -> T {
        self.event_loop.run(job(&self.http))
    }

    fn look<T>(
        &self,
        base: &str,
        found: &mut Found,
        accepts: &mut impl FnMut(&[TransparencyLogEntry]) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        if let Some(taken) = accepts(&found.entries) {
            return Ok(Some(taken));
        }
        while !found.pending.is_empty() {
            let batch: Vec<EntryId> = found.pending.iter().take(BATCH).copied().collect();
            let entries = self.ask(entries(&self.http, base, &batch))?;
            found.pending.drain(..batch.len());
            found.incomplete |= entries.len() < batch.len();
            let taken = accepts(&entries);
            found.keep(entries);
            if taken.is_some() {
                return Ok(taken);
            }
        }
        if found.incomplete { Err(Failure::Incomplete) } else { Ok(None) }
    }

    fn ask<T>(&self, answer: impl Future<Output = Result<T, ServiceError>>) -> Result<T, Failure> {
        let deadline = self.deadline;
        match self.event_loop.run(async { tokio::time::timeout_at(deadline, answer).await }) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if is_of_the_search(&error.problem) => Err(Failure::OfTheSearch(error.to_string())),
            Ok(Err(error)) => Err(Failure::OfTheLog(error.to_string())),
            Err(_elapsed) => Err(Failure::OfTheLog(self.over())),
        }
    }
}

/// What a log has for a certificate.
#[derive(Default)]
struct Found {
    /// Not yet fetched.
    pending: VecDeque<EntryId>,
    entries: Vec<TransparencyLogEntry>,
    /// How much those take.
    bytes: usize,
    /// It named more than are read, or did not give all that it named.
    incomplete: bool,
}

impl Found {
    fn of(ids: Vec<EntryId>) -> Self {
        let mut seen = HashSet::new();
        let mut pending: VecDeque<EntryId> = ids.into_iter().filter(|id| seen.insert(id.leaf_hash)).collect();
        let incomplete = pending.len() > MAX_ENTRIES;
        pending.truncate(MAX_ENTRIES);
        Self { pending, entries: Vec::new(), bytes: 0, incomplete }
    }

    /// Keeps them, and reads no more where they are too much.
    fn keep(&mut self, entries: Vec<TransparencyLogEntry>) {
        self.bytes += entries.iter().map(size).sum::<usize>();
        self.entries.extend(entries);
        if self.bytes > MAX_BYTES && !self.pending.is_empty() {
            self.pending.clear();
            self.incomplete = true;
        }
    }
}

/// About what it takes in memory.
fn size(entry: &TransparencyLogEntry) -> usize {
    let proof = entry.inclusion_proof.as_ref();
    let proof = proof.map_or(0, |proof| proof.checkpoint.len() + proof.hashes.len() * size_of::<Sha256Digest>());
    size_of::<TransparencyLogEntry>() + entry.canonicalized_body.len() + proof
}

enum Failure {
    Incomplete,
    /// It will not fare better with another certificate.
    OfTheLog(String),
    OfTheSearch(String),
}

/// It remains open whether the log has an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// More entries than are read, or not all of them given.
    #[error("not all entries with this certificate were read")]
    Incomplete,
    /// No answer, or none that can be used.
    #[error("{0}")]
    Unavailable(String),
}

/// The addresses of an instance's logs that have a search, which are those of Rekor v1: what the signing config names,
/// else what the trusted root does, where nothing else tells the versions apart than that all known v2 logs have Ed25519
/// keys.
#[must_use]
pub fn searchable<'a>(trusted_root: &'a TrustedRoot, config: Option<&'a SigningConfig>) -> Vec<&'a str> {
    let named = config.into_iter().flat_map(|config| &config.rekor_tlog_urls);
    let named = named.filter(|service| service.major_api_version == 1).map(|service| service.url.as_str());
    let mut addresses: Vec<&str> = named.collect();
    if addresses.is_empty() {
        let logs = trusted_root.transparency_logs.iter().filter(|log| log.key.kind() != KeyKind::Ed25519);
        addresses.extend(logs.map(|log| log.base_url.as_str()).filter(|address| !address.is_empty()));
    }
    let mut seen = HashSet::new();
    addresses.retain(|address| seen.insert(address.trim_end_matches('/')));
    addresses
}

/// `POST /api/v1/index/retrieve`
async fn ids(http: &Http, base: &str, certificate: &[u8]) -> Result<Vec<EntryId>, ServiceError> {
    let content = STANDARD.encode(pem(Verifier::Certificate(certificate)));
    let query = json!({ "publicKey": { "content": content, "format": "x509" } });
    let address = join(base, "api/v1/index/retrieve");
    let answer = post(http, &address, query).await?;
    let ids: Vec<String> = serde_json::from_slice(&answer)
        .map_err(|_| ServiceError::garbage(SERVICE, &address, "it is no list of entry IDs"))?;
    let ids = ids.iter().map(|id| id.parse()).collect::<Result<_, _>>();
    ids.map_err(|malformed| ServiceError::garbage(SERVICE, &address, malformed))
}

/// `POST /api/v1/log/entries/retrieve`; one by one where a stranger's entry is too large for an answer with others.
async fn entries(http: &Http, base: &str, ids: &[EntryId]) -> Result<Vec<TransparencyLogEntry>, ServiceError> {
    let address = join(base, "api/v1/log/entries");
    let names: Vec<String> = ids.iter().map(EntryId::to_string).collect();
    let several = format!("{address}/retrieve");
    match post(http, &several, json!({ "entryUUIDs": names })).await {
        Ok(answer) => {
            let entries = rekor_json::read_several(&answer);
            let entries = entries.map_err(|malformed| ServiceError::garbage(SERVICE, &several, malformed))?;
            return Ok(entries.into_iter().map(|(_, entry)| entry).collect());
        }
        Err(error) if is_of_the_search(&error.problem) => {}
        Err(error) => return Err(error),
    }
    let mut entries = Vec::new();
    for name in names {
        match http.get(SERVICE, &format!("{address}/{name}")).await {
            Ok(answer) => entries.extend(rekor_json::read(&answer).ok().map(|(_, entry)| entry)),
            Err(error) if is_of_the_search(&error.problem) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

async fn post(http: &Http, address: &str, body: serde_json::Value) -> Result<Vec<u8>, ServiceError> {
    let request = request(SERVICE, Method::POST, address, body.to_string().into_bytes())?;
    let response = http.send(SERVICE, Repeat::Always, &request).await?;
    match response.status() {
        http::StatusCode::OK => Ok(response.into_body()),
        _ => Err(ServiceError::refused(SERVICE, address, &response)),
    }
}

/// Whether another certificate, or another entry, may fare better.
fn is_of_the_search(problem: &Problem) -> bool {
    match problem {
        Problem::Refused { status, .. } => (400..500).contains(status) && *status != 429,
        Problem::Garbage(_) | Problem::TooLarge(_) => true,
        Problem::BadAddress
        | Problem::Broken(_)
        | Problem::Certificate(_)
        | Problem::Insecure
        | Problem::LoggedAlready { .. }
        | Problem::NoClient(_)
        | Problem::TimedOut(_)
        | Problem::Unreachable(_) => false,
    }
}

const SERVICE: ServiceName = ServiceName::TransparencyLog;

/// What a Rekor v1 server gives at once.
const BATCH: usize = 10;

/// Of one certificate. The most that is known of a real one is eight; a certificate lives for ten minutes.
const MAX_ENTRIES: usize = 500;

/// Of one certificate: five hundred entries of ten kilobytes have five million. One more answer may come on top.
const MAX_BYTES: usize = 8 << 20;

/// Certificates whose entries are kept for the next object. In a history, those that were made with one are neighbours.
const MAX_CERTIFICATES: usize = 8;
const MAX_FAILED: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing_config::{Service, ServiceValidity};

    #[test]
    fn only_logs_with_a_search_are_asked() {
        let root = TrustedRoot::parse(include_bytes!("../trust_store/public_good/trusted_root.json")).unwrap();
        assert_eq!(searchable(&root, None), ["https://rekor.sigstore.dev"]);
        let service = |url: &str, major_api_version| Service {
            url: url.to_owned(),
            major_api_version,
            valid_for: ServiceValidity::default(),
            operator: String::new(),
        };
        let config = |logs| SigningConfig::new(vec![], vec![], logs, vec![]);
        let both = config(vec![service("https://v2", 2), service("https://v1", 1), service("https://v1/", 1)]);
        assert_eq!(searchable(&root, Some(&both)), ["https://v1"]);
        assert_eq!(searchable(&root, Some(&config(vec![service("https://v2", 2)]))), ["https://rekor.sigstore.dev"]);
        let none = TrustedRoot::new(vec![], vec![], vec![], vec![]);
        assert_eq!(searchable(&none, None), [""; 0]);
    }

    #[test]
    fn thousands_are_not_read() {
        let id = |number: u64| EntryId { tree_id: None, leaf_hash: Sha256Digest::of(&number.to_be_bytes()) };
        let few = Found::of(vec![id(1), id(2), id(1)]);
        assert_eq!((few.pending.len(), few.incomplete), (2, false));
        let many = Found::of((0..5000).map(id).collect());
        assert_eq!((many.pending.len(), many.incomplete), (MAX_ENTRIES, true));
    }

    #[test]
    fn megabytes_of_one_certificate_are_not_read() {
        let id = |number: u64| EntryId { tree_id: None, leaf_hash: Sha256Digest::of(&number.to_be_bytes()) };
        let entry = |size| TransparencyLogEntry {
            log_index: 0,
            log_id: crate::trusted_root::LogId([0; 32]),
            kind_version: crate::tlog::KindVersion { kind: String::new(), version: String::new() },
            integrated_time: 0,
            inclusion_promise: None,
            inclusion_proof: None,
            canonicalized_body: vec![0; size],
        };
        let mut found = Found::of((0..20).map(id).collect());
        found.keep(vec![entry(1 << 20)]);
        assert!(!found.incomplete);
        found.keep(vec![entry(MAX_BYTES)]);
        assert_eq!((found.pending.len(), found.incomplete), (0, true));
    }

    #[test]
    fn the_last_few_answers_are_kept() {
        let question = |number: u8| (String::new(), Sha256Digest::of(&[number]));
        let mut recent = Recent::new(2);
        for number in 0..3 {
            recent.put(question(number), number);
        }
        assert_eq!([0, 1, 2].map(|number| recent.get(&question(number)).copied()), [None, Some(1), Some(2)]);
        assert_eq!((recent.take(&question(1)), recent.take(&question(1))), (Some(1), None));
    }
}
