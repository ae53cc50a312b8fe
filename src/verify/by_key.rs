//! Signatures by keys that somebody keeps. They are verified only where a rule names the key; nobody vouches for who has
//! it, and nothing proves when it signed, so that no time can be asked of one.

use super::error::VerifyError;
use super::key_signature::{KeyFormat, KeySignature};
use super::verdict::{Rejection, Verdict};
use crate::openpgp::{BadOpenPgpSignature, PublicKey, Said, Standing};
use crate::signature::SignatureFormat;
use crate::ssh::SshSignature;

/// The verdict on the object that Git hashed as `payload` and `armor`, an SSH signature: another format, as long as no rule
/// `names` its key by the fingerprint.
#[must_use]
pub fn ssh_verdict(payload: &[u8], armor: &[u8], names: impl FnOnce(&str) -> bool) -> Verdict {
    let wrong = |error| Verdict::Rejected(Rejection::by_key(KeyFormat::Ssh, VerifyError::Ssh(error)));
    let signature = match SshSignature::open(armor) {
        Ok(signature) => signature,
        Err(error) => return wrong(error),
    };
    if !names(signature.fingerprint()) {
        return Verdict::OtherFormat(SignatureFormat::Ssh);
    }
    match signature.verify(payload) {
        Ok(key) => Verdict::VerifiedByKey(Box::new(KeySignature::new(KeyFormat::Ssh, key.fingerprint(), false))),
        Err(error) => wrong(error),
    }
}

/// The verdict on an OpenPGP signature, by what gpg said of it under the keys that rules name, or what is wrong with it before
/// gpg was asked: another format, as long as no rule has its primary key, which `named` finds by the fingerprint.
#[must_use]
pub fn openpgp_verdict<'a>(
    said: Result<Said, BadOpenPgpSignature>,
    named: impl FnOnce(&str) -> Option<&'a PublicKey>,
) -> Verdict {
    match said {
        Ok(Said::Good { primary, signer, standing }) => match named(&primary) {
            Some(key) => {
                let is_revoked = match standing {
                    Standing::Expired => key.has_revocation(&signer),
                    Standing::Good => false,
                    Standing::Revoked => true,
                };
                Verdict::VerifiedByKey(Box::new(KeySignature::new(KeyFormat::OpenPgp, primary, is_revoked)))
            }
            None => Verdict::OtherFormat(SignatureFormat::OpenPgp),
        },
        Ok(Said::NoKey) => Verdict::OtherFormat(SignatureFormat::OpenPgp),
        Ok(Said::Bad(error)) | Err(error) => {
            Verdict::Rejected(Rejection::by_key(KeyFormat::OpenPgp, VerifyError::OpenPgp(error)))
        }
    }
}
