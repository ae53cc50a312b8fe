//! By whose rules and under which trust objects are judged: what several commands take, each flag once.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::{AdmittedFlags, Pattern, UsageError, Verify};

/// All of it, for the commands that give a verdict.
#[derive(Args, Default)]
pub(super) struct JudgingFlags {
    /// Print JSON, one object a line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) network: NetworkFlags,
    #[command(flatten)]
    pub(super) trust: TrustFlags,
    #[command(flatten)]
    pub(super) identity: IdentityFlags,
    #[command(flatten)]
    pub(super) policy: PolicyFlags,
    #[command(flatten)]
    pub(super) reference: ReferenceFlags,
    /// Do not ask for proof that certificates were logged
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) insecure_ignore_sct: bool,
}

/// What earlier runs found.
#[derive(Args, Default)]
pub(super) struct CacheFlags {
    /// Verify everything anew, and keep nothing of what is found
    #[arg(long)]
    pub(super) no_cache: bool,
}

/// Whether logs are asked.
#[derive(Args, Default)]
pub(super) struct NetworkFlags {
    /// Ask the log for the entry that a signature of gitsign's online mode does not carry
    #[arg(long, conflicts_with = "offline")]
    pub(super) online: bool,
    /// Open no connection, whatever waxseal.online says
    #[arg(long)]
    pub(super) offline: bool,
}

/// Who is believed, and how new that must be.
#[derive(Args, Default)]
pub(super) struct TrustFlags {
    #[command(flatten)]
    pub(super) root: RootFlags,
    /// Demand that the trust material was refreshed lately: 12h, 30d, 8w
    #[arg(long, value_name = "AGE", conflicts_with = "trusted_root")]
    pub(super) max_trust_age: Option<String>,
}

/// Who alone is believed.
#[derive(Args, Default)]
pub(super) struct RootFlags {
    /// Trust this trusted_root.json and nothing else
    #[arg(long, value_name = "FILE")]
    pub(super) trusted_root: Option<PathBuf>,
}

/// By whose rules.
#[derive(Args, Default)]
pub(super) struct PolicyFlags {
    /// The policy file that says who may sign: a path outside the work tree, or REF:PATH
    #[arg(long, value_name = "FILE | REF:PATH", conflicts_with = "any_identity")]
    policy: Option<PathBuf>,
    /// Admit everyone: only the signatures count
    #[arg(long)]
    any_identity: bool,
}

/// For what rules count.
#[derive(Args, Default)]
pub(super) struct ReferenceFlags {
    /// The ref that rules of the policy are to judge for, as refs/heads/main; else the one that was named
    #[arg(long, value_name = "REF")]
    pub(super) r#ref: Option<String>,
}

/// The one who must have signed.
#[derive(Args, Default)]
pub(super) struct IdentityFlags {
    /// The identity that must have signed: an e-mail address or URI, byte for byte
    #[arg(long, value_name = "IDENTITY", conflicts_with_all = ["certificate_identity_regexp", "any_identity", "policy"])]
    certificate_identity: Option<String>,
    /// The same as a regular expression for the whole identity
    #[arg(long, value_name = "REGEXP", conflicts_with_all = ["any_identity", "policy"])]
    certificate_identity_regexp: Option<String>,
    /// The OIDC issuer that must have vouched for the identity
    #[arg(long, value_name = "URL", conflicts_with_all = ["certificate_oidc_issuer_regexp", "any_identity", "policy"])]
    certificate_oidc_issuer: Option<String>,
    /// The same as a regular expression for the whole issuer
    #[arg(long, value_name = "REGEXP", conflicts_with_all = ["any_identity", "policy"])]
    certificate_oidc_issuer_regexp: Option<String>,
    /// The instance that must have issued the certificate
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
}

impl JudgingFlags {
    pub(super) fn resolve(self, revisions: Vec<OsString>) -> Result<Verify, UsageError> {
        let Self { json, network, trust, identity, policy, reference, insecure_ignore_sct } = self;
        let NetworkFlags { online, offline } = network;
        let TrustFlags { root: RootFlags { trusted_root }, max_trust_age } = trust;
        let instance = identity.instance.clone();
        let admitted = identity.resolve()?.unwrap_or_else(|| policy.resolve());
        if instance.is_some() && !matches!(admitted, AdmittedFlags::Identity { .. }) {
            return Err(UsageError::InstanceWithoutIdentity);
        }
        Ok(Verify {
            revisions,
            json,
            online,
            offline,
            trusted_root,
            admitted,
            reference: reference.r#ref,
            instance,
            insecure_ignore_sct,
            max_trust_age,
            ..Verify::default()
        })
    }
}

impl PolicyFlags {
    fn resolve(self) -> AdmittedFlags {
        if self.any_identity {
            return AdmittedFlags::Anyone;
        }
        self.policy.map_or(AdmittedFlags::Unsaid, AdmittedFlags::Policy)
    }
}

impl IdentityFlags {
    /// `None` where they name nobody.
    fn resolve(self) -> Result<Option<AdmittedFlags>, UsageError> {
        let pattern = |exact: Option<String>, regexp: Option<String>| {
            exact.map(Pattern::Exact).or_else(|| regexp.map(Pattern::Regexp))
        };
        let identity = pattern(self.certificate_identity, self.certificate_identity_regexp);
        let issuer = pattern(self.certificate_oidc_issuer, self.certificate_oidc_issuer_regexp);
        match (identity, issuer) {
            (Some(identity), Some(issuer)) => Ok(Some(AdmittedFlags::Identity { identity, issuer })),
            (Some(Pattern::Exact(_)), None) => {
                Err(UsageError::IdentityWithoutIssuer { identity: "--certificate-identity" })
            }
            (Some(Pattern::Regexp(_)), None) => {
                Err(UsageError::IdentityWithoutIssuer { identity: "--certificate-identity-regexp" })
            }
            (None, Some(Pattern::Exact(_))) => {
                Err(UsageError::IssuerWithoutIdentity { issuer: "--certificate-oidc-issuer" })
            }
            (None, Some(Pattern::Regexp(_))) => {
                Err(UsageError::IssuerWithoutIdentity { issuer: "--certificate-oidc-issuer-regexp" })
            }
            (None, None) => Ok(None),
        }
    }
}
