//! One rule: who, under which conditions.

use std::fmt;

use jiff::Timestamp;

use super::{Circumstances, Pattern};
use crate::instance::InstanceName;
use crate::verify::{Findings, VerifiedSignature};
use crate::x509::CertificateClaims;
use crate::x509::fulcio::BuildClaims;

mod mismatch;
mod who;

pub use mismatch::Mismatch;
pub use who::{Who, Workflow};

/// One rule of a policy file. It admits whoever is among `who` while every condition holds.
#[derive(Clone, Debug)]
pub struct Rule {
    /// How the rule is called in output.
    pub name: String,
    /// Whom it is about; never empty.
    pub who: Vec<Who>,
    /// The OIDC issuer that vouches for them.
    pub issuer: Pattern,
    /// The instance whose authority believed that issuer.
    pub instance: InstanceName,
    /// When, by proven time.
    pub validity: Validity,
    /// The refs that it is for; empty means every one.
    pub refs: Vec<Pattern>,
    /// What else must hold.
    pub requires: Vec<Requirement>,
    /// Whether it is enough for commits that change the policy file.
    pub may_change_policy: bool,
    /// Whether the file names the instance, or leaves it to the configuration.
    pub names_instance: bool,
}

impl Rule {
    /// Whether the rule admits the signer as `instance` vouches for it.
    ///
    /// # Errors
    /// [`Mismatch`]: the first condition that does not hold, those that cannot be decided last.
    pub fn admits(
        &self,
        signer: &Signer,
        instance: &InstanceName,
        circumstances: &Circumstances<'_>,
    ) -> Result<(), Mismatch> {
        self.is_about(&signer.claims, Some(instance))?;
        self.includes(&signer.claims, &signer.build)?;
        self.validity.admits(signer.time)?;
        for requirement in &self.requires {
            requirement.holds(signer, circumstances)?;
        }
        circumstances.admit(&self.refs, self.may_change_policy)
    }

    /// Whether it could ever admit somebody who is only claimed: by the certificate, all of which it asks.
    pub(super) fn answer_to_claim(&self, claims: &CertificateClaims, findings: &Findings) -> Result<(), Mismatch> {
        self.is_about(claims, findings.instance.as_ref())?;
        self.includes(claims, &findings.build)?;
        match findings.validity {
            Some((not_before, not_after)) => self.validity.meets(not_before, not_after),
            None => Ok(()),
        }
    }

    fn is_about(&self, claims: &CertificateClaims, instance: Option<&InstanceName>) -> Result<(), Mismatch> {
        if let Some(instance) = instance
            && *instance != self.instance
        {
            return Err(Mismatch::Instance { rule: self.instance.clone(), vouching: instance.clone() });
        }
        if self.issuer.matches(&claims.issuer) {
            Ok(())
        } else {
            Err(Mismatch::Issuer(self.issuer.as_str().to_owned()))
        }
    }

    fn includes(&self, claims: &CertificateClaims, build: &BuildClaims) -> Result<(), Mismatch> {
        let mut nearest = Mismatch::Identity;
        for who in &self.who {
            match who.is(claims, build) {
                Ok(()) => return Ok(()),
                Err(mismatch) if mismatch.nearness() > nearest.nearness() => nearest = mismatch,
                Err(_) => {}
            }
        }
        Err(nearest)
    }
}

/// What rules may ask of a verified signature.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The name in the certificate and the issuer behind it.
    pub claims: CertificateClaims,
    /// What the certificate says of the CI job, if it was one.
    pub build: BuildClaims,
    /// The proven time.
    pub time: Timestamp,
    /// Whether a timestamp authority proved it.
    pub is_timestamped: bool,
}

impl From<&VerifiedSignature> for Signer {
    fn from(signature: &VerifiedSignature) -> Self {
        Self {
            claims: signature.claims().clone(),
            build: signature.build().clone(),
            time: signature.time(),
            is_timestamped: signature.is_timestamped(),
        }
    }
}

/// When a rule holds, judged by the proven time of a signature: `from` is the first instant, `until` the first after the
/// last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// The first instant; `None` is the beginning of time.
    pub from: Option<Timestamp>,
    /// The first instant that is too late; `None` is never.
    pub until: Option<Timestamp>,
}

impl Validity {
    fn admits(self, at: Timestamp) -> Result<(), Mismatch> {
        match (self.from, self.until) {
            (Some(from), _) if at < from => Err(Mismatch::TooEarly { at, from }),
            (_, Some(until)) if at >= until => Err(Mismatch::TooLate { at, until }),
            _ => Ok(()),
        }
    }

    /// Whether it admits some instant of a certificate's validity, both ends of which are inclusive.
    fn meets(self, not_before: Timestamp, not_after: Timestamp) -> Result<(), Mismatch> {
        let starts = self.from.is_none_or(|from| from <= not_after);
        let lasts = self.until.is_none_or(|until| not_before < until);
        if starts && lasts { Ok(()) } else { Err(Mismatch::NeverThen { not_before, not_after }) }
    }

    /// Whether some instant lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let from = self.from.max(other.from);
        let until = [self.until, other.until].into_iter().flatten().min();
        match (from, until) {
            (Some(from), Some(until)) => from < until,
            _ => true,
        }
    }

    /// Whether every instant of `other` lies in this one.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        let from = self.from.is_none_or(|from| other.from.is_some_and(|other| from <= other));
        let until = self.until.is_none_or(|until| other.until.is_some_and(|other| other <= until));
        from && until
    }
}

/// What a rule may demand beyond the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The identity is the author's e-mail address, of a tag its tagger's.
    AuthorMatch,
    /// It is in a transparency log, which every verified keyless signature is.
    Log,
    /// The time was proved by a timestamp authority.
    Timestamp,
}

impl Requirement {
    fn holds(self, signer: &Signer, circumstances: &Circumstances<'_>) -> Result<(), Mismatch> {
        let holds = match self {
            Self::AuthorMatch => circumstances.author_email == Some(signer.claims.san.as_str().as_bytes()),
            // No keyless signature is verified without its entry.
            Self::Log => true,
            // A token outranks the log's time.
            Self::Timestamp => signer.is_timestamped,
        };
        if holds { Ok(()) } else { Err(Mismatch::Requirement(self)) }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthorMatch => "that the signer is the author",
            Self::Log => "an entry in a transparency log",
            Self::Timestamp => "a timestamp",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyFile;
    use crate::x509::SubjectAlternativeName;

    fn rule(more: &str) -> Rule {
        let text = format!("version = 1\n[[rule]]\nname = \"r\"\nissuer = \"https://i\"\ninstance = \"own\"\n{more}");
        PolicyFile::read(text.as_bytes(), &InstanceName::public_good()).unwrap().rules()[0].clone()
    }

    fn signer(san: SubjectAlternativeName) -> Signer {
        let text = |text: &str| Some(text.to_owned());
        Signer {
            claims: CertificateClaims { san, issuer: "https://i".to_owned() },
            build: BuildClaims {
                source_repository_uri: text("https://forge.example/o/r"),
                source_repository_ref: text("refs/heads/main"),
                source_repository_identifier: text("42"),
                build_config_uri: text("https://forge.example/o/r/ci/release.yml@refs/heads/main"),
                build_trigger: text("push"),
            },
            time: "2026-01-01T00:00:00Z".parse().unwrap(),
            is_timestamped: false,
        }
    }

    /// The condition that does not hold, or nothing.
    fn missed(rule: &Rule, signer: &Signer, circumstances: &Circumstances<'_>) -> String {
        let outcome = rule.admits(signer, &"own".parse().unwrap(), circumstances);
        outcome.err().map(|mismatch| mismatch.to_string()).unwrap_or_default()
    }

    #[test]
    fn each_condition_holds_and_does_not() {
        let email = || signer(SubjectAlternativeName::Email("a@x".to_owned()));
        let uri = || signer(SubjectAlternativeName::Uri("https://x/a".to_owned()));
        let username = || signer(SubjectAlternativeName::Username("a!x".to_owned()));
        let stamped = || Signer { is_timestamped: true, ..email() };
        let nothing = Circumstances { changes_policy: Some(false), ..Circumstances::default() };
        let of_author = Circumstances { author_email: Some(b"a@x"), ..nothing };
        let on_main = Circumstances { reference: Some("refs/heads/main"), ..nothing };
        let of_policy = Circumstances { changes_policy: Some(true), ..nothing };
        let unknown = Circumstances { changes_policy: None, ..nothing };
        let people = "email = [\"a@x\"]";
        for (more, signer, circumstances, expected) in [
            ("email = [\"a@x\"]", email(), nothing, ""),
            ("email = [\"b@x\", \"glob:*@x\"]", email(), nothing, ""),
            ("email = [\"glob:*@y\"]", email(), nothing, "it is about others"),
            ("email = [\"https://x/a\"]", uri(), nothing, "it is about others"),
            ("uri = [\"https://x/a\"]", uri(), nothing, ""),
            ("uri = [\"a@x\"]", email(), nothing, "it is about others"),
            ("username = [\"a!x\"]", username(), nothing, ""),
            ("username = [\"a@x\"]", email(), nothing, "it is about others"),
            ("workflow = { repository_id = \"42\" }", uri(), nothing, ""),
            ("workflow = { repository_id = \"4\" }", uri(), nothing, "the certificate's repository_id is 42"),
            ("workflow = { repository_id = \"42\", path = \"glob:ci/*\" }", uri(), nothing, ""),
            (
                "workflow = { repository_id = \"42\", path = \"ci/test.yml\" }",
                uri(),
                nothing,
                "the certificate's path is ci/release.yml",
            ),
            ("workflow = { repository_id = \"42\", ref = \"refs/heads/main\" }", uri(), nothing, ""),
            (
                "workflow = { repository_id = \"42\", ref = \"refs/heads/next\" }",
                uri(),
                nothing,
                "the certificate's ref is refs/heads/main",
            ),
            ("workflow = { repository_id = \"42\", trigger = [\"push\"] }", uri(), nothing, ""),
            (
                "workflow = { repository_id = \"42\", trigger = [\"schedule\"] }",
                uri(),
                nothing,
                "the certificate's trigger is push",
            ),
            ("from = 2026-01-01T00:00:00Z", email(), nothing, ""),
            (
                "from = 2026-01-01T00:00:01Z",
                email(),
                nothing,
                "it holds from 2026-01-01T00:00:01Z on, and the proven time is 2026-01-01T00:00:00Z",
            ),
            ("until = 2026-01-01T00:00:01Z", email(), nothing, ""),
            (
                "until = 2026-01-01T00:00:00Z",
                email(),
                nothing,
                "it held until 2026-01-01T00:00:00Z, and the proven time is 2026-01-01T00:00:00Z",
            ),
            ("require = [\"timestamp\"]", stamped(), nothing, ""),
            ("require = [\"timestamp\"]", email(), nothing, "it wants a timestamp"),
            ("require = [\"author-match\"]", email(), of_author, ""),
            ("require = [\"author-match\"]", email(), nothing, "it wants that the signer is the author"),
            ("refs = [\"glob:refs/heads/*\"]", email(), on_main, ""),
            ("refs = [\"refs/heads/next\"]", email(), on_main, "it is not for refs/heads/main"),
            ("refs = [\"refs/heads/main\"]", email(), nothing, "it depends on the ref, which is not known here"),
            ("may_change_policy = true", email(), of_policy, ""),
            ("", email(), of_policy, "the commit changes the policy file, which the rule does not let it"),
            ("may_change_policy = true", email(), unknown, ""),
            ("", email(), unknown, "whether the commit changes the policy file is not known here"),
        ] {
            let named = ["email", "uri", "username", "workflow"].iter().any(|key| more.starts_with(key));
            let more = if named { more.to_owned() } else { format!("{people}\n{more}") };
            assert_eq!(missed(&rule(&more), &signer, &circumstances), expected, "{more}");
        }
        let other = rule(people).admits(&email(), &InstanceName::public_good(), &nothing);
        assert_eq!(other.unwrap_err().to_string(), "it is about the instance own, and public-good vouches");
        let stranger =
            Signer { claims: CertificateClaims { issuer: "https://j".to_owned(), ..email().claims }, ..email() };
        assert_eq!(missed(&rule(people), &stranger, &nothing), "it wants the issuer https://i");
        // A certificate without the extensions is no workflow's.
        let bare = Signer { build: BuildClaims::default(), ..uri() };
        let workflow = rule("workflow = { repository_id = \"42\" }");
        assert_eq!(missed(&workflow, &bare, &nothing), "the certificate's repository_id is nothing");
    }

    #[test]
    fn whom_a_certificate_only_claims_is_held_to_all_that_it_says() {
        let Signer { claims, build, time, .. } = signer(SubjectAlternativeName::Uri("https://x/a".to_owned()));
        let ten_minutes_later = time + jiff::SignedDuration::from_mins(10);
        let findings = Findings { build, validity: Some((time, ten_minutes_later)), ..Findings::default() };
        let never =
            "it does not hold while the certificate is valid, from 2026-01-01T00:00:00Z to 2026-01-01T00:10:00Z";
        for (more, expected) in [
            ("workflow = { repository_id = '42' }", ""),
            ("workflow = { repository_id = '999' }", "the certificate's repository_id is 42"),
            ("uri = ['https://x/b']\nworkflow = { repository_id = '999' }", "the certificate's repository_id is 42"),
            ("workflow = { repository_id = '42', path = 'ci/b.yml' }", "the certificate's path is ci/release.yml"),
            ("workflow = { repository_id = '42', ref = 'refs/heads/b' }", "the certificate's ref is refs/heads/main"),
            ("workflow = { repository_id = '42', trigger = ['schedule'] }", "the certificate's trigger is push"),
            ("uri = ['https://x/a']\nuntil = 2020-01-01T00:00:00Z", never),
            ("uri = ['https://x/a']\nuntil = 2026-01-01T00:00:00Z", never),
            ("uri = ['https://x/a']\nuntil = 2026-01-01T00:00:01Z", ""),
            ("uri = ['https://x/a']\nfrom = 2026-01-01T00:10:00Z", ""),
            ("uri = ['https://x/a']\nfrom = 2026-01-01T00:10:01Z", never),
        ] {
            let answer = rule(more).answer_to_claim(&claims, &findings);
            assert_eq!(answer.err().map(|mismatch| mismatch.to_string()).unwrap_or_default(), expected, "{more}");
        }
    }
}
