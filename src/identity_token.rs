//! OpenID Connect ID tokens: what they claim, and making and verifying them.
//!
//! [`IdentityToken`] is the client's side: a secret whose claims are read but not verified, since only the certificate
//! authority has to believe them. [`verify_rs256`] and [`sign_rs256`] are the authority's and the issuer's side.

mod jwt;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

pub use jwt::{IdentityTokenError, JsonWebKeySet, MalformedJsonWebKeySet, sign_rs256, verify_rs256};

/// An ID token (OpenID Connect Core §2) in its compact form. A bearer secret: no `Clone`, no derived `Debug`, wiped
/// from memory when dropped.
pub struct IdentityToken {
    compact: Zeroizing<String>,
    claims: Claims,
}

impl IdentityToken {
    /// Reads the claims. **Verifies nothing**: neither the signature nor any time.
    ///
    /// # Errors
    /// [`MalformedIdentityToken`] when it is not a JWT with the claims that every ID token has.
    pub fn parse(compact: String) -> Result<Self, MalformedIdentityToken> {
        let mut compact = Zeroizing::new(compact);
        // Whoever prints or answers with a token may end the line.
        let end = compact.trim_end().len();
        compact.truncate(end);
        let claims = Parts::split(&compact)?.claims()?;
        let is_compact = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !compact.bytes().all(is_compact) {
            return Err(MalformedIdentityToken::Signature);
        }
        Ok(Self { compact, claims })
    }

    /// What the token claims, unverified.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The secret itself, for a header or a request body.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.compact
    }

    /// Whom the certificate authority will name, and what the proof of possession signs: [`Claims::identity`].
    #[must_use]
    pub fn identity(&self) -> &str {
        self.claims.identity()
    }
}

impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityToken({:?} of {:?})", self.claims.subject, self.claims.issuer)
    }
}

/// The claims of an ID token (OpenID Connect Core §2 and §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `iss`, byte for byte.
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `aud`, a string or an array on the wire. Never empty.
    pub audiences: Vec<String>,
    /// `exp`
    pub expires_at: Timestamp,
    /// `iat`
    pub issued_at: Timestamp,
    /// `nbf`
    pub not_before: Option<Timestamp>,
    /// `email`
    pub email: Option<String>,
    /// `email_verified`: a boolean, or one of the strings `true` and `True`, which some issuers send and Fulcio takes.
    pub email_verified: bool,
    /// `nonce`
    pub nonce: Option<String>,
    /// `federated_claims.connector_id` (dex): the issuer behind the issuer, which Fulcio may put in the certificate.
    pub connector_id: Option<String>,
    /// Every other claim, as it came.
    pub extra: Map<String, Value>,
}

impl Claims {
    /// Whom Fulcio names: the e-mail address if there is one and it is verified, else the subject.
    #[must_use]
    pub fn identity(&self) -> &str {
        match &self.email {
            Some(email) if self.email_verified => email,
            _ => &self.subject,
        }
    }

    /// Whom Fulcio names as the issuer: the account provider behind a dex issuer, where the token tells it.
    #[must_use]
    pub fn named_issuer(&self) -> &str {
        self.connector_id.as_deref().unwrap_or(&self.issuer)
    }

    fn from_json(mut claims: Map<String, Value>) -> Result<Self, MalformedIdentityToken> {
        use MalformedIdentityToken::Claim;
        let mut required = |name: &'static str| claims.remove(name).ok_or(MalformedIdentityToken::Missing(name));
        let issuer = text(required("iss")?).ok_or(Claim("iss"))?;
        let subject = text(required("sub")?).ok_or(Claim("sub"))?;
        let audiences = match required("aud")? {
            Value::String(audience) => vec![audience],
            Value::Array(audiences) if !audiences.is_empty() => {
                audiences.into_iter().map(text).collect::<Option<_>>().ok_or(Claim("aud"))?
            }
            _ => return Err(Claim("aud")),
        };
        let expires_at = numeric_date(&required("exp")?).ok_or(Claim("exp"))?;
        let issued_at = numeric_date(&required("iat")?).ok_or(Claim("iat"))?;
        let mut optional = |name: &'static str| match claims.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => text(value).ok_or(Claim(name)).map(Some),
        };
        let email = optional("email")?;
        let nonce = optional("nonce")?;
        let not_before = claims.remove("nbf").map(|at| numeric_date(&at).ok_or(Claim("nbf"))).transpose()?;
        let email_verified = match claims.remove("email_verified") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(verified)) => verified,
            Some(Value::String(verified)) => verified == "true" || verified == "True",
            Some(_) => return Err(Claim("email_verified")),
        };
        let connector_id =
            claims.get("federated_claims").and_then(|federated| federated.get("connector_id")).and_then(Value::as_str);
        Ok(Self {
            issuer,
            subject,
            audiences,
            expires_at,
            issued_at,
            not_before,
            email,
            email_verified,
            nonce,
            connector_id: connector_id.map(str::to_owned),
            extra: claims,
        })
    }
}

/// Not an ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedIdentityToken {
    /// A claim has a value of the wrong type.
    #[error("claim \"{0}\" of the identity token has a value of the wrong type")]
    Claim(&'static str),
    /// The claims are not base64url of a JSON object.
    #[error("the claims of the identity token are not base64url of a JSON object")]
    Claims,
    /// The header is not base64url of a JSON object.
    #[error("the header of the identity token is not base64url of a JSON object")]
    Header,
    /// A claim that every ID token has is missing.
    #[error("the identity token has no claim \"{0}\"")]
    Missing(&'static str),
    /// Not three parts with dots between them.
    #[error("the identity token is not a JWT: it must have exactly three parts with dots between them")]
    Parts,
    /// The signature is not base64url.
    #[error("the signature of the identity token is not base64url")]
    Signature,
    /// Longer than any real one.
    #[error("the identity token has more than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
}

/// A JWS in compact serialisation (RFC 7515 §7.1), split.
struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn split(compact: &'a str) -> Result<Self, MalformedIdentityToken> {
        if compact.len() > MAX_TOKEN_BYTES {
            return Err(MalformedIdentityToken::TooLong);
        }
        let mut parts = compact.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(header), Some(claims), Some(signature), None) => Ok(Self { header, claims, signature }),
            _ => Err(MalformedIdentityToken::Parts),
        }
    }

    fn header(&self) -> Result<Map<String, Value>, MalformedIdentityToken> {
        json_object(self.header).ok_or(MalformedIdentityToken::Header)
    }

    fn claims(&self) -> Result<Claims, MalformedIdentityToken> {
        self.header()?;
        Claims::from_json(json_object(self.claims).ok_or(MalformedIdentityToken::Claims)?)
    }

    fn signature(&self) -> Result<Vec<u8>, MalformedIdentityToken> {
        URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| MalformedIdentityToken::Signature)
    }
}

fn json_object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// RFC 7519 §2 `NumericDate`: seconds, perhaps with a fraction, which is cut off.
fn numeric_date(value: &Value) -> Option<Timestamp> {
    let seconds = match value.as_i64() {
        Some(seconds) => seconds,
        None => format!("{:.0}", value.as_f64()?.floor()).parse().ok()?,
    };
    Timestamp::from_second(seconds).ok()
}

/// Real ones have 0.5 to 4 KiB; group memberships make the longest. Servers cut headers at 8 to 64 KiB.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode(claims))
    }

    fn parse(claims: &str) -> Result<Claims, MalformedIdentityToken> {
        IdentityToken::parse(token(claims)).map(|token| token.claims().clone())
    }

    #[test]
    fn reads_what_issuers_send() {
        let claims = parse(
            r#"{"iss":"https://i.example","sub":"s","aud":["sigstore","x"],"exp":1700000600.7,"iat":1700000000,
                "email":"a@example.org","email_verified":"True","nonce":"n",
                "federated_claims":{"connector_id":"https://github.com/login/oauth","user_id":"1"},"groups":[]}"#,
        )
        .unwrap();
        assert_eq!(claims.audiences, ["sigstore", "x"]);
        assert_eq!(claims.expires_at.as_second(), 1_700_000_600);
        assert_eq!(claims.identity(), "a@example.org");
        assert_eq!(claims.connector_id.as_deref(), Some("https://github.com/login/oauth"));
        assert_eq!(claims.extra.keys().collect::<Vec<_>>(), ["federated_claims", "groups"]);
    }

    #[test]
    fn a_line_may_end_after_a_token_and_nothing_follows() {
        let token = token(r#"{"iss":"i","sub":"s","aud":"sigstore","exp":1,"iat":1}"#);
        assert_eq!(IdentityToken::parse(format!("{token}\r\n")).unwrap().expose(), token);
        for more in ["\nmore", " more", "\u{e9}"] {
            let error = IdentityToken::parse(format!("{token}{more}")).unwrap_err();
            assert_eq!(error, MalformedIdentityToken::Signature, "{more:?}");
        }
    }

    #[test]
    fn an_unverified_address_is_not_the_identity() {
        let claims =
            parse(r#"{"iss":"i","sub":"s","aud":"sigstore","exp":1,"iat":1,"email":"a@example.org"}"#).unwrap();
        assert_eq!(claims.identity(), "s");
    }

    #[test]
    fn names_what_is_wrong() {
        use MalformedIdentityToken::{Claim, Claims, Header, Missing, Parts, TooLong};
        assert_eq!(parse("{}"), Err(Missing("iss")));
        assert_eq!(parse("[]"), Err(Claims));
        assert_eq!(parse(r#"{"iss":"i","sub":"s","aud":[],"exp":1,"iat":1}"#), Err(Claim("aud")));
        assert_eq!(parse(r#"{"iss":"i","sub":"s","aud":"a","exp":"1","iat":1}"#), Err(Claim("exp")));
        assert_eq!(parse(r#"{"iss":"i","sub":"s","aud":"a","exp":1e300,"iat":1}"#), Err(Claim("exp")));
        for (compact, expected) in [("a.b", Parts), ("a.b.c.d", Parts), ("!.e30.c2ln", Header)] {
            assert_eq!(IdentityToken::parse(compact.to_owned()).map(|_| ()), Err(expected), "{compact}");
        }
        assert_eq!(IdentityToken::parse("x".repeat(MAX_TOKEN_BYTES + 1)).map(|_| ()), Err(TooLong));
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        let compact = token(r#"{"iss":"i","sub":"s","aud":"a","exp":1,"iat":1}"#);
        assert_eq!(format!("{:?}", IdentityToken::parse(compact).unwrap()), r#"IdentityToken("s" of "i")"#);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}", json in r#"\{("(iss|sub|aud|exp|iat|nbf)":(1|-1e400|"x"|null|\[\]),?)*\}"#) {
            drop(IdentityToken::parse(text));
            drop(IdentityToken::parse(token(&json)));
        }
    }
}
