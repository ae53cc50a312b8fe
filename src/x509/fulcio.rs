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

/// The extensions of the arc that a certificate has, in its order, by name; values without their DER. One that is not known
/// is called `unknown`, and its value is hexadecimal.
#[must_use]
pub fn named_extensions(certificate: &Certificate) -> Vec<(&'static str, Vec<u8>)> {
    let mut named = Vec::new();
    for extension in certificate.extensions() {
        let Some(number) = extension.extn_id.arcs().last().filter(|_| extension.extn_id.parent() == Some(FULCIO))
        else {
            continue;
        };
        let raw = extension.extn_value.as_bytes();
        let known = NAMES.iter().find(|(known, _)| *known == number);
        named.push(match known {
            // The first ones are the bare bytes of a text.
            Some((1..=6, name)) => (*name, raw.to_vec()),
            Some((_, name)) => (*name, String::from_der(raw).map_or_else(|_| raw.to_vec(), String::into_bytes)),
            None => ("unknown", format!("{}: {}", extension.extn_id, hex::encode(raw)).into_bytes()),
        });
    }
    named
}

/// sigstore/fulcio `docs/oid-info.md`, names in snake case.
const NAMES: [(u32, &str); 23] = [
    (1, "issuer_v1"),
    (2, "github_workflow_trigger"),
    (3, "github_workflow_sha"),
    (4, "github_workflow_name"),
    (5, "github_workflow_repository"),
    (6, "github_workflow_ref"),
    (8, "issuer_v2"),
    (9, "build_signer_uri"),
    (10, "build_signer_digest"),
    (11, "runner_environment"),
    (12, "source_repository_uri"),
    (13, "source_repository_digest"),
    (14, "source_repository_ref"),
    (15, "source_repository_identifier"),
    (16, "source_repository_owner_uri"),
    (17, "source_repository_owner_identifier"),
    (18, "build_config_uri"),
    (19, "build_config_digest"),
    (20, "build_trigger"),
    (21, "run_invocation_uri"),
    (22, "source_repository_visibility_at_signing"),
    (23, "deployment_environment"),
    (24, "token_subject"),
];

/// What a certificate says of the CI job that signed, for issuers of type `ci-provider`; each is `None` where the extension
/// is absent or not a DER `UTF8String`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildClaims {
    /// .12 Source Repository URI.
    pub source_repository_uri: Option<String>,
    /// .14 Source Repository Ref.
    pub source_repository_ref: Option<String>,
    /// .15 Source Repository Identifier.
    pub source_repository_identifier: Option<String>,
    /// .18 Build Config URI.
    pub build_config_uri: Option<String>,
    /// .20 Build Trigger.
    pub build_trigger: Option<String>,
}

impl BuildClaims {
    /// Reads them. They count only for a certificate whose issuer and authority are believed.
    #[must_use]
    pub fn read(certificate: &Certificate) -> Self {
        let text = |number| certificate.extension::<String>(FULCIO.push_arc(number).ok()?).ok()?;
        Self {
            source_repository_uri: text(12),
            source_repository_ref: text(14),
            source_repository_identifier: text(15),
            build_config_uri: text(18),
            build_trigger: text(20),
        }
    }

    /// The path of the configuration in the source repository, as `.github/workflows/release.yml`. `None` where the
    /// configuration is another repository's.
    #[must_use]
    pub fn build_config_path(&self) -> Option<&str> {
        let inside = self.build_config_uri.as_deref()?.strip_prefix(self.source_repository_uri.as_deref()?)?;
        // GitLab separates the two by a double slash. A ref may contain `@`, as a path may; forges take the first.
        let path = inside.strip_prefix('/')?.trim_start_matches('/').split_once('@')?.0;
        (!path.is_empty()).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_of_the_source_repository() {
        let path = |repository: &str, config: &str| {
            let claims = BuildClaims {
                source_repository_uri: Some(repository.to_owned()),
                build_config_uri: Some(config.to_owned()),
                ..BuildClaims::default()
            };
            claims.build_config_path().map(str::to_owned)
        };
        let repository = "https://forge.example/o/r";
        let github = "https://forge.example/o/r/.github/workflows/a.yml@refs/heads/main";
        assert_eq!(path(repository, github).as_deref(), Some(".github/workflows/a.yml"));
        assert_eq!(
            path(repository, "https://forge.example/o/r//.gitlab-ci.yml@refs/heads/main").as_deref(),
            Some(".gitlab-ci.yml")
        );
        assert_eq!(path(repository, "https://forge.example/o/other/a.yml@refs/heads/main"), None);
        assert_eq!(path(repository, "https://forge.example/o/r-evil/a.yml@refs/heads/main"), None);
        assert_eq!(path(repository, "https://forge.example/o/r/a.yml"), None);
    }
}
