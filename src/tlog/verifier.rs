//! Whose signature an entry holds, and the one form of PEM that it is written in.

use crate::encoding::base64;

/// Whose signature it is, in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verifier<'a> {
    /// An X.509 certificate.
    Certificate(&'a [u8]),
    /// A `SubjectPublicKeyInfo`.
    PublicKey(&'a [u8]),
}

/// The certificate or key in PEM (RFC 7468): 64 columns, LF, a final newline.
#[must_use]
pub fn pem(verifier: Verifier<'_>) -> String {
    let (label, der) = match verifier {
        Verifier::Certificate(der) => (CERTIFICATE, der),
        Verifier::PublicKey(der) => (PUBLIC_KEY, der),
    };
    let encoded = base64(der);
    let mut text = String::with_capacity(encoded.len() + encoded.len() / 64 + 64);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = encoded.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

pub(super) const CERTIFICATE: &str = "CERTIFICATE";
pub(super) const PUBLIC_KEY: &str = "PUBLIC KEY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_has_64_columns() {
        let der = vec![0; 96];
        let text = pem(Verifier::Certificate(&der));
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [27, 64, 64, 25]);
        assert_eq!(text, der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &der).unwrap());
    }
}
