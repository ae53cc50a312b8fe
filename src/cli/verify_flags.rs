//! The flags of the commands that give a verdict, and what they mean together.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::report_flags::{ListingFlags, ReportFlags};
use super::selection_flags::SelectionFlags;
use super::{AdmittedFlags, Listing, Pattern, Reports, UsageError, Verify};

#[derive(Args)]
pub(super) struct VerifyFlags {
    /// Commits, tags, or ranges A..B; HEAD when none is given. An annotated tag is the tag object itself
    #[arg(value_name = "REV | A..B | TAG")]
    revisions: Vec<OsString>,
    #[command(flatten)]
    selection: SelectionFlags,
    /// Verify everything anew, and keep nothing of what is found
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    listing: ListingFlags,
    #[command(flatten)]
    judging: JudgingFlags,
    /// Succeed when there is no object to verify
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    reports: ReportFlags,
}

#[derive(Args)]
pub(super) struct VerifyTagFlags {
    /// What stands behind refs/tags/
    #[arg(value_name = "NAME", required = true)]
    names: Vec<OsString>,
    /// Verify everything anew, and keep nothing of what is found
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    judging: JudgingFlags,
}

#[derive(Args)]
pub(super) struct ExplainFlags {
    /// A commit or tag; HEAD when none is given. An annotated tag is the tag object itself
    #[arg(value_name = "OBJECT")]
    object: Option<OsString>,
    #[command(flatten)]
    judging: JudgingFlags,
}

#[derive(Args, Default)]
pub(super) struct JudgingFlags {
    /// Print JSON, one object a line
    #[arg(long)]
    pub(super) json: bool,
    /// Ask the log for the entry that a signature of gitsign's online mode does not carry
    #[arg(long, conflicts_with = "offline")]
    pub(super) online: bool,
    /// Open no connection, whatever waxseal.online says
    #[arg(long)]
    pub(super) offline: bool,
    /// Trust this trusted_root.json and nothing else
    #[arg(long, value_name = "FILE")]
    pub(super) trusted_root: Option<PathBuf>,
    /// The identity that must have signed: an e-mail address or URI, byte for byte
    #[arg(long, value_name = "IDENTITY", conflicts_with = "certificate_identity_regexp")]
    pub(super) certificate_identity: Option<String>,
    /// The same as a regular expression for the whole identity
    #[arg(long, value_name = "REGEXP")]
    pub(super) certificate_identity_regexp: Option<String>,
    /// The OIDC issuer that must have vouched for the identity
    #[arg(long, value_name = "URL", conflicts_with = "certificate_oidc_issuer_regexp")]
    pub(super) certificate_oidc_issuer: Option<String>,
    /// The same as a regular expression for the whole issuer
    #[arg(long, value_name = "REGEXP")]
    pub(super) certificate_oidc_issuer_regexp: Option<String>,
    /// Admit everyone: only the signatures count
    #[arg(long, conflicts_with_all = ["certificate_identity", "certificate_identity_regexp",
        "certificate_oidc_issuer", "certificate_oidc_issuer_regexp"])]
    pub(super) any_identity: bool,
    /// The policy file that says who may sign: a path outside the work tree, or REF:PATH
    #[arg(long, value_name = "FILE | REF:PATH", conflicts_with_all = ["certificate_identity", "certificate_identity_regexp",
        "certificate_oidc_issuer", "certificate_oidc_issuer_regexp", "any_identity"])]
    pub(super) policy: Option<PathBuf>,
    /// The ref that rules of the policy are to judge for, as refs/heads/main; else the one that was named
    #[arg(long, value_name = "REF")]
    pub(super) r#ref: Option<String>,
    /// The instance that must have issued the certificate
    #[arg(long, value_name = "NAME")]
    pub(super) instance: Option<String>,
    /// Do not ask for proof that certificates were logged
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) insecure_ignore_sct: bool,
    /// Demand that the trust material was refreshed lately: 12h, 30d, 8w
    #[arg(long, value_name = "AGE", conflicts_with = "trusted_root")]
    pub(super) max_trust_age: Option<String>,
}

impl VerifyFlags {
    pub(super) fn resolve(self) -> Result<Verify, UsageError> {
        let Self { no_cache, allow_empty, .. } = self;
        let SelectionFlags { all, tags, stdin } = self.selection;
        let (listing, reports) = (self.listing.resolve(), self.reports.resolve());
        Ok(Verify {
            all,
            tags,
            stdin,
            no_cache,
            allow_empty,
            listing,
            reports,
            ..self.judging.resolve(self.revisions)?
        })
    }
}

impl VerifyTagFlags {
    pub(super) fn resolve(self) -> Result<Verify, UsageError> {
        let listing = Listing::All;
        Ok(Verify { listing, no_cache: self.no_cache, ..self.judging.resolve(self.names)? })
    }
}

impl ExplainFlags {
    pub(super) fn resolve(self) -> Result<Verify, UsageError> {
        self.judging.resolve(self.object.into_iter().collect())
    }
}

impl JudgingFlags {
    pub(super) fn resolve(self, revisions: Vec<OsString>) -> Result<Verify, UsageError> {
        let pattern = |exact: Option<String>, regexp: Option<String>| {
            exact.map(Pattern::Exact).or_else(|| regexp.map(Pattern::Regexp))
        };
        let identity = pattern(self.certificate_identity, self.certificate_identity_regexp);
        let issuer = pattern(self.certificate_oidc_issuer, self.certificate_oidc_issuer_regexp);
        let admitted = match (identity, issuer) {
            (Some(identity), Some(issuer)) => AdmittedFlags::Identity { identity, issuer },
            (Some(Pattern::Exact(_)), None) => {
                return Err(UsageError::IdentityWithoutIssuer { identity: "--certificate-identity" });
            }
            (Some(Pattern::Regexp(_)), None) => {
                return Err(UsageError::IdentityWithoutIssuer { identity: "--certificate-identity-regexp" });
            }
            (None, Some(Pattern::Exact(_))) => {
                return Err(UsageError::IssuerWithoutIdentity { issuer: "--certificate-oidc-issuer" });
            }
            (None, Some(Pattern::Regexp(_))) => {
                return Err(UsageError::IssuerWithoutIdentity { issuer: "--certificate-oidc-issuer-regexp" });
            }
            (None, None) if self.any_identity => AdmittedFlags::Anyone,
            (None, None) => self.policy.map_or(AdmittedFlags::Unsaid, AdmittedFlags::Policy),
        };
        if self.instance.is_some() && !matches!(admitted, AdmittedFlags::Identity { .. }) {
            return Err(UsageError::InstanceWithoutIdentity);
        }
        Ok(Verify {
            revisions,
            all: false,
            tags: Vec::new(),
            stdin: false,
            json: self.json,
            listing: Listing::default(),
            reports: Reports::default(),
            no_cache: false,
            online: self.online,
            offline: self.offline,
            trusted_root: self.trusted_root,
            admitted,
            reference: self.r#ref,
            instance: self.instance,
            allow_empty: false,
            insecure_ignore_sct: self.insecure_ignore_sct,
            max_trust_age: self.max_trust_age,
        })
    }
}
