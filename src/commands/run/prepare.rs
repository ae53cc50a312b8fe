//! What a run needs: settings, repository, policy and trust material, in the order in which what is wrong with them is said.

use std::cell::RefCell;
use std::path::Path;

use jiff::Timestamp;

use super::Run;
use super::merges::Merges;
use super::selection::Selection;
use super::surroundings::Surroundings;
use crate::cli::{AdmittedFlags, Verify};
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::outside_evidence::{self, Online};
use crate::commands::policy_source::LoadedPolicy;
use crate::commands::{configured, identity_policy, trust_age};
use crate::git::repository::Repository;
use crate::instance::{Instance, InstanceName};
use crate::policy::{IdentityPolicy, PolicyFile};
use crate::settings::{HookVariables, Settings};
use crate::trust_age::MaxTrustAge;
use crate::trust_store;
use crate::verify::{SctRequirement, Verifier};

impl<'a> Run<'a> {
    /// Reads settings, repository, policy and trust material; `select` finds what is asked for, and is told the policy file
    /// if there is one that can be read.
    ///
    /// # Errors
    /// [`CommandError`]: 2 for arguments, repository and revisions, 4 for trust material, 5 for a policy that is invalid.
    pub(in crate::commands) fn prepare(
        request: &'a Verify,
        now: Timestamp,
        select: impl FnOnce(&Repository, Option<&LoadedPolicy>) -> Result<Selection, CommandError>,
    ) -> Result<Self, CommandError> {
        Self::prepare_under(request, now, select, LoadedPolicy::read)
    }

    /// The same under a policy file that `read` gets from wherever it may be.
    ///
    /// # Errors
    /// [`CommandError`]: 2 for arguments, repository and revisions, 4 for trust material, 5 for a policy that is invalid.
    pub(in crate::commands) fn prepare_under(
        request: &'a Verify,
        now: Timestamp,
        select: impl FnOnce(&Repository, Option<&LoadedPolicy>) -> Result<Selection, CommandError>,
        read: ReadPolicy,
    ) -> Result<Self, CommandError> {
        let settings = configured::settings()?;
        let repository = with_quarantine(configured::repository(&settings.repository)?, &settings.hook)?;
        let hash = repository.hash_kind()?;
        let loaded = default_instance(request, &settings).and_then(|default| {
            let source = policy_file(request, &settings);
            let loaded = source.map(|source| read(source, Some(&repository), &default)).transpose()?;
            Ok((default, loaded))
        });
        let selection = select(&repository, loaded.as_ref().ok().and_then(|(_, loaded)| loaded.as_ref()))?;
        let policy = loaded.and_then(|(default, loaded)| {
            let (policy, surroundings) = match loaded {
                Some(loaded) => {
                    loaded.refuse_if_judged(&repository, &selection.selected)?;
                    let surroundings = Surroundings::of(&loaded, request, &repository, &selection)?;
                    (IdentityPolicy::File(Box::new(loaded.file)), surroundings)
                }
                None if request.reference.is_some() => {
                    return Err(
                        CommandError::usage("--ref means something to a policy file only").hint("--policy names one")
                    );
                }
                None => {
                    let policy = identity_policy::from_flags(&request.admitted, &settings, &default)?;
                    (policy, Surroundings::unasked(selection.selected.len()))
                }
            };
            Ok((policy, default, surroundings))
        });
        let policy = match policy {
            // It outranks unusable trust material, as an invalid setting does not.
            Err(error) if error.kind() == ErrorKind::Usage => return Err(error),
            policy => policy,
        };
        let demanded = max_trust_age(request, &settings, policy.as_ref().ok().map(|(policy, ..)| policy))?;
        let instances = instances(request, &settings, demanded.map(|max| (max, now)))?;
        let verifier = Verifier::new(instances, now, sct_requirement(request))?;
        check_instance(request, &verifier)?;
        let (policy, default_instance, surroundings) = policy?;
        let online = request.online || settings.online && !request.offline;
        let online = online.then(|| Online::new(&settings, outside_evidence::BUDGET, now)).transpose()?;
        let merges = Merges::of(&repository, hash);
        Ok(Self {
            request,
            settings,
            default_instance,
            repository,
            hash,
            now,
            selection,
            policy,
            surroundings,
            verifier,
            merges,
            online: online.map(RefCell::new),
        })
    }

    /// Another policy file, and what it asks besides the signature.
    ///
    /// # Errors
    /// [`ErrorKind::Policy`].
    pub(in crate::commands) fn another_policy(
        &self,
        source: &Path,
        read: ReadPolicy,
    ) -> Result<(PolicyFile, Surroundings), CommandError> {
        let loaded = read(source, Some(&self.repository), &self.default_instance)?;
        loaded.refuse_if_judged(&self.repository, &self.selection.selected)?;
        let surroundings = Surroundings::of(&loaded, self.request, &self.repository, &self.selection)?;
        Ok((loaded.file, surroundings))
    }
}

/// Reads the policy file of this name. A rule without an instance means the one given.
pub(in crate::commands) type ReadPolicy =
    fn(&Path, Option<&Repository>, &InstanceName) -> Result<LoadedPolicy, CommandError>;

/// The repository with the objects of a push that is not yet accepted, where Git says that they are elsewhere.
fn with_quarantine(repository: Repository, hook: &HookVariables) -> Result<Repository, CommandError> {
    let HookVariables { object_folder, other_object_folders, quarantine, .. } = hook;
    // What lies there goes with a push that is refused, whatever becomes of this process.
    Ok(repository.with_objects(object_folder.as_deref(), other_object_folders, quarantine.as_deref())?)
}

/// The policy file, if flags or settings name one: identity flags take its place.
fn policy_file<'a>(request: &'a Verify, settings: &'a Settings) -> Option<&'a Path> {
    match &request.admitted {
        AdmittedFlags::Policy(source) => Some(source),
        AdmittedFlags::Anyone | AdmittedFlags::Identity { .. } => None,
        AdmittedFlags::Unsaid => settings.policy.as_deref(),
    }
}

fn instances(
    request: &Verify,
    settings: &Settings,
    demanded: Option<(MaxTrustAge, Timestamp)>,
) -> Result<Vec<Instance>, CommandError> {
    Ok(match &request.trusted_root {
        Some(file) => vec![trust_store::from_file(file)?],
        None => configured::trusted(settings, demanded)?,
    })
}

/// The flag wins over the setting; what a policy file demands holds besides.
fn max_trust_age(
    request: &Verify,
    settings: &Settings,
    policy: Option<&IdentityPolicy>,
) -> Result<Option<MaxTrustAge>, CommandError> {
    let flag = request
        .max_trust_age
        .as_deref()
        .map(|age| age.parse().map_err(|error| CommandError::usage(format!("--max-trust-age \"{age}\": {error}"))));
    Ok(trust_age::strictest(flag.transpose()?.or(settings.max_trust_age), policy))
}

fn default_instance(request: &Verify, settings: &Settings) -> Result<InstanceName, CommandError> {
    match (&request.instance, &request.trusted_root) {
        (Some(name), _) => parse_instance(name),
        (None, Some(_)) => Ok(InstanceName::file()),
        (None, None) => identity_policy::default_instance(settings),
    }
}

/// An instance that the flags name must be one that could vouch for somebody.
fn check_instance(request: &Verify, verifier: &Verifier) -> Result<(), CommandError> {
    let Some(name) = &request.instance else { return Ok(()) };
    let name = parse_instance(name)?;
    if verifier.instances().any(|instance| instance.name == name) {
        Ok(())
    } else {
        Err(CommandError::usage(format!("the instance {name} is not trusted here"))
            .hint("\"waxseal trust list\" lists the instances; --trusted-root knows only the instance file"))
    }
}

fn parse_instance(name: &str) -> Result<InstanceName, CommandError> {
    name.parse().map_err(|error| CommandError::usage(format!("--instance \"{name}\": {error}")))
}

fn sct_requirement(request: &Verify) -> SctRequirement {
    if request.insecure_ignore_sct { SctRequirement::InsecureIgnore } else { SctRequirement::WhereLogsAreTrusted }
}
