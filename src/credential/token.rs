//! What is asked of an identity token before anything is asked of a certificate authority.

use jiff::Timestamp;
use url::Url;

use super::{Issuance, RequestedSigner};
use crate::identity_token::Claims;
use crate::instance::{Instance, InstanceName};

pub(super) fn check(claims: &Claims, issuance: &Issuance<'_>, now: Timestamp) -> Result<(), TokenError> {
    let instance = issuance.instance;
    if claims.expires_at <= now {
        return Err(TokenError::Expired { at: claims.expires_at, now });
    }
    if !claims.audiences.iter().any(|audience| audience == issuance.audience) {
        return Err(TokenError::Audience {
            expected: issuance.audience.to_owned(),
            audiences: claims.audiences.join(", "),
        });
    }
    let issuers = [Some(&claims.issuer), claims.connector_id.as_ref()];
    if !issuers.into_iter().flatten().any(|issuer| instance.bounds.admits_issuer(issuer)) {
        let (issuer, instance) = (claims.issuer.clone(), instance.name.clone());
        return Err(TokenError::IssuerNotAdmitted { issuer, instance });
    }
    if replayable(claims, instance) {
        let (issuer, instance) = (claims.issuer.clone(), instance.name.clone());
        return Err(TokenError::Replayable { issuer, instance });
    }
    match issuance.signer {
        Some(signer) => match expected_name(claims) {
            Some(name) if signer.is(&name) => Ok(()),
            name => Err(TokenError::OtherSigner { requested: signer.clone(), name }),
        },
        None => Ok(()),
    }
}

/// Whether the operator of `instance` could take the token to the public-good instance and sign there as its owner:
/// its audience is Sigstore's own, and it comes from an issuer that is not known to be this instance's. The signing
/// config is the operator's own word: an issuer that it names counts only on the host of its certificate authority, where
/// the token goes. For any other the user's word in `instance.toml` is needed.
fn replayable(claims: &Claims, instance: &Instance) -> bool {
    let host = |address: &str| Url::parse(address).ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
    let by_user = instance.bounds.oidc_issuers.iter().flatten().any(|issuer| *issuer == claims.issuer);
    let by_operator = instance.signing_config.as_ref().is_some_and(|config| {
        let at_home = |issuer: &str| {
            let mut authorities = config.ca_urls.iter().map(|service| host(&service.url)).peekable();
            authorities.peek().is_some()
                && authorities.all(|authority| authority.is_some() && authority == host(issuer))
        };
        config.oidc_urls.iter().any(|service| service.url == claims.issuer && at_home(&service.url))
    });
    let named = by_user || by_operator;
    claims.audiences.iter().any(|audience| audience == PUBLIC_AUDIENCE)
        && instance.name != InstanceName::public_good()
        && !named
}

/// The subject alternative name that Fulcio makes of these claims, where that can be derived: a verified e-mail address,
/// the workflow of the two CI systems whose templates are fixed, a subject that is itself a URI.
#[must_use]
pub fn expected_name(claims: &Claims) -> Option<String> {
    let extra = |name: &str| claims.extra.get(name).and_then(serde_json::Value::as_str);
    match (&claims.email, claims.issuer.as_str()) {
        (Some(email), _) => claims.email_verified.then(|| email.clone()),
        (None, GITHUB) => extra("job_workflow_ref").map(|workflow| format!("https://github.com/{workflow}")),
        (None, GITLAB) => extra("ci_config_ref_uri").map(|config| format!("https://{config}")),
        (None, _) => claims.subject.contains("://").then(|| claims.subject.clone()),
    }
}

/// A token that is not sent to the certificate authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Made for somebody else.
    #[error("the identity token is not for \"{expected}\" but for \"{audiences}\"")]
    Audience {
        /// For whom it should be.
        expected: String,
        /// For whom it is.
        audiences: String,
    },
    /// Too old.
    #[error("the identity token expired at {at} (it is {now:.0} now)")]
    Expired {
        /// `exp`
        at: Timestamp,
        /// The clock.
        now: Timestamp,
    },
    /// `instance.toml` does not list its issuer.
    #[error("the instance {instance} may not vouch for identities of {issuer}")]
    IssuerNotAdmitted {
        /// `iss`
        issuer: String,
        /// Whose bounds.
        instance: InstanceName,
    },
    /// Another identity than `-u KEY` asks for.
    #[error(
        "the signature is wanted from {requested}, and the identity token is {}",
        .name.as_ref().map_or("of someone whose certificate name it does not tell".to_owned(),
            |name| format!("that of {name}"))
    )]
    OtherSigner {
        /// Who was asked for.
        requested: RequestedSigner,
        /// Whom the certificate would name.
        name: Option<String>,
    },
    /// It would be as good at the public-good instance.
    #[error("the instance {instance} could sign at the public-good instance with this identity token of {issuer}")]
    Replayable {
        /// `iss`
        issuer: String,
        /// Who would get it.
        instance: InstanceName,
    },
}

/// The audience of every token that the public-good certificate authority takes.
const PUBLIC_AUDIENCE: &str = "sigstore";
const GITHUB: &str = "https://token.actions.githubusercontent.com";
const GITLAB: &str = "https://gitlab.com";

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC_GOOD_ISSUER: &str = "https://oauth2.sigstore.dev/auth";
    use crate::instance::InstanceBounds;
    use crate::signing_config::{Service, ServiceValidity, SigningConfig};
    use crate::trusted_root::TrustedRoot;

    const NOW: &str = "2026-11-25T12:00:00Z";
    const OWN: &str = "http://localhost:1/oidc";

    fn claims(issuer: &str) -> Claims {
        let now: Timestamp = NOW.parse().unwrap();
        Claims {
            issuer: issuer.to_owned(),
            subject: "CgNmb28SA2Jhcg".to_owned(),
            audiences: vec!["sigstore".to_owned()],
            expires_at: now + jiff::SignedDuration::from_secs(60),
            issued_at: now,
            not_before: None,
            email: Some("alice@example.org".to_owned()),
            email_verified: true,
            nonce: None,
            connector_id: None,
            extra: serde_json::Map::new(),
        }
    }

    fn instance(name: InstanceName) -> Instance {
        let service = Service {
            url: OWN.to_owned(),
            major_api_version: 1,
            valid_for: ServiceValidity::default(),
            operator: String::new(),
        };
        // The operator claims others' issuers too.
        let named = [PUBLIC_GOOD_ISSUER, "https://accounts.google.com"].map(ToOwned::to_owned);
        let mut issuers: Vec<Service> = named.map(|url| Service { url, ..service.clone() }).into();
        issuers.push(service.clone());
        Instance {
            name,
            trusted_root: TrustedRoot::new(vec![], vec![], vec![], vec![]),
            signing_config: Some(SigningConfig::new(vec![service], issuers, vec![], vec![])),
            bounds: InstanceBounds::default(),
        }
    }

    fn outcome(claims: &Claims, instance: &Instance, signer: Option<&str>) -> Result<(), TokenError> {
        let signer = signer.and_then(|key| RequestedSigner::new(key.as_bytes(), []));
        let issuance = Issuance { instance, certificate_authority: "", audience: "sigstore", signer: signer.as_ref() };
        check(claims, &issuance, NOW.parse().unwrap())
    }

    fn own() -> InstanceName {
        "own".parse().unwrap()
    }

    #[test]
    fn a_token_has_a_time_and_an_audience() {
        let instance = instance(own());
        assert_eq!(outcome(&claims(OWN), &instance, None), Ok(()));
        let now = NOW.parse().unwrap();
        let late = Claims { expires_at: now, ..claims(OWN) };
        assert_eq!(outcome(&late, &instance, None), Err(TokenError::Expired { at: now, now }));
        let other = Claims { audiences: vec!["a".to_owned(), "b".to_owned()], ..claims(OWN) };
        let error = TokenError::Audience { expected: "sigstore".to_owned(), audiences: "a, b".to_owned() };
        assert_eq!(outcome(&other, &instance, None), Err(error));
    }

    #[test]
    fn a_token_that_is_good_at_public_good_goes_nowhere_else() {
        let replayable = |issuer: &str| TokenError::Replayable { issuer: issuer.to_owned(), instance: own() };
        for issuer in [PUBLIC_GOOD_ISSUER, "https://accounts.google.com"] {
            assert_eq!(outcome(&claims(issuer), &instance(own()), None), Err(replayable(issuer)));
            assert_eq!(outcome(&claims(issuer), &instance(InstanceName::public_good()), None), Ok(()));
            let mut bounded = instance(own());
            bounded.bounds.oidc_issuers = Some(vec![issuer.to_owned()]);
            assert_eq!(outcome(&claims(issuer), &bounded, None), Ok(()));
            let error = TokenError::IssuerNotAdmitted { issuer: OWN.to_owned(), instance: own() };
            assert_eq!(outcome(&claims(OWN), &bounded, None), Err(error));
        }
    }

    #[test]
    fn who_is_asked_for_must_be_who_signs() {
        let instance = instance(own());
        assert_eq!(outcome(&claims(OWN), &instance, Some("alice@example.org")), Ok(()));
        let error = outcome(&claims(OWN), &instance, Some("Bob <bob@example.org>")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the signature is wanted from bob@example.org, and the identity token is that of alice@example.org"
        );
        let machine = Claims { email: None, ..claims(OWN) };
        let error = outcome(&machine, &instance, Some("bob@example.org")).unwrap_err();
        assert!(error.to_string().ends_with("of someone whose certificate name it does not tell"), "{error}");
    }

    #[test]
    fn names_are_derived_where_fulcio_s_rule_is_known() {
        let name = |issuer: &str, member: &str, value: &str| {
            let mut claims = Claims { email: None, ..claims(issuer) };
            claims.extra.insert(member.to_owned(), value.into());
            expected_name(&claims)
        };
        assert_eq!(
            name(GITHUB, "job_workflow_ref", "o/r/.github/workflows/w.yml@refs/heads/main").as_deref(),
            Some("https://github.com/o/r/.github/workflows/w.yml@refs/heads/main")
        );
        assert_eq!(
            name(GITLAB, "ci_config_ref_uri", "gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main").as_deref(),
            Some("https://gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main")
        );
        assert_eq!(name(OWN, "x", "y"), None);
        assert_eq!(expected_name(&Claims { email_verified: false, ..claims(OWN) }), None);
        let spiffe = Claims { email: None, subject: "spiffe://a/b".to_owned(), ..claims(OWN) };
        assert_eq!(expected_name(&spiffe).as_deref(), Some("spiffe://a/b"));
    }
}
