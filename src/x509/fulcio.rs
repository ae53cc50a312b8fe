//! Fulcio's certificate extensions, arc 1.3.6.1.4.1.57264.1 (sigstore/fulcio, `docs/oid-info.md`).

use const_oid::ObjectIdentifier;
use der::Decode as _;

use super::{Certificate, LeafError, MalformedCertificate};

/// The arc of all of them.
pub const FULCIO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1");
/// OIDC issuer, the raw bytes of the string (deprecated, still always there).
pub const ISSUER_V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");
/// `type-id` of the `otherName` that carries a username.
pub const OTHER_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");
/// OIDC issuer as DER `UTF8String`.
pub const ISSUER_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");

/// The OIDC issuer that the certificate names, in one way or in both.
pub(super) fn oidc_issuer(certificate: &Certificate) -> Result<String, LeafError> {
    let value = |oid| {
        let found = certificate.extensions().iter().find(|extension| extension.extn_id == oid);
        found.map(|extension| extension.extn_value.as_bytes())
    };
    let v1 = value(ISSUER_V1)
        .map(|raw| String::from_utf8(raw.to_vec()).map_err(|_| MalformedCertificate::Extension(ISSUER_V1)))
        .transpose()?;
    let v2 = value(ISSUER_V2)
        .map(|der| String::from_der(der).map_err(|_| MalformedCertificate::Extension(ISSUER_V2)))
        .transpose()?;
    match (v1, v2) {
        (Some(v1), Some(v2)) if v1 != v2 => Err(LeafError::IssuersDisagree { v1, v2 }),
        (_, Some(issuer)) | (Some(issuer), None) if !issuer.is_empty() => Ok(issuer),
        _ => Err(LeafError::NoIssuer),
    }
}
