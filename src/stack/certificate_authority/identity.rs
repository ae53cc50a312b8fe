//! From the claims of a verified ID token to the name and the extensions of a certificate.

use std::borrow::Cow;

use serde_json::Value;
use url::Url;

use super::ci_provider::CiProvider;
use super::template::MissingClaim;
use crate::identity_token::Claims;
use crate::x509::SubjectAlternativeName;

/// How an issuer's tokens name people or machines: Fulcio's `type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerType {
    /// A CI system, which names a workflow by a URI.
    CiProvider(Box<CiProvider>),
    /// People by their e-mail address.
    Email {
        /// Whether the token must not say that the address was verified.
        skip_verification: bool,
    },
    /// Pods of a Kubernetes cluster, by their namespace and service account.
    Kubernetes,
    /// Workloads by their SPIFFE ID, which is the token's `sub`.
    Spiffe {
        /// The trust domain that the ID must be of.
        trust_domain: String,
    },
    /// Anything by a URI, which is the token's `sub`.
    Uri {
        /// Scheme and host that the URI must have.
        subject_domain: String,
    },
    /// People by their name at the issuer, which is the token's `sub`.
    Username {
        /// What stands behind the name and an exclamation mark.
        subject_domain: String,
    },
}

impl IssuerType {
    /// The name in Fulcio's configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::CiProvider(_) => "ci-provider",
            Self::Email { .. } => "email",
            Self::Kubernetes => "kubernetes",
            Self::Spiffe { .. } => "spiffe",
            Self::Uri { .. } => "uri",
            Self::Username { .. } => "username",
        }
    }

    /// The claim that a proof of possession signs.
    #[must_use]
    pub fn challenge_claim(&self) -> &'static str {
        match self {
            Self::Email { .. } => "email",
            Self::CiProvider(_) | Self::Kubernetes | Self::Spiffe { .. } | Self::Uri { .. } | Self::Username { .. } => {
                "sub"
            }
        }
    }

    /// The subject domain, empty where the type has none.
    #[must_use]
    pub fn subject_domain(&self) -> &str {
        match self {
            Self::Uri { subject_domain } | Self::Username { subject_domain } => subject_domain,
            Self::CiProvider(_) | Self::Email { .. } | Self::Kubernetes | Self::Spiffe { .. } => "",
        }
    }

    /// The SPIFFE trust domain, empty where the type has none.
    #[must_use]
    pub fn spiffe_trust_domain(&self) -> &str {
        match self {
            Self::Spiffe { trust_domain } => trust_domain,
            Self::CiProvider(_) | Self::Email { .. } | Self::Kubernetes | Self::Uri { .. } | Self::Username { .. } => {
                ""
            }
        }
    }
}

/// Whom a certificate is for, and what it says about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// The one name.
    pub san: SubjectAlternativeName,
    /// What a proof of possession signs.
    pub challenge: String,
    /// The extensions under 1.3.6.1.4.1.57264.1: number and value, in ascending order, none empty.
    pub extensions: Vec<(u8, String)>,
}

impl CertificateIdentity {
    /// What `claims`, of a token that was verified, make of an issuer of this type. `issuer_claim` is the path of the
    /// claim that names the issuer behind the issuer, `$.federated_claims.connector_id` with dex.
    ///
    /// # Errors
    /// [`IdentityError`] when a claim is missing, or no name that the type allows.
    pub fn of(issuer: &IssuerType, issuer_claim: Option<&str>, claims: &Claims) -> Result<Self, IdentityError> {
        let vouching = match issuer_claim {
            Some(path) => at_path(claims, path).ok_or_else(|| MissingClaim(path.to_owned()))?,
            None => claims.issuer.clone(),
        };
        let claim = |name: &str| claim(claims, name);
        let mut extensions = vec![(1, vouching.clone()), (8, vouching)];
        let subject = &claims.subject;
        let (san, challenge) = match issuer {
            IssuerType::CiProvider(provider) => {
                extensions.extend(provider.extensions(&claim)?);
                (uri(&provider.subject_alternative_name(&claim)?)?, subject)
            }
            IssuerType::Email { skip_verification } => {
                let email = claims.email.as_ref().filter(|_| claims.email_verified || *skip_verification);
                let email = email.filter(|email| is_email(email)).ok_or(IdentityError::Email)?;
                (SubjectAlternativeName::Email(email.clone()), email)
            }
            IssuerType::Kubernetes => (uri(&service_account(claims).ok_or(IdentityError::ServiceAccount)?)?, subject),
            IssuerType::Spiffe { trust_domain } => {
                if spiffe_trust_domain(subject) != Some(trust_domain) {
                    return Err(IdentityError::Spiffe);
                }
                (uri(subject)?, subject)
            }
            IssuerType::Uri { subject_domain } => (uri_in(subject, subject_domain)?, subject),
            IssuerType::Username { subject_domain } => {
                if subject.is_empty() || subject.contains('!') || subject.contains('@') || has_control(subject) {
                    return Err(IdentityError::Username);
                }
                (SubjectAlternativeName::Username(format!("{subject}!{subject_domain}")), subject)
            }
        };
        extensions.push((24, subject.clone()));
        extensions.retain(|(_, value)| !value.is_empty());
        extensions.sort_by_key(|(number, _)| *number);
        Ok(Self { san, challenge: challenge.clone(), extensions })
    }
}

/// A token from which no certificate can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No address, not verified, or none that a certificate can hold.
    #[error("the identity token has no verified e-mail address")]
    Email,
    /// A claim that the issuer's templates want.
    #[error(transparent)]
    Missing(#[from] MissingClaim),
    /// No `kubernetes.io` claim with a namespace and a service account.
    #[error("the identity token names no Kubernetes service account")]
    ServiceAccount,
    /// Not a SPIFFE ID, or one of another trust domain.
    #[error("the identity token's subject is not a SPIFFE ID of the issuer's trust domain")]
    Spiffe,
    /// Not a URI, or one of someone else's.
    #[error("the identity token's subject is not a URI of its issuer")]
    Uri,
    /// A name with a character that would make it ambiguous.
    #[error("the identity token's subject is not a username")]
    Username,
}

/// The claim as text: booleans and numbers are spelled out, objects and lists are not there.
fn claim<'a>(claims: &'a Claims, name: &str) -> Option<Cow<'a, str>> {
    match name {
        "iss" => return Some(Cow::Borrowed(&claims.issuer)),
        "sub" => return Some(Cow::Borrowed(&claims.subject)),
        "email" => return claims.email.as_deref().map(Cow::Borrowed),
        _ => {}
    }
    match claims.extra.get(name)? {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(value) => Some(Cow::Owned(value.to_string())),
        Value::Number(value) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `$.a.b`: what Fulcio's `issuer-claim` uses of JSONPath.
fn at_path(claims: &Claims, path: &str) -> Option<String> {
    let mut names = path.strip_prefix("$.")?.split('.');
    let first = claims.extra.get(names.next()?)?;
    let found = names.try_fold(first, |value, name| value.get(name))?;
    found.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn is_email(email: &str) -> bool {
    let well_formed = matches!(email.split_once('@'), Some((local, domain))
        if !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    well_formed && email.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `https://kubernetes.io/namespaces/NAMESPACE/serviceaccounts/NAME`, as Fulcio has it.
fn service_account(claims: &Claims) -> Option<String> {
    let pod = claims.extra.get("kubernetes.io")?;
    // RFC 1123 names: nothing in them can end a part of the path.
    let is_name = |name: &&str| {
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = |byte: Option<&u8>| byte.is_some_and(|byte| lower(*byte));
        let bytes = name.as_bytes();
        ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(|byte| lower(*byte) || b"-.".contains(byte))
    };
    let namespace = pod.get("namespace")?.as_str().filter(is_name)?;
    let name = pod.get("serviceaccount")?.get("name")?.as_str().filter(is_name)?;
    Some(format!("https://kubernetes.io/namespaces/{namespace}/serviceaccounts/{name}"))
}

/// SPIFFE-ID §2: the trust domain of `id`, if it is one.
fn spiffe_trust_domain(id: &str) -> Option<&str> {
    const MAX_ID_BYTES: usize = 2048;
    let rest = id.strip_prefix("spiffe://").filter(|_| id.len() <= MAX_ID_BYTES)?;
    let (trust_domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
    let is_path = path.strip_prefix('/').is_none_or(|path| path.split('/').all(is_segment));
    (is_trust_domain(trust_domain) && is_path).then_some(trust_domain)
}

/// SPIFFE-ID §2.1.
pub(in crate::stack) fn is_trust_domain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    (1..=255).contains(&name.len()) && name.bytes().all(allowed)
}

fn uri_in(subject: &str, subject_domain: &str) -> Result<SubjectAlternativeName, IdentityError> {
    let (Ok(asked), Ok(domain)) = (Url::parse(subject), Url::parse(subject_domain)) else {
        return Err(IdentityError::Uri);
    };
    if asked.scheme() != domain.scheme() || asked.host_str().is_none() || asked.host_str() != domain.host_str() {
        return Err(IdentityError::Uri);
    }
    uri(subject)
}

/// RFC 5280 §4.2.1.6: an absolute URI as an `IA5String`, so what is not ASCII is percent-encoded, as Go does.
fn uri(text: &str) -> Result<SubjectAlternativeName, IdentityError> {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    let absolute = Url::parse(&encoded).is_ok_and(|url| url.has_authority());
    if absolute { Ok(SubjectAlternativeName::Uri(encoded)) } else { Err(IdentityError::Uri) }
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
