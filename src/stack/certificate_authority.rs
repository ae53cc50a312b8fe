//! The certificate authority: Fulcio's API, one issuer of identity tokens or more, a log entry before each certificate.

mod chains;
mod ci_provider;
mod error;
mod identity;
mod profile;
mod request;
mod template;

use der::Encode as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use x509_cert::name::Name;

pub use self::chains::{AuthorityChain, AuthorityChains};
pub(super) use self::chains::{ROOT_NAME, TIMESTAMP_ROOT_NAME};
pub use self::ci_provider::CiProvider;
pub use self::error::IssueError;
pub(in crate::stack) use self::identity::is_trust_domain;
pub use self::identity::{CertificateIdentity, IdentityError, IssuerType};
pub use self::request::CertificateRequest;
pub use self::template::BadTemplate;

use self::profile::{CertificateIssuer, TbsCertificate};
use super::ct_log::{CtLog, Submission};
use super::issuer_keys::IssuerKeys;
use crate::crypto::{ServiceKey, Sha256Digest, VerifyingKey};
use crate::identity_token::{Claims, IdentityToken, IdentityTokenError};
use crate::tlog::hashedrekord::{Verifier, pem};
use crate::x509::MalformedCertificate;
use crate::x509::sct::SignedCertificateTimestamp;

/// The actor.
#[derive(Debug)]
pub struct CertificateAuthority {
    key: ServiceKey,
    issuers: Vec<TrustedIssuer>,
    chains: AuthorityChains,
    chain: AuthorityChain,
    name: Name,
    key_hash: Sha256Digest,
}

/// Whose identity tokens are believed.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    /// `iss`, byte for byte.
    pub issuer: String,
    /// What `aud` must have.
    pub audience: String,
    /// What its tokens are signed with.
    pub keys: IssuerKeys,
    /// How its tokens name people or machines.
    pub issuer_type: IssuerType,
    /// The path of the claim that names the issuer behind this one, as `$.federated_claims.connector_id`.
    pub issuer_claim: Option<String>,
}

impl CertificateAuthority {
    /// An authority that issues as the newest of `chains`, whose key is `key`, to whom `issuers` vouch for.
    ///
    /// # Errors
    /// [`MalformedCertificate`] when there is no chain.
    pub fn new(
        key: ServiceKey,
        chains: AuthorityChains,
        issuers: Vec<TrustedIssuer>,
    ) -> Result<Self, MalformedCertificate> {
        let chain = chains.newest().ok_or(MalformedCertificate::NotPem)?.clone();
        let name = chain.intermediate.subject().clone();
        let key_hash = key.verifying_key().spki_sha256();
        Ok(Self { key, issuers, chains, chain, name, key_hash })
    }

    /// The leaf, the intermediate and the root, DER.
    ///
    /// # Errors
    /// [`IssueError`] names what is wrong, the token first, as Fulcio does.
    pub fn issue(
        &self,
        request: &CertificateRequest,
        ct_log: &CtLog,
        now: Timestamp,
    ) -> Result<[Vec<u8>; 3], IssueError> {
        let (issuer, claims) = self.verify_token(&request.token, now)?;
        let identity = CertificateIdentity::of(&issuer.issuer_type, issuer.issuer_claim.as_deref(), &claims)?;
        let key = request.proved_key(&identity.challenge)?;
        let leaf = self.certify(&identity, &key, ct_log, now)?;
        let [intermediate, root] = self.chain.der().map(<[u8]>::to_vec);
        Ok([leaf, intermediate, root])
    }

    /// The certificates to trust, those that issued before too.
    #[must_use]
    pub fn chains(&self) -> &AuthorityChains {
        &self.chains
    }

    /// `GET /api/v2/trustBundle`: the issuing certificate of each chain first.
    #[must_use]
    pub fn trust_bundle(&self) -> Value {
        let chains = self
            .chains
            .with_validity()
            .map(|(chain, _)| json!({ "certificates": chain.der().map(|der| pem(Verifier::Certificate(der))) }));
        json!({ "chains": chains.collect::<Vec<_>>() })
    }

    /// `GET /api/v1/rootCert`: the chain that issues now.
    #[must_use]
    pub fn root_certificates(&self) -> String {
        self.chain.to_pem()
    }

    /// `GET /api/v2/configuration`: whose tokens are taken.
    #[must_use]
    pub fn configuration(&self) -> Value {
        let issuers = self.issuers.iter().map(|issuer| {
            let skips = matches!(issuer.issuer_type, IssuerType::Email { skip_verification: true });
            json!({
                "issuerUrl": issuer.issuer,
                "audience": issuer.audience,
                "challengeClaim": issuer.issuer_type.challenge_claim(),
                "spiffeTrustDomain": issuer.issuer_type.spiffe_trust_domain(),
                "issuerType": issuer.issuer_type.name(),
                "subjectDomain": issuer.issuer_type.subject_domain(),
                "skipEmailVerification": skips,
            })
        });
        json!({ "issuers": issuers.collect::<Vec<_>>() })
    }

    /// Signs and logs the precertificate (RFC 6962 §3.1), then signs the certificate with the log's promise in it.
    fn certify(
        &self,
        identity: &CertificateIdentity,
        key: &VerifyingKey,
        ct_log: &CtLog,
        now: Timestamp,
    ) -> Result<Vec<u8>, IssueError> {
        let by = CertificateIssuer { name: &self.name, key: self.key.verifying_key() };
        let mut tbs = TbsCertificate::leaf(identity, key, by, now)?;
        let precertificate = tbs.poisoned()?.signed(&self.key)?;
        let submission = Submission::precertificate(self.key_hash, tbs.to_der()?, &precertificate, &self.chain.der())?;
        let sct = ct_log.add(&submission, now)?;
        tbs.push_sct_list(&SignedCertificateTimestamp::extension_value(vec![sct])?)?;
        tbs.signed(&self.key)
    }

    fn verify_token(&self, token: &str, now: Timestamp) -> Result<(&TrustedIssuer, Claims), IssueError> {
        let claimed = IdentityToken::parse(token.to_owned()).map_err(IdentityTokenError::Malformed)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.issuer == claimed.claims().issuer);
        let issuer = issuer.ok_or(IssueError::UnknownIssuer)?;
        Ok((issuer, issuer.keys.verify(token, &issuer.issuer, &issuer.audience, now)?))
    }
}
