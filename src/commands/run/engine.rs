//! Many objects on all cores, in the order in which they were found.
//!
//! One thread a core verifies, of which one reads, and the caller's own judges and prints. Objects travel in numbered batches,
//! each to whoever is free; while all have enough to do, the thread that reads verifies what it has just read, which its core
//! still has at hand. The caller's puts the batches in order again, and no more are out than it allows.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZero;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::by_key::Keys;
use super::merges::{Merges, Pair};
use crate::commands::findings::Findings;
use crate::git::description::Description;
use crate::git::repository::{FoundObject, Repository, Selected, UnhashedObject};
use crate::git::{HashKind, SignedObject};
use crate::policy::Shape;
use crate::verify::error::Missing;
use crate::verify::kept::Recalled;
use crate::verify::{Undecided, Verdict, Verifier};

/// What is needed to come to a verdict.
pub(super) struct Engine<'a> {
    pub(super) verifier: &'a Verifier,
    pub(super) hash: HashKind,
    pub(super) findings: Option<&'a Findings>,
    /// Those that the policy names.
    pub(super) keys: Option<Keys<'a>>,
    /// Another policy by which the objects are judged, too.
    pub(super) other: Option<Other<'a>>,
    /// Where those that the policy will ask for are made.
    pub(super) merges: &'a Merges,
    /// For each argument the first one whose objects are judged as its own are: of histories, what both have is verified once.
    pub(super) alike: Vec<usize>,
    /// Whether that is so of objects that are named one by one, too.
    pub(super) once: bool,
}

/// What is needed of another policy.
pub(super) struct Other<'a> {
    /// Those that it names, if it names some.
    pub(super) keys: Option<Keys<'a>>,
}

/// An object with the verdict on it.
pub(super) struct Verified {
    /// Which argument named it.
    pub(super) position: usize,
    pub(super) found: FoundObject,
    pub(super) verdict: Verdict,
    /// The verdict under the keys of the other policy, where keys have a say.
    pub(super) by_other: Option<Verdict>,
    /// An earlier run found it.
    pub(super) cached: bool,
}

impl Verified {
    fn of(position: usize, found: FoundObject, verdict: Verdict, cached: bool) -> Self {
        Self { position, found, verdict, by_other: None, cached }
    }
}

impl Engine<'_> {
    /// Verifies the objects of `selected` and hands each to `take`, in order, until that fails; `look` sees them before, some
    /// at once.
    ///
    /// # Errors
    /// That of `take`.
    pub(super) fn run<E>(
        &self,
        repository: &Repository,
        selected: &[Selected],
        mut look: impl FnMut(&[Verified]),
        mut take: impl FnMut(Verified) -> Result<(), E>,
    ) -> Result<(), E> {
        let workers = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS);
        let few = selected.len() <= FEW && selected.iter().all(|one| matches!(one, Selected::Object(_)));
        if few || workers == 1 {
            let mut objects = self.objects(repository, selected);
            loop {
                let batch = batch(&mut objects, BATCH);
                if batch.is_empty() {
                    return Ok(());
                }
                let batch = self.verify_all(batch);
                look(&batch);
                batch.into_iter().try_for_each(&mut take)?;
            }
        }
        thread::scope(|scope| {
            let (to_verify, read) = crossbeam_channel::bounded(READ_AHEAD * workers);
            let (to_judge, verified) = mpsc::channel();
            let (take_turn, end_turn) = mpsc::sync_channel(OUT_AT_ONCE);
            for _ in 1..workers {
                let (read, to_judge) = (read.clone(), to_judge.clone());
                scope.spawn(move || self.work(&read, &to_judge));
            }
            let repository = repository.for_another_thread();
            scope.spawn(move || {
                self.hand_out(self.objects(&repository, selected), workers, &take_turn, to_verify, &to_judge);
                self.work(&read, &to_judge);
            });
            let (mut waiting, mut next) = (BTreeMap::new(), 0);
            for (number, batch) in verified {
                waiting.insert(number, batch);
                while let Some(batch) = waiting.remove(&next) {
                    look(&batch);
                    batch.into_iter().try_for_each(&mut take)?;
                    next += 1;
                    let _ended = end_turn.try_recv();
                }
            }
            // On an error the channels close, and the threads end at their next batch. A panic ends the program.
            Ok(())
        })
    }

    /// The objects, each with the position of the first argument that named it.
    fn objects<'r>(
        &'r self,
        repository: &'r Repository,
        selected: &'r [Selected],
    ) -> impl Iterator<Item = (usize, UnhashedObject)> + use<'r> {
        let mut met = HashSet::new();
        let each = selected.iter().enumerate().flat_map(|(position, one)| {
            let is_named = matches!(one, Selected::Object(_)) && !self.once;
            repository.unhashed_objects(std::slice::from_ref(one)).map(move |read| (is_named, position, read))
        });
        let each = each.filter(move |(is_named, position, read)| {
            // One argument names nothing twice.
            selected.len() == 1 || met.insert((self.alike.get(*position).copied(), read.id())) || *is_named
        });
        each.map(|(_, position, read)| (position, read))
    }

    /// Reads all, in batches that grow: of a short history each worker gets its share.
    fn hand_out(
        &self,
        mut objects: impl Iterator<Item = (usize, UnhashedObject)>,
        workers: usize,
        take_turn: &SyncSender<()>,
        to_verify: Sender<(u64, Batch)>,
        to_judge: &mpsc::Sender<(u64, Vec<Verified>)>,
    ) {
        let mut size = 1;
        for number in 0.. {
            let batch = batch(&mut objects, size / workers + 1);
            if batch.is_empty() || take_turn.send(()).is_err() {
                return;
            }
            size = (size + size / 4 + 1).min(BATCH * workers);
            let Err(refused) = to_verify.try_send((number, batch)) else { continue };
            let (TrySendError::Full((number, batch)) | TrySendError::Disconnected((number, batch))) = refused;
            if to_judge.send((number, self.verify_all(batch))).is_err() {
                return;
            }
        }
    }

    /// Verifies what is handed out, until nothing more will be.
    fn work(&self, read: &Receiver<(u64, Batch)>, to_judge: &mpsc::Sender<(u64, Vec<Verified>)>) {
        for (number, batch) in read {
            if to_judge.send((number, self.verify_all(batch))).is_err() {
                return;
            }
        }
    }

    fn verify_all(&self, batch: Batch) -> Vec<Verified> {
        let mut batch: Vec<_> = batch.into_iter().map(|(position, read)| self.verify(position, read)).collect();
        if self.keys.is_none() && self.other.is_none() {
            return batch;
        }
        let (mut objects, mut verdicts, mut by_other) = (Vec::new(), Vec::new(), Vec::new());
        for verified in &mut batch {
            if let (Verdict::OtherFormat(_), Ok(object)) = (&verified.verdict, &verified.found.content) {
                objects.push(SignedObject::parse(object.kind, self.hash, &object.bytes));
                by_other.extend(self.other.as_ref().map(|_| verified.by_other.insert(verified.verdict.clone())));
                verdicts.push(&mut verified.verdict);
            }
        }
        let other_keys = self.other.as_ref().and_then(|other| other.keys.as_ref());
        let mut pairs = Vec::new();
        if let Some(keys) = &self.keys {
            keys.judge(&objects, &mut verdicts);
        }
        if let Some(keys) = other_keys {
            keys.judge(&objects, &mut by_other);
        }
        for Verified { found, verdict, by_other, .. } in &batch {
            pairs.extend(self.keys.as_ref().and_then(|keys| pair(keys, found, verdict)));
            pairs.extend(other_keys.and_then(|keys| pair(keys, found, by_other.as_ref()?)));
        }
        self.merges.prepare(pairs);
        batch
    }

    fn verify(&self, position: usize, read: UnhashedObject) -> Verified {
        let signed = read.bytes().map(|object| SignedObject::parse(object.kind, self.hash, &object.bytes));
        let armor = signed.as_ref().and_then(|signed| Some((signed, signed.signature().ok()?)));
        let (Some(findings), Some((signed, armor))) = (&self.findings, armor) else {
            return self.verify_anew(position, read.hashed(), signed.as_ref());
        };
        let (name, recalled) = findings.recall(self.verifier, &signed.payload, armor);
        let verified = match recalled {
            Some(Recalled { verdict, object }) => match read.hashed_before(object.as_deref().unwrap_or_default()) {
                // Payload and armor are those of the object that was hashed then.
                Ok(found) => return Verified::of(position, found, verdict, true),
                Err(read) => match read.hashed() {
                    found @ FoundObject { content: Ok(_), .. } => Verified::of(position, found, verdict, true),
                    corrupt => self.verify_anew(position, corrupt, None),
                },
            },
            None => self.verify_anew(position, read.hashed(), Some(signed)),
        };
        findings.keep(name, &verified.verdict, Some(&verified.found.id.to_string()));
        verified
    }

    /// Verifies an object that no earlier run knew; `signed` is its content, if somebody took it apart.
    fn verify_anew(&self, position: usize, found: FoundObject, signed: Option<&SignedObject>) -> Verified {
        let verdict = match (&found.content, signed) {
            (Err(error), _) => Verdict::Undecided(Undecided::because(Missing::from(error))),
            (Ok(_), Some(signed)) => signed.verdict(self.verifier),
            (Ok(object), None) => SignedObject::parse(object.kind, self.hash, &object.bytes).verdict(self.verifier),
        };
        Verified::of(position, found, verdict, false)
    }
}

/// What the policy will ask to be merged.
fn pair(keys: &Keys<'_>, found: &FoundObject, verdict: &Verdict) -> Option<Pair> {
    let Verdict::VerifiedByKey(signature) = verdict else { return None };
    let object = found.content.as_ref().ok()?;
    let committer = Description::of(object.kind, &object.bytes).committer_email();
    if !keys.policy().asks_for(Shape::Merge, signature, committer) {
        return None;
    }
    match found.parents_and_tree()?.0.as_slice() {
        [ours, theirs] => Some((*ours, *theirs)),
        _ => None,
    }
}

/// The next objects, at most `size`, fewer where they are large.
fn batch(objects: &mut impl Iterator<Item = (usize, UnhashedObject)>, size: usize) -> Batch {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < size && bytes < BATCH_BYTES {
        let Some(next) = objects.next() else { break };
        bytes += next.1.bytes().map_or(0, |object| object.bytes.len());
        batch.push(next);
    }
    batch
}

/// Objects with the positions of the arguments that named them.
type Batch = Vec<(usize, UnhashedObject)>;

/// More threads than these wait for the one that reads.
const MAX_WORKERS: usize = 32;

/// So few named objects are not worth a thread.
const FEW: usize = 32;

/// Of objects without signatures, less work than to wake who does it.
const BATCH: usize = 1 << 7;

/// Of usual signatures, some milliseconds' work.
const BATCH_BYTES: usize = 1 << 17;

/// Batches that wait for each worker: enough for the time in which the one that reads verifies one itself.
const READ_AHEAD: usize = 4;

/// Batches that were read and not judged yet. Signatures are seldom evenly spread: where one worker has a batch full of them,
/// the others go on behind it.
const OUT_AT_ONCE: usize = 1 << 8;
