//! The steps of a proof that rests on a key: fewer than those of a certificate, because nobody vouches for anything.

use super::step_report::StepReport;
use crate::commands::facts::Facts;
use crate::openpgp::BadOpenPgpSignature;
use crate::ssh::BadSshSignature;
use crate::verify::error::VerifyError;
use crate::verify::findings::Outcome;
use crate::verify::{KeyFormat, Verdict};

/// The steps of envelope and signature; `None` where the signature is not one by a key.
pub(super) fn of(verdict: &Verdict, envelope: Facts) -> Option<[StepReport; 2]> {
    let (format, [opened, signed], key) = match verdict {
        Verdict::VerifiedByKey(signature) => {
            let opened = Outcome::Held(format!("one {} signature", signature.format().name()));
            let signed = Outcome::Held("the key that the policy names made it over this content".to_owned());
            (signature.format(), [Some(opened), Some(signed)], Some(signature.fingerprint()))
        }
        Verdict::Rejected(rejection) => {
            let error = rejection.error();
            let wrong = Some(Outcome::Wrong(error.clone()));
            let format = rejection.key_format()?;
            let opened = || Some(Outcome::Held(format!("one {} signature", format.name())));
            let outcomes = match error {
                VerifyError::Ssh(BadSshSignature::Armor(_) | BadSshSignature::Malformed)
                | VerifyError::OpenPgp(
                    BadOpenPgpSignature::Armor(_)
                    | BadOpenPgpSignature::NotOne
                    | BadOpenPgpSignature::Packets(_)
                    | BadOpenPgpSignature::TooLong(_),
                ) => [wrong, None],
                VerifyError::OpenPgp(_) | VerifyError::Ssh(_) => [opened(), wrong],
                // Something besides the signature.
                _ => [opened(), None],
            };
            (format, outcomes, None)
        }
        Verdict::OtherFormat(_) | Verdict::Undecided(_) | Verdict::Unsigned | Verdict::Verified(_) => return None,
    };
    let standard = match format {
        KeyFormat::OpenPgp => "RFC 9580",
        KeyFormat::Ssh => "PROTOCOL.sshsig",
    };
    Some([
        StepReport { name: "envelope", standard, outcome: opened, inputs: envelope },
        StepReport { name: "signature", standard, outcome: signed, inputs: Facts::default().and("key", key) },
    ])
}
