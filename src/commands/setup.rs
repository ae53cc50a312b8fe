//! `waxseal setup`: tells Git to sign with waxseal, in one of its configuration files; shows first what it changes, and can
//! put back what was there.

mod leftovers;
mod plan;
mod record;
mod undo;

use std::path::PathBuf;

use self::plan::{Plan, Wish};
use self::record::Record;
use crate::cli::Setup;
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::configured;
use crate::commands::git_sign::public_consent::publishes;
use crate::commands::stdout::print;
use crate::escape;
use crate::instance::{Instance, InstanceName};
use crate::settings::config_file::{ConfigFile, ConfigFileError, Scope};
use crate::settings::effective::EffectiveConfig;
use crate::settings::programs;
use crate::settings::{FoundRepository, Settings};
use crate::terminal::{Answer, Terminal};
use crate::trust_store::TrustStore;

/// Changes one of Git's configuration files, or puts back what was there.
///
/// # Errors
/// [`CommandError`]: 1 when nobody agreed or it cannot be written, 2 for a wrong scope or name, 4 for an instance that
/// cannot sign.
pub fn run(request: &Setup) -> Result<u8, CommandError> {
    let settings = configured::settings()?;
    if let FoundRepository::Refused { path, .. } = &settings.repository {
        return Err(CommandError::usage(format_args!("Git refuses the repository {}", path.display()))
            .hint("\"git status\" there says why"));
    }
    let scope = match (request.global, request.local, request.worktree, &settings.repository) {
        (true, ..) => Scope::Global,
        (_, true, ..) => Scope::Local,
        (_, _, true, _) => Scope::Worktree,
        (.., FoundRepository::At(_)) => Scope::Local,
        (.., FoundRepository::NotFound | FoundRepository::Refused { .. }) => Scope::Global,
    };
    let file = ConfigFile::read(&scope.file(&settings.repository)?)?;
    let run = Run { request, settings, scope };
    if let (false, Ok(record)) = (request.dry_run, run.record_path()) {
        leftovers::tidy(&record, file.path(), &file.bytes());
    }
    if request.undo { run.undo(file) } else { run.set_up(file) }
}

struct Run<'a> {
    request: &'a Setup,
    settings: Settings,
    scope: Scope,
}

impl Run<'_> {
    fn set_up(&self, file: ConfigFile) -> Result<u8, CommandError> {
        let instance = self.instance()?;
        let (effective, _) = EffectiveConfig::read()?;
        let mut notes = Vec::new();
        let wishes = self.wishes(&instance, &effective, &mut notes)?;
        let plan = Plan::make(file, &wishes)?;
        if plan.is_empty() {
            notes.extend(overridden(&wishes, &effective));
            self.say(&format!("nothing to change in {} ({})", plan.path().display(), self.scope.name()), &[], &notes)?;
            return Ok(0);
        }
        if publishes(&instance)? {
            notes.push(PUBLIC_FOR_EVER.to_owned());
        }
        self.say(&format!("{} ({})", plan.path().display(), self.scope.name()), &plan.diff(), &notes)?;
        if self.request.dry_run {
            return Ok(0);
        }
        self.agreed("shall this be changed?")?;
        let record = Record::load(&self.record_path()?, plan.path())?.after(&plan);
        record.prepare(&self.record_path()?)?.persist_after(|| plan.write())?;
        let (after, _) = EffectiveConfig::read()?;
        let undo = format!("\"waxseal setup --{} --undo\" puts back what was there", self.scope.name());
        self.say("changed", &[], &overridden(&wishes, &after).chain([undo]).collect::<Vec<_>>())?;
        Ok(0)
    }

    /// What Git shall be told.
    fn wishes(
        &self,
        instance: &Instance,
        effective: &EffectiveConfig,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Wish>, CommandError> {
        let mut wishes = vec![
            Wish::one("waxseal.instance", instance.name.as_str()),
            Wish::one("gpg.format", "x509"),
            Wish::one("gpg.x509.program", &programs::how_git_finds_us()),
            Wish::one("commit.gpgSign", "true"),
            Wish::one("tag.gpgSign", "true"),
        ];
        let remotes = effective.remotes();
        let remote = self.request.remote.as_deref().unwrap_or("origin");
        let is_there = remotes.iter().any(|name| name == remote);
        if self.scope == Scope::Global {
            notes.push("evidence in notes is fetched for each repository: \"waxseal setup --local\" there".to_owned());
        } else if !is_there && self.request.remote.is_some() {
            let error = CommandError::usage(format_args!("there is no remote \"{remote}\""));
            return Err(match remotes.is_empty() {
                true => error.hint("this repository has none; \"git remote add\" adds one"),
                false => error.hint(format_args!("--remote takes one of: {}", remotes.join(", "))),
            });
        } else if !is_there {
            notes.push(format!("there is no remote {remote}, so no evidence in notes is fetched (--remote)"));
        } else {
            wishes.push(Wish::one_of_many(
                &format!("remote.{remote}.fetch"),
                &format!("+{EVIDENCE}*:refs/notes/{remote}/waxseal-evidence*"),
            ));
            wishes.push(Wish::one("notes.waxseal-evidence.mergeStrategy", "cat_sort_uniq"));
            // With a refspec of any kind "git push" pushes nothing else: where there is none, none may be added.
            let push = format!("remote.{remote}.push");
            if effective.last(&push).is_some() {
                wishes.push(Wish::one_of_many(&push, &format!("{EVIDENCE}*:{EVIDENCE}*")));
            } else {
                notes.push(format!("evidence is pushed by \"git push {remote} {EVIDENCE}\""));
            }
        }
        Ok(wishes)
    }

    /// The instance that shall sign, which must be able to.
    fn instance(&self) -> Result<Instance, CommandError> {
        let store = TrustStore::new(&self.settings.folders);
        let Some(name) = self.request.instance.as_ref().or(self.settings.instance.as_ref()) else {
            let names = store.names().unwrap_or_default();
            let names = names.iter().map(InstanceName::as_str).collect::<Vec<_>>().join(", ");
            return Err(CommandError::usage("no Sigstore instance is chosen to sign with")
                .hint(format_args!("--instance takes one of: {names}"))
                .hint("\"waxseal trust add\" adds one, \"waxseal serve\" runs one"));
        };
        let name: InstanceName =
            name.parse().map_err(|error| CommandError::usage(format_args!("\"{name}\" is no instance: {error}")))?;
        let instance = store.load(&name)?;
        if instance.signing_config.is_none() {
            return Err(CommandError::new(
                ErrorKind::TrustMaterial,
                format_args!("the instance {name} has no signing config, so it can only verify"),
            )
            .hint("add it again under another name with --url, or with --signing-config"));
        }
        Ok(instance)
    }

    fn agreed(&self, question: &str) -> Result<(), CommandError> {
        if self.request.yes {
            return Ok(());
        }
        let terminal = Terminal::open_if(self.settings.may_prompt);
        match terminal.ask(question) {
            Answer::Yes => Ok(()),
            Answer::No => Err(CommandError::failed("nothing was changed")),
            Answer::NobodyThere => Err(CommandError::failed("nothing was changed: nobody is there to agree")
                .hint("--yes agrees, --dry-run only shows")),
        }
    }

    /// Where it is kept what was there before.
    fn record_path(&self) -> Result<PathBuf, CommandError> {
        let folder = match self.scope {
            Scope::Global => self.settings.folders.state.clone(),
            Scope::Local | Scope::Worktree => {
                let file = self.scope.file(&self.settings.repository)?;
                file.parent().map(|folder| folder.join("waxseal"))
            }
        };
        let folder = folder.ok_or_else(|| {
            CommandError::failed("there is no folder to keep what was there before").hint("set HOME or XDG_STATE_HOME")
        })?;
        Ok(folder.join(format!("setup-{}.json", self.scope.name())))
    }

    fn say(&self, head: &str, diff: &[String], notes: &[String]) -> Result<(), CommandError> {
        let diff = diff.iter().map(|line| format!("  {line}"));
        let lines = std::iter::once(head.to_owned()).chain(diff).chain(notes.iter().cloned());
        print(&lines.map(|line| escape::terminal(line) + "\n").collect::<String>())
    }
}

/// What keeps wishes from coming true, although the file has them.
fn overridden(wishes: &[Wish], effective: &EffectiveConfig) -> impl Iterator<Item = String> {
    wishes.iter().filter(|wish| !wish.is_list).filter_map(|wish| {
        let wins = effective.last(&wish.key).filter(|set| !wish.is_met_by(Some(set.value.as_str())))?;
        let place = wins.path.map(|path| format!("{} ({})", path.display(), wins.scope));
        let place = place.unwrap_or_else(|| "the environment or the command line".to_owned());
        Some(format!("warning: {} = {} in {place} wins over it", wish.key, wins.value))
    })
}

impl From<ConfigFileError> for CommandError {
    fn from(error: ConfigFileError) -> Self {
        let kind = match error {
            ConfigFileError::NoHome
            | ConfigFileError::NoGlobalFile
            | ConfigFileError::NoRepository
            | ConfigFileError::NoWorktreeFile
            | ConfigFileError::NotUtf8 { .. }
            | ConfigFileError::Unreadable { .. } => ErrorKind::Usage,
            ConfigFileError::Changed(_)
            | ConfigFileError::Held { .. }
            | ConfigFileError::Lock { .. }
            | ConfigFileError::Unwritten { .. } => ErrorKind::Failed,
        };
        let text = Self::new(kind, &error);
        match error {
            ConfigFileError::Changed(_) => text.hint("nothing was changed; run the command again"),
            ConfigFileError::Held { lock, .. } => text.hint(format_args!(
                "nothing was changed; try again, and if no program of Git's runs there, remove {}",
                lock.display()
            )),
            ConfigFileError::Lock { .. } | ConfigFileError::Unwritten { .. } => {
                text.hint("nothing was changed; whoever runs waxseal must be able to write the file and in its folder")
            }
            ConfigFileError::NoGlobalFile => text.hint("let it name a file, or unset it"),
            ConfigFileError::NoHome => text.hint("set HOME"),
            ConfigFileError::NoRepository => text.hint("--global changes your own configuration"),
            ConfigFileError::NoWorktreeFile => {
                text.hint("\"git config extensions.worktreeConfig true\" gives each worktree one of its own")
            }
            ConfigFileError::NotUtf8 { key, .. } => {
                text.hint(format_args!("\"git config --show-origin --get-all {key}\" shows it"))
            }
            ConfigFileError::Unreadable { .. } => {
                text.hint("\"git config --list --show-origin\" says what git makes of it")
            }
        }
    }
}

const EVIDENCE: &str = crate::git::repository::EVIDENCE_REF;

const PUBLIC_FOR_EVER: &str = "at the public-good instance every signature makes public for ever, where anyone can search \
                               for it: your address, who vouched for it, the time, and the digest of what is signed";
