//! What gitsign's configuration means to waxseal: read where waxseal has the same notion and nothing of waxseal's own is
//! set, and otherwise left alone. `docs/from-gitsign.md` shows [`KEYS`] as a table.

use std::ffi::OsString;

use super::SettingsError;
use super::choices::{LogChoice, LoginChoice, MatchCommitter};
use super::source::Source;

/// One of gitsign's settings.
#[derive(Debug)]
pub struct GitsignKey {
    /// Below `gitsign.` in git config; empty where there are variables only.
    pub name: &'static str,
    /// In the environment, the first that is set.
    pub variables: &'static [&'static str],
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a setting of gitsign's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not looked at, and why.
    Ignored(&'static str),
    /// Read where this is not set, and how.
    ReadAs(&'static str, &'static str),
}

/// Every setting of gitsign's.
pub const KEYS: [&GitsignKey; 28] = [
    &AUTOCLOSE,
    &AUTOCLOSE_TIMEOUT,
    &CLIENT_ID,
    &CLIENT_SECRET_FILE,
    &CONNECTOR_ID,
    &ENABLE_SIGSTORE_GO,
    &FULCIO,
    &FULCIO_ROOT,
    &ISSUER,
    &LOG_PATH,
    &MATCH_COMMITTER,
    &REDIRECT_URL,
    &REKOR,
    &REKOR_MODE,
    &REKOR_VERSION,
    &TIMESTAMP_CERT_CHAIN,
    &TIMESTAMP_SERVER_URL,
    &TOKEN_PROVIDER,
    &URL_OPENER,
    &CREDENTIAL_CACHE,
    &CT_LOG_KEY,
    &ID_TOKEN,
    &NO_CACHE,
    &REKOR_KEY,
    &ROOT_FILE,
    &TUF_MIRROR,
    &TUF_ROOT,
    &TUF_ROOT_JSON,
];

/// The services that gitsign was told to use. One alone chooses nothing; whoever set it wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitsignServices {
    /// The certificate authority's address.
    pub fulcio: Option<GitsignAddress>,
    /// The log's.
    pub rekor: Option<GitsignAddress>,
}

/// An address, and where it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitsignAddress {
    /// As it was written, secrets and all.
    pub address: String,
    /// The key in git config, or the variable.
    pub set_in: String,
}

/// gitsign's values that waxseal reads.
#[derive(Debug, Default)]
pub(super) struct Fallbacks {
    pub(super) browser: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) connector_id: Option<String>,
    pub(super) log: Option<LogChoice>,
    pub(super) login: Option<LoginChoice>,
    pub(super) match_committer: Option<MatchCommitter>,
    pub(super) services: GitsignServices,
}

impl Fallbacks {
    pub(super) fn read<E: Fn(&str) -> Option<OsString>>(source: &Source<'_, E>) -> Result<Self, SettingsError> {
        let services = GitsignServices { fulcio: source.address(&FULCIO)?, rekor: source.address(&REKOR)? };
        Ok(Self {
            browser: source.gitsign(&URL_OPENER)?.as_deref().and_then(opener),
            client_id: source.gitsign(&CLIENT_ID)?,
            connector_id: source.gitsign(&CONNECTOR_ID)?,
            log: source.gitsign(&REKOR_VERSION)?.as_deref().and_then(version),
            login: source.gitsign(&TOKEN_PROVIDER)?.as_deref().and_then(provider),
            match_committer: source.gitsign(&MATCH_COMMITTER)?.as_deref().and_then(match_committer),
            services,
        })
    }
}

impl<E: Fn(&str) -> Option<OsString>> Source<'_, E> {
    fn address(&self, key: &'static GitsignKey) -> Result<Option<GitsignAddress>, SettingsError> {
        let Some(address) = self.gitsign(key)? else { return Ok(None) };
        let set_in = match self.first_of(key.variables)? {
            Some((variable, _)) => variable.to_owned(),
            None => format!("gitsign.{}", key.name),
        };
        Ok(Some(GitsignAddress { address, set_in }))
    }

    /// The value. A key without one is nothing to gitsign either.
    fn gitsign(&self, key: &'static GitsignKey) -> Result<Option<String>, SettingsError> {
        if let Some((_, value)) = self.first_of(key.variables)? {
            return Ok(Some(value));
        }
        let name = format!("gitsign.{}", key.name);
        if self.without.contains(&name.as_str()) {
            return Ok(None);
        }
        let value = self.config.string_implicit_by("gitsign", None, key.name).flatten();
        let value = value.filter(|value| !value.is_empty()).map(|value| String::from_utf8(value.into()));
        value.transpose().map_err(|_bytes| SettingsError::NotUtf8(name))
    }
}

/// gitsign's command is a Go template with one variable. What is more than that cannot be followed, and nobody shall be
/// sent to half an address: it is not read.
fn opener(value: &str) -> Option<String> {
    let command = value.replace("{{.URL}}", "{url}").replace("{{ .URL }}", "{url}");
    (!command.contains("{{")).then_some(command)
}

/// gitsign's names of ways to a token. SPIFFE's socket is asked by `waxseal.tokenCommand` only.
fn provider(value: &str) -> Option<LoginChoice> {
    match value {
        "interactive" => Some(LoginChoice::Browser),
        "device" => Some(LoginChoice::Device),
        "envvar" => Some(LoginChoice::Token),
        "buildkite-agent" | "filesystem" | "github-actions" | "google-impersonate" | "google-workload-identity" => {
            Some(LoginChoice::Ambient)
        }
        _ => None,
    }
}

/// Off, it says nothing that waxseal's default does not.
fn match_committer(value: &str) -> Option<MatchCommitter> {
    (value == "true").then_some(MatchCommitter::Require)
}

/// What gitsign does not know, it does not read either.
fn version(value: &str) -> Option<LogChoice> {
    match value {
        "1" => Some(LogChoice::V1),
        "2" => Some(LogChoice::V2),
        _ => None,
    }
}

const AUTOCLOSE: GitsignKey = GitsignKey {
    name: "autoclose",
    variables: &["GITSIGN_AUTOCLOSE", "SIGSTORE_AUTOCLOSE"],
    fate: Fate::Ignored("the page after the login stays open, unless `waxseal.autoclose` is set"),
};
const AUTOCLOSE_TIMEOUT: GitsignKey = GitsignKey {
    name: "autocloseTimeout",
    variables: &["GITSIGN_AUTOCLOSE_TIMEOUT", "SIGSTORE_AUTOCLOSE_TIMEOUT"],
    fate: Fate::Ignored("with `waxseal.autoclose` it is three seconds"),
};
const CLIENT_ID: GitsignKey = GitsignKey {
    name: "clientID",
    variables: &["GITSIGN_OIDC_CLIENT_ID", "SIGSTORE_OIDC_CLIENT_ID"],
    fate: Fate::ReadAs("waxseal.clientId", "the same"),
};
const CLIENT_SECRET_FILE: GitsignKey = GitsignKey {
    name: "clientSecretFile",
    variables: &["GITSIGN_OIDC_CLIENT_SECRET_FILE", "SIGSTORE_OIDC_CLIENT_SECRET_FILE"],
    fate: Fate::Ignored("waxseal is a public client with PKCE; a secret on every machine is none"),
};
const CONNECTOR_ID: GitsignKey = GitsignKey {
    name: "connectorID",
    variables: &["GITSIGN_CONNECTOR_ID", "SIGSTORE_CONNECTOR_ID"],
    fate: Fate::ReadAs("waxseal.connectorId", "the same"),
};
const ENABLE_SIGSTORE_GO: GitsignKey = GitsignKey {
    name: "enableSigstoreGo",
    variables: &["GITSIGN_ENABLE_SIGSTORE_GO"],
    fate: Fate::Ignored("it chooses between two verifiers of gitsign's; waxseal has one"),
};
const FULCIO: GitsignKey = GitsignKey {
    name: "fulcio",
    variables: &["GITSIGN_FULCIO_URL", "SIGSTORE_FULCIO_URL"],
    fate: Fate::ReadAs(
        "waxseal.instance",
        "together with `gitsign.rekor`: the instance that signs with both; one alone chooses nothing",
    ),
};
const FULCIO_ROOT: GitsignKey = GitsignKey {
    name: "fulcioRoot",
    variables: &["GITSIGN_FULCIO_ROOT", "SIGSTORE_FULCIO_ROOT"],
    fate: Fate::Ignored("a setting must not change who is trusted: `waxseal trust add` does"),
};
const ISSUER: GitsignKey = GitsignKey {
    name: "issuer",
    variables: &["GITSIGN_OIDC_ISSUER", "SIGSTORE_OIDC_ISSUER"],
    fate: Fate::Ignored(
        "the instance's signing config names the issuers: a setting must not send people to log in elsewhere",
    ),
};
const LOG_PATH: GitsignKey = GitsignKey {
    name: "logPath",
    variables: &["GITSIGN_LOG"],
    fate: Fate::Ignored("git shows errors; the last one is kept in `last-error` in the state folder"),
};
const MATCH_COMMITTER: GitsignKey = GitsignKey {
    name: "matchCommitter",
    variables: &[],
    fate: Fate::ReadAs(
        "waxseal.matchCommitter",
        "`true` is `require`, of the committer in what is signed; anything else is not read",
    ),
};
const REDIRECT_URL: GitsignKey = GitsignKey {
    name: "redirectURL",
    variables: &["GITSIGN_OIDC_REDIRECT_URL", "SIGSTORE_OIDC_REDIRECT_URL"],
    fate: Fate::Ignored("the login comes back to a free port of this machine"),
};
const REKOR: GitsignKey = GitsignKey {
    name: "rekor",
    variables: &["GITSIGN_REKOR_URL", "SIGSTORE_REKOR_URL"],
    fate: Fate::ReadAs("waxseal.instance", "together with `gitsign.fulcio`"),
};
const REKOR_MODE: GitsignKey = GitsignKey {
    name: "rekorMode",
    variables: &["GITSIGN_REKOR_MODE"],
    fate: Fate::Ignored("the proof is always stored in the signature, as with `offline`"),
};
const REKOR_VERSION: GitsignKey = GitsignKey {
    name: "rekorVersion",
    variables: &["GITSIGN_REKOR_VERSION", "SIGSTORE_REKOR_VERSION"],
    fate: Fate::ReadAs("waxseal.log", "1 is `v1`, 2 is `v2`; anything else is not read"),
};
const TIMESTAMP_CERT_CHAIN: GitsignKey = GitsignKey {
    name: "timestampCertChain",
    variables: &["GITSIGN_TIMESTAMP_CERT_CHAIN", "SIGSTORE_TIMESTAMP_CERT_CHAIN"],
    fate: Fate::Ignored("a setting must not change who is trusted: the trusted root lists timestamp authorities"),
};
const TIMESTAMP_SERVER_URL: GitsignKey = GitsignKey {
    name: "timestampServerURL",
    variables: &["GITSIGN_TIMESTAMP_SERVER_URL", "SIGSTORE_TIMESTAMP_SERVER_URL"],
    fate: Fate::Ignored(
        "a token of an authority outside the trusted root proves nothing; `waxseal.timestamp` asks the instance's own",
    ),
};
const TOKEN_PROVIDER: GitsignKey = GitsignKey {
    name: "tokenProvider",
    variables: &["GITSIGN_TOKEN_PROVIDER", "SIGSTORE_TOKEN_PROVIDER"],
    fate: Fate::ReadAs(
        "waxseal.login",
        "`interactive` is `browser`, `device` is `device`, `envvar` is `token`, providers but `spiffe` are `ambient`; \
         anything else is not read",
    ),
};
const URL_OPENER: GitsignKey = GitsignKey {
    name: "urlOpener",
    variables: &["GITSIGN_URL_OPENER"],
    fate: Fate::ReadAs("waxseal.browser", "`{{.URL}}` is `{url}`; with any other template it is not read"),
};
const CREDENTIAL_CACHE: GitsignKey = GitsignKey {
    name: "",
    variables: &["GITSIGN_CREDENTIAL_CACHE"],
    fate: Fate::Ignored("it hands private keys to whoever connects; waxseal's agent signs, and needs no variable"),
};
const CT_LOG_KEY: GitsignKey = GitsignKey {
    name: "",
    variables: &["SIGSTORE_CT_LOG_PUBLIC_KEY_FILE"],
    fate: Fate::Ignored("a setting must not change who is trusted: `waxseal trust add` does"),
};
const ID_TOKEN: GitsignKey = GitsignKey {
    name: "",
    variables: &["SIGSTORE_ID_TOKEN"],
    fate: Fate::ReadAs("WAXSEAL_ID_TOKEN", "the same; never shown"),
};
const NO_CACHE: GitsignKey =
    GitsignKey { name: "", variables: &["SIGSTORE_NO_CACHE"], fate: Fate::Ignored("`waxseal logout` forgets a login") };
const REKOR_KEY: GitsignKey = GitsignKey {
    name: "",
    variables: &["SIGSTORE_REKOR_PUBLIC_KEY"],
    fate: Fate::Ignored("a setting must not change who is trusted: `waxseal trust add` does"),
};
const ROOT_FILE: GitsignKey = GitsignKey {
    name: "",
    variables: &["SIGSTORE_ROOT_FILE"],
    fate: Fate::Ignored("a setting must not change who is trusted: `waxseal trust add` does"),
};
const TUF_MIRROR: GitsignKey = GitsignKey {
    name: "",
    variables: &["TUF_MIRROR"],
    fate: Fate::Ignored("trust material is an instance's, and its folder says where it came from"),
};
const TUF_ROOT: GitsignKey = GitsignKey {
    name: "",
    variables: &["TUF_ROOT"],
    fate: Fate::Ignored("trust material is an instance's, in a folder of its own"),
};
const TUF_ROOT_JSON: GitsignKey = GitsignKey {
    name: "",
    variables: &["TUF_ROOT_JSON"],
    fate: Fate::Ignored("a setting must not change who is trusted: `waxseal trust add` does"),
};
