//! Timestamp tokens (RFC 3161) that `openssl ts` made.

use jiff::Timestamp;
use waxseal::timestamp::TimestampAuthorities;
use waxseal::trusted_root::{CertificateAuthority, TimeRange, TrustedRoot};

use super::{Vector, variants};

/// A token, then the trusted authority's certificates, if any is trusted: the signer's first.
pub(crate) fn outcome(vector: &Vector) -> String {
    let chain = vector.pem("CERTIFICATE");
    let authority = CertificateAuthority {
        organization: String::new(),
        common_name: String::new(),
        uri: String::new(),
        chain: chain.clone(),
        valid_for: TimeRange { start: Timestamp::UNIX_EPOCH, end: vector.time("authority-until") },
    };
    let trusted = if chain.is_empty() { vec![] } else { vec![authority] };
    let trusted_root = TrustedRoot::new(vec![], vec![], trusted, vec![]);
    let authorities = match TimestampAuthorities::new(&trusted_root) {
        Ok(authorities) => authorities,
        Err(error) => return format!("authority: {}", variants(&error).trim_end_matches("/ObjectIdentifier")),
    };
    let [token] = &vector.pem("TIMESTAMP TOKEN")[..] else { panic!("{}: one token", vector.name()) };
    match authorities.verify(token, vector.header("message").as_bytes()) {
        Ok(verified) if verified.gen_time().subsec_nanosecond() > 0 => "ok, with a fraction of a second".to_owned(),
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("token: {}", variants(&error)),
    }
}
