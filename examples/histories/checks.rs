//! The bare checks of a whole history, each once.

use std::collections::HashSet;
use std::path::Path;
use std::thread;

use waxseal::crypto::Sha256Digest;
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::trust_store;

use super::bare_check::{BareCheck, bare_checks};
use super::{best, every_commit};

pub(super) fn checks(git_dir: &str, trusted_root: &Path, threads: usize, rounds: usize) {
    let instance = trust_store::from_file(trusted_root).unwrap();
    let (mut checks, mut known, mut commits) = (Vec::new(), HashSet::new(), 0_u64);
    for raw in every_commit(git_dir) {
        let object = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, &raw);
        let Ok(armor) = object.signature() else { continue };
        commits += 1;
        // The same key over the same bytes is checked once.
        let distinct =
            |check: &BareCheck| known.insert(Sha256Digest::of_parts(&[&check.key, &check.message, &check.signature]).0);
        checks.extend(bare_checks(&object.payload, armor, &instance).into_iter().filter(distinct));
    }
    let share = checks.len().div_ceil(threads);
    let best = best(rounds, || {
        if threads == 1 {
            return checks.iter().for_each(BareCheck::run);
        }
        thread::scope(|scope| {
            for share in checks.chunks(share) {
                scope.spawn(|| share.iter().for_each(BareCheck::run));
            }
        });
    });
    println!("{commits} {} {:.6} {:.6}", checks.len(), best.elapsed, best.busy);
}
