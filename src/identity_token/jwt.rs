//! Signing and verifying ID tokens as JWS with RS256, the one algorithm that every Sigstore client takes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use const_oid::db::rfc5912::RSA_ENCRYPTION;
use der::asn1::{BitStringRef, UintRef};
use der::{AnyRef, Encode as _, Sequence};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::{Claims, MalformedIdentityToken, Parts};
use crate::crypto::{
    DigestAlgorithm, KeyKind, ServiceKey, ServiceKeyError, ServiceKeyKind, SignatureAlgorithm, VerifyingKey,
};

/// Signs `claims` as a JWT (RFC 7519) with RS256.
///
/// # Errors
/// [`ServiceKeyError`] when `key` is not RSA, or cannot sign.
pub fn sign_rs256(claims: &Value, key: &ServiceKey, key_id: &str) -> Result<String, ServiceKeyError> {
    if key.verifying_key().kind() != KeyKind::Rsa {
        return Err(ServiceKeyError::WrongKind(ServiceKeyKind::Rsa2048));
    }
    let header = serde_json::json!({ "alg": RS256, "kid": key_id });
    let mut token =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(token)
}

/// Verifies an ID token as a relying party (OpenID Connect Core §3.1.3.7): algorithm, key, signature, then issuer and
/// audience byte for byte, then times. `exp` gets no leeway, `nbf` five minutes.
///
/// # Errors
/// [`IdentityTokenError`] names the first thing that is wrong.
pub fn verify_rs256(
    token: &str,
    keys: &JsonWebKeySet,
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<Claims, IdentityTokenError> {
    let parts = Parts::split(token)?;
    let header = parts.header()?;
    if header.get("alg").and_then(Value::as_str) != Some(RS256) || header.contains_key("crit") {
        return Err(IdentityTokenError::Algorithm);
    }
    let key_id = header.get("kid").and_then(Value::as_str).ok_or(IdentityTokenError::UnknownKey)?;
    let key = keys.find(key_id).ok_or(IdentityTokenError::UnknownKey)?;
    let (signed, _) = token.rsplit_once('.').ok_or(MalformedIdentityToken::Parts)?;
    key.verify_with(SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256), signed.as_bytes(), &parts.signature()?)
        .map_err(|_| IdentityTokenError::Signature)?;
    let claims = parts.claims()?;
    if claims.issuer != issuer {
        return Err(IdentityTokenError::Issuer { expected: issuer.to_owned(), found: claims.issuer });
    }
    if !claims.audiences.iter().any(|found| found == audience) {
        return Err(IdentityTokenError::Audience { expected: audience.to_owned(), found: claims.audiences });
    }
    if claims.expires_at <= now {
        return Err(IdentityTokenError::Expired(claims.expires_at));
    }
    match claims.not_before {
        Some(from) if from.duration_since(now) > NOT_BEFORE_LEEWAY => Err(IdentityTokenError::NotYetValid(from)),
        _ => Ok(claims),
    }
}

/// The RS256 keys of an issuer (RFC 7517). Keys of other kinds or for other uses are left out when reading.
#[derive(Clone, Debug, Default)]
pub struct JsonWebKeySet(Vec<(String, VerifyingKey)>);

impl JsonWebKeySet {
    /// The set that an issuer with this one key publishes.
    ///
    /// # Errors
    /// [`MalformedJsonWebKeySet`] when `key` is not RSA.
    pub fn of(key: &ServiceKey, key_id: &str) -> Result<Self, MalformedJsonWebKeySet> {
        match key.verifying_key().kind() {
            KeyKind::Rsa => Ok(Self(vec![(key_id.to_owned(), key.verifying_key().clone())])),
            _ => Err(MalformedJsonWebKeySet::Key),
        }
    }

    /// Reads the document behind `jwks_uri`.
    ///
    /// # Errors
    /// [`MalformedJsonWebKeySet`] when it is not JSON of that shape, or an RS256 key in it cannot be used.
    pub fn parse(json: &[u8]) -> Result<Self, MalformedJsonWebKeySet> {
        let document: Document = serde_json::from_slice(json).map_err(|_| MalformedJsonWebKeySet::Json)?;
        if document.keys.len() > MAX_KEYS {
            return Err(MalformedJsonWebKeySet::TooMany);
        }
        let usable = document.keys.into_iter().filter_map(|key| match serde_json::from_value::<Key>(key) {
            Ok(key) if key.is_for_rs256() => Some(key.read()),
            _ => None,
        });
        usable.collect::<Result<_, _>>().map(Self)
    }

    /// The document to publish for `key`.
    ///
    /// # Errors
    /// [`MalformedJsonWebKeySet`] when `key` is not RSA.
    pub fn document(key: &ServiceKey, key_id: &str) -> Result<Value, MalformedJsonWebKeySet> {
        let (modulus, exponent) = key.rsa_components().ok_or(MalformedJsonWebKeySet::Key)?;
        Ok(serde_json::json!({ "keys": [{
            "use": "sig",
            "kty": "RSA",
            "kid": key_id,
            "alg": RS256,
            "n": URL_SAFE_NO_PAD.encode(modulus),
            "e": URL_SAFE_NO_PAD.encode(exponent),
        }] }))
    }

    fn find(&self, key_id: &str) -> Option<&VerifyingKey> {
        self.0.iter().find(|(found, _)| found == key_id).map(|(_, key)| key)
    }
}

/// A set of keys that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedJsonWebKeySet {
    /// Not the JSON of a key set.
    #[error("not a JSON Web Key Set")]
    Json,
    /// A key that is not what it says.
    #[error("the JSON Web Key Set has an RSA key that cannot be used")]
    Key,
    /// More keys than any issuer has.
    #[error("the JSON Web Key Set has more than {MAX_KEYS} keys")]
    TooMany,
}

/// An ID token that is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityTokenError {
    /// Not RS256, or with header parameters that must be understood and are not.
    #[error("the identity token is not signed with RS256")]
    Algorithm,
    /// Meant for someone else.
    #[error("the identity token is for \"{}\", not for \"{expected}\"", .found.join("\", \""))]
    Audience {
        /// Whom it should be for.
        expected: String,
        /// Whom it is for.
        found: Vec<String>,
    },
    /// Too old.
    #[error("the identity token expired at {0}")]
    Expired(Timestamp),
    /// Another issuer's.
    #[error("the identity token is from \"{found}\", not from \"{expected}\"")]
    Issuer {
        /// Who should have issued it.
        expected: String,
        /// Who says to have issued it.
        found: String,
    },
    /// Not an ID token at all.
    #[error(transparent)]
    Malformed(#[from] MalformedIdentityToken),
    /// Too new.
    #[error("the identity token is not valid before {0}")]
    NotYetValid(Timestamp),
    /// The signature does not verify.
    #[error("the signature of the identity token does not verify")]
    Signature,
    /// Signed by a key that the issuer does not publish, or without saying by which.
    #[error("the identity token names no key of its issuer")]
    UnknownKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// RFC 7517 §4 and RFC 7518 §6.3.1.
#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    n: String,
    e: String,
}

impl Key {
    fn is_for_rs256(&self) -> bool {
        self.kty == "RSA"
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.alg.as_deref().is_none_or(|alg| alg == RS256)
    }

    fn read(self) -> Result<(String, VerifyingKey), MalformedJsonWebKeySet> {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedJsonWebKeySet::Key);
        let spki = rsa_spki(&decode(&self.n)?, &decode(&self.e)?).map_err(|_| MalformedJsonWebKeySet::Key)?;
        let key = VerifyingKey::from_spki_der(&spki).map_err(|_| MalformedJsonWebKeySet::Key)?;
        Ok((self.kid, key))
    }
}

/// RFC 8017 §A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> der::Result<Vec<u8>> {
    let key = RsaPublicKey { modulus: UintRef::new(modulus)?, exponent: UintRef::new(exponent)? }.to_der()?;
    SubjectPublicKeyInfo {
        algorithm: AlgorithmIdentifier { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) },
        subject_public_key: BitStringRef::from_bytes(&key)?,
    }
    .to_der()
}

const RS256: &str = "RS256";

/// What go-oidc allows.
const NOT_BEFORE_LEEWAY: SignedDuration = SignedDuration::from_mins(5);

/// Issuers publish two to six.
const MAX_KEYS: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static KEY: LazyLock<ServiceKey> = LazyLock::new(|| ServiceKey::generate(ServiceKeyKind::Rsa2048).unwrap());
    const ISSUER: &str = "http://localhost:1/oidc";

    fn claims() -> Value {
        serde_json::json!({"iss": ISSUER, "sub": "s", "aud": "sigstore", "iat": 1000, "nbf": 1000, "exp": 1600})
    }

    fn verify(token: &str, at: i64) -> Result<Claims, IdentityTokenError> {
        let published = JsonWebKeySet::document(&KEY, "k").unwrap().to_string();
        let keys = JsonWebKeySet::parse(published.as_bytes()).unwrap();
        verify_rs256(token, &keys, ISSUER, "sigstore", Timestamp::from_second(at).unwrap())
    }

    #[test]
    fn what_is_signed_verifies_until_it_expires() {
        let token = sign_rs256(&claims(), &KEY, "k").unwrap();
        assert_eq!(verify(&token, 1599).unwrap().subject, "s");
        assert_eq!(verify(&token, 1600), Err(IdentityTokenError::Expired(Timestamp::from_second(1600).unwrap())));
        assert_eq!(verify(&token, 700).unwrap().subject, "s");
        assert_eq!(verify(&token, 699), Err(IdentityTokenError::NotYetValid(Timestamp::from_second(1000).unwrap())));
    }

    #[test]
    fn one_thing_wrong_is_named() {
        let with = |name: &str, value: &str| {
            let mut claims = claims();
            claims[name] = value.into();
            verify(&sign_rs256(&claims, &KEY, "k").unwrap(), 1001)
        };
        assert!(matches!(with("iss", "http://localhost:1/oidc/"), Err(IdentityTokenError::Issuer { .. })));
        assert!(matches!(with("aud", "other"), Err(IdentityTokenError::Audience { .. })));
        let token = sign_rs256(&claims(), &KEY, "k").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, body) = signed.split_once('.').unwrap();
        assert_eq!(verify(&format!("{signed}.AAAA"), 1001), Err(IdentityTokenError::Signature));
        assert_eq!(verify(&format!("{header}.{}.{signature}", &body[4..]), 1001), Err(IdentityTokenError::Signature));
        for (header, expected) in [
            (r#"{"alg":"none","kid":"k"}"#, IdentityTokenError::Algorithm),
            (r#"{"alg":"HS256","kid":"k"}"#, IdentityTokenError::Algorithm),
            (r#"{"alg":"RS256","kid":"k","crit":["b64"]}"#, IdentityTokenError::Algorithm),
            (r#"{"alg":"RS256"}"#, IdentityTokenError::UnknownKey),
            (r#"{"alg":"RS256","kid":"other"}"#, IdentityTokenError::UnknownKey),
        ] {
            let token = format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(verify(&token, 1001), Err(expected), "{header}");
        }
    }

    #[test]
    fn other_peoples_keys_are_read() {
        // RFC 7517 §A.1: an EC key, and an RSA key of 2048 bits.
        let keys = JsonWebKeySet::parse(
            br#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},{"kty":"RSA",
                "n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
                "e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}"#,
        )
        .unwrap();
        assert_eq!(keys.find("2011-04-29").unwrap().kind(), KeyKind::Rsa);
        assert!(keys.find("1").is_none());
    }
}
