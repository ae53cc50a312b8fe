//! Settings with a closed list of values.

/// A setting that is one of a few words.
pub(super) trait Choice: Copy + Sized + 'static {
    /// Every value by its word; the first one is the default.
    const WORDS: &'static [(&'static str, Self)];
}

/// `waxseal.credentialStore`: where a login is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialStore {
    /// In the agent's memory.
    #[default]
    Agent,
    /// In the user's key ring, too: its tokens, for an agent that is started later.
    KeyRing,
}

impl Choice for CredentialStore {
    const WORDS: &'static [(&'static str, Self)] = &[("agent", Self::Agent), ("keyring", Self::KeyRing)];
}

/// `waxseal.log`: which log takes the signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogChoice {
    /// The one that the instance's signing config prefers.
    #[default]
    Auto,
    /// Rekor v1, which promises a time.
    V1,
    /// Rekor v2, for which a timestamp authority gives the time.
    V2,
}

impl Choice for LogChoice {
    const WORDS: &'static [(&'static str, Self)] = &[("auto", Self::Auto), ("v1", Self::V1), ("v2", Self::V2)];
}

/// `waxseal.login`: how an identity token is come by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginChoice {
    /// The first of these that is there: a token, a CI system's, what the agent keeps, then what suits the machine.
    #[default]
    Auto,
    /// A browser on this machine that comes back to it.
    Browser,
    /// A code that is typed on another device (RFC 8628).
    Device,
    /// A code that is copied from a page to the terminal.
    OutOfBand,
    /// `WAXSEAL_ID_TOKEN`, `SIGSTORE_ID_TOKEN` or `waxseal.tokenCommand`.
    Token,
    /// What a CI system or cloud gives its jobs.
    Ambient,
}

impl Choice for LoginChoice {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("browser", Self::Browser),
        ("device", Self::Device),
        ("oob", Self::OutOfBand),
        ("token", Self::Token),
        ("ambient", Self::Ambient),
    ];
}

/// `waxseal.matchCommitter`: what becomes of a signature by another than the payload's committer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatchCommitter {
    /// It is made, with a warning.
    #[default]
    Warn,
    /// It is not made; the certificate authority is not asked.
    Require,
}

impl Choice for MatchCommitter {
    const WORDS: &'static [(&'static str, Self)] = &[("warn", Self::Warn), ("require", Self::Require)];
}

/// `waxseal.timestamp`: when a timestamp authority is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampChoice {
    /// Where the log gives no time.
    #[default]
    Auto,
    /// For every signature.
    Always,
    /// For none.
    Never,
}

impl Choice for TimestampChoice {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("always", Self::Always), ("never", Self::Never)];
}

/// The words as they stand in `docs/configuration.md` and in errors.
pub(super) const CREDENTIAL_STORES: &str = "agent or keyring";
pub(super) const LOGS: &str = "auto, v1 or v2";
pub(super) const LOGINS: &str = "auto, browser, device, oob, token or ambient";
pub(super) const MATCH_COMMITTER: &str = "warn or require";
pub(super) const TIMESTAMPS: &str = "auto, always or never";

#[cfg(test)]
mod tests {
    use super::*;

    fn listed<C: Choice>() -> String {
        let words: Vec<&str> = C::WORDS.iter().map(|(word, _)| *word).collect();
        let (last, others) = words.split_last().unwrap();
        format!("{} or {last}", others.join(", "))
    }

    #[test]
    fn the_words_are_those_that_are_shown_and_the_first_is_the_default() {
        assert_eq!((listed::<LoginChoice>(), LoginChoice::WORDS[0].1), (LOGINS.to_owned(), LoginChoice::default()));
        assert_eq!((listed::<LogChoice>(), listed::<TimestampChoice>()), (LOGS.to_owned(), TIMESTAMPS.to_owned()));
        assert_eq!(
            (listed::<CredentialStore>(), CredentialStore::WORDS[0].1),
            (CREDENTIAL_STORES.to_owned(), CredentialStore::default())
        );
        assert_eq!(
            (listed::<MatchCommitter>(), MatchCommitter::WORDS[0].1),
            (MATCH_COMMITTER.to_owned(), MatchCommitter::default())
        );
        assert_eq!(
            (LogChoice::WORDS[0].1, TimestampChoice::WORDS[0].1),
            (LogChoice::default(), TimestampChoice::default())
        );
    }
}
