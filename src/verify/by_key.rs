//! Signatures by keys that somebody keeps. They are verified only where a rule names the key; nobody vouches for who has
//! it, and nothing proves when it signed, so that no time can be asked of one.

use super::error::VerifyError;
use super::verdict::{Rejection, Verdict};
use crate::openpgp::{BadOpenPgpSignature, PublicKey, Said, Standing};
use crate::signature::SignatureFormat;
use crate::ssh::SshSignature;

/// A signature by a key that a rule names; only the functions of this module make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySignature {
    format: KeyFormat,
    fingerprint: String,
    owner: Option<String>,
    is_revoked: bool,
}

impl KeySignature {
    /// SSH or OpenPGP.
    #[must_use]
    pub fn format(&self) -> KeyFormat {
        self.format
    }

    /// Which key: of SSH as `ssh-keygen -l` prints it, of OpenPGP the primary key's, in upper-case hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whose key it is, as the policy says; the fingerprint where it says nothing.
    #[must_use]
    pub fn identity(&self) -> &str {
        self.owner.as_deref().unwrap_or(&self.fingerprint)
    }

    /// Whether the key was taken back: nobody knows whether it had been when it signed.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.is_revoked
    }

    /// Makes the identity what somebody calls the owner who knows.
    pub fn belongs_to(&mut self, owner: Option<&str>) {
        self.owner = owner.map(str::to_owned);
    }
}

/// What kind of key, and of signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyFormat {
    /// RFC 9580.
    OpenPgp,
    /// OpenSSH.
    Ssh,
}

impl KeyFormat {
    /// The signature's name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenPgp => "openpgp",
            Self::Ssh => "ssh",
        }
    }

    /// What kind of identity a key of it is.
    #[must_use]
    pub fn identity_kind(self) -> &'static str {
        match self {
            Self::OpenPgp => "openpgp-key",
            Self::Ssh => "ssh-key",
        }
    }

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenPgp => "OpenPGP",
            Self::Ssh => "SSH",
        }
    }
}

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
        Ok(()) => Verdict::VerifiedByKey(Box::new(KeySignature {
            format: KeyFormat::Ssh,
            fingerprint: signature.fingerprint().to_owned(),
            owner: None,
            is_revoked: false,
        })),
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
            Some(key) => Verdict::VerifiedByKey(Box::new(KeySignature {
                format: KeyFormat::OpenPgp,
                fingerprint: primary,
                owner: None,
                is_revoked: match standing {
                    Standing::Expired => key.has_revocation(&signer),
                    Standing::Good => false,
                    Standing::Revoked => true,
                },
            })),
            None => Verdict::OtherFormat(SignatureFormat::OpenPgp),
        },
        Ok(Said::NoKey) => Verdict::OtherFormat(SignatureFormat::OpenPgp),
        Ok(Said::Bad(error)) | Err(error) => {
            Verdict::Rejected(Rejection::by_key(KeyFormat::OpenPgp, VerifyError::OpenPgp(error)))
        }
    }
}
