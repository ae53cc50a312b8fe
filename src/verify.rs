//! The verification pipeline: a signature, the trusted instances and the time in, a [`Verdict`] out. No I/O.
//!
//! Every step is run, whatever the others found, and what is wrong outweighs what is missing: whoever strips the log
//! entry from a tampered commit must not turn "rejected" into "undecided".

pub mod by_key;
mod checked;
mod entry_version;
pub mod error;
pub mod findings;
pub mod kept;
mod key_signature;
mod log_entry;
mod outside;
pub mod times;
mod trusted;
mod verdict;
mod weighing;

use jiff::Timestamp;

pub use self::entry_version::{BodyVersion, RekorVersion};
pub use self::findings::Findings;
pub use self::key_signature::{KeyFormat, KeySignature};
pub use self::outside::{Given, Refusal};
pub use self::trusted::{SctRequirement, UnusableInstance};
pub use self::verdict::{Rejection, Undecided, Verdict, VerifiedSignature};

use self::checked::Checked;
use self::error::{EntryError, Missing, VerifyError};
use self::log_entry::LoggedEntry;
use self::times::VerifiedTime;
use self::trusted::TrustedInstance;
use self::weighing::Weighing;
use crate::clock::CLOCK_TOLERANCE;
use crate::instance::Instance;
use crate::signature::git::{GitSignature, open};
use crate::signature::{SignatureFormat, VerificationMaterial};
use crate::timestamp::TokenError;
use crate::tlog::TransparencyLogEntry;
use crate::x509::path::{IssuedBy, PathError, VerifiedPath};
use crate::x509::sct::{SctError, VerifiedSct, verify_embedded};
use crate::x509::{Certificate, CertificateClaims, LeafError, SigningCertificate};

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
    /// [`UnusableInstance`] when the certificate or timestamp authorities of one cannot be read: such trust material decides nothing.
    pub fn new(instances: Vec<Instance>, now: Timestamp, scts: SctRequirement) -> Result<Self, UnusableInstance> {
        let instances = instances.into_iter().map(TrustedInstance::new).collect::<Result<_, _>>()?;
        Ok(Self { instances, now, scts })
    }

    /// The verdict on the object that Git hashed as `payload` and `armor`.
    #[must_use]
    pub fn verdict(&self, payload: &[u8], armor: &[u8]) -> Verdict {
        self.run(payload, armor, |_weighing| ()).0
    }

    /// The verdict, and what each step found under the instance that it is from, of a verified object too. Takes longer
    /// than [`verdict`](Self::verdict), and decides the same.
    #[must_use]
    pub fn explain(&self, payload: &[u8], armor: &[u8]) -> (Verdict, Findings) {
        let (verdict, findings) = self.run(payload, armor, |weighing| weighing.findings());
        (verdict, findings.unwrap_or_default())
    }

    /// `record` takes down what is to be kept of the instance that the verdict is from.
    fn run<R>(&self, payload: &[u8], armor: &[u8], record: impl Fn(&Weighing<'_>) -> R) -> (Verdict, Option<R>) {
        match SignatureFormat::of(armor) {
            SignatureFormat::X509 => match open(payload, armor) {
                Ok(signature) => self.verify(&signature, None, record),
                Err(error) => (Verdict::Rejected(Rejection::of(VerifyError::Malformed(error))), None),
            },
            other => (Verdict::OtherFormat(other), None),
        }
    }

    /// The instances in the order in which they are asked.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> + Clone {
        self.instances.iter().map(|trusted| &trusted.instance)
    }

    /// How certificate timestamps are treated.
    #[must_use]
    pub fn scts(&self) -> SctRequirement {
        self.scts
    }

    /// The verdict under whichever instance issued the certificate. Where several did, as copies of one another do, one
    /// that verifies is enough, and one under which nothing is wrong says more than one that lacks a log.
    /// `outside` is an entry that takes the place of the signature's own.
    fn verify<R>(
        &self,
        signature: &GitSignature,
        outside: Option<&TransparencyLogEntry>,
        record: impl Fn(&Weighing<'_>) -> R,
    ) -> (Verdict, Option<R>) {
        let leaf = &signature.material.certificate;
        let mut best: Option<(Verdict, Option<R>)> = None;
        for trusted in &self.instances {
            let Some(issued_by) = trusted.authorities.named_by(leaf) else { continue };
            let mut recorded = None;
            let verdict = match issued_by {
                Ok(issued_by) => {
                    let weighing = self.weighing_under(trusted, &issued_by, signature, outside);
                    recorded = Some(record(&weighing));
                    weighing.verdict()
                }
                Err(PathError::BrokenAuthority { subject }) => {
                    let missing = Missing::TrustMaterial { instance: trusted.instance.name.clone(), subject };
                    Verdict::Undecided(Undecided { missing: vec![missing], findings: Findings::default() })
                }
                Err(error) => Verdict::Rejected(Rejection::of(VerifyError::Path(error))),
            };
            match (&mut best, verdict) {
                // Each of them vouches; which one counts is for the policy to say.
                (Some((Verdict::Verified(first), _)), Verdict::Verified(other)) => {
                    first.instances.extend(other.instances);
                }
                (Some((best, _)), verdict) if best.rank() <= verdict.rank() => {}
                (_, verdict) => best = Some((verdict, recorded)),
            }
        }
        best.unwrap_or_else(|| {
            let claims = CertificateClaims::read(leaf).ok();
            let unknown = PathError::UnknownAuthority { issuer: crate::x509::display_name(leaf.issuer()) };
            (Verdict::Rejected(Rejection { claims, ..Rejection::of(VerifyError::Path(unknown)) }), None)
        })
    }

    /// client-spec §4, a line a step; RFC sections at their right.
    fn weighing_under<'a>(
        &self,
        trusted: &'a TrustedInstance,
        issued_by: &IssuedBy<'_>,
        signature: &'a GitSignature,
        outside: Option<&TransparencyLogEntry>,
    ) -> Weighing<'a> {
        let material = &signature.material;
        let leaf = SigningCertificate::read(material.certificate.clone()); //                  RFC 5280 §4.2
        let sct = self.verify_sct(trusted, issued_by, material); //                            §4.3, RFC 6962 §3.2
        let signed = verify_signature(&leaf, &signature.message, material); //                 §4.5, RFC 5652 §5.4
        let entry = log_entry::verify(material, &signature.message, &trusted.instance, outside); // §4.4, RFC 6962 §2.1.1
        let times = self.verified_times(trusted, material, &entry); //                         §4.2, RFC 3161
        let path = path_at_each(issued_by, &material.certificate, &times, &sct); //            §4.3, RFC 5280 §6
        let binding = signature.binding; //                                                    RFC 5652 §5.4
        let at = path.as_ref().map_or(material.certificate.not_before(), VerifiedPath::at);
        let authority = issued_by.place(at);
        Weighing { leaf, sct, signed, entry, times, path, authority, binding, signature, trusted, scts: self.scts }
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
            Ok(Some(sct)) if sct.at() > self.latest() => {
                Checked::Missing(Missing::Clock { at: sct.at(), now: self.now })
            }
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
                Err(TokenError::Path(PathError::BrokenAuthority { subject })) => {
                    let instance = trusted.instance.name.clone();
                    return Checked::Missing(Missing::TrustMaterial { instance, subject });
                }
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
        let latest = self.latest();
        match times.iter().map(VerifiedTime::at).find(|at| *at > latest) {
            Some(at) => Checked::Missing(Missing::Clock { at, now: self.now }),
            None if times.is_empty() => match entry {
                Checked::Held(_) => Checked::Missing(Missing::Time),
                Checked::Missing(_) | Checked::Wrong(_) => Checked::Missing(Missing::TimeWithoutEntry),
            },
            None => Checked::Held(times),
        }
    }

    /// The last instant that is believed: what is later comes from a future that has not been yet.
    fn latest(&self) -> Timestamp {
        self.now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX)
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
