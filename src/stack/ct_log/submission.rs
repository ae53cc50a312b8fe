//! What is to be logged: a certificate or precertificate of this stack's own authority.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::crypto::Sha256Digest;
use crate::x509::Certificate;
use crate::x509::path::chain::signed_by;
use crate::x509::sct::{LoggedCertificate, POISON, SCT_LIST, tbs_without_poison};

/// Something to log, and what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    kind: Kind,
    extra_data: Vec<u8>,
    fingerprint: Sha256Digest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Certificate(Vec<u8>),
    Precertificate { issuer_key_hash: Sha256Digest, tbs: Vec<u8> },
}

impl Submission {
    /// A precertificate that the authority itself made: `tbs` is the certificate to be, `chain` what stands above it,
    /// all DER.
    ///
    /// # Errors
    /// [`BadSubmission::TooLong`] when it does not fit its length fields.
    pub fn precertificate(
        issuer_key_hash: Sha256Digest,
        tbs: Vec<u8>,
        precertificate: &[u8],
        chain: &[&[u8]],
    ) -> Result<Self, BadSubmission> {
        // RFC 6962 §3.1 `PrecertChainEntry`.
        let extra_data = [asn1_cert(precertificate)?, asn1_certs(chain)?].concat();
        let fingerprint = Sha256Digest::of(precertificate);
        Ok(Self { kind: Kind::Precertificate { issuer_key_hash, tbs }, extra_data, fingerprint })
    }

    /// Reads the body of `add-chain`: a certificate that the authority issued, and what stands above it. `authority` is
    /// each intermediate that it has had, with its root.
    ///
    /// # Errors
    /// [`BadSubmission`] names what is wrong.
    pub fn read_chain<'a>(
        json: &[u8],
        authority: impl IntoIterator<Item = [&'a Certificate; 2]>,
    ) -> Result<Self, BadSubmission> {
        let Submitted { leaf, chain, .. } = Submitted::read(json, authority)?;
        if leaf.extensions().iter().any(|extension| extension.extn_id == POISON) {
            return Err(BadSubmission::Poison);
        }
        // RFC 6962 §3.1: the chain without the certificate.
        let extra_data = asn1_certs(&chain)?;
        let fingerprint = Sha256Digest::of(leaf.der());
        Ok(Self { kind: Kind::Certificate(leaf.der().to_vec()), extra_data, fingerprint })
    }

    /// Reads the body of `add-pre-chain`: a precertificate that the authority signed, and what stands above it. `authority`
    /// as in [`read_chain`](Self::read_chain).
    ///
    /// # Errors
    /// [`BadSubmission`] names what is wrong.
    pub fn read_pre_chain<'a>(
        json: &[u8],
        authority: impl IntoIterator<Item = [&'a Certificate; 2]>,
    ) -> Result<Self, BadSubmission> {
        let Submitted { leaf, chain, issuer_key_hash } = Submitted::read(json, authority)?;
        let poison = leaf.extensions().iter().find(|extension| extension.extn_id == POISON);
        let is_poisoned = poison.is_some_and(|poison| poison.critical && poison.extn_value.as_bytes() == NULL);
        if !is_poisoned || leaf.extensions().iter().any(|extension| extension.extn_id == SCT_LIST) {
            return Err(BadSubmission::Poison);
        }
        let tbs = tbs_without_poison(&leaf).map_err(|_| BadSubmission::Certificate)?;
        Self::precertificate(issuer_key_hash, tbs, leaf.der(), &chain)
    }

    /// SHA-256 of the certificate or precertificate, as it was sent.
    #[must_use]
    pub fn fingerprint(&self) -> Sha256Digest {
        self.fingerprint
    }

    /// What is logged.
    pub(super) fn entry(&self) -> LoggedCertificate<'_> {
        match &self.kind {
            Kind::Certificate(der) => LoggedCertificate::Certificate(der),
            Kind::Precertificate { issuer_key_hash, tbs } => {
                LoggedCertificate::Precertificate { issuer_key_hash: *issuer_key_hash, tbs }
            }
        }
    }

    /// What `get-entries` gives with it.
    pub(super) fn extra_data(&self) -> &[u8] {
        &self.extra_data
    }
}

/// What was sent, once it is known to come from the authority. The chain is the authority's own: its root may be left out.
struct Submitted<'a> {
    leaf: Certificate,
    chain: [&'a [u8]; 2],
    issuer_key_hash: Sha256Digest,
}

impl<'a> Submitted<'a> {
    fn read(json: &[u8], authority: impl IntoIterator<Item = [&'a Certificate; 2]>) -> Result<Self, BadSubmission> {
        let body: Body = serde_json::from_slice(json).map_err(|_| BadSubmission::Json)?;
        if body.chain.is_empty() || body.chain.len() > MAX_CHAIN {
            return Err(BadSubmission::Json);
        }
        let certificates = body.chain.iter().map(|encoded| {
            let der = STANDARD.decode(encoded).map_err(|_| BadSubmission::Json)?;
            Certificate::from_der(&der).map_err(|_| BadSubmission::Certificate)
        });
        let mut certificates = certificates.collect::<Result<Vec<_>, _>>()?.into_iter();
        let leaf = certificates.next().ok_or(BadSubmission::Json)?;
        for above @ [intermediate, _] in authority {
            let Ok(key) = intermediate.public_key() else { continue };
            if leaf.issuer() != intermediate.subject() || signed_by(&leaf, &key).is_err() {
                continue;
            }
            let chain = above.map(Certificate::der);
            if certificates.as_slice().iter().map(Certificate::der).ne(chain.into_iter().take(certificates.len())) {
                return Err(BadSubmission::Chain);
            }
            return Ok(Self { leaf, chain, issuer_key_hash: key.spki_sha256() });
        }
        Err(BadSubmission::Chain)
    }
}

/// RFC 6962 §3.1 `ASN.1Cert`.
fn asn1_cert(der: &[u8]) -> Result<Vec<u8>, BadSubmission> {
    let length = u32::try_from(der.len()).map_err(|_| BadSubmission::TooLong)?.to_be_bytes();
    let [0, length @ ..] = length else { return Err(BadSubmission::TooLong) };
    Ok([&length[..], der].concat())
}

fn asn1_certs(certificates: &[&[u8]]) -> Result<Vec<u8>, BadSubmission> {
    let certificates = certificates.iter().map(|der| asn1_cert(der)).collect::<Result<Vec<_>, _>>()?;
    asn1_cert(&certificates.concat())
}

/// A submission that the log does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSubmission {
    /// One of them is no certificate.
    #[error("a certificate of the chain cannot be read")]
    Certificate,
    /// Not issued by this authority, or other certificates than those above it.
    #[error("the chain does not lead from its first certificate to this log's root")]
    Chain,
    /// Not JSON of the request.
    #[error("the body is not JSON of a certificate chain")]
    Json,
    /// A certificate with poison, or a precertificate without, or with SCTs.
    #[error("precertificates go to add-pre-chain, certificates to add-chain")]
    Poison,
    /// Longer than a length field can say.
    #[error("the chain is too long")]
    TooLong,
}

#[derive(Deserialize)]
struct Body {
    chain: Vec<String>,
}

/// DER NULL.
const NULL: [u8; 2] = [0x05, 0x00];

/// A leaf, its intermediate, its root; and one more.
const MAX_CHAIN: usize = 4;
