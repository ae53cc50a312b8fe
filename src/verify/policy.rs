//! Who may sign: asked after a signature was verified, never before.

use regex::Regex;

use super::VerifiedSignature;
use crate::instance::InstanceName;
use crate::x509::{CertificateClaims, SubjectAlternativeName};

/// Which identities are admitted.
#[derive(Clone, Debug)]
pub enum IdentityPolicy {
    /// `--any-identity`: whoever it was. Spelled out, never a default.
    AnyIdentity,
    /// Nobody said who may sign.
    NotGiven,
    /// One of these.
    OneOf(Vec<CertificateIdentity>),
}

impl IdentityPolicy {
    /// Whether the policy admits the identity of a verified signature. Of several instances that vouch for it, the one
    /// that the rule names becomes the signature's: a second instance with the same authority must not hide the first.
    #[must_use]
    pub fn judge(&self, signature: &mut VerifiedSignature) -> Allowed {
        let rules = match self {
            Self::AnyIdentity => return Allowed::AnyIdentity,
            Self::NotGiven => return Allowed::NobodyAsked,
            Self::OneOf(rules) => rules,
        };
        let identity = &signature.identity;
        let admitting = rules.iter().find_map(|rule| {
            let position = signature.instances.iter().position(|instance| rule.admits(identity, instance))?;
            Some((rule, position))
        });
        let Some((rule, position)) = admitting else { return Allowed::No };
        signature.instances.swap(0, position);
        Allowed::Yes(rule.name.clone())
    }

    /// Whether some rule could admit a *claimed* identity, were the evidence there: an undecided object of which no rule
    /// could ever admit the signer counts as not allowed. True where the object shows no claim.
    #[must_use]
    pub fn could_admit(&self, claims: Option<&CertificateClaims>, instance: Option<&InstanceName>) -> bool {
        match (self, claims) {
            (Self::AnyIdentity | Self::NotGiven, _) | (Self::OneOf(_), None) => true,
            (Self::OneOf(rules), Some(claims)) => {
                rules.iter().any(|rule| instance.is_none_or(|instance| rule.admits(claims, instance)))
            }
        }
    }
}

/// A rule: a subject alternative name and the issuer that vouched for it, at one instance.
#[derive(Clone, Debug)]
pub struct CertificateIdentity {
    /// How the rule is called in output.
    pub name: String,
    /// The subject alternative name.
    pub san: Pattern,
    /// The OIDC issuer.
    pub issuer: Pattern,
    /// The instance: a private authority vouches for nobody elsewhere.
    pub instance: InstanceName,
}

impl CertificateIdentity {
    fn admits(&self, identity: &CertificateClaims, instance: &InstanceName) -> bool {
        self.instance == *instance
            && self.issuer.matches(&identity.issuer)
            && self.san.matches(identity.san.as_str())
            && self.san.may_be(&identity.san)
    }
}

/// How a rule compares; always the whole string.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Byte for byte.
    Exact(String),
    /// An anchored expression.
    Matching(Regex),
}

impl Pattern {
    /// A glob in which `*` stands for any run of characters but `/` and `@`; everything else is itself.
    ///
    /// # Errors
    /// [`BadPattern`] when the glob is too large to compile.
    pub fn glob(glob: &str) -> Result<Self, BadPattern> {
        let parts: Vec<String> = glob.split('*').map(regex::escape).collect();
        Self::regex(&parts.join("[^/@]*"))
    }

    /// A regular expression, anchored at both ends.
    ///
    /// # Errors
    /// [`BadPattern`] says what the expression's own parser says.
    pub fn regex(expression: &str) -> Result<Self, BadPattern> {
        // By itself first: `a)|(b` would be well formed inside the anchors, and would not be anchored.
        Regex::new(expression).map_err(|error| BadPattern::of(&error))?;
        Regex::new(&format!(r"\A(?:{expression})\z")).map(Self::Matching).map_err(|error| BadPattern::of(&error))
    }

    /// An exact e-mail address admits no other kind of name that happens to read like one.
    fn may_be(&self, san: &SubjectAlternativeName) -> bool {
        match self {
            Self::Exact(exact) if exact.contains('@') && !exact.contains("://") => {
                matches!(san, SubjectAlternativeName::Email(_) | SubjectAlternativeName::Username(_))
            }
            Self::Exact(_) | Self::Matching(_) => true,
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Matching(regex) => regex.is_match(text),
        }
    }
}

/// Whether a verified signature's identity is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// `--any-identity` was given.
    AnyIdentity,
    /// There is no policy.
    NobodyAsked,
    /// No rule admits it.
    No,
    /// By the rule of this name.
    Yes(String),
}

/// Not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a usable pattern: {0}")]
pub struct BadPattern(String);

impl BadPattern {
    /// The last line says what is wrong, those before it draw a picture of where.
    fn of(error: &regex::Error) -> Self {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        Self(last.strip_prefix("error: ").unwrap_or(last).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_whole_string() {
        let glob = Pattern::glob("*@example.org").unwrap();
        assert!(glob.matches("alice@example.org"));
        assert!(!glob.matches("alice@example.org.evil.net"));
        assert!(!glob.matches("mallory@evil.net/alice@example.org"));
        assert!(!glob.matches("alice@evil@example.org"));
        assert!(!Pattern::glob("a.c").unwrap().matches("abc"));
        let regex = Pattern::regex("alice|bob").unwrap();
        assert!(regex.matches("bob") && !regex.matches("bobby") && !regex.matches("xalice"));
        assert!(!Pattern::regex("alice").unwrap().matches("alice\n"));
        assert_eq!(Pattern::regex("a)|(b").unwrap_err().to_string(), "not a usable pattern: unopened group");
        assert!(!Pattern::regex("(?m)^alice$").unwrap().matches("mallory\nalice"));
    }
}
