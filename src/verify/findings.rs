//! What each step found: of every object that is not verified, of others where it is asked for. Nothing here can become a
//! verified signature.

use jiff::Timestamp;

use super::error::{Missing, VerifyError};
use crate::instance::InstanceName;
use crate::x509::CertificateClaims;
use crate::x509::fulcio::BuildClaims;

/// The steps of the pipeline with their outcomes; empty where it was never entered.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Whom the certificate names: a claim.
    pub claims: Option<CertificateClaims>,
    /// What it says of a CI job: a claim.
    pub build: BuildClaims,
    /// From when until when it is valid, both ends inclusive: no other time could ever be proved.
    pub validity: Option<(Timestamp, Timestamp)>,
    /// The instance whose authority issued the certificate.
    pub instance: Option<InstanceName>,
    /// Which authority that is, by its place in the list of the instance's trusted root.
    pub authority: Option<usize>,
    /// When the signer says it signed: a claim.
    pub signing_time: Option<Timestamp>,
    /// In the order of the pipeline.
    pub steps: Vec<Finding>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which.
    pub step: Step,
    /// How it ended.
    pub outcome: Outcome,
}

/// The steps of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The leaf's form.
    Certificate,
    /// Whether the instance may vouch for identities of the OIDC issuer.
    Issuer,
    /// Inclusion, checkpoint and promise.
    LogEntry,
    /// The payload's digest.
    Payload,
    /// From leaf to authority.
    Path,
    /// Signed certificate timestamps.
    Sct,
    /// The signature over the message.
    Signature,
    /// A time that somebody trusted vouches for.
    Time,
}

impl Step {
    /// The step's name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Issuer => "issuer",
            Self::LogEntry => "log_entry",
            Self::Payload => "payload",
            Self::Path => "path",
            Self::Sct => "sct",
            Self::Signature => "signature",
            Self::Time => "time",
        }
    }
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It held; what it showed.
    Held(String),
    /// What it needs is not there.
    Missing(Missing),
    /// What is there is wrong.
    Wrong(VerifyError),
}

impl Outcome {
    /// How it is called in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Held(_) => "held",
            Self::Missing(_) => "missing",
            Self::Wrong(_) => "wrong",
        }
    }

    /// The code of what is missing or wrong.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Held(_) => None,
            Self::Missing(missing) => Some(missing.reason()),
            Self::Wrong(error) => Some(error.reason()),
        }
    }

    /// What it showed, or what is missing or wrong, in words.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Held(detail) => detail.clone(),
            Self::Missing(missing) => missing.to_string(),
            Self::Wrong(error) => error.to_string(),
        }
    }
}
