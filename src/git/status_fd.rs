//! The verdict in Git's words: `[GNUPG:]` lines on the status file descriptor (GnuPG `doc/DETAILS`, Git
//! `gpg-interface.c`).
//!
//! Always NEWSIG first, because Git does not see a GOODSIG on the very first line; always exactly one of GOODSIG,
//! BADSIG, ERRSIG; always a TRUST line, because Git 2.26 to 2.40 takes its absence for more than any trust; never an
//! empty field, because Git then reads on into the next line.

use jiff::tz::TimeZone;

use crate::crypto::{KeyKind, Sha256Digest};
use crate::escape;
use crate::policy::Allowed;
use crate::signature::SignatureFormat;
use crate::verify::error::VerifyError;
use crate::verify::{Rejection, Verdict, VerifiedSignature};
use crate::x509::path::PathError;

/// Who reads the status lines, and how closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// `git verify-commit` and its like: looks at the trust level and at the exit code.
    Careful,
    /// Looks at GOODSIG alone: whoever hands over a data file (jj), and a hook that asks about a push certificate.
    GoodsigAlone,
}

/// What Git hears, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status lines, each with its newline.
    pub status: String,
    /// 0 or 1.
    pub exit_code: u8,
}

/// The status lines for `verdict`, whose identity the policy judged as `allowed`.
#[must_use]
pub fn answer(verdict: &Verdict, allowed: &Allowed, reader: Reader) -> Answer {
    match verdict {
        Verdict::Verified(signature) => verified(signature, allowed, reader),
        Verdict::Rejected(rejection) => rejected(rejection),
        // Git has other programs for keys.
        Verdict::Undecided(_) | Verdict::VerifiedByKey(_) => nothing_to_verify_with(),
        Verdict::OtherFormat(
            SignatureFormat::OpenPgp | SignatureFormat::Ssh | SignatureFormat::Unknown | SignatureFormat::X509,
        ) => nothing_to_verify_with(),
        Verdict::Unsigned => failed(NO_DATA, UNSUPPORTED, ""),
    }
}

/// What Git hears when trust material or settings cannot be read, so that nothing can be said.
#[must_use]
pub fn undecided() -> Answer {
    nothing_to_verify_with()
}

/// What Git hears when waxseal itself failed: a verdict that nothing good can be read from.
#[must_use]
pub fn failure() -> Answer {
    failed("", 0, "")
}

/// One stable fingerprint an identity: SHA-256 of `INSTANCE LF KIND LF ISSUER LF SAN`, in hex. Git's `%GP`.
#[must_use]
pub fn identity_fingerprint(signature: &VerifiedSignature) -> Sha256Digest {
    let san = signature.san();
    let identity = [signature.instance().as_str(), san.kind(), signature.issuer(), san.as_str()].join("\n");
    Sha256Digest::of(identity.as_bytes())
}

/// `SAN (issuer)`: Git's `%GS`, and what hooks compare.
#[must_use]
pub fn signer(signature: &VerifiedSignature) -> String {
    let text = format!("{} ({})", signature.san(), signature.issuer());
    escape::status_line(text.as_bytes())
}

fn verified(signature: &VerifiedSignature, allowed: &Allowed, reader: Reader) -> Answer {
    let (trust, exit_code) = match allowed {
        Allowed::Yes(_) | Allowed::AnyIdentity => ("TRUST_FULLY 0 shell", 0),
        Allowed::CannotTell { .. } | Allowed::Exempt(_) | Allowed::No(_) | Allowed::NobodyAsked
            if reader == Reader::GoodsigAlone =>
        {
            return nothing_to_verify_with();
        }
        // Anyone can get a Sigstore certificate: without a policy a good signature says little.
        Allowed::CannotTell { .. } | Allowed::Exempt(_) | Allowed::NobodyAsked => ("TRUST_UNDEFINED 0 shell", 0),
        Allowed::No(_) => ("TRUST_NEVER 0 shell", 1),
    };
    let fingerprint = signature.sha1_fingerprint();
    let name = signer(signature);
    let valid = valid_signature(signature, fingerprint);
    let status = format!("{NEWSIG}[GNUPG:] GOODSIG {fingerprint} {name}\n{valid}[GNUPG:] {trust}\n");
    Answer { status, exit_code }
}

/// VALIDSIG with its ten fields. Its time is the proven one, so that repeated runs print identical lines.
fn valid_signature(signature: &VerifiedSignature, fingerprint: &str) -> String {
    let time = signature.time();
    let date = time.to_zoned(TimeZone::UTC).date();
    let algorithm = match signature.key_kind() {
        KeyKind::Ed25519 => 22,
        KeyKind::Rsa => 1,
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => ECDSA,
    };
    let primary = identity_fingerprint(signature);
    format!("[GNUPG:] VALIDSIG {fingerprint} {date} {} 0 0 0 {algorithm} {SHA256} 00 {primary}\n", time.as_second())
}

fn rejected(rejection: &Rejection) -> Answer {
    if let Some(signature) = rejection.payload_alone() {
        let fingerprint = signature.sha1_fingerprint();
        let status =
            format!("{NEWSIG}[GNUPG:] BADSIG {fingerprint} {}\n[GNUPG:] TRUST_UNDEFINED 0 shell\n", signer(signature));
        return Answer { status, exit_code: 1 };
    }
    match rejection.error() {
        VerifyError::Malformed(_) => failed(NO_DATA, UNSUPPORTED, ""),
        VerifyError::SignatureAlgorithm => failed("", UNSUPPORTED, ""),
        VerifyError::Path(PathError::UnknownAuthority { .. }) => nothing_to_verify_with(),
        VerifyError::Binding(_)
        | VerifyError::Entry(_)
        | VerifyError::IssuerNotAdmitted { .. }
        | VerifyError::Leaf(_)
        | VerifyError::OpenPgp(_)
        | VerifyError::Path(_)
        | VerifyError::Sct(_)
        | VerifyError::SeveralSignatures(_)
        | VerifyError::TagName { .. }
        | VerifyError::Signature
        | VerifyError::Ssh(_)
        | VerifyError::Token(_) => failed("", 0, ""),
    }
}

/// ERRSIG with NO_PUBKEY: what is missing is something to verify with, which jj tells apart from a broken signature.
fn nothing_to_verify_with() -> Answer {
    failed("", NO_KEY, "[GNUPG:] NO_PUBKEY -\n")
}

fn failed(before: &str, code: u8, after: &str) -> Answer {
    let error = format!("[GNUPG:] ERRSIG - {ECDSA} {SHA256} 00 0 {code}\n");
    Answer { status: format!("{NEWSIG}{before}{error}{after}[GNUPG:] TRUST_UNDEFINED 0 shell\n"), exit_code: 1 }
}

const NEWSIG: &str = "[GNUPG:] NEWSIG\n";

/// Not a signature at all; Git passes over it, people who read the raw lines do not.
const NO_DATA: &str = "[GNUPG:] NODATA 4\n";

/// GnuPG's public key algorithm number (RFC 4880 §9.1, RFC 6637).
const ECDSA: u8 = 19;

/// GnuPG's digest algorithm number (RFC 4880 §9.4).
const SHA256: u8 = 8;

/// ERRSIG reason: the key, or what takes its place, is not there.
const NO_KEY: u8 = 9;

/// ERRSIG reason: unsupported algorithm or form.
const UNSUPPORTED: u8 = 4;
