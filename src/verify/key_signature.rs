//! A signature by a key that somebody keeps, and what kinds of keys there are.

/// A signature by a key that a rule names; only [`super::by_key`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySignature {
    format: KeyFormat,
    fingerprint: String,
    owner: Option<String>,
    is_revoked: bool,
}

impl KeySignature {
    /// It holds; whose it is, nobody has said yet.
    pub(super) fn new(format: KeyFormat, fingerprint: String, is_revoked: bool) -> Self {
        Self { format, fingerprint, owner: None, is_revoked }
    }

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
