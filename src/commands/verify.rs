//! `waxseal verify`: commits, tags and ranges of the repository, a line an object, then totals and an exit code.
//!
//! Objects stream through one verifier: memory does not grow with what is printed. A policy is asked anew in each run, whatever
//! an earlier one found of the signatures.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;

use super::findings::Findings;
use super::outside_evidence::{self, Completed, Online, complete};
use super::policy_source::LoadedPolicy;
use super::progress::Progress;
use super::stdout::Output;
use super::{configured, identity_policy, stdout, trust_age};
use crate::cli::{AdmittedFlags, Verify};
use crate::command_error::{CommandError, ErrorKind};
use crate::escape;
use crate::finding_cache::CacheError;
use crate::git::repository::{FoundObject, RawObject, Repository};
use crate::git::{HashKind, ObjectKind, SignedObject};
use crate::instance::{Instance, InstanceName};
use crate::policy::{IdentityPolicy, PolicyFile};
use crate::settings::{FoundRepository, HookVariables, Refusal, Settings};
use crate::signature::payload::header;
use crate::trust_age::MaxTrustAge;
use crate::trust_store;
use crate::verify::error::{Missing, VerifyError};
use crate::verify::{SctRequirement, Verdict, Verifier};

pub(super) mod by_key;
mod engine;
pub(super) mod json;
pub(super) mod judged;
mod merges;
mod people;
mod report;
mod reports;
mod row;
pub(super) mod selection;
mod shapes;
mod squash;
mod squashes;
pub(super) mod surroundings;

use by_key::Keys;
use engine::{Engine, Verified};
use judged::{Judged, Tally};
use merges::Merges;
use people::People;
pub(super) use report::object as line_for_people;
use reports::Reports;
use selection::Selection;
use surroundings::Surroundings;

/// Verifies what `request` names and returns the exit code of `docs/errors.md`.
///
/// # Errors
/// [`CommandError`]: 2 for arguments, repository and revisions, 4 for trust material, 5 for a policy that is invalid,
/// 3 when the output cannot be written.
pub fn run(request: &Verify, now: Timestamp) -> Result<u8, CommandError> {
    Run::prepare(request, now, |repository, _policy| Selection::of(request, repository))?.report()
}

/// Everything that one run needs, ready: what is asked for is in the repository, and what it is judged by can be read.
pub(super) struct Run<'a> {
    pub(super) request: &'a Verify,
    pub(super) settings: Settings,
    /// What a rule without an instance means.
    default_instance: InstanceName,
    pub(super) repository: Repository,
    hash: HashKind,
    pub(super) now: Timestamp,
    pub(super) selection: Selection,
    pub(super) policy: IdentityPolicy,
    /// What the policy asks besides the signature.
    pub(super) surroundings: Surroundings,
    pub(super) verifier: Verifier,
    /// What Git's merge makes of parents, once a rule asks.
    merges: Merges,
    /// The logs, if they may be asked.
    online: Option<RefCell<Online>>,
}

impl<'a> Run<'a> {
    /// Reads settings, repository, policy and trust material; `select` finds what is asked for, and is told the policy file
    /// if there is one that can be read.
    ///
    /// # Errors
    /// As [`run`].
    pub(super) fn prepare(
        request: &'a Verify,
        now: Timestamp,
        select: impl FnOnce(&Repository, Option<&LoadedPolicy>) -> Result<Selection, CommandError>,
    ) -> Result<Self, CommandError> {
        Self::prepare_under(request, now, select, LoadedPolicy::read)
    }

    /// The same under a policy file that `read` gets from wherever it may be.
    ///
    /// # Errors
    /// As [`run`].
    pub(super) fn prepare_under(
        request: &'a Verify,
        now: Timestamp,
        select: impl FnOnce(&Repository, Option<&LoadedPolicy>) -> Result<Selection, CommandError>,
        read: ReadPolicy,
    ) -> Result<Self, CommandError> {
        let settings = configured::settings()?;
        let repository = with_quarantine(open(&settings.repository)?, &settings.hook)?;
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

    /// Prints the verdicts, writes the reports, and returns the exit code.
    ///
    /// # Errors
    /// [`ErrorKind::Undecided`] when either cannot be written.
    pub(super) fn report(&self) -> Result<u8, CommandError> {
        let reports = Reports::begin(self)?;
        written(self.print(reports), ErrorKind::Undecided)
    }

    fn print(&self, mut reports: Option<Reports<'_>>) -> io::Result<u8> {
        if stdout::was_closed() {
            return Err(stdout::closed());
        }
        let mut out = Output::stdout();
        let mut tally = Tally::default();
        let mut people = (!self.request.json).then(|| People::new(self));
        let mut progress = Progress::begin(people.as_ref().is_none_or(People::lists_all), &self.settings.surroundings);
        if self.request.json {
            json::header(&mut out, self)?;
        }
        let trouble = self.each(|judged| {
            tally.count(judged);
            progress.count();
            reports.as_mut().map_or(Ok(()), |reports| reports.add(judged))?;
            match &mut people {
                None => json::object(&mut out, judged)?,
                Some(people) => {
                    if let Some(line) = people.object(judged)? {
                        progress.clear();
                        out.write_all(&line)?;
                    }
                }
            }
            out.flush_now_and_then()
        })?;
        progress.clear();
        let exit_code = tally.exit_code(self.request.allow_empty);
        // A stream without its footer is a failure, and so is a run without its reports.
        reports.map_or(Ok(()), |reports| reports.finish(exit_code))?;
        match &people {
            None => json::footer(&mut out, &tally, exit_code)?,
            Some(people) => {
                people.end(&mut out, &tally, self, progress.elapsed())?;
                out.flush()?;
                // Advice is worth less than the exit code.
                let _closed = report::advice(&mut io::stderr().lock(), &tally, self, trouble.as_ref());
            }
        }
        out.flush()?;
        Ok(exit_code)
    }

    /// Verifies what is selected and hands each object to `take` with its verdict and the policy's answer, in order. What was
    /// found is kept for the next run, unless it cannot be: why.
    ///
    /// # Errors
    /// That of `take`, after which nothing more is verified.
    pub(super) fn each<E>(&self, mut take: impl FnMut(&Judged<'_>) -> Result<(), E>) -> Result<Option<CacheError>, E> {
        self.each_unjudged(|Unjudged { found, completed, position, cached }| {
            take(&Judged { cached, ..self.judged(&found, completed, position) })
        })
    }

    /// The same without the policy's answer.
    ///
    /// # Errors
    /// That of `take`.
    pub(super) fn each_unjudged<E>(
        &self,
        mut take: impl FnMut(Unjudged) -> Result<(), E>,
    ) -> Result<Option<CacheError>, E> {
        let (findings, trouble) = self.findings();
        let keys = Keys::of(&self.policy, self.repository.deadline());
        let engine = Engine {
            verifier: &self.verifier,
            hash: self.hash,
            findings: findings.as_ref(),
            keys,
            merges: &self.merges,
            alike: self.alike(),
            once: self.selection.once,
        };
        engine.run(&self.repository, &self.selection.selected, |verified| {
            let Verified { position, found, verdict, cached } = verified;
            let completed = match &found.content {
                Ok(object) if verdict.wants_log_entry() => self.completed(&found, &self.split(object), verdict),
                Ok(_) | Err(_) => Completed::of(verdict),
            };
            take(Unjudged { found, completed, position, cached })
        })?;
        Ok(trouble.or_else(|| findings.as_ref()?.finish().err()))
    }

    /// For each argument the first one that names the same ref, or none like it.
    fn alike(&self) -> Vec<usize> {
        let mut first = HashMap::new();
        let positions = 0..self.selection.selected.len();
        positions.map(|position| *first.entry(self.reference(position)).or_insert(position)).collect()
    }

    /// The ref that the argument at `position` names.
    fn reference(&self, position: usize) -> Option<&str> {
        match self.selection.references.get(position) {
            Some(reference) => Some(reference),
            None => self.surroundings.reference(position),
        }
    }

    /// What earlier runs found, unless it is not wanted, or cannot be used: why.
    fn findings(&self) -> (Option<Findings>, Option<CacheError>) {
        if self.request.no_cache {
            return (None, None);
        }
        match Findings::of(&self.verifier, &self.settings.folders) {
            Ok(findings) => (findings, None),
            Err(error) => (None, Some(error)),
        }
    }

    /// Whether logs may be asked.
    pub(super) fn asks_network(&self) -> bool {
        self.online.is_some()
    }

    /// `verdict` with what is known of the object outside it.
    pub(super) fn completed(&self, found: &FoundObject, object: &SignedObject, verdict: Verdict) -> Completed {
        let Ok(armor) = object.signature() else { return Completed::of(verdict) };
        let object = outside_evidence::Object { payload: &object.payload, armor };
        let mut online = self.online.as_ref().map(RefCell::borrow_mut);
        complete(&self.verifier, verdict, object, Some((&self.repository, found.id)), online.as_deref_mut())
    }

    /// What `completed` is under the keys of another policy.
    pub(super) fn under(&self, keys: Option<&Keys<'_>>, found: &FoundObject, completed: Completed) -> Completed {
        let is_by_key = match &completed.verdict {
            Verdict::OtherFormat(_) | Verdict::VerifiedByKey(_) => true,
            Verdict::Rejected(rejection) => rejection.key_format().is_some(),
            Verdict::Undecided(undecided) => matches!(undecided.missing(), Missing::Gpg(_)),
            Verdict::Unsigned | Verdict::Verified(_) => false,
        };
        let Some(object) = found.content.as_ref().ok().filter(|_| is_by_key) else { return completed };
        let object = self.split(object);
        let verdict = object.verdict(&self.verifier);
        Completed::of(match keys {
            Some(keys) => keys.verdict(&object, verdict),
            None => verdict,
        })
    }

    /// A commit or tag, taken apart as the repository's Git does.
    pub(super) fn split(&self, object: &RawObject) -> SignedObject {
        SignedObject::parse(object.kind, self.hash, &object.bytes)
    }

    /// The verdict with what the policy says of the signer. `position` is that of the argument that named the object.
    pub(super) fn judged<'f>(&self, found: &'f FoundObject, completed: Completed, position: usize) -> Judged<'f> {
        self.judged_by(&self.policy, &self.surroundings, found, completed, position)
    }

    /// The verdict with what another policy says of the signer.
    pub(super) fn judged_by<'f>(
        &self,
        policy: &IdentityPolicy,
        surroundings: &Surroundings,
        found: &'f FoundObject,
        completed: Completed,
        position: usize,
    ) -> Judged<'f> {
        let object = found.id.to_string();
        let circumstances = surroundings.circumstances(&self.repository, found, &object, position);
        let shapes = self.shapes(policy, surroundings, &completed.verdict, found, &circumstances, position);
        let mut circumstances = shapes.with(circumstances);
        let completed = match self.misnamed(found, position) {
            Some(error) => {
                // An exemption is of the object, not of what somebody else made its name.
                circumstances.object = None;
                Completed { verdict: completed.verdict.with_error(error), ..completed }
            }
            None => completed,
        };
        Judged::new(found, completed, policy, &circumstances)
    }

    /// Another policy file, and what it asks besides the signature.
    ///
    /// # Errors
    /// [`ErrorKind::Policy`].
    pub(super) fn another_policy(
        &self,
        source: &Path,
        read: ReadPolicy,
    ) -> Result<(PolicyFile, Surroundings), CommandError> {
        let loaded = read(source, Some(&self.repository), &self.default_instance)?;
        loaded.refuse_if_judged(&self.repository, &self.selection.selected)?;
        let surroundings = Surroundings::of(&loaded, self.request, &self.repository, &self.selection)?;
        Ok((loaded.file, surroundings))
    }

    /// Whether a tag says that it has another name than the ref that led to it.
    fn misnamed(&self, found: &FoundObject, position: usize) -> Option<VerifyError> {
        let object = found.content.as_ref().ok().filter(|object| object.kind == ObjectKind::Tag)?;
        let named = self.repository.tag_name(self.selection.names.get(position)?)?;
        let says = header(&object.bytes, "tag").unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (says != named).then(|| VerifyError::TagName { named: text(&named), says: text(says) })
    }
}

/// An object that was verified, and that no policy was asked about yet.
pub(super) struct Unjudged {
    pub(super) found: FoundObject,
    pub(super) completed: Completed,
    /// Which argument named it.
    pub(super) position: usize,
    pub(super) cached: bool,
}

/// Reads the policy file of this name. A rule without an instance means the one given.
pub(super) type ReadPolicy = fn(&Path, Option<&Repository>, &InstanceName) -> Result<LoadedPolicy, CommandError>;

/// How writing ended, as an exit code: that of `failure` when the output could not be written, which leaves a verdict
/// undecided and is the failure of anything else.
///
/// # Errors
/// One of that kind.
pub(super) fn written(done: io::Result<u8>, failure: ErrorKind) -> Result<u8, CommandError> {
    match done {
        Ok(exit_code) => Ok(exit_code),
        // Whoever closed the pipe does not want to hear of it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(failure.exit_code()),
        Err(error) => Err(CommandError::new(failure, format!("the output could not be written: {error}"))),
    }
}

/// The repository, if there is one that Git would use.
pub(super) fn open(found: &FoundRepository) -> Result<Repository, CommandError> {
    match found {
        FoundRepository::At(git_dir) => Ok(Repository::open(git_dir)?),
        FoundRepository::NotFound => {
            Err(CommandError::usage("there is no Git repository here")
                .hint("go into one, or name its folder with GIT_DIR"))
        }
        FoundRepository::Refused { path, refusal: Refusal::Bare } => {
            Err(CommandError::usage(format!("git does not use the bare repository {} unasked", path.display()))
                .hint("safe.bareRepository is explicit: name it with GIT_DIR"))
        }
        FoundRepository::Refused { path, refusal: Refusal::Owner } => {
            Err(CommandError::usage(format!("the repository {} belongs to somebody else", path.display())).hint(
                format!(
                    "if you trust it: git config --global --add safe.directory {}",
                    escape::shell(&path.display().to_string())
                ),
            ))
        }
    }
}

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
