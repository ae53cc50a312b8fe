//! Who may sign, as flags and settings say it: flags win over `waxseal.allow`, and the two are never merged.

use crate::cli::{self, AdmittedFlags};
use crate::command_error::{CommandError, ErrorKind};
use crate::instance::InstanceName;
use crate::policy::{BadPattern, CertificateIdentity, IdentityPolicy, Pattern};
use crate::settings::Settings;
use crate::verify::VerifiedSignature;

/// The policy of `waxseal.allow`.
///
/// `default` is the instance of a rule that names none: the one that signs, else public-good, or the one of a file.
///
/// # Errors
/// [`ErrorKind::Policy`], naming the item.
pub fn from_settings(settings: &Settings, default: &InstanceName) -> Result<IdentityPolicy, CommandError> {
    if settings.allow.is_empty() {
        return Ok(IdentityPolicy::NotGiven);
    }
    settings.allow.iter().map(|item| rule(item, default)).collect::<Result<_, _>>().map(IdentityPolicy::OneOf)
}

/// The policy of the flags, or of `waxseal.allow` where no flag says who.
///
/// # Errors
/// [`ErrorKind::Policy`] for a setting, [`ErrorKind::Usage`] for a flag.
pub fn from_flags(
    flags: &AdmittedFlags,
    settings: &Settings,
    default: &InstanceName,
) -> Result<IdentityPolicy, CommandError> {
    match flags {
        AdmittedFlags::Anyone => Ok(IdentityPolicy::AnyIdentity),
        AdmittedFlags::Identity { identity, issuer } => Ok(IdentityPolicy::OneOf(vec![CertificateIdentity {
            name: "--certificate-identity".to_owned(),
            san: pattern(identity, "--certificate-identity-regexp")?,
            issuer: pattern(issuer, "--certificate-oidc-issuer-regexp")?,
            instance: default.clone(),
        }])),
        AdmittedFlags::Policy(_) | AdmittedFlags::Unsaid => from_settings(settings, default),
    }
}

/// The item of `waxseal.allow` that admits the signer, to be copied between single quotes into a shell; `None` where its
/// name would need more care than that.
#[must_use]
pub fn item_admitting(signature: &VerifiedSignature) -> Option<String> {
    let (san, issuer) = (signature.san().as_str(), signature.issuer());
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@._:/+=-".contains(&byte));
    (plain(san) && plain(issuer) && !san.starts_with("glob:"))
        .then(|| format!("{san} {issuer} {}", signature.instance()))
}

/// The instance that a rule means when it names none.
///
/// # Errors
/// [`ErrorKind::Policy`] when `waxseal.instance` is no name.
pub fn default_instance(settings: &Settings) -> Result<InstanceName, CommandError> {
    let Some(name) = &settings.instance else { return Ok(InstanceName::public_good()) };
    name.parse().map_err(|error| CommandError::new(ErrorKind::Policy, format!("waxseal.instance \"{name}\": {error}")))
}

/// `[glob:]IDENTITY ISSUER [INSTANCE]`
fn rule(item: &str, default: &InstanceName) -> Result<CertificateIdentity, CommandError> {
    let bad = |what: String| {
        CommandError::new(ErrorKind::Policy, format!("waxseal.allow \"{item}\": {what}"))
            .hint("an item is \"[glob:]IDENTITY ISSUER [INSTANCE]\", as in \"alice@example.org https://accounts.example.org\"")
    };
    let words: Vec<&str> = item.split_ascii_whitespace().collect();
    let (identity, issuer, instance) = match words[..] {
        [identity, issuer] => (identity, issuer, default.clone()),
        [identity, issuer, instance] => (
            identity,
            issuer,
            instance.parse().map_err(|error| bad(format!("\"{instance}\" is no instance: {error}")))?,
        ),
        [_] => return Err(bad("the issuer that vouches for the identity is missing".to_owned())),
        _ => return Err(bad(format!("it has {} words", words.len()))),
    };
    let san = match identity.strip_prefix("glob:") {
        Some(glob) => Pattern::glob(glob),
        None => Pattern::Exact(identity.to_owned()),
    };
    Ok(CertificateIdentity {
        name: format!("waxseal.allow {identity}"),
        san,
        issuer: Pattern::Exact(issuer.to_owned()),
        instance,
    })
}

fn pattern(pattern: &cli::Pattern, flag: &str) -> Result<Pattern, CommandError> {
    match pattern {
        cli::Pattern::Exact(exact) => Ok(Pattern::Exact(exact.clone())),
        cli::Pattern::Regexp(expression) => {
            Pattern::regex(expression).map_err(|error: BadPattern| CommandError::usage(format!("{flag}: {error}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_names_identity_issuer_and_instance() {
        let default = InstanceName::public_good();
        let parse = |item| rule(item, &default);
        assert_eq!(parse("a@x https://i corp").unwrap().instance.as_str(), "corp");
        assert_eq!(parse("a@x https://i").unwrap().instance, default);
        for bad in ["a@x", "a@x https://i Corp", "a b c d", ""] {
            assert_eq!(parse(bad).unwrap_err().kind(), ErrorKind::Policy, "{bad:?}");
        }
    }
}
