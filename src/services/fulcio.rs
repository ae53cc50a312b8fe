//! Fulcio, `POST /api/v2/signingCert`: an identity token and a proven key become a certificate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::http::{Http, Repeat, request};
use super::{ServiceError, ServiceName, join};
use crate::crypto::SigningKey;
use crate::identity_token::IdentityToken;
use crate::tlog::hashedrekord::{self, Verifier};
use crate::x509::Certificate;

/// Asks the certificate authority at `base` to certify `key` for the identity in `token`.
///
/// Gives the leaf, as it came: the chain that comes along proves nothing, the trusted root does.
///
/// # Errors
/// [`ServiceError`]
pub async fn certify(
    http: &Http,
    base: &str,
    token: &IdentityToken,
    key: &SigningKey,
) -> Result<Certificate, ServiceError> {
    let address = join(base, "api/v2/signingCert");
    let body = SigningCertRequest {
        public_key_request: PublicKeyRequest {
            public_key: PublicKey {
                algorithm: "ECDSA",
                content: hashedrekord::pem(Verifier::PublicKey(&key.public_key_der())),
            },
            proof_of_possession: STANDARD.encode(key.sign(token.identity().as_bytes())),
        },
    };
    let mut request = request(SERVICE, Method::POST, &address, serde_json::to_vec(&body).unwrap_or_default())?;
    let bearer = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut bearer = HeaderValue::from_str(&bearer)
        .map_err(|_| ServiceError::garbage(SERVICE, &address, "the identity token cannot be sent in a header"))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let response = http.send(SERVICE, Repeat::UnlessSent, &request).await?;
    if response.status() != StatusCode::OK {
        return Err(ServiceError::refused(SERVICE, &address, &response));
    }
    leaf(response.body()).map_err(|what| ServiceError::garbage(SERVICE, &address, what))
}

fn leaf(body: &[u8]) -> Result<Certificate, &'static str> {
    let answer: SigningCertificate = serde_json::from_slice(body).map_err(|_| "it is not Fulcio's JSON")?;
    let certificates = match answer {
        SigningCertificate { signed_certificate_embedded_sct: Some(signed), .. } => signed.chain.certificates,
        SigningCertificate { signed_certificate_detached_sct: Some(_), .. } => {
            return Err("the SCT is not embedded in the certificate");
        }
        _ => return Err("there is no certificate in it"),
    };
    if certificates.len() > MAX_CERTIFICATES {
        return Err("the chain has too many certificates");
    }
    let first = certificates.first().ok_or("there is no certificate in it")?;
    Certificate::from_pem(first).map_err(|_| "its certificate cannot be read")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SigningCertRequest {
    public_key_request: PublicKeyRequest,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyRequest {
    public_key: PublicKey,
    proof_of_possession: String,
}

#[derive(Serialize)]
struct PublicKey {
    algorithm: &'static str,
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SigningCertificate {
    signed_certificate_embedded_sct: Option<EmbeddedSct>,
    signed_certificate_detached_sct: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct EmbeddedSct {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}

const SERVICE: ServiceName = ServiceName::CertificateAuthority;
/// What Fulcio and Rekor themselves take as the longest chain.
const MAX_CERTIFICATES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_one_certificate_that_can_be_used() {
        let embedded = |certificates: &[&str]| {
            let chain = serde_json::json!({ "certificates": certificates });
            serde_json::json!({ "signedCertificateEmbeddedSct": { "chain": chain } }).to_string()
        };
        for (body, what) in [
            ("", "it is not Fulcio's JSON"),
            ("{}", "there is no certificate in it"),
            (r#"{"signedCertificateDetachedSct":{}}"#, "the SCT is not embedded in the certificate"),
            (&embedded(&[]), "there is no certificate in it"),
            (
                &embedded(&["-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"]),
                "its certificate cannot be read",
            ),
            (&embedded(&[""; 11]), "the chain has too many certificates"),
        ] {
            assert_eq!(leaf(body.as_bytes()).unwrap_err(), what, "{body}");
        }
    }

    #[test]
    fn a_real_answer_is_read() {
        let Ok(exchanges) = std::fs::read_to_string("../shared/corpus/real-servers/exchanges.jsonl") else {
            println!("skipped: there is no corpus beside the repository");
            return;
        };
        let mut read = 0;
        for line in exchanges.lines() {
            let exchange: serde_json::Value = serde_json::from_str(line).unwrap();
            if exchange["path"] == "/api/v2/signingCert" && exchange["status"] == 200 {
                let body = exchange["response_body"]["text"].as_str().unwrap();
                let leaf = leaf(body.as_bytes()).unwrap();
                // The same in one line, as some servers write it.
                let chain: serde_json::Value = serde_json::from_str(body).unwrap();
                let pem = chain["signedCertificateEmbeddedSct"]["chain"]["certificates"][0].as_str().unwrap();
                let label = |pem: &str, side: &str| pem.find(&format!("-----{side}")).unwrap();
                let inner = &pem[27..label(pem, "END")];
                let one_line = pem.replace(inner, &format!("\n{}\n", inner.replace('\n', "")));
                assert_eq!(Certificate::from_pem(&one_line).unwrap().der(), leaf.der());
                read += 1;
            }
        }
        assert!(read > 0);
    }
}
