//! The certificates of an instance and of those who sign under it.

use jiff::SignedDuration;
use waxseal::crypto::{DigestAlgorithm, ServiceKey, SigningKey};
use waxseal::x509::sct::{SignedCertificateTimestamp, signed_message};

use super::super::der::{BOOLEAN, INTEGER, SEQUENCE, bit_string, explicit, oid, tlv, utc_time};
use super::{CA_NAME, ECDSA_SHA256, ECDSA_SHA384, Forge, Recipe, SERIAL, Sct, extension, log_id, name};

impl Forge {
    pub(super) fn leaf(&self, recipe: &Recipe, key: &SigningKey) -> Vec<u8> {
        let ca = if recipe.foreign_ca { &self.stranger } else { &self.ca };
        let algorithm = if recipe.foreign_ca { ECDSA_SHA256 } else { ECDSA_SHA384 };
        let tbs = |extensions: &[Vec<u8>]| {
            let not_after = recipe.not_before + SignedDuration::from_mins(10);
            tlv(
                SEQUENCE,
                &[
                    explicit(0, &tlv(INTEGER, &[2])),
                    tlv(INTEGER, SERIAL),
                    tlv(SEQUENCE, &oid(algorithm)),
                    name(recipe.ca_name),
                    tlv(SEQUENCE, &[utc_time(recipe.not_before), utc_time(not_after)].concat()),
                    tlv(SEQUENCE, &[]),
                    key.public_key_der(),
                    explicit(3, &tlv(SEQUENCE, &extensions.concat())),
                ]
                .concat(),
            )
        };
        let mut extensions = recipe.extensions.clone();
        if recipe.sct != Sct::Absent {
            let ct_log = if recipe.sct == Sct::OfStranger { &self.stranger } else { &self.ct_log };
            let timestamp_ms = u64::try_from(recipe.not_before.as_millisecond()).unwrap();
            let sct_extensions = if recipe.sct == Sct::WithExtensions { vec![0, 0, 5, 0, 0, 0, 0, 7] } else { vec![] };
            let issuer_key_hash = ca.verifying_key().spki_sha256();
            let mut message =
                signed_message(timestamp_ms, issuer_key_hash, &tbs(&extensions), &sct_extensions).unwrap();
            if recipe.sct == Sct::WrongSignature {
                message.push(0);
            }
            let sct = SignedCertificateTimestamp {
                log_id: log_id(ct_log),
                timestamp_ms,
                extensions: sct_extensions,
                algorithm: waxseal::crypto::SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256),
                signature: ct_log.sign(&message).unwrap(),
            };
            let value = SignedCertificateTimestamp::extension_value(vec![sct]).unwrap();
            extensions.push(extension("1.3.6.1.4.1.11129.2.4.2", false, &value));
        }
        certificate(&tbs(&extensions), algorithm, ca)
    }

    pub(super) fn ca_certificate(&self) -> Vec<u8> {
        let spki = self.ca.verifying_key().spki_der();
        self.long_lived(CA_NAME, CA_NAME, spki, &issuing(), (&self.ca, ECDSA_SHA384))
    }

    pub(super) fn tsa_root_certificate(&self) -> Vec<u8> {
        let spki = self.tsa_root.verifying_key().spki_der();
        self.long_lived("tsa root", "tsa root", spki, &issuing(), (&self.tsa_root, ECDSA_SHA256))
    }

    pub(super) fn own_tsa_certificate(&self) -> Vec<u8> {
        self.tsa_certificate.get_or_init(|| self.tsa_certificate(&self.tsa)).clone()
    }

    /// Same name and number whatever the key, as a forger would have it.
    pub(super) fn tsa_certificate(&self, key: &ServiceKey) -> Vec<u8> {
        let purpose = extension("2.5.29.37", true, &tlv(SEQUENCE, &oid("1.3.6.1.5.5.7.3.8")));
        let spki = key.verifying_key().spki_der();
        self.long_lived("tsa", "tsa root", spki, &purpose, (&self.tsa_root, ECDSA_SHA256))
    }

    fn long_lived(
        &self,
        subject: &str,
        issuer: &str,
        spki: &[u8],
        extensions: &[u8],
        (key, algorithm): (&ServiceKey, &str),
    ) -> Vec<u8> {
        let not_after = self.start + SignedDuration::from_hours(24 * 3650);
        let tbs = tlv(
            SEQUENCE,
            &[
                explicit(0, &tlv(INTEGER, &[2])),
                tlv(INTEGER, &[1]),
                tlv(SEQUENCE, &oid(algorithm)),
                name(issuer),
                tlv(SEQUENCE, &[utc_time(self.start), utc_time(not_after)].concat()),
                name(subject),
                spki.to_vec(),
                explicit(3, &tlv(SEQUENCE, extensions)),
            ]
            .concat(),
        );
        certificate(&tbs, algorithm, key)
    }
}

/// What a certificate authority's certificate needs.
fn issuing() -> Vec<u8> {
    let constraints = extension("2.5.29.19", true, &tlv(SEQUENCE, &tlv(BOOLEAN, &[0xff])));
    [extension("2.5.29.15", true, &[3, 2, 1, 6]), constraints].concat()
}

fn certificate(tbs: &[u8], algorithm: &str, ca: &ServiceKey) -> Vec<u8> {
    let signature = ca.sign(tbs).unwrap();
    tlv(SEQUENCE, &[tbs.to_vec(), tlv(SEQUENCE, &oid(algorithm)), bit_string(&signature)].concat())
}
