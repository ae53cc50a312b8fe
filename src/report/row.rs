//! One object and what was found, owned.

use jiff::Timestamp;

/// An object and what is known of it. Texts are as others wrote them, cut to what a report shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name, in full.
    pub oid: String,
    /// `commit` or `tag`; `None` where it cannot be read.
    pub kind: Option<&'static str>,
    /// What it means for the exit code.
    pub standing: Standing,
    /// The verdict's word of `docs/errors.md`.
    pub verdict: &'static str,
    /// The rule that admits the signer.
    pub rule: Option<String>,
    /// The code of `docs/errors.md`; `None` for verified and allowed.
    pub reason: Option<&'static str>,
    /// Why, in a sentence; `None` for verified and allowed.
    pub detail: Option<String>,
    /// Whom a verified certificate or key names; of anything else `None`.
    pub identity: Option<String>,
    /// What kind of name that is.
    pub identity_kind: Option<&'static str>,
    /// Who vouched for it to the instance.
    pub issuer: Option<String>,
    /// The instance that vouches.
    pub instance: Option<String>,
    /// The kind of signature.
    pub signature: Option<&'static str>,
    /// The proven time.
    pub time: Option<Timestamp>,
    /// Of a commit its author, of a tag its tagger: `Name <address>`, a claim. Not necessarily UTF-8.
    pub author: Vec<u8>,
    /// The first line of the message, not necessarily UTF-8.
    pub subject: Vec<u8>,
    /// The head that was squashed, or the one that came nearest.
    pub head: Option<Head>,
    /// The commit changes the policy file that judges it.
    pub changes_policy: bool,
    /// An earlier run found it.
    pub cached: bool,
}

impl Row {
    /// The first digits of its name, which are enough for Git.
    #[must_use]
    pub fn short_id(&self) -> &str {
        self.oid.get(..SHORT_ID).unwrap_or(&self.oid)
    }

    /// The reason's code as words.
    #[must_use]
    pub fn reason_words(&self) -> String {
        self.reason.unwrap_or(self.verdict).replace('-', " ")
    }

    /// The head that was squashed, in words, of a commit that it proves. Of another the detail has it.
    #[must_use]
    pub fn squash(&self) -> Option<String> {
        let head = self.head.as_ref().filter(|head| head.proves)?;
        let id = head.short_id();
        let which = head.reference.as_ref().map_or_else(|| id.to_owned(), |reference| format!("{reference} ({id})"));
        Some(format!("{} {which}", head.word()))
    }

    /// Identity and issuer, or what kind of key, where they are proven.
    #[must_use]
    pub fn signer(&self) -> Option<String> {
        let identity = self.identity.as_ref()?;
        Some(match &self.issuer {
            Some(issuer) => format!("{identity} via {issuer}"),
            None => format!("{identity} ({})", key_kind(self.signature)),
        })
    }
}

/// A head that a forge is said to have squashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its name, in full.
    pub oid: String,
    /// The ref that leads to it, if one is known.
    pub reference: Option<String>,
    /// Whether the commit is admitted by it; else it says why it is not.
    pub proves: bool,
}

impl Head {
    /// What it is to the commit.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.proves { "squash of" } else { "nearest head" }
    }

    /// The first digits of its name.
    #[must_use]
    pub fn short_id(&self) -> &str {
        self.oid.get(..SHORT_ID).unwrap_or(&self.oid)
    }
}

/// What made a signature that no certificate vouches for.
#[must_use]
pub fn key_kind(signature: Option<&str>) -> &'static str {
    match signature {
        Some("openpgp") => "OpenPGP key",
        Some("ssh") => "SSH key",
        _ => "key",
    }
}

/// What an object means for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Verified and admitted.
    Ok,
    /// The policy does not judge it.
    Exempt,
    /// Verified, and nobody said who may sign.
    Unjudged,
    /// Rejected, unsigned or not allowed.
    Failed,
    /// Nothing is wrong, and something is missing or not known.
    Unknown,
}

impl Standing {
    /// Whether somebody has to decide something about the object. Where nobody said who may sign, that is to be decided
    /// once, and not of each object.
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Self::Exempt | Self::Ok | Self::Unjudged => false,
            Self::Failed | Self::Unknown => true,
        }
    }

    /// A word for tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Exempt => "exempt",
            Self::Unjudged => "unjudged",
            Self::Failed => "FAIL",
            Self::Unknown => "unknown",
        }
    }
}

/// At most `limit` bytes of `text`, not in the middle of a character, with a mark where something is left out.
#[must_use]
pub fn shortened(text: &[u8], limit: usize) -> Vec<u8> {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit;
    // A byte that continues a character cannot begin what is left out.
    while end > 0 && text.get(end).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {
        end -= 1;
    }
    let mut short = text.get(..end).unwrap_or_default().to_owned();
    short.extend("…".as_bytes());
    short
}

/// A subject as one line has room for.
#[must_use]
pub fn headline(subject: &str) -> String {
    if subject.chars().count() <= MAX_SUBJECT {
        return subject.to_owned();
    }
    subject.chars().take(MAX_SUBJECT - 1).chain(['…']).collect()
}

/// How many digits of a name people see.
pub const SHORT_ID: usize = 10;

const MAX_SUBJECT: usize = 60;
