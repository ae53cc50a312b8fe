//! Other issuers whose identity tokens are good for certificates: a list in a file, in the words of Fulcio's
//! configuration.
//!
//! ```toml
//! [[issuer]]
//! issuer-url = "https://token.actions.githubusercontent.com"
//! client-id = "sigstore"
//! type = "ci-provider"               # or email, kubernetes, spiffe, uri, username
//! ci-provider = "github-workflow"
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;
use url::{Host, Url};

pub use super::issuer_keys::{FetchedKeys, IssuerKeys, KeyError, KeyFetcher, KeysUnavailable};

use super::certificate_authority::{BadTemplate, CiProvider, IssuerType, TrustedIssuer, is_trust_domain};
use super::public_url::is_loopback;

/// One issuer of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalIssuer {
    /// `iss`, byte for byte.
    pub issuer_url: String,
    /// What `aud` must have.
    pub client_id: String,
    /// How its tokens name people or machines.
    pub issuer_type: IssuerType,
    /// The path of the claim that names the issuer behind this one.
    pub issuer_claim: Option<String>,
}

impl ExternalIssuer {
    /// Reads the file.
    ///
    /// # Errors
    /// [`BadIssuers`] names the issuer and what is wrong with it.
    pub fn read_list(toml: &str) -> Result<Vec<Self>, BadIssuers> {
        let file: File = toml::from_str(toml).map_err(|error| BadIssuers::Toml(error.message().to_owned()))?;
        if file.meta_issuer.is_some() {
            return Err(BadIssuers::MetaIssuers);
        }
        let mut issuers: Vec<Self> = Vec::new();
        for issuer in file.issuer {
            if issuers.len() >= MAX_ISSUERS {
                return Err(BadIssuers::TooMany);
            }
            if issuers.iter().any(|earlier| earlier.issuer_url == issuer.issuer_url) {
                return Err(BadIssuers::at(issuer.issuer_url, BadIssuer::Twice));
            }
            let url = issuer.issuer_url.clone();
            issuers.push(issuer.read(&file.ci_provider).map_err(|wrong| BadIssuers::at(url, wrong))?);
        }
        Ok(issuers)
    }

    /// Whether people log in there, as opposed to machines.
    #[must_use]
    pub fn is_for_people(&self) -> bool {
        match self.issuer_type {
            IssuerType::Email { .. } | IssuerType::Username { .. } => true,
            IssuerType::CiProvider(_) | IssuerType::Kubernetes | IssuerType::Spiffe { .. } | IssuerType::Uri { .. } => {
                false
            }
        }
    }

    /// The same for the certificate authority, which asks `fetcher` for the keys when it needs them.
    #[must_use]
    pub fn trusted(self, fetcher: Option<KeyFetcher>) -> TrustedIssuer {
        TrustedIssuer {
            keys: IssuerKeys::fetched(self.issuer_url.clone(), fetcher),
            issuer: self.issuer_url,
            audience: self.client_id,
            issuer_type: self.issuer_type,
            issuer_claim: self.issuer_claim,
        }
    }
}

/// A list of issuers that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIssuers {
    /// One of them.
    #[error("issuer \"{issuer_url}\": {wrong}")]
    Issuer {
        /// Which.
        issuer_url: String,
        /// What is wrong with it.
        wrong: BadIssuer,
    },
    /// Fulcio's patterns of issuers.
    #[error("meta-issuer is not supported: list each issuer as [[issuer]]")]
    MetaIssuers,
    /// More than anyone configures by hand.
    #[error("there are more than {MAX_ISSUERS} issuers")]
    TooMany,
    /// Not TOML, or not of this shape.
    #[error("{0}")]
    Toml(String),
}

impl BadIssuers {
    fn at(issuer_url: String, wrong: BadIssuer) -> Self {
        Self::Issuer { issuer_url, wrong }
    }
}

/// What can be wrong with an issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIssuer {
    /// Its address.
    #[error("issuer-url must be https://HOST… (http on a loopback address), without query or fragment")]
    Address,
    /// An empty audience is everyone's.
    #[error("client-id is empty")]
    ClientId,
    /// An extension that no template fills.
    #[error("\"{0}\" is not the name of an extension")]
    Extension(String),
    /// A path that is not understood.
    #[error("issuer-claim must be a path such as $.federated_claims.connector_id")]
    IssuerClaim,
    /// What its type needs.
    #[error("this type of issuer needs {0}")]
    Missing(&'static str),
    /// Fulcio's meta-issuers.
    #[error("issuer-url must be one address: patterns with * are not supported, list each issuer")]
    Pattern,
    /// A provider that is neither built in nor in the file.
    #[error("there is no ci-provider \"{0}\"")]
    Provider(String),
    /// A trust domain that is none.
    #[error("spiffe-trust-domain must be a name such as example.org")]
    SpiffeTrustDomain,
    /// A domain of someone else.
    #[error("subject-domain must be of the issuer's own domain")]
    SubjectDomain,
    /// A template.
    #[error("{0}")]
    Template(#[from] BadTemplate),
    /// Another with the same address.
    #[error("it stands twice")]
    Twice,
    /// A type that Fulcio knows, and this stack does not.
    #[error("type \"{0}\" is not supported; the types are ci-provider, email, kubernetes, spiffe, uri and username")]
    Type(&'static str),
    /// A setting of another type of issuer.
    #[error("{0} means nothing for this type of issuer")]
    Unneeded(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    issuer: Vec<Entry>,
    #[serde(default)]
    ci_provider: BTreeMap<String, Provider>,
    /// Fulcio's table of patterns: refused with words of its own.
    #[serde(default)]
    meta_issuer: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    issuer_url: String,
    #[serde(default = "sigstore")]
    client_id: String,
    #[serde(rename = "type")]
    issuer_type: Type,
    ci_provider: Option<String>,
    #[serde(default)]
    default_template_values: BTreeMap<String, String>,
    subject_domain: Option<String>,
    spiffe_trust_domain: Option<String>,
    issuer_claim: Option<String>,
    skip_email_verification: Option<bool>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Type {
    ChainguardIdentity,
    CiProvider,
    Email,
    Kubernetes,
    Spiffe,
    Uri,
    Username,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Provider {
    #[serde(default)]
    default_template_values: BTreeMap<String, String>,
    #[serde(default)]
    extension_templates: BTreeMap<String, String>,
    subject_alternative_name_template: String,
}

impl Entry {
    fn read(self, providers: &BTreeMap<String, Provider>) -> Result<ExternalIssuer, BadIssuer> {
        if self.issuer_url.contains('*') {
            return Err(BadIssuer::Pattern);
        }
        let url = Url::parse(&self.issuer_url).map_err(|_| BadIssuer::Address)?;
        let bare = url.query().is_none() && url.fragment().is_none();
        let private = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
        if !bare || !private || url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
            return Err(BadIssuer::Address);
        }
        if self.client_id.is_empty() {
            return Err(BadIssuer::ClientId);
        }
        if self.issuer_claim.as_ref().is_some_and(|path| path.strip_prefix("$.").is_none_or(str::is_empty)) {
            return Err(BadIssuer::IssuerClaim);
        }
        let is = |issuer_type| self.issuer_type == issuer_type;
        let (is_ci, is_email) = (is(Type::CiProvider), is(Type::Email));
        let unneeded = [
            ("ci-provider", self.ci_provider.is_some() && !is_ci),
            ("default-template-values", !self.default_template_values.is_empty() && !is_ci),
            ("skip-email-verification", self.skip_email_verification.is_some() && !is_email),
            ("spiffe-trust-domain", self.spiffe_trust_domain.is_some() && !is(Type::Spiffe)),
            ("subject-domain", self.subject_domain.is_some() && !is(Type::Uri) && !is(Type::Username)),
        ];
        if let Some((name, _)) = unneeded.iter().find(|(_, wrong)| *wrong) {
            return Err(BadIssuer::Unneeded(name));
        }
        let domain = || {
            let domain = self.subject_domain.clone().ok_or(BadIssuer::Missing("subject-domain"))?;
            if is_own_domain(&domain, &url) { Ok(domain) } else { Err(BadIssuer::SubjectDomain) }
        };
        let issuer_type = match self.issuer_type {
            Type::ChainguardIdentity => return Err(BadIssuer::Type("chainguard-identity")),
            Type::CiProvider => {
                let name = self.ci_provider.ok_or(BadIssuer::Missing("ci-provider"))?;
                let provider = match providers.get(&name) {
                    Some(provider) => provider.read()?,
                    None => CiProvider::named(&name).ok_or(BadIssuer::Provider(name))?,
                };
                IssuerType::CiProvider(Box::new(provider.with_defaults(self.default_template_values)))
            }
            Type::Email => IssuerType::Email { skip_verification: self.skip_email_verification.unwrap_or_default() },
            Type::Kubernetes => IssuerType::Kubernetes,
            Type::Spiffe => {
                let trust_domain = self.spiffe_trust_domain.ok_or(BadIssuer::Missing("spiffe-trust-domain"))?;
                if !is_trust_domain(&trust_domain) {
                    return Err(BadIssuer::SpiffeTrustDomain);
                }
                IssuerType::Spiffe { trust_domain }
            }
            // It is compared as a URI is, with its scheme.
            Type::Uri if !domain()?.contains("://") => return Err(BadIssuer::SubjectDomain),
            Type::Uri => IssuerType::Uri { subject_domain: domain()? },
            Type::Username => IssuerType::Username { subject_domain: domain()? },
        };
        Ok(ExternalIssuer {
            issuer_url: self.issuer_url,
            client_id: self.client_id,
            issuer_type,
            issuer_claim: self.issuer_claim,
        })
    }
}

impl Provider {
    fn read(&self) -> Result<CiProvider, BadIssuer> {
        let mut extensions = Vec::new();
        for (name, template) in &self.extension_templates {
            let found = EXTENSIONS.iter().find(|(_, known)| known == name);
            let (number, _) = found.ok_or_else(|| BadIssuer::Extension(name.clone()))?;
            extensions.push((*number, template.as_str()));
        }
        let defaults = self.default_template_values.clone();
        Ok(CiProvider::new(defaults, extensions, &self.subject_alternative_name_template)?)
    }
}

/// As Fulcio: the same host, or the same two last labels; the same scheme where one is given. Otherwise an issuer could
/// vouch for names at someone else's.
fn is_own_domain(domain: &str, issuer: &Url) -> bool {
    let scheme = issuer.scheme();
    let with_scheme = if domain.contains("://") { domain.to_owned() } else { format!("{scheme}://{domain}") };
    let Ok(domain) = Url::parse(&with_scheme) else { return false };
    if domain.scheme() != scheme || domain.host().is_none() || !matches!(domain.path(), "" | "/") {
        return false;
    }
    let last_two = |host: &str| {
        let mut labels = host.rsplit('.');
        labels.next().zip(labels.next()).map(|(top, second)| (top.to_owned(), second.to_owned()))
    };
    match (domain.host(), issuer.host()) {
        (Some(Host::Domain(domain)), Some(Host::Domain(issuer))) => {
            domain == issuer || last_two(domain).is_some() && last_two(domain) == last_two(issuer)
        }
        (domain, issuer) => domain == issuer,
    }
}

fn sigstore() -> String {
    "sigstore".to_owned()
}

const MAX_ISSUERS: usize = 256;

/// Numbers under 1.3.6.1.4.1.57264.1 and their names in Fulcio's configuration.
const EXTENSIONS: [(u8, &str); 20] = [
    (2, "github-workflow-trigger"),
    (3, "github-workflow-sha"),
    (4, "github-workflow-name"),
    (5, "github-workflow-repository"),
    (6, "github-workflow-ref"),
    (9, "build-signer-uri"),
    (10, "build-signer-digest"),
    (11, "runner-environment"),
    (12, "source-repository-uri"),
    (13, "source-repository-digest"),
    (14, "source-repository-ref"),
    (15, "source-repository-identifier"),
    (16, "source-repository-owner-uri"),
    (17, "source-repository-owner-identifier"),
    (18, "build-config-uri"),
    (19, "build-config-digest"),
    (20, "build-trigger"),
    (21, "run-invocation-uri"),
    (22, "source-repository-visibility-at-signing"),
    (23, "deployment-environment"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Vec<ExternalIssuer>, String> {
        ExternalIssuer::read_list(toml).map_err(|error| error.to_string())
    }

    #[test]
    fn every_type() {
        let issuers = read(
            r#"
            [[issuer]]
            issuer-url = "https://accounts.example.com"
            type = "email"

            [[issuer]]
            issuer-url = "https://token.actions.githubusercontent.com"
            client-id = "own"
            type = "ci-provider"
            ci-provider = "github-workflow"

            [[issuer]]
            issuer-url = "https://ci.example.com"
            type = "ci-provider"
            ci-provider = "own-ci"
            default-template-values = { url = "https://ci.example.com" }

            [ci-provider.own-ci]
            subject-alternative-name-template = "{{.url}}/{{.project}}"
            extension-templates = { source-repository-digest = "commit", build-trigger = "trigger" }

            [[issuer]]
            issuer-url = "https://id.example.com"
            type = "uri"
            subject-domain = "https://id.example.com"

            [[issuer]]
            issuer-url = "https://names.example.com"
            type = "username"
            subject-domain = "example.com"
            issuer-claim = "$.federated_claims.connector_id"

            [[issuer]]
            issuer-url = "https://kubernetes.example.com"
            type = "kubernetes"

            [[issuer]]
            issuer-url = "https://spire.example.com"
            type = "spiffe"
            spiffe-trust-domain = "prod.example.com"
            "#,
        )
        .unwrap();
        let types: Vec<_> = issuers.iter().map(|issuer| issuer.issuer_type.name()).collect();
        assert_eq!(types, ["email", "ci-provider", "ci-provider", "uri", "username", "kubernetes", "spiffe"]);
        let audiences: Vec<_> = issuers.iter().map(|issuer| issuer.client_id.as_str()).collect();
        assert_eq!(audiences, ["sigstore", "own", "sigstore", "sigstore", "sigstore", "sigstore", "sigstore"]);
        assert_eq!(issuers.iter().filter(|issuer| issuer.is_for_people()).count(), 2);
        assert_eq!(read(""), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let issuer = |rest: &str| read(&format!("[[issuer]]\nissuer-url = \"https://x.example\"\n{rest}"));
        let wrong = |what: &str| Err(format!("issuer \"https://x.example\": {what}"));
        assert_eq!(issuer("type = \"uri\""), wrong("this type of issuer needs subject-domain"));
        assert_eq!(issuer("type = \"ci-provider\""), wrong("this type of issuer needs ci-provider"));
        assert_eq!(issuer("type = \"ci-provider\"\nci-provider = \"x\""), wrong("there is no ci-provider \"x\""));
        assert_eq!(
            issuer("type = \"username\"\nsubject-domain = \"y.example.org\""),
            wrong("subject-domain must be of the issuer's own domain")
        );
        assert_eq!(
            issuer("type = \"email\"\nsubject-domain = \"x.example\""),
            wrong("subject-domain means nothing for this type of issuer")
        );
        assert_eq!(issuer("type = \"email\"\nclient-id = \"\""), wrong("client-id is empty"));
        assert_eq!(
            issuer("type = \"email\"\nissuer-claim = \"email\""),
            wrong("issuer-claim must be a path such as $.federated_claims.connector_id")
        );
        assert_eq!(issuer("type = \"spiffe\""), wrong("this type of issuer needs spiffe-trust-domain"));
        assert_eq!(
            issuer("type = \"spiffe\"\nspiffe-trust-domain = \"spiffe://x\""),
            wrong("spiffe-trust-domain must be a name such as example.org")
        );
        assert_eq!(
            issuer("type = \"kubernetes\"\nspiffe-trust-domain = \"x\""),
            wrong("spiffe-trust-domain means nothing for this type of issuer")
        );
        assert_eq!(
            issuer("type = \"kubernetes\"\nsubject-domain = \"x\""),
            wrong("subject-domain means nothing for this type of issuer")
        );
        let types = "the types are ci-provider, email, kubernetes, spiffe, uri and username";
        let chainguard = format!("type \"chainguard-identity\" is not supported; {types}");
        assert_eq!(issuer("type = \"chainguard-identity\""), wrong(&chainguard));
        assert!(issuer("type = \"other\"").unwrap_err().contains("unknown variant"));
        let pattern = "https://oidc.eks.*.amazonaws.com/id/*";
        let one = "issuer-url must be one address: patterns with * are not supported, list each issuer";
        assert_eq!(
            read(&format!("[[issuer]]\nissuer-url = \"{pattern}\"\ntype = \"kubernetes\"")),
            Err(format!("issuer \"{pattern}\": {one}"))
        );
        let refused = "meta-issuer is not supported: list each issuer as [[issuer]]";
        assert_eq!(read("[[meta-issuer]]\ntype = \"kubernetes\""), Err(refused.to_owned()));
        assert!(issuer("type = \"email\"\nkeys = 1").unwrap_err().contains("unknown field"));
        let two = "[[issuer]]\nissuer-url = \"https://x.example\"\ntype = \"email\"\n".repeat(2);
        assert_eq!(read(&two), wrong("it stands twice"));
        for bad in ["http://x.example", "https://x.example/?a", "https://u@x.example", "x", "ftp://x.example"] {
            let refused = read(&format!("[[issuer]]\nissuer-url = {bad:?}\ntype = \"email\""));
            assert!(refused.unwrap_err().contains("issuer-url must be"), "{bad}");
        }
        assert!(read("[[issuer]]\nissuer-url = \"http://127.0.0.1:9000\"\ntype = \"email\"").is_ok());
    }

    #[test]
    fn whose_names_an_issuer_may_vouch_for() {
        let own = |domain: &str, issuer: &str| is_own_domain(domain, &Url::parse(issuer).unwrap());
        assert!(own("example.com", "https://accounts.example.com"));
        assert!(own("https://example.com", "https://accounts.example.com"));
        assert!(own("127.0.0.1", "http://127.0.0.1:9000"));
        for bad in ["http://example.com", "other.com", "com", "example.com.evil.org", "", "https://example.com/path"] {
            assert!(!own(bad, "https://accounts.example.com"), "{bad}");
        }
        assert!(!own("2.0.0.1", "http://1.0.0.1"));
    }
}
