//! What client and agent say to each other: JSON, one message a frame. A payload follows in a frame of its own.
//!
//! [`Hello`] and [`Request::Stop`] stay as they are for ever: with them a client has an agent of another protocol end.

use std::fmt;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::Sha256Digest;
use crate::instance::{Instance, InstanceBounds, InstanceName};
use crate::services::ServiceError;
use crate::settings::{NetworkSettings, ProxySetting, Secret};
use crate::signing_config::{MalformedSigningConfig, SigningConfig};
use crate::trusted_root::{MalformedTrustedRoot, TrustedRoot};

/// The number of this protocol. Whatever changes in this file changes it.
pub(super) const PROTOCOL: u32 = 2;

/// The first message of either end.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    /// Of the program, for people.
    pub(super) version: String,
}

impl Hello {
    pub(super) fn own() -> Self {
        Self { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// `value` as JSON. It may hold tokens: they are written into one piece of memory, which is wiped.
pub(super) fn to_json(value: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, value)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *bytes, value)?;
    Ok(bytes)
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a client asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Request {
    /// Take a login, have a key certified for it: [`Answer::Found`].
    Admit { admission: Box<Admission> },
    /// Which session would sign: [`Answer::Found`] or [`Answer::Missing`]. Where somebody else is just logging in for the
    /// same, [`Answer::Waiting`] comes soon, and the answer when that is over. After [`Answer::Missing`] it is this
    /// client's turn to log in, until it admits or goes.
    Find { query: Box<Query> },
    /// Forget sessions, and have their refresh tokens revoked: [`Answer::Forgotten`].
    Forget {
        /// Of this instance only.
        instance: Option<String>,
    },
    /// Sign the payload in the next frame: [`Answer::Signed`], or [`Answer::Missing`] where the session is over.
    Sign {
        /// [`Found::session`]
        session: u64,
    },
    /// Who is logged in: [`Answer::Sessions`].
    Status,
    /// Forget everything and end: [`Answer::Stopping`].
    Stop,
}

/// What the agent answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum Answer {
    Failed {
        failure: Failure,
    },
    Forgotten {
        sessions: usize,
        unrevoked: Vec<String>,
    },
    Found {
        found: Found,
    },
    Missing,
    Sessions {
        sessions: Vec<SessionStatus>,
    },
    Signed {
        signed: Signed,
    },
    Stopping,
    /// Somebody else is logging in for the same: this process. Or the agent is busy with that login. Another answer follows.
    Waiting {
        process: Option<i32>,
    },
}

/// What a login would be asked for: the name of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The instance's name.
    pub instance: String,
    /// Over what it is trusted by and where it signs: another one is another instance.
    pub instance_sha256: String,
    /// The OpenID Connect issuer, byte for byte.
    pub issuer: String,
    /// For whom tokens are made.
    pub client_id: String,
    /// The identity provider behind the issuer that the user wants.
    pub connector_id: Option<String>,
    /// The account that the issuer is to suggest.
    pub login_hint: Option<String>,
}

/// Which session is looked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// What a login would be asked for.
    pub asked: Asked,
    /// The name that must stand in the certificate, if the caller demands one.
    pub signer: Option<String>,
    /// The network of now; `None`: as it was.
    pub network: Option<SharedNetwork>,
}

/// A login for the agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// What it was asked for.
    pub asked: Asked,
    /// What its certificates are checked against.
    pub instance: SharedInstance,
    /// Fulcio's base address.
    pub certificate_authority: String,
    /// How it is reached.
    pub network: SharedNetwork,
    /// The ID token.
    pub token: Hidden,
    /// What gives the next one.
    pub refresh_token: Option<Hidden>,
    /// When it is over, if it was made earlier.
    pub until: Option<Timestamp>,
    /// The agent is to keep it in the user's key ring, too.
    pub in_key_ring: bool,
}

/// A session that can sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its number.
    pub session: u64,
    /// Who logged in: what the certificate authority will name.
    pub identity: String,
    /// The token's issuer.
    pub issuer: String,
    /// The end of its certificate; a new one may follow.
    pub certificate_until: Option<Timestamp>,
    /// Why the key ring does not keep it, if it should.
    pub not_kept: Option<String>,
}

/// A signature over the payload that was sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Signed {
    /// The signing time among the signed attributes. The others follow from the payload.
    pub at: Timestamp,
    /// DER `Ecdsa-Sig-Value`.
    pub signature: Base64,
    /// The leaf, DER.
    pub certificate: Base64,
}

/// A session, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// The instance's name.
    pub instance: String,
    /// Who logged in.
    pub identity: String,
    /// Who vouched for that.
    pub issuer: String,
    /// The end of the certificate that is there; `None`: there is none now.
    pub certificate_until: Option<Timestamp>,
    /// Until when new certificates are got without a question; `None`: none is.
    pub renewed_until: Option<Timestamp>,
}

/// Why the agent did not do something.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The certificate that came cannot be used.
    #[error("the certificate authority's certificate is not acceptable: {0}")]
    Certificate(String),
    /// Nobody agreed at the terminal where the login is.
    #[error("not confirmed where the login is: {0}")]
    NotConfirmed(String),
    /// The request makes no sense, or is not for an agent.
    #[error("the agent refused: {0}")]
    Refused(String),
    /// Another service did not do its part.
    #[error(transparent)]
    Service(ServiceError),
    /// The token is not one that may be sent to the certificate authority.
    #[error("{0}")]
    Token(String),
}

/// The documents of an instance as client and agent share them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedInstance {
    name: String,
    trusted_root: String,
    signing_config: Option<String>,
    oidc_issuers: Option<Vec<String>>,
    audience: Option<String>,
}

impl SharedInstance {
    /// What `instance` is.
    #[must_use]
    pub fn new(instance: &Instance) -> Self {
        let text = |json: Vec<u8>| String::from_utf8(json).unwrap_or_default();
        Self {
            name: instance.name.to_string(),
            trusted_root: text(instance.trusted_root.to_json()),
            signing_config: instance.signing_config.as_ref().map(|config| text(config.to_json())),
            oidc_issuers: instance.bounds.oidc_issuers.clone(),
            audience: instance.bounds.audience.clone(),
        }
    }

    /// A digest over what the instance is, for [`Asked::instance_sha256`].
    #[must_use]
    pub fn digest(instance: &Instance) -> String {
        let config = instance.signing_config.as_ref().map(SigningConfig::to_json).unwrap_or_default();
        let bounds = format!("{:?} {:?}", instance.bounds.oidc_issuers, instance.bounds.audience);
        let parts = [instance.trusted_root.sha256(), Sha256Digest::of(&config), Sha256Digest::of(bounds.as_bytes())];
        Sha256Digest::of_parts(&parts.each_ref().map(AsRef::as_ref)).to_string()
    }

    pub(super) fn instance(&self) -> Result<Instance, MalformedInstance> {
        let name: InstanceName = self.name.parse().map_err(|_| MalformedInstance::Name)?;
        let config = self.signing_config.as_ref().map(|config| SigningConfig::parse(config.as_bytes()));
        Ok(Instance {
            name,
            trusted_root: TrustedRoot::parse(self.trusted_root.as_bytes())?,
            signing_config: config.transpose()?,
            bounds: InstanceBounds { oidc_issuers: self.oidc_issuers.clone(), audience: self.audience.clone() },
        })
    }
}

/// Not an instance.
#[derive(Debug, thiserror::Error)]
pub(super) enum MalformedInstance {
    #[error("not the name of an instance")]
    Name,
    #[error(transparent)]
    SigningConfig(#[from] MalformedSigningConfig),
    #[error(transparent)]
    TrustedRoot(#[from] MalformedTrustedRoot),
}

/// The user's network as client and agent share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedNetwork {
    ca_file: Option<PathBuf>,
    proxy: Option<(ProxyVariable, Hidden)>,
    no_proxy: Option<String>,
}

/// Which variable names the proxy.
type ProxyVariable = String;

impl SharedNetwork {
    /// What `settings` say. The agent works in another folder.
    #[must_use]
    pub fn new(settings: &NetworkSettings) -> Self {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let proxy = settings.proxy.as_ref();
        Self {
            ca_file: settings.ca_file.as_ref().map(absolute),
            proxy: proxy.map(|proxy| (proxy.variable.to_owned(), Hidden::new(proxy.address.expose()))),
            no_proxy: settings.no_proxy.clone(),
        }
    }

    pub(super) fn settings(&self) -> NetworkSettings {
        let proxy = self.proxy.as_ref().and_then(|(variable, address)| {
            let address = Secret::new(address.expose().to_owned());
            ProxySetting::new(variable, address)
        });
        NetworkSettings { ca_file: self.ca_file.clone(), proxy, no_proxy: self.no_proxy.clone() }
    }
}

/// A text that must not be shown; wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    /// Hides `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

/// Bytes; base64 on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Base64(pub Vec<u8>);

impl TryFrom<String> for Base64 {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Base64> for String {
    fn from(bytes: Base64) -> Self {
        STANDARD.encode(bytes.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_version_understands() {
        // A change here leaves users with agents of older versions that nothing can end.
        let hello = Hello { protocol: 7, version: "9".to_owned() };
        assert_eq!(serde_json::to_string(&hello).unwrap(), r#"{"protocol":7,"version":"9"}"#);
        assert_eq!(serde_json::from_str::<Hello>(r#"{"protocol":7,"version":"9","new":1}"#).unwrap(), hello);
        assert_eq!(serde_json::to_string(&Request::Stop).unwrap(), r#"{"request":"stop"}"#);
        assert_eq!(serde_json::to_string(&Answer::Stopping).unwrap(), r#"{"answer":"stopping"}"#);
    }

    #[test]
    fn secrets_are_not_shown() {
        let proxy = ("https_proxy".to_owned(), Hidden::new("http://alice:secret@p"));
        let network = SharedNetwork { proxy: Some(proxy), ..SharedNetwork::default() };
        assert!(!format!("{network:?} {:?}", network.settings()).contains("secret"));
        let sent: SharedNetwork = serde_json::from_slice(&serde_json::to_vec(&network).unwrap()).unwrap();
        assert_eq!(sent.settings().proxy.unwrap().address.expose(), "http://alice:secret@p");
        let unknown = SharedNetwork { proxy: Some(("PATH".to_owned(), Hidden::new("x"))), ..sent };
        assert!(unknown.settings().proxy.is_none());
    }
}
