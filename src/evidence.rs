//! Evidence that an object does not carry itself: log entries that a note keeps or a search found.
//!
//! gitsign's online mode leaves no log entry in the signature. It signs a second time, by the same key, the name of the
//! finished object, and logs that; the second signature is in the log and nowhere else. So an entry from outside is about
//! an object if it holds a signature over the object's name, by the key of the object's certificate, and that very
//! certificate. Whoever brings it need not be believed: the body is built again, and the log vouches for it or not.

pub mod note;

use crate::crypto::{DigestAlgorithm, SignatureAlgorithm, sha1_name};
use crate::signature::payload::{PayloadKind, with_header};
use crate::tlog::{TransparencyLogEntry, hashedrekord};
use crate::x509::Certificate;

/// What online mode signs: the name of the object, as 40 hexadecimal digits.
///
/// SHA-1 and the header `gpgsig` whatever the repository hashes with: gitsign knows no other. Two objects can be made to
/// share the name; that gains nothing, because the content is bound by the first signature's SHA-2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedName(String);

impl LoggedName {
    /// The name of the object that Git hands out as `payload` and `armor`; `None` for what is no object.
    #[must_use]
    pub fn of(payload: &[u8], armor: &[u8]) -> Option<Self> {
        let (kind, object) = match PayloadKind::of(payload) {
            PayloadKind::Commit => ("commit", with_header(payload, "gpgsig", armor)?),
            PayloadKind::Tag => ("tag", [payload, armor].concat()),
            PayloadKind::Other | PayloadKind::PushCertificate => return None,
        };
        let head = format!("{kind} {}\0", object.len());
        Some(Self(sha1_name(&[head.as_bytes(), &object])))
    }

    /// The name as text: the message under the second signature.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the body of `entry` is about `name` and `certificate`: it holds a signature over the name by the certificate's
/// key, and nothing but what follows from the three. That a log has it is not looked at.
///
/// # Errors
/// [`Stranger`]
pub fn matches(entry: &TransparencyLogEntry, name: &LoggedName, certificate: &Certificate) -> Result<(), Stranger> {
    let body = &entry.canonicalized_body;
    let signature = hashedrekord::signature_in(body).ok_or(Stranger::Kind)?;
    let key = certificate.public_key().map_err(|_| Stranger::Key)?;
    let algorithm = match key.kind().default_algorithm() {
        SignatureAlgorithm::Ecdsa(algorithm) | SignatureAlgorithm::RsaPkcs1(algorithm) => algorithm,
        // A log takes Ed25519 as Ed25519ph, over SHA-512.
        SignatureAlgorithm::Ed25519 => DigestAlgorithm::Sha512,
    };
    let digest = algorithm.digest(name.as_str().as_bytes());
    let verifier = hashedrekord::Verifier::Certificate(certificate.der());
    if hashedrekord::canonical_body_over(algorithm, &digest, &signature, verifier) != *body {
        return Err(Stranger::Body);
    }
    key.verify_digest(algorithm, &digest, &signature).map_err(|_| Stranger::Signature)
}

/// The entry is about something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// Another object, or another certificate.
    #[error("the entry is about another object or another certificate")]
    Body,
    /// The certificate's key is of a kind that no log takes.
    #[error("no log takes signatures of the certificate's key")]
    Key,
    /// Not what online mode logs.
    #[error("the entry is not of the kind that is logged for an object")]
    Kind,
    /// Somebody else's signature.
    #[error("the entry's signature over the object's name is not by the certificate's key")]
    Signature,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_gits() {
        // What "git hash-object -t commit --literally" and "-t tag" say of the objects that payload and armor make, the
        // first with "gpgsig -----BEGIN SIGNED MESSAGE-----\n MIIB\n -----END SIGNED MESSAGE-----" behind the committer.
        let payload = b"tree 1\nauthor A\ncommitter C\n\nm\n";
        let armor = b"-----BEGIN SIGNED MESSAGE-----\nMIIB\n-----END SIGNED MESSAGE-----\n";
        let name = |payload: &[u8], armor: &[u8]| LoggedName::of(payload, armor).unwrap().0;
        assert_eq!(name(payload, armor), "9588657a3012601cac86bf458ff0ca46c4e27ea1");
        assert_eq!(name(b"object 1\n\nm\n", b"s"), "d95678011f0fd33d80d3357a7afd95c55af1000b");
        assert_eq!(LoggedName::of(b"certificate version 0.1\n\n", b"s"), None);
        assert_eq!(LoggedName::of(b"tree without a message", b"s"), None);
        assert_eq!(sha1_name(&[b"blob 0\0"]), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    }
}
