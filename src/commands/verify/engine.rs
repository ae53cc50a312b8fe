//! Many objects on all cores, in the order in which they were found.
//!
//! One thread reads, one a core verifies, and the caller's own judges and prints. Objects travel in batches, each to the
//! next worker in turn, and come back by the same turns: so the order is kept without a buffer that grows.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::by_key::Keys;
use super::merges::{Merges, Pair};
use crate::commands::findings::Findings;
use crate::git::description::Description;
use crate::git::repository::{FoundObject, Repository, Selected};
use crate::git::{HashKind, SignedObject};
use crate::policy::Shape;
use crate::verify::error::Missing;
use crate::verify::{Undecided, Verdict, Verifier};

/// What is needed to come to a verdict.
pub(super) struct Engine<'a> {
    pub(super) verifier: &'a Verifier,
    pub(super) hash: HashKind,
    pub(super) findings: Option<&'a Findings>,
    /// Those that the policy names.
    pub(super) keys: Option<Keys<'a>>,
    /// Where those that the policy will ask for are made.
    pub(super) merges: &'a Merges,
}

/// An object with the verdict on it.
pub(super) struct Verified {
    /// Which argument named it.
    pub(super) position: usize,
    pub(super) found: FoundObject,
    pub(super) verdict: Verdict,
    /// An earlier run found it.
    pub(super) cached: bool,
}

impl Engine<'_> {
    /// Verifies the objects of `selected` and hands each to `take`, in order, until that fails.
    ///
    /// # Errors
    /// That of `take`.
    pub(super) fn run<E>(
        &self,
        repository: &Repository,
        selected: &[Selected],
        mut take: impl FnMut(Verified) -> Result<(), E>,
    ) -> Result<(), E> {
        let workers = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS);
        let few = selected.len() <= BATCH && selected.iter().all(|one| matches!(one, Selected::Object(_)));
        if few || workers == 1 {
            let mut objects = objects(repository, selected);
            loop {
                let batch: Vec<_> = objects.by_ref().take(BATCH).collect();
                if batch.is_empty() {
                    return Ok(());
                }
                self.verify_all(batch).into_iter().try_for_each(&mut take)?;
            }
        }
        thread::scope(|scope| {
            let (mut to_workers, mut from_workers) = (Vec::new(), Vec::new());
            for _ in 0..workers {
                let (send_found, receive_found) = sync_channel(WAITING);
                let (send_verified, receive_verified) = sync_channel(WAITING);
                to_workers.push(send_found);
                from_workers.push(receive_verified);
                scope.spawn(move || self.work(&receive_found, &send_verified));
            }
            let repository = repository.for_another_thread();
            scope.spawn(move || read(&repository, selected, &to_workers));
            // Whoever has nothing more to say comes last: the turns end there.
            for batch in from_workers.iter().cycle().map_while(|worker| worker.recv().ok()) {
                batch.into_iter().try_for_each(&mut take)?;
            }
            // On an error the channels close, and the threads end at their next batch.
            Ok(())
        })
    }

    fn work(&self, found: &Receiver<Vec<(usize, FoundObject)>>, verified: &SyncSender<Vec<Verified>>) {
        for batch in found {
            if verified.send(self.verify_all(batch)).is_err() {
                return;
            }
        }
    }

    fn verify_all(&self, batch: Vec<(usize, FoundObject)>) -> Vec<Verified> {
        let mut batch: Vec<_> = batch.into_iter().map(|(position, found)| self.verify(position, found)).collect();
        let Some(keys) = &self.keys else { return batch };
        let (mut objects, mut verdicts) = (Vec::new(), Vec::new());
        for Verified { found, verdict, .. } in &mut batch {
            if let (Verdict::OtherFormat(_), Ok(object)) = (&*verdict, &found.content) {
                objects.push(SignedObject::parse(object.kind, self.hash, &object.bytes));
                verdicts.push(verdict);
            }
        }
        keys.judge(&objects, &mut verdicts);
        self.merges.prepare(batch.iter().filter_map(|verified| pair(keys, verified)).collect());
        batch
    }

    fn verify(&self, position: usize, found: FoundObject) -> Verified {
        let (verdict, cached) = match &found.content {
            Ok(object) => self.verdict(&SignedObject::parse(object.kind, self.hash, &object.bytes)),
            Err(error) => (Verdict::Undecided(Undecided::because(Missing::from(error))), false),
        };
        Verified { position, found, verdict, cached }
    }

    /// The verdict, and whether an earlier run found it.
    fn verdict(&self, object: &SignedObject) -> (Verdict, bool) {
        match (self.findings, object.signature()) {
            (Some(findings), Ok(armor)) => findings.verdict(self.verifier, &object.payload, armor),
            _ => (object.verdict(self.verifier), false),
        }
    }
}

/// What the policy will ask to be merged.
fn pair(keys: &Keys<'_>, Verified { found, verdict, .. }: &Verified) -> Option<Pair> {
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

/// Reads every object, and hands them out in batches that grow: of a short history each worker gets its share.
fn read(repository: &Repository, selected: &[Selected], workers: &[SyncSender<Vec<(usize, FoundObject)>>]) {
    let mut objects = objects(repository, selected).peekable();
    let mut size = 1;
    for worker in workers.iter().cycle() {
        if objects.peek().is_none() {
            return;
        }
        let batch = objects.by_ref().take(size / workers.len().max(1) + 1).collect();
        if worker.send(batch).is_err() {
            return;
        }
        size = (size + 1).min(BATCH * workers.len());
    }
}

fn objects(repository: &Repository, selected: &[Selected]) -> impl Iterator<Item = (usize, FoundObject)> {
    let each = selected.iter().enumerate();
    each.flat_map(|(position, one)| repository.objects(std::slice::from_ref(one)).map(move |found| (position, found)))
}

/// More threads than these wait for the one that reads.
const MAX_WORKERS: usize = 32;

/// Some milliseconds' work.
const BATCH: usize = 32;

/// Batches that wait for a worker, or for whoever judges.
const WAITING: usize = 4;
