//! Git objects as bytes: the payload that is signed, and the signature that is stored with it.

pub mod description;
pub mod refs;
pub mod repository;
pub mod status_fd;

use crate::signature::SignatureFormat;
use crate::signature::git::BindingError;
use crate::signature::payload::{PayloadKind, has_ordered_headers, whole_lines, with_header};
use crate::verify::error::VerifyError;
use crate::verify::findings::Findings;
use crate::verify::{Rejection, Verdict, Verifier};

/// A commit or tag, split into what was signed and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedObject {
    /// Commit or tag.
    pub kind: ObjectKind,
    /// The object's bytes without signature, exactly as Git hashed them and hands them to a verifier.
    pub payload: Vec<u8>,
    /// The signatures that the repository's hash function has a place for; more than one is never right.
    pub signatures: Vec<Vec<u8>>,
    /// Signature headers that are not for this repository's hash function, or for none.
    other_signatures: usize,
    /// Whether the headers stand where Git has them, the signature's after the others.
    in_order: bool,
    hash: HashKind,
}

impl SignedObject {
    /// Splits the raw bytes of an object of a repository that hashes with `hash`, byte for byte as Git does: of a
    /// commit every header whose name begins with `gpgsig` leaves the payload, of a tag everything from the last line
    /// that begins a signature on.
    #[must_use]
    pub fn parse(kind: ObjectKind, hash: HashKind, raw: &[u8]) -> Self {
        match kind {
            ObjectKind::Commit => Self::parse_commit(hash, raw),
            ObjectKind::Tag => Self::parse_tag(hash, raw),
        }
    }

    /// The verdict on the object. Git would concatenate several signatures; whoever reads one of them reads another
    /// object than whoever reads the next.
    #[must_use]
    pub fn verdict(&self, verifier: &Verifier) -> Verdict {
        match self.signature() {
            Ok(signature) => verifier.verdict(&self.payload, signature),
            Err(verdict) => *verdict,
        }
    }

    /// The verdict, and what each step found, of a verified object too; nothing where there was no step to take.
    #[must_use]
    pub fn explain(&self, verifier: &Verifier) -> (Verdict, Findings) {
        match self.signature() {
            Ok(signature) => verifier.explain(&self.payload, signature),
            Err(verdict) => (*verdict, Findings::default()),
        }
    }

    /// The object's one signature.
    ///
    /// # Errors
    /// The verdict on an object that has none or several, or has it out of place.
    pub fn signature(&self) -> Result<&[u8], Box<Verdict>> {
        let rejected = |error| Err(Box::new(Verdict::Rejected(Rejection::of(error))));
        let several = self.signatures.len() + self.other_signatures;
        match self.signatures.as_slice() {
            [] => Err(Box::new(Verdict::Unsigned)),
            _ if several > 1 => rejected(VerifyError::SeveralSignatures(several)),
            _ if !self.in_order => rejected(VerifyError::Binding(BindingError::Headers)),
            [signature, ..] => Ok(signature),
        }
    }

    /// The object's bytes again, from payload and signature: what its id is the hash of. `None` unless it has exactly
    /// one signature; another hash function's signature, if it had one, is not among them.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let [signature] = self.signatures.as_slice() else { return None };
        signed_bytes(self.kind, self.hash, &self.payload, signature)
    }

    fn parse_commit(hash: HashKind, raw: &[u8]) -> Self {
        let Split { payload, signatures, other_signatures } = split_headers(raw, Some(hash.commit_header()));
        let in_order = PayloadKind::of(raw) == PayloadKind::Commit && has_ordered_headers(raw);
        Self { kind: ObjectKind::Commit, payload, signatures, other_signatures, in_order, hash }
    }

    fn parse_tag(hash: HashKind, raw: &[u8]) -> Self {
        let mut start = 0;
        let mut begins = None;
        for line in whole_lines(raw) {
            if SignatureFormat::of(line) != SignatureFormat::Unknown {
                begins = Some(start);
            }
            start += line.len();
        }
        let (signed, signature) = raw.split_at(begins.unwrap_or(raw.len()));
        // A tag that is known under two hash functions has the other one's signature among its headers.
        let Split { payload, other_signatures, .. } = split_headers(signed, None);
        let signatures = if signature.is_empty() { Vec::new() } else { vec![signature.to_vec()] };
        let in_order = PayloadKind::of(raw) == PayloadKind::Tag && has_ordered_headers(raw);
        Self { kind: ObjectKind::Tag, payload, signatures, other_signatures, in_order, hash }
    }
}

/// The bytes of the object of which Git hands a verifier `payload` and `signature`. `None` where the payload is none.
#[must_use]
pub fn signed_bytes(kind: ObjectKind, hash: HashKind, payload: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
    match kind {
        ObjectKind::Commit => with_header(payload, hash.commit_header(), signature),
        ObjectKind::Tag => Some([payload, signature].concat()),
    }
}

/// The kinds of object that Git signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A commit.
    Commit,
    /// An annotated tag.
    Tag,
}

impl ObjectKind {
    /// The kind's name in Git.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tag => "tag",
        }
    }
}

/// The hash function of a repository (`extensions.objectFormat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashKind {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl HashKind {
    /// The commit header that holds the signature over this hash function's form of the object.
    fn commit_header(self) -> &'static str {
        match self {
            Self::Sha1 => "gpgsig",
            Self::Sha256 => "gpgsig-sha256",
        }
    }
}

#[derive(Clone, Copy)]
enum Header {
    OtherSignature,
    Signature,
    Signed,
}

struct Split {
    payload: Vec<u8>,
    signatures: Vec<Vec<u8>>,
    other_signatures: usize,
}

/// Takes every header whose name begins with `gpgsig` out of an object; the values of those called `name` come back as
/// signatures.
fn split_headers(raw: &[u8], name: Option<&str>) -> Split {
    let mut payload = Vec::with_capacity(raw.len());
    let mut signatures: Vec<Vec<u8>> = Vec::new();
    let mut other_signatures = 0;
    // Where the headers, and the lines that begin with a space, belong.
    let (mut end, mut continued) = (0, Header::Signed);
    for line in whole_lines(raw).take_while(|line| *line != b"\n") {
        end += line.len();
        if let Some(more) = line.strip_prefix(b" ") {
            match continued {
                Header::OtherSignature => {}
                Header::Signature => {
                    if let Some(signature) = signatures.last_mut() {
                        signature.extend_from_slice(more);
                    }
                }
                Header::Signed => payload.extend_from_slice(line),
            }
            continue;
        }
        let own = name.and_then(|name| line.strip_prefix(name.as_bytes())).and_then(|rest| rest.strip_prefix(b" "));
        continued = if let Some(first) = own {
            signatures.push(first.to_vec());
            Header::Signature
        } else if line.starts_with(b"gpgsig") {
            other_signatures += 1;
            Header::OtherSignature
        } else {
            payload.extend_from_slice(line);
            Header::Signed
        };
    }
    payload.extend_from_slice(raw.get(end..).unwrap_or_default());
    Split { payload, signatures, other_signatures }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "-----BEGIN SIGNED MESSAGE-----\nMIIB\n-----END SIGNED MESSAGE-----\n";

    #[test]
    fn a_commit_comes_back_byte_for_byte() {
        let raw = "tree 1\nauthor A\ncommitter C\nmergetag object 2\n type commit\n \n -----BEGIN SIGNED MESSAGE-----\n\
                   gpgsig -----BEGIN SIGNED MESSAGE-----\n MIIB\n -----END SIGNED MESSAGE-----\n\n\
                   gpgsig in the body\n\nno final newline";
        let object = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, raw.as_bytes());
        assert_eq!(object.signatures, [SIGNATURE.as_bytes()]);
        assert!(object.payload.ends_with(b"\n\ngpgsig in the body\n\nno final newline"));
        assert!(
            object.payload.starts_with(b"tree 1\nauthor A\ncommitter C\nmergetag object 2\n type commit\n \n -----B")
        );
        assert_eq!(object.to_bytes().unwrap(), raw.as_bytes());
    }

    #[test]
    fn only_the_header_of_the_repositorys_hash_counts_and_every_gpgsig_leaves_the_payload() {
        let raw = b"tree 1\nauthor A\ngpgsig a\n b\ngpgsig-sha256 c\n d\ngpgsig-evil e\ncommitter C\n\nm\n";
        let sha1 = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, raw);
        assert_eq!(sha1.signatures, [b"a\nb\n"]);
        assert_eq!(sha1.payload, b"tree 1\nauthor A\ncommitter C\n\nm\n");
        let sha256 = SignedObject::parse(ObjectKind::Commit, HashKind::Sha256, raw);
        assert_eq!(sha256.signatures, [b"c\nd\n"]);
        let twice = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, b"tree 1\ngpgsig a\ngpgsig b\n\nm\n");
        assert_eq!(twice.signatures.len(), 2);
        assert_eq!(twice.to_bytes(), None);
    }

    #[test]
    fn a_tags_signature_begins_at_the_last_line_that_begins_one() {
        let raw = format!("object 1\ntype commit\ntag v\n\n-----BEGIN PGP SIGNATURE-----\nquoted\n{SIGNATURE}");
        let object = SignedObject::parse(ObjectKind::Tag, HashKind::Sha1, raw.as_bytes());
        assert_eq!(object.signatures, [SIGNATURE.as_bytes()]);
        assert!(object.payload.ends_with(b"quoted\n"));
        assert_eq!(object.to_bytes().unwrap(), raw.as_bytes());
        let glued = b"object 1\n\nmessage-----BEGIN SIGNED MESSAGE-----\nMIIB\n-----END SIGNED MESSAGE-----\n";
        assert!(SignedObject::parse(ObjectKind::Tag, HashKind::Sha1, glued).signatures.is_empty());
    }

    #[test]
    fn the_other_hash_functions_signature_leaves_a_tags_payload() {
        let raw = format!("object 1\ntype commit\ntag v\ngpgsig a\n b\n\nm\n{SIGNATURE}");
        let object = SignedObject::parse(ObjectKind::Tag, HashKind::Sha256, raw.as_bytes());
        assert_eq!(object.payload, b"object 1\ntype commit\ntag v\n\nm\n");
        assert_eq!(object.signatures, [SIGNATURE.as_bytes()]);
    }
}
