//! What users are given to trust: the stack's trusted root and signing config.

use jiff::{SignedDuration, Timestamp};

use super::certificate_authority::CertificateAuthority;
use super::ct_log::CtLog;
use super::public_url::PublicUrl;
use super::transparency_log::TransparencyLog;
use super::{OIDC, REKOR};
use crate::signing_config::{Service, ServiceValidity, SigningConfig};
use crate::trusted_root::{self, TimeRange, TransparencyLogInstance, TrustedRoot};

/// From when on a stack made at `created` is trusted: whole seconds, and before anything that it can sign, even if its
/// clock is put back a little.
pub(super) fn vouches_from(created: Timestamp) -> Timestamp {
    let earlier = created.checked_sub(SignedDuration::from_mins(1)).unwrap_or(Timestamp::UNIX_EPOCH);
    Timestamp::from_second(earlier.as_second()).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn trusted_root(
    public_url: &PublicUrl,
    authority: &CertificateAuthority,
    ct_log: &CtLog,
    transparency_log: &TransparencyLog,
    from: Timestamp,
) -> TrustedRoot {
    let valid_for = TimeRange { start: from, end: None };
    let authorities = authority.chains().with_validity().map(|(chain, valid_for)| trusted_root::CertificateAuthority {
        organization: public_url.authority(),
        common_name: "waxseal root".to_owned(),
        uri: public_url.to_string(),
        chain: chain.der().map(<[u8]>::to_vec).to_vec(),
        valid_for,
    });
    let ct_log = TransparencyLogInstance {
        base_url: public_url.join("/ct"),
        key: ct_log.key().verifying_key().clone(),
        log_id: ct_log.log_id(),
        valid_for,
    };
    let transparency_log = TransparencyLogInstance {
        base_url: public_url.join(REKOR),
        key: transparency_log.key().verifying_key().clone(),
        log_id: transparency_log.log_id(),
        valid_for,
    };
    TrustedRoot::new(authorities.collect(), vec![ct_log], vec![], vec![transparency_log])
}

pub(super) fn signing_config(public_url: &PublicUrl, from: Timestamp) -> SigningConfig {
    let service = |url: String| Service {
        url,
        major_api_version: 1,
        valid_for: ServiceValidity { start: Some(from), end: None },
        operator: public_url.authority(),
    };
    SigningConfig::new(
        vec![service(public_url.to_string())],
        vec![service(public_url.join(OIDC))],
        vec![service(public_url.join(REKOR))],
        vec![],
    )
}
