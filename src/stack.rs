//! The embedded Sigstore: an OpenID Connect issuer, a certificate authority, a CT log and a transparency log over one
//! data folder, behind one address.
//!
//! [`Stack::handle`] answers a request without a socket and without a clock. The stack is for those who want keyless
//! signatures without a third party; a log run by the operator of its own authority proves nothing against that operator.

pub mod accounts;
mod audit;
pub mod certificate_authority;
mod client_network;
mod clock;
pub mod ct_log;
pub mod data_folder;
mod disk;
mod error;
pub mod external_issuers;
mod issuer_keys;
pub mod log_store;
pub mod maintenance;
pub mod oidc_issuer;
mod paths;
pub mod public_url;
pub mod rekor_v2;
mod rotate;
mod routes;
pub mod server;
pub mod timestamp_authority;
pub mod transparency_log;
mod trust;
pub mod tuf;

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

pub use self::error::StackError;
pub use self::routes::Fault;

use self::accounts::AccountFile;
use self::certificate_authority::{AuthorityChain, AuthorityChains, CertificateAuthority, IssuerType, TrustedIssuer};
use self::ct_log::CtLog;
use self::data_folder::{CHAINS, DataFolder, FixedSettings, ISSUERS, REFRESH_TOKENS, authority_key_name};
use self::external_issuers::ExternalIssuer;
use self::issuer_keys::{IssuerKeys, KeyFetcher};
use self::log_store::LogStore;
use self::oidc_issuer::{CLIENT_ID, IssuerOptions, OidcIssuer};
use self::paths::OIDC;
use self::public_url::PublicUrl;
use self::rekor_v2::TileLog;
use self::timestamp_authority::TimestampAuthority;
use self::transparency_log::TransparencyLog;
use self::trust::TrustDocuments;
use self::tuf::TufRepository;
use crate::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest};
use crate::trust_digest::trust_digest;

/// The actors, open for requests.
#[derive(Debug)]
pub struct Stack {
    public_url: PublicUrl,
    oidc_issuer: OidcIssuer,
    certificate_authority: CertificateAuthority,
    ct_log: CtLog,
    tile_log: TileLog,
    transparency_log: TransparencyLog,
    timestamp_authority: TimestampAuthority,
    trust: TrustDocuments,
    tuf: TufRepository,
    has_other_issuers: bool,
    /// Holds the lock.
    folder: DataFolder,
}

/// Where a request comes from, as an extension of it: the server knows, and whoever has none is taken for one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub std::net::IpAddr);

/// What may differ from one start to the next.
#[derive(Clone, Debug, Default)]
pub struct StackOptions {
    /// As whom everyone is logged in who asks, while there are no accounts: as the first, or as the one that `login_hint`
    /// names.
    pub auto_login: Vec<String>,
    /// Gets the keys of other issuers; without it their tokens are good for nothing.
    pub fetch_keys: Option<KeyFetcher>,
    /// The port that was found for a first start that asked for any.
    pub found_port: Option<u16>,
}

impl Stack {
    /// Opens the stack in `data_folder`, or makes one there. `public_url` is what clients use; it is fixed at the first
    /// start, for names and addresses in certificates, logs and trust documents follow from it.
    ///
    /// # Errors
    /// [`StackError`] when the folder cannot be used, or was made for another address.
    pub fn open(
        data_folder: &Path,
        public_url: &PublicUrl,
        options: StackOptions,
        now: Timestamp,
    ) -> Result<Self, StackError> {
        Self::open_with(data_folder, public_url, options, None, now)
    }

    /// Makes a stack in `data_folder` under a root whose key is `root_key`. Without this, the first start makes a root's key
    /// and forgets it.
    ///
    /// # Errors
    /// [`StackError`] when the folder cannot be used, or has a stack already.
    pub fn create(
        data_folder: &Path,
        public_url: &PublicUrl,
        root_key: &ServiceKey,
        now: Timestamp,
    ) -> Result<Self, StackError> {
        // An interrupted first start may have chosen a root already.
        if DataFolder::peek(data_folder)?.is_some() || data_folder.join(CHAINS).exists() {
            return Err(StackError::MadeAlready);
        }
        Self::open_with(data_folder, public_url, StackOptions::default(), Some(root_key), now)
    }

    fn open_with(
        data_folder: &Path,
        public_url: &PublicUrl,
        options: StackOptions,
        root_key: Option<&ServiceKey>,
        now: Timestamp,
    ) -> Result<Self, StackError> {
        let mut folder = DataFolder::open(data_folder)?;
        let fixed = folder.settings()?;
        let is_first_start = fixed.is_none();
        let rekor_key = folder.key("rekor-v1", ServiceKeyKind::EcdsaP256)?;
        let settings = fixed.unwrap_or_else(|| FixedSettings {
            public_url: public_url.to_string(),
            created: now,
            // Not drawn: an interrupted first start leaves a key and a log behind, but no settings.
            tree_id: tree_id(&rekor_key),
            found_port: options.found_port,
        });
        if settings.public_url != public_url.to_string() {
            return Err(StackError::OtherPublicUrl { fixed: settings.public_url, asked: public_url.to_string() });
        }
        if settings.created.duration_since(now) > MAX_CLOCK_STEP_BACK {
            return Err(StackError::BeforeItsTime { created: settings.created, now });
        }
        let certificates = folder.file(CHAINS, || {
            let ca_key = folder.key(&authority_key_name(1), ServiceKeyKind::EcdsaP384)?;
            let forgotten = ServiceKey::generate(ServiceKeyKind::EcdsaP384)?;
            let root_key = root_key.unwrap_or(&forgotten);
            let from = trust::vouches_from(settings.created);
            let made = AuthorityChains::make(&public_url.authority(), root_key, ca_key.verifying_key(), from)?;
            Ok::<_, StackError>(made.to_pem().into_bytes())
        })?;
        let certificates = AuthorityChains::from_pem(&String::from_utf8_lossy(&certificates))?;
        let ca_key = folder.key(&authority_key_name(certificates.count()), ServiceKeyKind::EcdsaP384)?;
        let timestamp_authority = timestamp_authority(&folder, public_url, now)?;
        trust::no_log_is_lost(data_folder, public_url)?;
        let ct_key = folder.key("ct-log", ServiceKeyKind::EcdsaP256)?;
        let ct_log = CtLog::open(&folder.join("ct-log"), &public_url.host(), ct_key).map_err(in_log("ct-log"))?;
        let transparency_log = TransparencyLog::open(
            &folder.join("rekor-v1"),
            &public_url.host(),
            settings.tree_id,
            rekor_key,
            settings.created.max(now),
        )
        .map_err(in_log("rekor-v1"))?;
        let tile_log = TileLog::open(
            &folder.join("rekor-v2"),
            &public_url.host(),
            folder.key_of("rekor-v2/checkpoint", "rekor-v2", ServiceKeyKind::Ed25519)?,
            settings.created.max(now),
        )
        .map_err(in_log("rekor-v2"))?;
        let oidc_key = folder.key("oidc-issuer", ServiceKeyKind::Rsa2048)?;
        let issuer_options = IssuerOptions {
            auto_login: options.auto_login,
            accounts: AccountFile::in_folder(data_folder),
            refresh_tokens: folder.join(REFRESH_TOKENS),
        };
        let oidc_issuer = OidcIssuer::new(public_url.join(OIDC), oidc_key, issuer_options, now)?;
        let external = folder.optional(ISSUERS)?;
        let external = ExternalIssuer::read_list(&String::from_utf8_lossy(&external.unwrap_or_default()))?;
        let own = TrustedIssuer {
            issuer: oidc_issuer.issuer().to_owned(),
            audience: CLIENT_ID.to_owned(),
            keys: IssuerKeys::Own(oidc_issuer.keys().clone()),
            issuer_type: IssuerType::Email { skip_verification: false },
            issuer_claim: None,
        };
        let has_other_issuers = !external.is_empty();
        let login = login_addresses(own.issuer.clone(), &external);
        let others = external.into_iter().map(|issuer| issuer.trusted(options.fetch_keys.clone()));
        let issuers = std::iter::once(own).chain(others).collect();
        let certificate_authority = CertificateAuthority::new(ca_key, certificates, issuers)?;
        let trusted = trust::Trusted {
            public_url,
            certificate_authority: &certificate_authority,
            ct_log: &ct_log,
            timestamp_authority: &timestamp_authority,
            tile_log: &tile_log,
            transparency_log: &transparency_log,
            login: &login,
        };
        let trust = TrustDocuments::bring_up_to_date(&folder, &trusted, now)?;
        let tuf = TufRepository::open(&folder, trust.tuf_targets(&trusted), now)?;
        if is_first_start {
            folder.fix(&settings)?;
        }
        Ok(Self {
            public_url: public_url.clone(),
            oidc_issuer,
            certificate_authority,
            ct_log,
            tile_log,
            transparency_log,
            timestamp_authority,
            trust,
            tuf,
            has_other_issuers,
            folder,
        })
    }

    /// What the logs are called, and their entries.
    fn logs(&self) -> [(&'static str, &LogStore); 3] {
        [
            ("ct-log", self.ct_log.store()),
            ("rekor-v1", self.transparency_log.store()),
            ("rekor-v2", self.tile_log.store()),
        ]
    }

    /// When the last entry of any log came in.
    fn last_logged(&self) -> Option<Timestamp> {
        self.logs().iter().filter_map(|(_, log)| log.last_time()).max()
    }

    /// Whether the operator has accepted the clock, and so every log goes on.
    fn clock_is_accepted(&self, now: Timestamp) -> bool {
        clock::is_accepted(&self.folder.join(""), now) && self.logs().iter().all(|(_, log)| log.believes(now))
    }

    /// What this start could not do, for the operator.
    #[must_use]
    pub fn shortcomings(&self) -> Vec<String> {
        let full = self.logs().into_iter().filter(|(_, log)| log.is_full());
        let mut shortcomings: Vec<_> =
            full.map(|(name, _)| format!("{name}: takes no entries until there is room on the disk")).collect();
        let old = self.tuf.not_renewed();
        shortcomings.extend(old.map(|error| {
            format!("TUF clients get what an earlier start signed, until there is room on the disk: {error}")
        }));
        shortcomings
    }

    /// Whether tokens of other issuers are good for certificates.
    #[must_use]
    pub fn has_other_issuers(&self) -> bool {
        self.has_other_issuers
    }

    /// The address that clients use.
    #[must_use]
    pub fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    /// What users pin: the digest of trusted root and signing config.
    #[must_use]
    pub fn trust_digest(&self) -> Sha256Digest {
        trust_digest(&self.trust.trusted_root, &self.trust.signing_config)
    }

    /// The trusted root as it is served.
    #[must_use]
    pub fn trusted_root(&self) -> &[u8] {
        &self.trust.trusted_root
    }

    /// The signing config as it is served.
    #[must_use]
    pub fn signing_config(&self) -> &[u8] {
        &self.trust.signing_config
    }

    /// Whether this start changed what users were given to trust: they have to be given it again.
    #[must_use]
    pub fn trust_changed(&self) -> bool {
        self.trust.changed
    }

    /// A trusted root and a signing config in the one file that sigstore-python takes.
    #[must_use]
    pub fn client_trust_config(trusted_root: &[u8], signing_config: &[u8]) -> Vec<u8> {
        trust::client_trust_config(trusted_root, signing_config)
    }

    /// Puts a fresh key in the place of the TUF repository's.
    ///
    /// # Errors
    /// [`StackError`] when it cannot be written.
    pub fn rotate_tuf_key(&self, now: Timestamp) -> Result<(), StackError> {
        Ok(self.tuf.rotate(&self.folder, now)?)
    }
}

/// Makes the authority in a folder that has none yet, at the first start or a later one.
fn timestamp_authority(
    folder: &DataFolder,
    public_url: &PublicUrl,
    now: Timestamp,
) -> Result<TimestampAuthority, StackError> {
    let record = "certificates/timestamp.pem";
    let key = folder.key_of(record, "timestamp-authority", ServiceKeyKind::EcdsaP256)?;
    let chain = folder.record(record, || {
        let from = trust::vouches_from(now);
        let chain = AuthorityChain::for_timestamps(&public_url.authority(), key.verifying_key(), from)?;
        Ok::<_, StackError>(chain.to_pem().into_bytes())
    })?;
    let chain = AuthorityChain::from_pem(&String::from_utf8_lossy(&chain))?;
    let since = chain.intermediate.not_before();
    Ok(TimestampAuthority::new(key, chain, since))
}

/// Says which log it is that cannot be opened.
fn in_log<E: Into<StackError>>(name: &'static str) -> impl FnOnce(E) -> StackError {
    move |error| StackError::OpenLog { name, error: Box::new(error.into()) }
}

/// Where people log in: at the other issuers, if they are for people, for they stand instead of the own one.
fn login_addresses(own: String, external: &[ExternalIssuer]) -> Vec<String> {
    let for_people = external.iter().filter(|issuer| issuer.is_for_people());
    let addresses: Vec<_> = for_people.map(|issuer| issuer.issuer_url.clone()).collect();
    if addresses.is_empty() { vec![own] } else { addresses }
}

/// A positive `int64`, as random as the key.
fn tree_id(key: &ServiceKey) -> u64 {
    let digest = key.verifying_key().spki_sha256();
    digest.0.first_chunk().map_or(1, |bytes| u64::from_be_bytes(*bytes) >> 1 | 1)
}

/// As in the logs.
const MAX_CLOCK_STEP_BACK: SignedDuration = SignedDuration::from_secs(5);

#[cfg(test)]
mod tests;
