//! What is worth remembering for longer than a request: who got which certificate, what was logged, who logged in and who
//! failed to. Never a token, a code, a password or a key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::crypto::Sha256Digest;
use crate::stack::oidc_issuer::TokenError;
use crate::x509::{Certificate, CertificateClaims};

/// One thing that happened, as an extension of the response to the request that made it happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AuditEvent {
    /// A certificate for somebody's key.
    CertificateIssued {
        /// Whom it names.
        san: String,
        /// Who vouched for that.
        issuer: String,
        /// Hexadecimal.
        serial: String,
        /// When it ends.
        not_after: Timestamp,
    },
    /// A certificate from outside in the CT log.
    CertificateLogged {
        /// Of the certificate or precertificate.
        sha256: Sha256Digest,
    },
    /// An entry in a transparency log.
    EntryLogged {
        /// Which one.
        log: &'static str,
        /// The leaf index.
        index: u64,
        /// The entry ID, where the log has them.
        uuid: Option<String>,
    },
    /// Somebody logged in.
    LoggedIn {
        /// The address of the account.
        email: String,
        /// In a browser here, or for a program elsewhere.
        flow: &'static str,
    },
    /// Somebody tried to.
    LoginFailed {
        /// The address that was tried, if it is one: people type passwords into the wrong field.
        email: Option<String>,
        /// In a browser here, or for a program elsewhere.
        flow: &'static str,
        /// Why it failed.
        why: String,
    },
    /// An identity token was given out.
    TokenIssued {
        /// Whom it names.
        email: Option<String>,
        /// The grant that it was given for.
        grant: &'static str,
    },
    /// None was given out.
    TokenRefused {
        /// `error` of RFC 6749 §5.2.
        error: &'static str,
        /// The grant that it was asked for.
        grant: &'static str,
    },
}

impl AuditEvent {
    /// The certificate `der`, just issued.
    pub(super) fn certificate_issued(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let claims = CertificateClaims::read(&certificate).ok()?;
        Some(Self::CertificateIssued {
            san: claims.san.as_str().to_owned(),
            issuer: claims.issuer,
            serial: hex::encode(certificate.serial()),
            not_after: certificate.not_after(),
        })
    }

    /// A login that failed under `email`, whatever was typed there.
    pub(super) fn login_failed(email: &str, flow: &'static str, why: String) -> Self {
        let is_address = email.contains('@') && email.len() <= MAX_ADDRESS_BYTES;
        Self::LoginFailed { email: is_address.then(|| email.to_owned()), flow, why }
    }

    /// A request for a token, with its answer.
    pub(super) fn token(grant: &'static str, answer: &Result<Value, TokenError>) -> Option<Self> {
        match answer {
            Ok(answer) => Some(Self::TokenIssued { email: named_by(answer), grant }),
            // A program that waits for its user.
            Err(TokenError::AuthorizationPending | TokenError::SlowDown) => None,
            Err(error) => Some(Self::TokenRefused { error: error.code(), grant }),
        }
    }

    /// The response with `event`, if there was one.
    pub(super) fn attach(event: Option<Self>, mut response: Response<Vec<u8>>) -> Response<Vec<u8>> {
        if let Some(event) = event {
            response.extensions_mut().insert(event);
        }
        response
    }

    /// As metrics and the log have it.
    pub(in crate::stack) fn name(&self) -> &'static str {
        match self {
            Self::CertificateIssued { .. } => "certificate-issued",
            Self::CertificateLogged { .. } => "certificate-logged",
            Self::EntryLogged { .. } => "entry-logged",
            Self::LoggedIn { .. } => "logged-in",
            Self::LoginFailed { .. } => "login-failed",
            Self::TokenIssued { .. } => "token-issued",
            Self::TokenRefused { .. } => "token-refused",
        }
    }

    /// The members of its line, after time, type and client.
    pub(in crate::stack) fn members(&self) -> Vec<(&'static str, Value)> {
        let mut members = vec![("event", json!(self.name()))];
        members.extend(match self {
            Self::CertificateIssued { san, issuer, serial, not_after } => vec![
                ("san", json!(san)),
                ("issuer", json!(issuer)),
                ("serial", json!(serial)),
                ("not_after", json!(not_after.to_string())),
            ],
            Self::CertificateLogged { sha256 } => vec![("sha256", json!(sha256.to_string()))],
            Self::EntryLogged { log, index, uuid } => {
                let mut members = vec![("log", json!(log)), ("index", json!(index))];
                members.extend(uuid.as_ref().map(|uuid| ("uuid", json!(uuid))));
                members
            }
            Self::LoggedIn { email, flow } => vec![("email", json!(email)), ("flow", json!(flow))],
            Self::LoginFailed { email, flow, why } => {
                vec![("email", json!(email)), ("flow", json!(flow)), ("why", json!(why))]
            }
            Self::TokenIssued { email, grant } => vec![("email", json!(email)), ("grant", json!(grant))],
            Self::TokenRefused { error, grant } => vec![("error", json!(error)), ("grant", json!(grant))],
        });
        members
    }
}

/// Whom the ID token in `answer` names; the token itself goes nowhere.
fn named_by(answer: &Value) -> Option<String> {
    let payload = answer.get("id_token")?.as_str()?.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.get("email")?.as_str().map(str::to_owned)
}

/// RFC 5321 §4.5.3.1.3, without its brackets.
const MAX_ADDRESS_BYTES: usize = 254;
