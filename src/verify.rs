//! The verification pipeline: a signature, the trusted instances and the time in, a [`Verdict`] out. No I/O.
//!
//! Every step is run, whatever the others found, and what is wrong outweighs what is missing: whoever strips the log
//! entry from a tampered commit must not turn "rejected" into "undecided".

pub mod error;
pub mod findings;
mod log_entry;
pub mod policy;
pub mod times;

use jiff::{SignedDuration, Timestamp};

use crate::instance::{Instance, InstanceName};
use crate::signature::git::{BindingError, GitSignature, open};
use crate::signature::{SignatureFormat, VerificationMaterial};
use crate::timestamp::TimestampAuthorities;
use crate::trusted_root::LogId;
use crate::verify::error::{EntryError, Missing, VerifyError};
use crate::verify::findings::{Finding, Findings, Outcome, Step};
use crate::verify::log_entry::LoggedEntry;
pub use crate::verify::log_entry::RekorVersion;
use crate::verify::times::VerifiedTime;
use crate::x509::path::{Authorities, AuthorityError, IssuedBy, PathError, VerifiedPath};
use crate::x509::sct::{SctError, VerifiedSct, verify_embedded};
use crate::x509::{Certificate, CertificateClaims, LeafError, SigningCertificate, SubjectAlternativeName};

/// What is trusted, and when it is asked. One for a whole history.
#[derive(Debug)]
pub struct Verifier {
    instances: Vec<TrustedInstance>,
    now: Timestamp,
    scts: SctRequirement,
}

impl Verifier {
    /// A verifier that believes `instances`; `now` guards against evidence from the future and nothing else.
    ///
    /// # Errors
    /// [`UnusableInstance`] when the certificate authorities of one cannot be read: such trust material decides nothing.
    pub fn new(instances: Vec<Instance>, now: Timestamp, scts: SctRequirement) -> Result<Self, UnusableInstance> {
        let instances = instances.into_iter().map(TrustedInstance::new).collect::<Result<_, _>>()?;
        Ok(Self { instances, now, scts })
    }

    /// The verdict on the object that Git hashed as `payload` and `armor`.
    #[must_use]
    pub fn verdict(&self, payload: &[u8], armor: &[u8]) -> Verdict {
        match SignatureFormat::of(armor) {
            SignatureFormat::X509 => match open(payload, armor) {
                Ok(signature) => self.verify(&signature),
                Err(error) => Verdict::Rejected(Rejection::of(VerifyError::Malformed(error))),
            },
            other => Verdict::OtherFormat(other),
        }
    }

    /// The instances in the order in which they are asked.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().map(|trusted| &trusted.instance)
    }

    /// How certificate timestamps are treated.
    #[must_use]
    pub fn scts(&self) -> SctRequirement {
        self.scts
    }

    /// The verdict under whichever instance issued the certificate. Where several did, as copies of one another do, one
    /// that verifies is enough, and one under which nothing is wrong says more than one that lacks a log.
    fn verify(&self, signature: &GitSignature) -> Verdict {
        let leaf = &signature.material.certificate;
        let mut best: Option<Verdict> = None;
        let mut unknown = PathError::UnknownAuthority { issuer: crate::x509::display_name(leaf.issuer()) };
        for trusted in &self.instances {
            let verdict = match trusted.authorities.issuer_of(leaf) {
                Ok(issued_by) => self.verify_under(trusted, &issued_by, signature),
                Err(error @ PathError::UnknownAuthority { .. }) => {
                    unknown = error;
                    continue;
                }
                Err(PathError::BrokenAuthority { subject }) => {
                    let missing = Missing::TrustMaterial { instance: trusted.instance.name.clone(), subject };
                    Verdict::Undecided(Undecided { missing: vec![missing], findings: Findings::default() })
                }
                Err(error) => Verdict::Rejected(Rejection::of(VerifyError::Path(error))),
            };
            if best.as_ref().is_none_or(|best| verdict.rank() < best.rank()) {
                best = Some(verdict);
            }
        }
        best.unwrap_or_else(|| {
            let claims = CertificateClaims::read(leaf).ok();
            Verdict::Rejected(Rejection { claims, ..Rejection::of(VerifyError::Path(unknown)) })
        })
    }

    /// client-spec §4, a line a step; RFC sections at their right.
    fn verify_under(&self, trusted: &TrustedInstance, issued_by: &IssuedBy<'_>, signature: &GitSignature) -> Verdict {
        let material = &signature.material;
        let leaf = SigningCertificate::read(material.certificate.clone()); //                  RFC 5280 §4.2
        let sct = self.verify_sct(trusted, issued_by, material); //                            §4.3, RFC 6962 §3.2
        let signed = verify_signature(&leaf, &signature.message, material); //                 §4.5, RFC 5652 §5.4
        let entry = log_entry::verify(material, &signature.message, &trusted.instance); //     §4.4, RFC 6962 §2.1.1
        let times = self.verified_times(trusted, material, &entry); //                         §4.2, RFC 3161
        let path = path_at_each(issued_by, &material.certificate, &times, &sct); //            §4.3, RFC 5280 §6
        let binding = signature.binding; //                                                    RFC 5652 §5.4
        Weighing { leaf, sct, signed, entry, times, path, binding, signature, trusted, scts: self.scts }.verdict()
    }

    fn verify_sct(
        &self,
        trusted: &TrustedInstance,
        issued_by: &IssuedBy<'_>,
        material: &VerificationMaterial,
    ) -> Checked<Option<VerifiedSct>> {
        if self.scts == SctRequirement::InsecureIgnore {
            return Checked::Held(None);
        }
        let ct_logs = &trusted.instance.trusted_root.ct_logs;
        match verify_embedded(&material.certificate, issued_by.issuer_key().spki_sha256(), ct_logs) {
            Ok(sct) => Checked::Held(sct),
            Err(SctError::Absent) => Checked::Missing(Missing::Sct),
            Err(error) => Checked::Wrong(VerifyError::Sct(error)),
        }
    }

    /// Every time that came along must hold, and one must be there.
    fn verified_times(
        &self,
        trusted: &TrustedInstance,
        material: &VerificationMaterial,
        entry: &Checked<LoggedEntry>,
    ) -> Checked<Vec<VerifiedTime>> {
        let mut times = Vec::new();
        for token in &material.timestamps {
            match trusted.timestamp_authorities.verify(token, &material.signature) {
                Ok(token) => times.push(VerifiedTime::TimestampAuthority(token)),
                Err(error) => return Checked::Wrong(VerifyError::Token(error)),
            }
        }
        if let Checked::Held(entry) = entry {
            times.extend(entry.promise.map(VerifiedTime::TransparencyLog));
            for at in times.iter().map(VerifiedTime::at) {
                if !entry.valid_for.contains(at) {
                    let (log_id, valid_for) = (entry.log_id, entry.valid_for);
                    return Checked::Wrong(VerifyError::Entry(EntryError::LogOutsideValidity {
                        log_id,
                        at,
                        valid_for,
                    }));
                }
            }
        }
        let latest = self.now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
        match times.iter().map(VerifiedTime::at).find(|at| *at > latest) {
            Some(at) => Checked::Missing(Missing::Clock { at, now: self.now }),
            None if times.is_empty() => Checked::Missing(Missing::Time),
            None => Checked::Held(times),
        }
    }
}

/// An instance with its authorities read.
#[derive(Debug)]
struct TrustedInstance {
    instance: Instance,
    authorities: Authorities,
    timestamp_authorities: TimestampAuthorities,
}

impl TrustedInstance {
    fn new(instance: Instance) -> Result<Self, UnusableInstance> {
        let authorities = Authorities::new(&instance.trusted_root);
        let timestamp_authorities = TimestampAuthorities::new(&instance.trusted_root);
        match (authorities, timestamp_authorities) {
            (Ok(authorities), Ok(timestamp_authorities)) => Ok(Self { instance, authorities, timestamp_authorities }),
            (Err(error), _) | (_, Err(error)) => Err(UnusableInstance { name: instance.name, error }),
        }
    }
}

/// Whether certificates must carry signed certificate timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SctRequirement {
    /// `--insecure-ignore-sct`: not looked at. Shown in every output.
    InsecureIgnore,
    /// Wherever the trusted root lists a CT log that was valid at the leaf's notBefore.
    #[default]
    WhereLogsAreTrusted,
}

/// The answer for one object.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Every step held.
    Verified(Box<VerifiedSignature>),
    /// Something that is there is wrong.
    Rejected(Rejection),
    /// Nothing that is there is wrong; something that is needed is not there, or cannot be read.
    Undecided(Undecided),
    /// There is no signature.
    Unsigned,
    /// A signature that no rule lets waxseal judge.
    OtherFormat(SignatureFormat),
}

impl Verdict {
    /// The stable code of the reason, for every verdict but verified (`docs/errors.md`).
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Verified(_) => None,
            Self::Rejected(rejection) => Some(rejection.error().reason()),
            Self::Undecided(undecided) => Some(undecided.missing().reason()),
            Self::Unsigned => Some("unsigned"),
            Self::OtherFormat(SignatureFormat::OpenPgp) => Some("openpgp-signature"),
            Self::OtherFormat(SignatureFormat::Ssh) => Some("ssh-signature"),
            Self::OtherFormat(SignatureFormat::Unknown | SignatureFormat::X509) => Some("unknown-signature-format"),
        }
    }

    /// Lower is worth more when several instances answer.
    fn rank(&self) -> u8 {
        match self {
            Self::Verified(_) => 0,
            Self::Undecided(_) => 1,
            Self::Rejected(rejection) if rejection.payload_alone.is_some() => 2,
            Self::Rejected(_) => 3,
            Self::OtherFormat(_) | Self::Unsigned => 4,
        }
    }
}

/// A signature of which every step held; only [`Verifier`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedSignature {
    certificate: Certificate,
    entry: LoggedEntry,
    identity: CertificateClaims,
    instance: InstanceName,
    scts_ignored: bool,
    time: VerifiedTime,
}

impl VerifiedSignature {
    /// Whom the instance vouches for.
    #[must_use]
    pub fn san(&self) -> &SubjectAlternativeName {
        &self.identity.san
    }

    /// Which OIDC issuer vouched to the instance.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.identity.issuer
    }

    /// The instance under which it verified.
    #[must_use]
    pub fn instance(&self) -> &InstanceName {
        &self.instance
    }

    /// The proven time: a timestamp authority's where there is one, else the log's.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time.at()
    }

    /// Who vouches for the proven time: `timestamp` or `log`.
    #[must_use]
    pub fn time_source(&self) -> &'static str {
        self.time.source()
    }

    /// The log that holds the signature.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.entry.log_id
    }

    /// The entry's global index in that log.
    #[must_use]
    pub fn log_index(&self) -> u64 {
        self.entry.log_index
    }

    /// Which of Rekor's APIs the entry was proved as, whatever it calls itself.
    #[must_use]
    pub fn rekor_version(&self) -> RekorVersion {
        self.entry.version
    }

    /// The leaf certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Whether `--insecure-ignore-sct` was given.
    #[must_use]
    pub fn scts_ignored(&self) -> bool {
        self.scts_ignored
    }
}

/// Why something that is there is wrong.
#[derive(Clone, Debug)]
pub struct Rejection {
    errors: Vec<VerifyError>,
    claims: Option<CertificateClaims>,
    findings: Findings,
    payload_alone: Option<Box<VerifiedSignature>>,
}

impl Rejection {
    /// A rejection before any step could be run.
    #[must_use]
    pub fn of(error: VerifyError) -> Self {
        Self { errors: vec![error], claims: None, findings: Findings::default(), payload_alone: None }
    }

    /// The error that counts.
    #[must_use]
    pub fn error(&self) -> &VerifyError {
        self.errors.first().unwrap_or(&VerifyError::Signature)
    }

    /// All of them, the one that counts first.
    #[must_use]
    pub fn errors(&self) -> &[VerifyError] {
        &self.errors
    }

    /// Whom the certificate names: a claim.
    #[must_use]
    pub fn claims(&self) -> Option<&CertificateClaims> {
        self.claims.as_ref()
    }

    /// What each step found.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// The signature that would have been verified, had the content been what was signed: every other step held.
    #[must_use]
    pub fn payload_alone(&self) -> Option<&VerifiedSignature> {
        self.payload_alone.as_deref()
    }
}

/// Why nothing can be said.
#[derive(Clone, Debug)]
pub struct Undecided {
    missing: Vec<Missing>,
    findings: Findings,
}

impl Undecided {
    /// Undecided before any step could be run.
    #[must_use]
    pub fn because(missing: Missing) -> Self {
        Self { missing: vec![missing], findings: Findings::default() }
    }

    /// What is missing first of all.
    #[must_use]
    pub fn missing(&self) -> &Missing {
        self.missing.first().unwrap_or(&Missing::LogEntry)
    }

    /// What held, and what each step found.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }
}

/// How a step ended.
#[derive(Clone, Debug)]
enum Checked<T> {
    Held(T),
    Missing(Missing),
    Wrong(VerifyError),
}

impl<T> Checked<T> {
    fn outcome(&self, detail: impl FnOnce(&T) -> String) -> Outcome {
        match self {
            Self::Held(value) => Outcome::Held(detail(value)),
            Self::Missing(missing) => Outcome::Missing(missing.clone()),
            Self::Wrong(error) => Outcome::Wrong(error.clone()),
        }
    }
}

fn verify_signature(
    leaf: &Result<SigningCertificate, LeafError>,
    message: &[u8],
    material: &VerificationMaterial,
) -> Result<(), VerifyError> {
    let Ok(leaf) = leaf else { return Ok(()) }; // an unusable leaf is wrong enough
    let algorithm = material.signature_algorithm.ok_or(VerifyError::SignatureAlgorithm)?;
    leaf.public_key().verify_with(algorithm, message, &material.signature).map_err(|_| VerifyError::Signature)
}

/// The path at each verified time. Without one it is still worth knowing whether it held when the certificate was
/// logged, or else from its first second on.
fn path_at_each(
    issued_by: &IssuedBy<'_>,
    leaf: &Certificate,
    times: &Checked<Vec<VerifiedTime>>,
    sct: &Checked<Option<VerifiedSct>>,
) -> Result<VerifiedPath, PathError> {
    let fallback = match (times, sct) {
        (Checked::Missing(Missing::Clock { at, .. }), _) => *at,
        (_, Checked::Held(Some(sct))) if leaf.is_valid_at(sct.at()) => sct.at(),
        _ => leaf.not_before(),
    };
    let Checked::Held(times) = times else { return issued_by.valid_at(leaf, fallback) };
    let mut path = issued_by.valid_at(leaf, times.first().map_or(fallback, VerifiedTime::at));
    for time in times.iter().skip(1) {
        path = path.and_then(|path| issued_by.valid_at(leaf, time.at()).map(|_| path));
    }
    path
}

/// What the steps found, ready to be weighed.
struct Weighing<'a> {
    leaf: Result<SigningCertificate, LeafError>,
    sct: Checked<Option<VerifiedSct>>,
    signed: Result<(), VerifyError>,
    entry: Checked<LoggedEntry>,
    times: Checked<Vec<VerifiedTime>>,
    path: Result<VerifiedPath, PathError>,
    binding: Result<(), BindingError>,
    signature: &'a GitSignature,
    trusted: &'a TrustedInstance,
    scts: SctRequirement,
}

impl Weighing<'_> {
    /// Anything wrong: rejected. Else anything missing: undecided. The payload is weighed last.
    fn verdict(self) -> Verdict {
        let payload_differs = self.binding == Err(BindingError::Payload);
        let mut errors = self.errors();
        let missing = self.missing();
        let complete = errors.is_empty() && missing.is_empty();
        if payload_differs {
            errors.push(VerifyError::Binding(BindingError::Payload));
        }
        let findings = if complete && !payload_differs { Findings::default() } else { self.findings() };
        let claims = self.leaf.as_ref().ok().map(|leaf| leaf.claims().clone());
        let verified = if complete { self.verified() } else { None };
        match (verified, errors.is_empty()) {
            (Some(verified), true) => Verdict::Verified(Box::new(verified)),
            (None, true) => Verdict::Undecided(Undecided { missing, findings }),
            (verified, false) => {
                Verdict::Rejected(Rejection { errors, claims, findings, payload_alone: verified.map(Box::new) })
            }
        }
    }

    fn verified(self) -> Option<VerifiedSignature> {
        let (Ok(leaf), Checked::Held(entry), Checked::Held(times)) = (self.leaf, self.entry, self.times) else {
            return None;
        };
        // Tokens come first.
        let time = *times.first()?;
        Some(VerifiedSignature {
            identity: leaf.claims().clone(),
            certificate: self.signature.material.certificate.clone(),
            entry,
            instance: self.trusted.instance.name.clone(),
            scts_ignored: self.scts == SctRequirement::InsecureIgnore,
            time,
        })
    }

    fn errors(&self) -> Vec<VerifyError> {
        let mut errors = Vec::new();
        errors.extend(self.leaf.as_ref().err().cloned().map(VerifyError::Leaf));
        errors.extend(self.path.as_ref().err().cloned().map(VerifyError::Path));
        if let Ok(leaf) = &self.leaf {
            let issuer = &leaf.claims().issuer;
            if !self.trusted.instance.bounds.admits_issuer(issuer) {
                let instance = self.trusted.instance.name.clone();
                errors.push(VerifyError::IssuerNotAdmitted { issuer: issuer.clone(), instance });
            }
        }
        if let Checked::Wrong(error) = &self.sct {
            errors.push(error.clone());
        }
        errors.extend(self.signed.as_ref().err().cloned());
        if let Checked::Wrong(error) = &self.entry {
            errors.push(error.clone());
        }
        if let Checked::Wrong(error) = &self.times {
            errors.push(error.clone());
        }
        if let Err(error) = self.binding
            && error != BindingError::Payload
        {
            errors.push(VerifyError::Binding(error));
        }
        errors
    }

    fn missing(&self) -> Vec<Missing> {
        let material = &self.signature.material;
        let mut missing = Vec::new();
        missing.extend(material.unsupported.map(Missing::Unsupported));
        match (&self.entry, &self.times) {
            (Checked::Missing(_), _) if material.unsupported.is_some() => {}
            (Checked::Missing(absent), _) | (Checked::Held(_), Checked::Missing(absent)) => {
                missing.push(absent.clone())
            }
            _ => {}
        }
        if let Checked::Missing(absent) = &self.sct {
            missing.push(absent.clone());
        }
        missing
    }

    fn findings(&self) -> Findings {
        let step = |step, outcome| Finding { step, outcome };
        let leaf = match &self.leaf {
            Ok(_) => Outcome::Held("a signing certificate".to_owned()),
            Err(error) => Outcome::Wrong(VerifyError::Leaf(error.clone())),
        };
        let path = match &self.path {
            Ok(path) => Outcome::Held(format!("to {} at {}", self.trusted.instance.name, path.at())),
            Err(error) => Outcome::Wrong(VerifyError::Path(error.clone())),
        };
        let sct = self.sct.outcome(|sct| match sct {
            Some(sct) => format!("CT log {} at {}", sct.log_id(), sct.at()),
            None => "not demanded".to_owned(),
        });
        let signature = match &self.signed {
            Ok(()) => Outcome::Held("by the certificate's key".to_owned()),
            Err(error) => Outcome::Wrong(error.clone()),
        };
        let payload = match self.binding {
            Ok(()) => Outcome::Held("is what was signed".to_owned()),
            Err(error) => Outcome::Wrong(VerifyError::Binding(error)),
        };
        let entry = self.entry.outcome(|entry| format!("log {} index {}", entry.log_id, entry.log_index));
        let times = self.times.outcome(|times| {
            let each = times.iter().map(|time| format!("{} ({})", time.at(), time.source()));
            each.collect::<Vec<_>>().join(", ")
        });
        let steps = [
            step(Step::Certificate, leaf),
            step(Step::Path, path),
            step(Step::Sct, sct),
            step(Step::Signature, signature),
            step(Step::Payload, payload),
            step(Step::LogEntry, entry),
            step(Step::Time, times),
        ];
        Findings {
            claims: self.leaf.as_ref().ok().map(|leaf| leaf.claims().clone()),
            instance: Some(self.trusted.instance.name.clone()),
            signing_time: self.signature.signing_time,
            steps: steps.into(),
        }
    }
}

/// The certificate authorities of an instance cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trusted root of {name} cannot be used: {error}")]
pub struct UnusableInstance {
    name: InstanceName,
    error: AuthorityError,
}

/// Clocks of laptops and of logs differ by this much without anybody lying (`docs/design.md`, time).
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
