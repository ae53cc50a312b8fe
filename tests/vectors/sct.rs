//! Signed certificate timestamps embedded in a leaf (RFC 6962 §3.2, §3.3).

use waxseal::crypto::VerifyingKey;
use waxseal::trusted_root::{LogId, TimeRange, TransparencyLogInstance};
use waxseal::x509::Certificate;
use waxseal::x509::sct::verify_embedded;

use super::{Vector, base64, variants};

/// The first certificate is the leaf, the second its issuer's; each header `log` is a trusted log's key.
pub(crate) fn outcome(vector: &Vector) -> String {
    let [leaf, issuer] = &vector.pem("CERTIFICATE")[..] else { panic!("{}: two certificates", vector.name()) };
    let leaf = Certificate::from_der(leaf).unwrap();
    let issuer = Certificate::from_der(issuer).unwrap().public_key().unwrap();
    let valid_for = TimeRange { start: vector.time("logs-from").unwrap(), end: vector.time("logs-until") };
    let log = |key: &str| {
        let key = VerifyingKey::from_spki_der(&base64(key)).unwrap();
        TransparencyLogInstance { base_url: String::new(), log_id: LogId(key.spki_sha256().0), key, valid_for }
    };
    let logs: Vec<_> = vector.all("log").map(log).collect();
    match verify_embedded(&leaf, issuer.spki_sha256(), &logs) {
        Ok(None) => "ok: none".to_owned(),
        Ok(Some(verified)) => format!("ok: {}", verified.at()),
        Err(error) => variants(&error).trim_end_matches("/LogId").to_owned(),
    }
}
