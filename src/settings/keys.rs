//! Every setting by name: the table of `docs/configuration.md`.

use std::fmt;

use super::{DEFAULT_CLIENT_ID, choices};

/// One setting, as `docs/configuration.md` lists it.
#[derive(Debug)]
pub struct Key {
    /// Its name in git config, below `waxseal.`.
    pub name: &'static str,
    /// Its name in the environment.
    pub variable: &'static str,
    /// What reads it: signing, verifying, or both.
    pub scope: &'static str,
    /// What a value is.
    pub value: Shape,
    /// What holds when it is not set.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A number with its unit, as `30d`: hours, days or weeks.
    Age,
    /// git's booleans: `true`, `yes`, `on`, a number other than 0, no value at all; `false`, `no`, `off`, 0.
    Boolean,
    /// One of these words.
    Choice(&'static str),
    /// Many values in git config, where an empty one forgets those before it; in the environment one a line.
    List,
    /// A file; in git config `~/` is the home folder.
    Path,
    /// One text.
    Text,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Age => "age",
            Self::Boolean => "boolean",
            Self::Choice(words) => words,
            Self::List => "list",
            Self::Path => "path",
            Self::Text => "text",
        })
    }
}

/// Every setting.
pub const KEYS: [&Key; 19] = [
    &ACCEPT_PUBLIC,
    &ALLOW,
    &AUTOCLOSE,
    &BROWSER,
    &CA_FILE,
    &CLIENT_ID,
    &CONNECTOR_ID,
    &CREDENTIAL_STORE,
    &INSTANCE,
    &LOG,
    &LOGIN,
    &LOGIN_HINT,
    &MATCH_COMMITTER,
    &MAX_TRUST_AGE,
    &ONLINE,
    &POLICY,
    &TIMESTAMP,
    &TOKEN_COMMAND,
    &TRUST,
];

pub(super) const ACCEPT_PUBLIC: Key = Key {
    name: "acceptPublic",
    variable: "WAXSEAL_ACCEPT_PUBLIC",
    scope: "signing",
    value: Shape::Boolean,
    default: "false",
    about: "sign at the public-good instance without asking first whether your identity may become public",
};
pub(super) const ALLOW: Key = Key {
    name: "allow",
    variable: "WAXSEAL_ALLOW",
    scope: "verifying",
    value: Shape::List,
    default: "nobody",
    about: "who may sign: `[glob:]IDENTITY ISSUER [INSTANCE]`, see below",
};
pub(super) const AUTOCLOSE: Key = Key {
    name: "autoclose",
    variable: "WAXSEAL_AUTOCLOSE",
    scope: "signing",
    value: Shape::Boolean,
    default: "false",
    about: "the page after a login closes itself after three seconds, where the browser lets it",
};
pub(super) const BROWSER: Key = Key {
    name: "browser",
    variable: "WAXSEAL_BROWSER",
    scope: "signing",
    value: Shape::Text,
    default: "the system's",
    about: "the command that opens the login page, without a shell; `{url}` stands for the address",
};
pub(super) const CA_FILE: Key = Key {
    name: "caFile",
    variable: "WAXSEAL_CA_FILE",
    scope: "both",
    value: Shape::Path,
    default: "none",
    about: "PEM certificates that may vouch for https services, beside the system's; `waxseal trust` reads it too",
};
pub(super) const CLIENT_ID: Key = Key {
    name: "clientId",
    variable: "WAXSEAL_CLIENT_ID",
    scope: "signing",
    value: Shape::Text,
    default: DEFAULT_CLIENT_ID,
    about: "the OAuth client that waxseal is to the OIDC issuer",
};
pub(super) const CONNECTOR_ID: Key = Key {
    name: "connectorId",
    variable: "WAXSEAL_CONNECTOR_ID",
    scope: "signing",
    value: Shape::Text,
    default: "none",
    about: "the account provider behind a dex issuer, so that its page does not ask: `https://github.com/login/oauth`",
};
pub(super) const CREDENTIAL_STORE: Key = Key {
    name: "credentialStore",
    variable: "WAXSEAL_CREDENTIAL_STORE",
    scope: "signing",
    value: Shape::Choice(choices::CREDENTIAL_STORES),
    default: "agent",
    about: "where logins are kept: in the agent's memory only, or their tokens in the user's key ring, too (`docs/agent.md`)",
};
pub(super) const INSTANCE: Key = Key {
    name: "instance",
    variable: "WAXSEAL_INSTANCE",
    scope: "both",
    value: Shape::Text,
    default: "none: nothing is signed",
    about: "the instance that signs",
};
pub(super) const LOG: Key = Key {
    name: "log",
    variable: "WAXSEAL_LOG",
    scope: "signing",
    value: Shape::Choice(choices::LOGS),
    default: "auto: what the instance's signing config prefers",
    about: "the log that takes the signatures: Rekor v1 or v2, see below",
};
pub(super) const LOGIN: Key = Key {
    name: "login",
    variable: "WAXSEAL_LOGIN",
    scope: "signing",
    value: Shape::Choice(choices::LOGINS),
    default: "auto: what is there and suits the machine",
    about: "how to sign in, see `docs/login.md`",
};
pub(super) const LOGIN_HINT: Key = Key {
    name: "loginHint",
    variable: "WAXSEAL_LOGIN_HINT",
    scope: "signing",
    value: Shape::Text,
    default: "none",
    about: "the account that the login page suggests",
};
pub(super) const MATCH_COMMITTER: Key = Key {
    name: "matchCommitter",
    variable: "WAXSEAL_MATCH_COMMITTER",
    scope: "signing",
    value: Shape::Choice(choices::MATCH_COMMITTER),
    default: "warn",
    about: "a signature by another than the committer, tagger or pusher who stands in what is signed: made with a warning, or not at all; see below",
};
pub(super) const MAX_TRUST_AGE: Key = Key {
    name: "maxTrustAge",
    variable: "WAXSEAL_MAX_TRUST_AGE",
    scope: "verifying",
    value: Shape::Age,
    default: "none: any age",
    about: "how long ago each trusted instance may have been refreshed: `12h`, `30d`, `8w`; see `docs/trust.md`",
};
pub(super) const ONLINE: Key = Key {
    name: "online",
    variable: "WAXSEAL_ONLINE",
    scope: "verifying",
    value: Shape::Boolean,
    default: "false",
    about: "ask logs for what signatures of gitsign's online mode do not carry, in git's own calls too (`docs/evidence.md`)",
};
pub(super) const POLICY: Key = Key {
    name: "policy",
    variable: "WAXSEAL_POLICY",
    scope: "verifying",
    value: Shape::Path,
    default: "none",
    about: "the policy file: a path outside the work tree, or `REF:PATH`; it takes the place of `waxseal.allow`",
};
pub(super) const TIMESTAMP: Key = Key {
    name: "timestamp",
    variable: "WAXSEAL_TIMESTAMP",
    scope: "signing",
    value: Shape::Choice(choices::TIMESTAMPS),
    default: "auto: where the log gives no time",
    about: "whether a timestamp authority is asked, see below",
};
pub(super) const TOKEN_COMMAND: Key = Key {
    name: "tokenCommand",
    variable: "WAXSEAL_TOKEN_COMMAND",
    scope: "signing",
    value: Shape::Text,
    default: "none",
    about: "the command that prints an identity token, without a shell; `{audience}` stands for whom it is made for",
};
pub(super) const TRUST: Key = Key {
    name: "trust",
    variable: "WAXSEAL_TRUST",
    scope: "both",
    value: Shape::List,
    default: "every instance added, and public-good",
    about: "the instances whose signatures are verified; the one that signs must be among them",
};
