//! `waxseal policy diff`: a history is verified once and judged twice; what would newly pass or fail, by object and signer.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::outcome::{Outcome, Who, named, why};
use crate::cli::Verify;
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::hints;
use crate::commands::policy_source::LoadedPolicy;
use crate::commands::run::json::files_of;
use crate::commands::run::judged::Judged;
use crate::commands::run::selection::Selection;
use crate::commands::run::surroundings::Surroundings;
use crate::commands::run::{Run, Unjudged};
use crate::commands::stdout::{self, written};
use crate::escape;
use crate::policy::IdentityPolicy;
use crate::report::plural;

mod lines;

/// Runs the command. The exit code is 1 when an object would newly pass or fail, 3 when there was none.
///
/// # Errors
/// [`CommandError`], as `waxseal verify`.
pub(super) fn run(request: &Verify, new: &Path, now: Timestamp) -> Result<u8, CommandError> {
    let select = |repository: &_, _policy: Option<&_>| Selection::of(request, repository);
    let run = Run::prepare_under(request, now, select, LoadedPolicy::read_on_trial)?;
    let (file, surroundings) = run.another_policy(new, LoadedPolicy::read_on_trial)?;
    let sha256 = file.sha256().to_string();
    let files = files_of(&file);
    let new = New { policy: IdentityPolicy::File(Box::new(file)), surroundings, sha256, files };
    written(print(&run, &new), ErrorKind::Undecided)
}

/// The policy that is to take the other one's place.
struct New {
    policy: IdentityPolicy,
    surroundings: Surroundings,
    sha256: String,
    files: BTreeMap<String, String>,
}

fn print(run: &Run<'_>, new: &New) -> io::Result<u8> {
    stdout::check_writable()?;
    let mut out = io::stdout().lock();
    let as_json = run.request.json;
    if as_json {
        lines::header(&mut out, run, new)?;
    }
    let mut changes = Changes::default();
    let trouble = run.each_under(Some(&new.policy), |Unjudged { found, completed, by_other, position, .. }| {
        let by_other = by_other.unwrap_or_else(|| completed.clone());
        let old = run.judged(&found, completed, position);
        let new = run.judged_by(&new.policy, &new.surroundings, &found, by_other, position);
        let Some(change) = changes.count(&old, &new) else { return Ok(()) };
        if as_json { lines::object(&mut out, change, &old, &new) } else { object(&mut out, change, &old, &new) }
    })?;
    let exit_code = match (changes.objects, changes.any()) {
        (0, _) if !run.request.allow_empty => ErrorKind::Undecided.exit_code(),
        (_, changed) => u8::from(changed),
    };
    if as_json {
        lines::totals(&mut out, &changes, exit_code)?;
    } else {
        totals(&mut out, &changes)?;
    }
    out.flush()?;
    hints::say_for_cache(trouble.as_ref());
    Ok(exit_code)
}

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Change {
    #[serde(rename = "newly-fails")]
    Fails,
    #[serde(rename = "newly-passes")]
    Passes,
    #[serde(rename = "newly-undecided")]
    Undecided,
}

impl Change {
    /// `None` where nothing changes for the exit code.
    fn between(old: Outcome, new: Outcome) -> Option<Self> {
        if old == new || old.is_well() && new.is_well() {
            return None;
        }
        Some(match new {
            Outcome::Exempt | Outcome::Passes => Self::Passes,
            Outcome::Fails => Self::Fails,
            Outcome::Undecided => Self::Undecided,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Fails => "newly fails",
            Self::Passes => "newly passes",
            Self::Undecided => "undecided",
        }
    }
}

#[derive(Default)]
struct Changes {
    objects: u64,
    newly_fail: u64,
    newly_pass: u64,
    newly_undecided: u64,
    /// Admitted before and after, by rules of other names.
    other_rule: u64,
    /// How often for each signer.
    signers: BTreeMap<(Change, Who), u64>,
    /// Changes of signers that are not counted one by one.
    beyond: u64,
}

impl Changes {
    fn count(&mut self, old: &Judged<'_>, new: &Judged<'_>) -> Option<Change> {
        self.objects += 1;
        let outcomes = (Outcome::of(old), Outcome::of(new));
        let Some(change) = Change::between(outcomes.0, outcomes.1) else {
            let by_rules = outcomes == (Outcome::Passes, Outcome::Passes);
            self.other_rule += u64::from(by_rules && old.allowed != new.allowed);
            return None;
        };
        *match change {
            Change::Fails => &mut self.newly_fail,
            Change::Passes => &mut self.newly_pass,
            Change::Undecided => &mut self.newly_undecided,
        } += 1;
        let key = (change, Who::of_either(old, new));
        if self.signers.len() < MAX_SIGNERS || self.signers.contains_key(&key) {
            *self.signers.entry(key).or_default() += 1;
        } else {
            self.beyond += 1;
        }
        Some(change)
    }

    fn any(&self) -> bool {
        self.newly_fail + self.newly_pass + self.newly_undecided > 0
    }
}

fn object(out: &mut impl Write, change: Change, old: &Judged<'_>, new: &Judged<'_>) -> io::Result<()> {
    let (id, subject) = named(old);
    let what = format!("{}  was: {}; would be: {}", Who::of_either(old, new), said(old), said(new));
    writeln!(out, "{:<12}  {id}  {}  {subject}", change.as_str(), escape::terminal(what))
}

fn said(judged: &Judged<'_>) -> String {
    format!("{} ({})", Outcome::of(judged).as_str(), why(judged))
}

fn totals(out: &mut impl Write, changes: &Changes) -> io::Result<()> {
    if changes.any() {
        writeln!(out)?;
    }
    for ((change, signer), count) in &changes.signers {
        writeln!(out, "{count:>9}  {}  {}", change.as_str(), escape::terminal(signer.to_string()))?;
    }
    if changes.beyond > 0 {
        writeln!(out, "{:>9}  of still more signers", changes.beyond)?;
    }
    let Changes { objects, newly_fail, newly_pass, newly_undecided, other_rule, .. } = changes;
    let s = plural(*objects);
    write!(out, "{objects} object{s}: {newly_pass} would newly pass, {newly_fail} newly fail")?;
    if *newly_undecided > 0 {
        write!(out, ", {newly_undecided} be undecided")?;
    }
    if *other_rule > 0 {
        write!(out, "; {other_rule} would pass by another rule")?;
    }
    writeln!(out)
}

/// Nobody reads a longer list.
const MAX_SIGNERS: usize = 1 << 10;
