//! A policy file made of who signed: a draft for whoever decides who may.
//!
//! Every rule is as narrow as what was seen: names byte for byte; CI jobs by the forge's number of the repository, the file and
//! the ref. Only the tags that one job signed for are drawn together. What `policy check` would have something to say about is
//! left out. Keys, which nobody vouches for, are in it as comments.

mod draft;
mod keys;
mod seen;
mod words;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use self::draft::{Draft, LeftOut, Why};
pub use self::keys::{DraftedKeys, NamedKey, NamedKeys};
use self::keys::{OpenPgpKeys, SshKeys};
use self::seen::{Origin, Seen, Whom};
use super::Signer;
use crate::instance::InstanceName;

/// Who signed, and how much.
#[derive(Debug, Default)]
pub struct Suggestion {
    signers: BTreeMap<(Origin, Whom), Seen>,
    signatures: u64,
    /// Signatures of others than the first [`MAX_SIGNERS`].
    beyond: u64,
    ssh: SshKeys,
    openpgp: OpenPgpKeys,
}

impl Suggestion {
    /// Takes note of a signature for which `instance` vouches.
    pub fn add(&mut self, signer: &Signer, instance: &InstanceName) {
        self.signatures += 1;
        let origin = Origin { issuer: signer.claims.issuer.clone(), instance: instance.clone() };
        let key = (origin, Whom::of(signer));
        if self.signers.len() >= MAX_SIGNERS && !self.signers.contains_key(&key) {
            self.beyond += 1;
            return;
        }
        self.signers.entry(key).or_default().add(signer);
    }

    /// Takes note of the key of an SSH signature, if it signed `payload`. The committer's `address` is what the object says.
    pub fn add_ssh(&mut self, payload: &[u8], armor: &[u8], address: Option<&[u8]>) {
        self.ssh.add(payload, armor, address);
    }

    /// Takes note of the key that an OpenPGP signature names: there is nothing here to verify it with.
    pub fn add_openpgp(&mut self, armor: &[u8]) {
        self.openpgp.add(armor);
    }

    /// How many signed.
    #[must_use]
    pub fn signers(&self) -> usize {
        self.signers.len()
    }

    /// How many signatures there were.
    #[must_use]
    pub fn signatures(&self) -> u64 {
        self.signatures
    }

    /// The policy file for whoever made `at_least` so many signatures, to be checked at the time `now`.
    #[must_use]
    pub fn draft(&self, at_least: u64, now: Timestamp) -> Draft {
        Draft::of(self, at_least, now)
    }
}

/// Nobody reads a longer policy.
const MAX_SIGNERS: usize = 1 << 16;

#[cfg(test)]
mod tests;
