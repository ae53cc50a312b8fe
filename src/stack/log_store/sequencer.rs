//! The thread that appends: everything that waits is one batch, with one round of syncs and one checkpoint.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use jiff::Timestamp;

use super::append::{Append, Appended};
use super::beside::BesideWriter;
use super::entry_time::not_before;
use super::error::StoreError;
use super::files::{Files, read_if_there};
use super::index::{Index, Indexed, KeysOf};
use super::published::{CHECKPOINT, Published, load};
use super::shared::Shared;
use super::signer::CheckpointSigner;
use super::snapshot::Snapshot;
use super::tiles::{Edge, Grown, TILE_WIDTH, bundle_entries, read_bundle};
use super::{beside, check, earlier_layout};
use crate::stack::clock;
use crate::stack::disk::sync_folder;
use crate::tlog::merkle;

/// The one who appends.
#[derive(Debug)]
pub(super) struct Sequencer {
    shared: Arc<Shared>,
    files: Files,
    edge: Edge,
    beside: BesideWriter,
    /// Whether the index has everything that is published.
    indexed: bool,
    /// Whether what is on disk must be read, and its checkpoint written once more, before anything is answered.
    unsure: bool,
}

/// Where an entry of the batch is.
#[derive(Clone, Copy, Debug)]
struct Placed {
    index: u64,
    time: Timestamp,
    is_duplicate: bool,
}

/// A batch on its way to disk.
struct Batch<'a> {
    edge: Edge,
    grown: Grown,
    new: Vec<(Timestamp, &'a Append)>,
    by_leaf: HashMap<[u8; 32], Placed>,
    last_time: Option<Timestamp>,
    clock_accepted: bool,
}

impl Sequencer {
    pub(super) fn open(folder: &Path, signer: CheckpointSigner, keys_of: KeysOf) -> Result<Self, StoreError> {
        let at = |error| StoreError::io(folder, error);
        std::fs::create_dir_all(folder).map_err(at)?;
        if let Some(parent) = folder.parent() {
            sync_folder(parent).map_err(at)?;
        }
        let mut files = Files::open(folder)?;
        if read_if_there(&folder.join(CHECKPOINT))?.is_none() {
            begin(folder, &signer, &mut files)?;
        }
        let (edge, published) = load(folder, &signer)?;
        let beside = BesideWriter::open(folder, edge.size)?;
        let index = Index::open(folder)?;
        let shared = Arc::new(Shared::new(folder.to_owned(), signer, keys_of, index, published));
        shared.set_last_time(beside.last_time());
        let mut sequencer = Self { shared, files, edge, beside, indexed: false, unsure: true };
        match sequencer.be_sure().and_then(|()| sequencer.catch_up()) {
            // A log on a full disk can be read.
            Err(StoreError::Full(_)) => sequencer.shared.set_full(true),
            ended => ended?,
        }
        Ok(sequencer)
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Appends what comes until nobody can send any more.
    pub(super) fn run(mut self, waiting: &Receiver<Append>) {
        while let Some(first) = self.next(waiting) {
            let mut bytes = first.entry.bytes.len();
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
                let Ok(next) = waiting.try_recv() else { break };
                bytes += next.entry.bytes.len() + next.entry.beside.len();
                batch.push(next);
            }
            let outcomes = self.append(&batch);
            for (append, outcome) in batch.iter().zip(outcomes) {
                // Whoever does not wait any more is not told.
                let _gone = append.answer.send(outcome);
            }
        }
    }

    /// While the disk is full nobody may come to try, for a balancer sends nobody: so it tries by itself.
    fn next(&mut self, waiting: &Receiver<Append>) -> Option<Append> {
        while self.shared.is_full() {
            match waiting.recv_timeout(LOOK_AGAIN) {
                Ok(append) => return Some(append),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => match self.reload_if_unsure().and_then(|()| self.catch_up()) {
                    Ok(()) => self.shared.set_full(false),
                    Err(error) => self.failed(&error),
                },
            }
        }
        waiting.recv().ok()
    }

    fn append(&mut self, batch: &[Append]) -> Vec<Result<Appended, StoreError>> {
        let everybody = |error: &StoreError| batch.iter().map(|_| Err(error.clone())).collect();
        if let Some(stopped) = self.shared.stopped() {
            return everybody(&stopped);
        }
        if let Err(error) = self.reload_if_unsure().and_then(|()| self.catch_up()) {
            self.failed(&error);
            return everybody(&error);
        }
        let (written, placed) = self.write(batch);
        if let Err(error) = written {
            self.unsure = true;
            self.failed(&error);
            return everybody(&error);
        }
        let log = Snapshot::of(&self.shared);
        let appended = |Placed { index, time, is_duplicate }| Appended { index, time, is_duplicate, log: log.clone() };
        placed.into_iter().map(|placed| placed.map(appended)).collect()
    }

    /// Finds a place for each entry; writes, syncs and publishes those that are new; indexes them.
    fn write(&mut self, appends: &[Append]) -> (Result<(), StoreError>, Vec<Result<Placed, StoreError>>) {
        let mut batch = Batch {
            edge: self.edge.clone(),
            grown: Grown::default(),
            new: Vec::with_capacity(appends.len()),
            by_leaf: HashMap::new(),
            last_time: self.beside.last_time(),
            clock_accepted: false,
        };
        let placed: Vec<_> = appends.iter().map(|append| self.place(append, &mut batch)).collect();
        let Batch { edge, grown, new, clock_accepted, .. } = batch;
        if let Some(Err(error)) = placed.iter().find(|placed| placed.as_ref().is_err_and(|error| !error.passes())) {
            self.indexed = false;
            return (Err(error.clone()), placed);
        }
        if new.is_empty() {
            return (Ok(()), placed);
        }
        let first = self.edge.size;
        let beside: Vec<(Timestamp, &[u8])> =
            new.iter().map(|(time, append)| (*time, append.entry.beside.as_slice())).collect();
        if let Err(error) = self.publish(edge, grown, &beside) {
            return (Err(error), placed);
        }
        if clock_accepted {
            clock::forget_acceptance(&self.shared.folder);
        }
        self.shared.count_batch(new.len());
        let entries: Vec<Indexed> = (first..)
            .zip(&new)
            .map(|(index, (_, append))| Indexed { index, leaf: append.leaf, keys: append.keys.clone() })
            .collect();
        let completes_a_tile = first / TILE_WIDTH != self.edge.size / TILE_WIDTH;
        if let Err(error) = self.shared.index.insert(&entries, self.edge.size, completes_a_tile) {
            // These entries are safe. The index is behind, and is brought up before the next one is taken; until then
            // it is to be read as far as it goes.
            self.indexed = false;
            self.failed(&error);
            let _next_time = self.shared.index.reopen();
        }
        (Ok(()), placed)
    }

    fn place<'a>(&self, append: &'a Append, batch: &mut Batch<'a>) -> Result<Placed, StoreError> {
        if let Some(earlier) = batch.by_leaf.get(&append.leaf.0) {
            return Ok(Placed { is_duplicate: true, ..*earlier });
        }
        if let Some(index) = self.shared.index.find(&append.leaf)? {
            let time = beside::time(&self.shared.folder, index)?;
            return Ok(Placed { index, time, is_duplicate: true });
        }
        let time = match not_before(batch.last_time, append.now) {
            Err(StoreError::ClockWentBack { .. }) if clock::is_accepted(&self.shared.folder, append.now) => {
                batch.clock_accepted = true;
                append.now
            }
            time => time?,
        };
        let placed = Placed { index: batch.edge.size, time, is_duplicate: false };
        batch.edge.push(&append.entry.bytes, append.leaf, &mut batch.grown)?;
        batch.last_time = Some(time);
        batch.new.push((time, append));
        batch.by_leaf.insert(append.leaf.0, placed);
        Ok(placed)
    }

    /// Tiles and entries, then times, then the checkpoint: each on disk before the next is begun.
    fn publish(&mut self, edge: Edge, mut grown: Grown, beside: &[(Timestamp, &[u8])]) -> Result<(), StoreError> {
        let folder = self.shared.folder.clone();
        edge.add_partial_files(&mut grown);
        self.files.write(&grown.files)?;
        if !beside.is_empty() {
            self.beside.append(self.edge.size, beside)?;
        }
        let root = edge.root(&folder)?;
        let before = self.shared.published();
        if before.edge.size > 0 {
            let proof = merkle::consistency_proof(before.edge.size, edge.size, &mut edge.reader(&folder))?;
            merkle::verify_consistency((before.edge.size, before.root), (edge.size, root), &proof)?;
        }
        let checkpoint = self.shared.signer.sign(edge.size, root)?;
        self.files.write(&[(PathBuf::from(CHECKPOINT), checkpoint.clone().into_bytes())])?;
        self.edge = edge;
        self.unsure = false;
        self.shared.set_full(false);
        self.shared.set_last_time(self.beside.last_time());
        let edge = Edge { size: self.edge.size, rows: self.edge.rows.clone(), bundle: Vec::new() };
        self.shared.publish(Published { edge, root, checkpoint });
        for replaced in &grown.replaced {
            self.files.forget(replaced);
        }
        Ok(())
    }

    /// After a failure nobody knows how far it came: the files do.
    fn reload_if_unsure(&mut self) -> Result<(), StoreError> {
        if self.unsure {
            let (edge, published) = load(&self.shared.folder, &self.shared.signer)?;
            self.beside = BesideWriter::open(&self.shared.folder, edge.size)?;
            self.indexed &= edge.size == self.edge.size;
            self.edge = edge;
            self.shared.publish(published);
            self.be_sure()?;
        }
        Ok(())
    }

    /// A checkpoint that can be read may still be in the page cache only.
    fn be_sure(&mut self) -> Result<(), StoreError> {
        self.publish(self.edge.clone(), Grown::default(), &[])
    }

    /// Brings the index up to what is published.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        if self.indexed {
            return Ok(());
        }
        let Shared { folder, index, keys_of, .. } = &*self.shared;
        let mut size = match index.size() {
            Ok(size) => size,
            Err(_) => {
                index.reopen()?;
                index.size()?
            }
        };
        let end = self.edge.size;
        if size > end {
            return Err(StoreError::PutBack { checkpoint: end, indexed: size });
        }
        if size == 0 && end > 0 {
            // A copy, or an index that was thrown away: nobody has looked at these files yet.
            check::check_files(folder, &self.edge, &mut |_| {})?;
        }
        while size < end {
            let bundle = size / TILE_WIDTH;
            let stop = end.min((bundle + 1) * TILE_WIDTH);
            let bytes = read_bundle(folder, bundle, stop - bundle * TILE_WIDTH)?;
            let entries: Vec<Indexed> = (bundle * TILE_WIDTH..)
                .zip(bundle_entries(&bytes))
                .filter(|(at, _)| *at >= size)
                .map(|(index, entry)| Indexed { index, leaf: merkle::leaf_hash(entry), keys: keys_of(entry) })
                .collect();
            index.insert(&entries, stop, bundle % 64 == 63 || stop == end)?;
            size = stop;
        }
        self.indexed = true;
        Ok(())
    }

    fn failed(&self, error: &StoreError) {
        match error {
            StoreError::Full(_) => self.shared.set_full(true),
            error if error.passes() => {}
            error => self.shared.stop(error),
        }
    }
}

/// A log without a checkpoint is a new one, or of the layout before checkpoints were kept; never one that lost it.
fn begin(folder: &Path, signer: &CheckpointSigner, files: &mut Files) -> Result<(), StoreError> {
    if earlier_layout::is_there(folder)? {
        return earlier_layout::convert(folder, signer, files);
    }
    if folder.join("tile").exists() || folder.join(beside::TIMES).exists() {
        return Err(StoreError::Missing("checkpoint"));
    }
    let checkpoint = signer.sign(0, Edge::default().root(folder)?)?;
    files.write(&[(PathBuf::from(CHECKPOINT), checkpoint.into_bytes())])
}

/// How often a log on a full disk tries whether there is room.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Four tiles: beyond that, batches gain nothing.
const MAX_BATCH: usize = 1024;
const MAX_BATCH_BYTES: usize = 16 << 20;
