//! What users are given to trust: the stack's trusted root and signing config, and what follows from the two.
//!
//! Both are made anew at every start, so that they follow a rotation or a new version of waxseal; whatever was in them
//! before keeps the first instant that it had.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::certificate_authority::{CertificateAuthority, ROOT_NAME, TIMESTAMP_ROOT_NAME};
use super::ct_log::CtLog;
use super::data_folder::{DataFolder, DataFolderError};
use super::error::StackError;
use super::log_store;
use super::paths::{CT_LOG, REKOR, REKOR_V2, TIMESTAMPS};
use super::public_url::PublicUrl;
use super::rekor_v2::TileLog;
use super::timestamp_authority::TimestampAuthority;
use super::transparency_log::TransparencyLog;
use super::tuf::Target;
use crate::crypto::VerifyingKey;
use crate::signing_config::{Service, ServiceValidity, SigningConfig};
use crate::tlog::hashedrekord::{Verifier, pem};
use crate::trusted_root::{self, LogId, TimeRange, TransparencyLogInstance, TrustedRoot};

/// The documents as they are served.
#[derive(Debug)]
pub(super) struct TrustDocuments {
    pub(super) trusted_root: Vec<u8>,
    pub(super) signing_config: Vec<u8>,
    /// The same with the v2 log first, for whoever asks for it: clients exist that cannot verify what it logs.
    pub(super) signing_config_v2: Vec<u8>,
    /// Trusted root and signing config in one, for sigstore-python.
    pub(super) client_trust_config: Vec<u8>,
    /// Whether they were others before this start.
    pub(super) changed: bool,
}

/// Whom the documents are about.
#[derive(Clone, Copy)]
pub(super) struct Trusted<'a> {
    pub(super) public_url: &'a PublicUrl,
    pub(super) certificate_authority: &'a CertificateAuthority,
    pub(super) ct_log: &'a CtLog,
    pub(super) timestamp_authority: &'a TimestampAuthority,
    pub(super) tile_log: &'a TileLog,
    pub(super) transparency_log: &'a TransparencyLog,
    /// Where people get identity tokens.
    pub(super) login: &'a [String],
}

impl TrustDocuments {
    /// Makes the documents at `now`, and writes those that are not what is on disk.
    ///
    /// # Errors
    /// [`StackError`] when they cannot be read or written, or were written by someone else.
    pub(super) fn bring_up_to_date(
        folder: &DataFolder,
        trusted: &Trusted<'_>,
        now: Timestamp,
    ) -> Result<Self, StackError> {
        let from = vouches_from(now);
        let first_root = || Ok::<_, DataFolderError>(trusted.root(None, from).to_json());
        let earlier_root = folder.file(&format!("trust/{TRUSTED_ROOT}"), first_root)?;
        let first_config = || Ok::<_, DataFolderError>(trusted.signing_config(None, from).to_json());
        let earlier_config = folder.file(&format!("trust/{SIGNING_CONFIG}"), first_config)?;

        let known = TrustedRoot::parse(&earlier_root).map_err(|_| StackError::Trust(TRUSTED_ROOT))?;
        let root = trusted.root(Some(&known), from);
        let trusted_root = root.to_json();
        let known = SigningConfig::parse(&earlier_config).map_err(|_| StackError::Trust(SIGNING_CONFIG))?;
        let config = trusted.signing_config(Some(&known), from);
        let signing_config = config.to_json();
        let signing_config_v2 = trusted.signing_config_v2(config, &root).to_json();
        let changed = trusted_root != earlier_root || signing_config != earlier_config;
        if changed {
            folder.write(&format!("trust/{TRUSTED_ROOT}"), &trusted_root)?;
            folder.write(&format!("trust/{SIGNING_CONFIG}"), &signing_config)?;
        }
        // Follows from the others; `waxseal serve env` reads it.
        let second = format!("trust/{SIGNING_CONFIG_V2}");
        if folder.optional(&second)?.as_ref() != Some(&signing_config_v2) {
            folder.write(&second, &signing_config_v2)?;
        }
        let client_trust_config = client_trust_config(&trusted_root, &signing_config);
        Ok(Self { trusted_root, signing_config, signing_config_v2, client_trust_config, changed })
    }

    /// The files of the TUF repository: the documents, and single keys for clients that are older than trusted roots.
    pub(super) fn tuf_targets(&self, trusted: &Trusted<'_>) -> Vec<Target> {
        let plain = |name: &str, bytes: &[u8]| Target { name: name.to_owned(), bytes: bytes.to_vec(), custom: None };
        let mut targets = vec![
            plain(TRUSTED_ROOT, &self.trusted_root),
            plain(SIGNING_CONFIG, &self.signing_config),
            plain(SIGNING_CONFIG_V2, &self.signing_config_v2),
        ];
        let url = |path: &str| trusted.public_url.join(path);
        let legacy = |name: String, text: String, usage: &str, active: bool, uri: String| Target {
            name,
            bytes: text.into_bytes(),
            custom: Some(json!({ "sigstore": {
                "status": if active { "Active" } else { "Expired" }, "uri": uri, "usage": usage,
            } })),
        };
        let certificate = |der: &[u8]| pem(Verifier::Certificate(der));
        let key = |key: &VerifyingKey| pem(Verifier::PublicKey(key.spki_der()));
        let chains = trusted.certificate_authority.chains();
        for (age, (chain, valid_for)) in chains.with_validity().enumerate() {
            let [intermediate, root] = chain.der();
            if age == 0 {
                targets.push(legacy("fulcio.crt.pem".to_owned(), certificate(root), "Fulcio", true, url("")));
            }
            let name = format!("fulcio_intermediate_v{}.crt.pem", chains.count() - age);
            targets.push(legacy(name, certificate(intermediate), "Fulcio", valid_for.end.is_none(), url("")));
        }
        let ct_key = key(trusted.ct_log.key().verifying_key());
        targets.push(legacy("ctfe.pub".to_owned(), ct_key, "CTFE", true, url(CT_LOG)));
        let log_key = key(trusted.transparency_log.key().verifying_key());
        targets.push(legacy("rekor.pub".to_owned(), log_key, "Rekor", true, url(REKOR)));
        let [signer, root] = trusted.timestamp_authority.chain();
        targets.push(legacy("tsa_leaf.crt.pem".to_owned(), certificate(signer), "TSA", true, url(TIMESTAMPS)));
        targets.push(legacy("tsa_root.crt.pem".to_owned(), certificate(root), "TSA", true, url(TIMESTAMPS)));
        targets
    }
}

impl Trusted<'_> {
    /// `known`: what was trusted before. `from`: from when on whatever is new is trusted.
    fn root(&self, known: Option<&TrustedRoot>, from: Timestamp) -> TrustedRoot {
        let authorities = self.certificate_authority.chains().with_validity().map(|(chain, valid_for)| {
            trusted_root::CertificateAuthority {
                organization: self.public_url.authority(),
                common_name: ROOT_NAME.to_owned(),
                uri: self.public_url.to_string(),
                chain: chain.der().map(<[u8]>::to_vec).to_vec(),
                valid_for,
            }
        });
        let timestamp_authority = trusted_root::CertificateAuthority {
            organization: self.public_url.authority(),
            common_name: TIMESTAMP_ROOT_NAME.to_owned(),
            uri: self.public_url.join(TIMESTAMPS),
            chain: self.timestamp_authority.chain().map(<[u8]>::to_vec).to_vec(),
            valid_for: TimeRange { start: self.timestamp_authority.since(), end: None },
        };
        let log = |known: Option<&Vec<TransparencyLogInstance>>, path: &str, key: &VerifyingKey, log_id: LogId| {
            let known = known.into_iter().flatten().find(|known| known.log_id == log_id);
            TransparencyLogInstance {
                base_url: self.public_url.join(path),
                key: key.clone(),
                log_id,
                valid_for: TimeRange { start: known.map_or(from, |known| known.valid_for.start), end: None },
            }
        };
        let ct_log =
            log(known.map(|known| &known.ct_logs), CT_LOG, self.ct_log.key().verifying_key(), self.ct_log.log_id());
        let transparency_log = log(
            known.map(|known| &known.transparency_logs),
            REKOR,
            self.transparency_log.key().verifying_key(),
            self.transparency_log.log_id(),
        );
        let tile_log = log(
            known.map(|known| &known.transparency_logs),
            REKOR_V2,
            self.tile_log.key().verifying_key(),
            self.tile_log.log_id(),
        );
        let logs = vec![transparency_log, tile_log];
        TrustedRoot::new(authorities.collect(), vec![ct_log], vec![timestamp_authority], logs)
    }

    /// The v2 log stands first: sigstore-js takes the first of those that began last.
    fn signing_config_v2(&self, mut config: SigningConfig, root: &TrustedRoot) -> SigningConfig {
        let url = self.public_url.join(REKOR_V2);
        let start = root.transparency_logs.iter().find(|log| log.base_url == url).map(|log| log.valid_for.start);
        let service = Service {
            url,
            major_api_version: 2,
            valid_for: ServiceValidity { start, end: None },
            operator: self.public_url.authority(),
        };
        config.rekor_tlog_urls.insert(0, service);
        config
    }

    fn signing_config(&self, known: Option<&SigningConfig>, from: Timestamp) -> SigningConfig {
        let known: Vec<&Service> = known
            .map(|known| [&known.ca_urls, &known.oidc_urls, &known.rekor_tlog_urls, &known.tsa_urls])
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        let service_at = |url: String| {
            let start = known.iter().find(|known| known.url == url).and_then(|known| known.valid_for.start);
            Service {
                url,
                major_api_version: 1,
                valid_for: ServiceValidity { start: Some(start.unwrap_or(from)), end: None },
                operator: self.public_url.authority(),
            }
        };
        let service = |path: &str| {
            service_at(if path.is_empty() { self.public_url.to_string() } else { self.public_url.join(path) })
        };
        SigningConfig::new(
            vec![service("")],
            self.login.iter().map(|url| service_at(url.clone())).collect(),
            vec![service(REKOR)],
            vec![service(&format!("{TIMESTAMPS}/api/v1/timestamp"))],
        )
    }
}

/// Makes sure that each log which users were told to trust is still in the folder `data`: one that was begun again under the
/// same key would contradict what it signed before.
///
/// # Errors
/// [`StackError::LostLog`] names one that is gone.
pub(super) fn no_log_is_lost(data: &Path, public_url: &PublicUrl) -> Result<(), StackError> {
    let known = known_logs(data);
    for (name, path) in [("ct-log", CT_LOG), ("rekor-v1", REKOR), ("rekor-v2", REKOR_V2)] {
        if known.contains(&public_url.join(path)) && !log_store::is_there(&data.join(name)) {
            return Err(StackError::LostLog(name));
        }
    }
    Ok(())
}

/// Addresses of the logs in the trusted root on disk: none when there is none, or when it cannot be read, which whoever
/// serves it will say.
pub(super) fn known_logs(data: &Path) -> Vec<String> {
    let json = fs::read(data.join("trust").join(TRUSTED_ROOT)).unwrap_or_default();
    let known = TrustedRoot::parse(&json).ok();
    let logs = known.into_iter().flat_map(|known| known.ct_logs.into_iter().chain(known.transparency_logs));
    logs.map(|log| log.base_url).collect()
}

/// From when on a stack made at `created` is trusted: whole seconds, and before anything that it can sign, even if its
/// clock is put back a little.
pub(super) fn vouches_from(created: Timestamp) -> Timestamp {
    let earlier = created.checked_sub(SignedDuration::from_mins(1)).unwrap_or(Timestamp::UNIX_EPOCH);
    Timestamp::from_second(earlier.as_second()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// protobuf-specs `ClientTrustConfig`.
pub(super) fn client_trust_config(trusted_root: &[u8], signing_config: &[u8]) -> Vec<u8> {
    let read = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap_or_default();
    let config = json!({
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "signingConfig": read(signing_config),
        "trustedRoot": read(trusted_root),
    });
    let mut text = serde_json::to_vec_pretty(&config).unwrap_or_default();
    text.push(b'\n');
    text
}

const TRUSTED_ROOT: &str = "trusted_root.json";
const SIGNING_CONFIG: &str = "signing_config.v0.2.json";
const SIGNING_CONFIG_V2: &str = "signing_config_rekor_v2.v0.2.json";
