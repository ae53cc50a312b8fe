//! The certificate authority: Fulcio's API, one issuer of identity tokens or more, a log entry before each certificate.

mod profile;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::asn1::UintRef;
use der::{Decode as _, Encode as _, Sequence};
use jiff::Timestamp;
use serde::Deserialize;
use x509_cert::name::Name;

use self::profile::{CertificateIssuer, Certified, TbsCertificate};
use super::ct_log::{CtLog, CtLogError};
use crate::crypto::{KeyKind, ServiceKey, ServiceKeyError, Sha256Digest, UnsupportedKey, VerifyingKey};
use crate::identity_token::{Claims, IdentityToken, IdentityTokenError, JsonWebKeySet, verify_rs256};
use crate::tlog::hashedrekord::{Verifier, pem};
use crate::x509::sct::{SctError, SignedCertificateTimestamp};
use crate::x509::{Certificate, MalformedCertificate};

/// The actor.
#[derive(Debug)]
pub struct CertificateAuthority {
    key: ServiceKey,
    issuers: Vec<TrustedIssuer>,
    intermediate: Vec<u8>,
    root: Vec<u8>,
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
    pub keys: JsonWebKeySet,
}

/// Root and intermediate, DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityCertificates {
    /// Self-signed.
    pub root: Vec<u8>,
    /// Issued by the root; issues leaves.
    pub intermediate: Vec<u8>,
}

impl AuthorityCertificates {
    /// Makes a root for `organization`, valid from `from` on, and has it issue the intermediate that `key` will sign as.
    /// The root's own key is not needed again, and so not kept.
    ///
    /// # Errors
    /// [`IssueError`] when a key cannot sign.
    pub fn make(
        organization: &str,
        root_key: &ServiceKey,
        key: &ServiceKey,
        from: Timestamp,
    ) -> Result<Self, IssueError> {
        let root_name = profile::name(organization, "waxseal root")?;
        let name = profile::name(organization, "waxseal intermediate")?;
        let root = sign(TbsCertificate::root(&root_name, root_key.verifying_key(), from)?, root_key)?;
        let by = CertificateIssuer { name: &root_name, key: root_key.verifying_key() };
        let intermediate = sign(TbsCertificate::intermediate(&name, key.verifying_key(), by, from)?, root_key)?;
        Ok(Self { root, intermediate })
    }

    /// Both in PEM, the intermediate first.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem(Verifier::Certificate(&self.intermediate)) + &pem(Verifier::Certificate(&self.root))
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote.
    ///
    /// # Errors
    /// [`MalformedCertificate`] when there are not two certificates.
    pub fn from_pem(text: &str) -> Result<Self, MalformedCertificate> {
        let second = text.rfind("-----BEGIN").ok_or(MalformedCertificate::NotPem)?;
        let (intermediate, root) = text.split_at(second);
        Ok(Self {
            root: Certificate::from_pem(root)?.der().to_vec(),
            intermediate: Certificate::from_pem(intermediate)?.der().to_vec(),
        })
    }
}

impl CertificateAuthority {
    /// An authority that issues as `certificates.intermediate`, whose key is `key`, to whom `issuers` vouch for.
    ///
    /// # Errors
    /// [`MalformedCertificate`] when the intermediate cannot be read.
    pub fn new(
        key: ServiceKey,
        certificates: AuthorityCertificates,
        issuers: Vec<TrustedIssuer>,
    ) -> Result<Self, MalformedCertificate> {
        let name = Certificate::from_der(&certificates.intermediate)?.subject().clone();
        let key_hash = key.verifying_key().spki_sha256();
        let AuthorityCertificates { root, intermediate } = certificates;
        Ok(Self { key, issuers, intermediate, root, name, key_hash })
    }

    /// `POST /api/v2/signingCert`: the leaf, the intermediate and the root, DER. `bearer` is the token of an
    /// `Authorization` header, which counts when the body has none.
    ///
    /// # Errors
    /// [`IssueError`] names what is wrong, the token first, as Fulcio does.
    pub fn issue(
        &self,
        request: &[u8],
        bearer: Option<&str>,
        ct_log: &CtLog,
        now: Timestamp,
    ) -> Result<[Vec<u8>; 3], IssueError> {
        let request: SigningCertificateRequest =
            serde_json::from_slice(request).map_err(|error| IssueError::Json(error.is_eof()))?;
        let token = request.credentials.oidc_identity_token;
        let token = if token.is_empty() { bearer.unwrap_or_default() } else { &token };
        let claims = self.verify_token(token, now)?;
        if request.certificate_signing_request.is_some() {
            return Err(IssueError::SigningRequest);
        }
        let proposed = request.public_key_request.ok_or(IssueError::Key(UnsupportedKey::Malformed))?;
        let key = read_key(&proposed.public_key.content)?;
        let email = email(&claims)?;
        let proof = STANDARD.decode(proposed.proof_of_possession).map_err(|_| IssueError::ProofOfPossession)?;
        key.verify(email.as_bytes(), &proof).map_err(|_| IssueError::ProofOfPossession)?;
        let certified = Certified { email, issuer: &claims.issuer, token_subject: &claims.subject, key: &key };
        let leaf = self.certify(certified, ct_log, now)?;
        Ok([leaf, self.intermediate.clone(), self.root.clone()])
    }

    /// The certificates to trust: issuing one first, anchor last.
    #[must_use]
    pub fn chain(&self) -> [&[u8]; 2] {
        [&self.intermediate, &self.root]
    }

    /// Logs the certificate, then signs it with the log's promise in it.
    fn certify(&self, certified: Certified<'_>, ct_log: &CtLog, now: Timestamp) -> Result<Vec<u8>, IssueError> {
        let by = CertificateIssuer { name: &self.name, key: self.key.verifying_key() };
        let mut tbs = TbsCertificate::leaf(certified, by, now)?;
        let sct = ct_log.add(self.key_hash, &tbs.to_der()?, now)?;
        tbs.push_sct_list(&SignedCertificateTimestamp::extension_value(vec![sct])?)?;
        sign(tbs, &self.key)
    }

    fn verify_token(&self, token: &str, now: Timestamp) -> Result<Claims, IssueError> {
        let claimed = IdentityToken::parse(token.to_owned()).map_err(IdentityTokenError::Malformed)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.issuer == claimed.claims().issuer);
        let issuer = issuer.ok_or(IssueError::UnknownIssuer)?;
        Ok(verify_rs256(token, &issuer.keys, &issuer.issuer, &issuer.audience, now)?)
    }
}

/// A certificate that was not issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The CT log did not take it.
    #[error(transparent)]
    CtLog(#[from] CtLogError),
    /// It cannot be encoded.
    #[error("the certificate cannot be encoded: {0}")]
    Encoding(#[from] der::Error),
    /// An RSA key of a size that is not 2048, 3072 or 4096 bits.
    #[error("the public key is insecure")]
    InsecureKey,
    /// The request is not JSON of its shape; whether it ends too early.
    #[error("the request is not JSON of a certificate request")]
    Json(bool),
    /// The public key cannot be read, or is of a kind that is not certified.
    #[error("the public key cannot be parsed: {0}")]
    Key(#[from] UnsupportedKey),
    /// No e-mail address that is verified and can stand in a certificate.
    #[error("the identity token has no verified e-mail address")]
    NoEmail,
    /// The token's subject was not signed with the key to be certified.
    #[error("the proof of possession does not verify")]
    ProofOfPossession,
    /// The SCT cannot be embedded.
    #[error(transparent)]
    Sct(#[from] SctError),
    /// The authority's key cannot sign.
    #[error(transparent)]
    Signing(#[from] ServiceKeyError),
    /// PKCS #10 instead of a key.
    #[error("certificate signing requests are not supported yet")]
    SigningRequest,
    /// The identity token is not to be believed.
    #[error(transparent)]
    Token(#[from] IdentityTokenError),
    /// The identity token's issuer is not one that is believed.
    #[error("the identity token's issuer is not trusted")]
    UnknownIssuer,
}

fn sign(tbs: TbsCertificate, key: &ServiceKey) -> Result<Vec<u8>, IssueError> {
    let signature = key.sign(&tbs.to_der()?)?;
    Ok(tbs.signed(&signature)?)
}

/// What Fulcio calls an issuer of type `email`: the address names the person, and must be verified.
fn email(claims: &Claims) -> Result<&str, IssueError> {
    let email = claims.email.as_deref().filter(|_| claims.email_verified).ok_or(IssueError::NoEmail)?;
    let well_formed = matches!(email.split_once('@'), Some((local, domain))
        if !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if well_formed && email.bytes().all(|byte| byte.is_ascii_graphic()) { Ok(email) } else { Err(IssueError::NoEmail) }
}

fn read_key(text: &str) -> Result<VerifyingKey, IssueError> {
    let body = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
    let body = body.and_then(|body| body.strip_suffix("-----END PUBLIC KEY-----"));
    let body: String = body.ok_or(UnsupportedKey::Malformed)?.split_ascii_whitespace().collect();
    let key = VerifyingKey::from_spki_der(&STANDARD.decode(body).map_err(|_| UnsupportedKey::Malformed)?)?;
    if key.kind() == KeyKind::Rsa {
        let rsa = RsaPublicKey::from_der(key.key_bits()).map_err(|_| UnsupportedKey::Malformed)?;
        if !RSA_MODULUS_BYTES.contains(&rsa.modulus.as_bytes().len()) {
            return Err(IssueError::InsecureKey);
        }
    }
    Ok(key)
}

/// RFC 8017 §A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// fulcio.proto `CreateSigningCertificateRequest`; members that are not known are ignored, `algorithm` too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SigningCertificateRequest {
    #[serde(default)]
    credentials: Credentials,
    public_key_request: Option<PublicKeyRequest>,
    certificate_signing_request: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    #[serde(default)]
    oidc_identity_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyRequest {
    public_key: PublicKey,
    #[serde(default)]
    proof_of_possession: String,
}

#[derive(Deserialize)]
struct PublicKey {
    content: String,
}

/// Fulcio's default: 2048, 3072 and 4096 bits.
const RSA_MODULUS_BYTES: [usize; 3] = [256, 384, 512];
