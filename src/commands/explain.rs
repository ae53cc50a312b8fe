//! `waxseal explain`: one object, its whole proof step by step with what each step looked at, and what would change the
//! verdict. Decides what `waxseal verify` decides, by the same code.

use std::io::{self, Write as _};

use jiff::Timestamp;

use super::outside_evidence::Completed;
use super::run::Run;
use super::run::by_key::Keys;
use super::run::judged::{Judged, Tally};
use super::run::selection::Selection;
use super::stdout;
use super::stdout::written;
use crate::cli::Verify;
use crate::command_error::{CommandError, ErrorKind};
use crate::git::SignedObject;
use crate::git::repository::{FoundObject, Selected};
use crate::policy::RuleAnswer;
use crate::verify::error::Missing;
use crate::verify::findings::Findings;
use crate::verify::{Undecided, Verdict};

mod inputs;
mod json;
mod key_steps;
mod next;
mod step_report;
mod steps;
mod tree;

use step_report::StepReport;

/// Explains the object that `request` names and returns the exit code that `waxseal verify` has for it.
///
/// # Errors
/// [`CommandError`], as `waxseal verify`; 2 for a range and where HEAD has no commit yet.
pub fn run(request: &Verify, now: Timestamp) -> Result<u8, CommandError> {
    let run = Run::prepare(request, now, |repository, _policy| {
        let selection = Selection::of(request, repository)?;
        match selection.selected.as_slice() {
            [Selected::History { .. }] => Err(CommandError::usage("a range has no one proof")
                .hint("name one commit or tag; \"waxseal verify\" takes ranges")),
            _ => Ok(selection),
        }
    })?;
    let Some(found) = run.repository.objects(&run.selection.selected).next() else {
        return Err(CommandError::usage("HEAD has no commit yet"));
    };
    let (completed, findings) = match &found.content {
        Ok(object) => explained(&run, &found, &run.split(object)),
        Err(error) => {
            let verdict = Verdict::Undecided(Undecided::because(Missing::from(error)));
            (Completed::of(verdict), Findings::default())
        }
    };
    let explanation = Explanation::new(&run, &found, completed, &findings);
    written(explanation.print(), ErrorKind::Undecided)
}

/// The verdict with what notes and logs know of the object, and what each step found of that.
fn explained(run: &Run<'_>, found: &FoundObject, object: &SignedObject) -> (Completed, Findings) {
    let (verdict, findings) = object.explain(&run.verifier);
    let verdict = match Keys::of(&run.policy, run.repository.deadline()) {
        Some(keys) => keys.verdict(object, verdict),
        None => verdict,
    };
    if !verdict.wants_log_entry() {
        return (Completed::of(verdict), findings);
    }
    let completed = run.completed(found, object, verdict);
    let findings = match (&completed.verdict, completed.from.outside(), object.signature()) {
        (_, Some(entry), Ok(armor)) => run.verifier.findings_given(&object.payload, armor, entry),
        (Verdict::Undecided(undecided), ..) => undecided.findings().clone(),
        _ => findings,
    };
    (completed, findings)
}

/// All that is to be said of one object.
struct Explanation<'a> {
    run: &'a Run<'a>,
    judged: Judged<'a>,
    steps: Vec<StepReport>,
    /// What each rule of the policy says of the signer, or of the claimed one.
    rules: Vec<RuleAnswer>,
    /// What would change the verdict.
    next: Vec<String>,
    exit_code: u8,
}

impl<'a> Explanation<'a> {
    fn new(run: &'a Run<'a>, found: &'a FoundObject, completed: Completed, findings: &Findings) -> Self {
        let steps = steps::of(run, found, &completed, findings);
        let judged = run.judged(found, completed, 0);
        let mut tally = Tally::default();
        tally.count(&judged);
        Self {
            exit_code: tally.exit_code(false),
            rules: rules(run, found, &judged),
            next: next::of(run, &judged),
            run,
            judged,
            steps,
        }
    }

    fn print(&self) -> io::Result<u8> {
        stdout::check_writable()?;
        let mut out = io::stdout().lock();
        if self.run.request.json {
            json::print(&mut out, self)?;
        } else {
            tree::print(&mut out, self)?;
        }
        out.flush()?;
        Ok(self.exit_code)
    }
}

fn rules(run: &Run<'_>, found: &FoundObject, judged: &Judged<'_>) -> Vec<RuleAnswer> {
    let object = found.id.to_string();
    let circumstances = run.surroundings.circumstances(&run.repository, found, &object, 0);
    match &judged.verdict {
        Verdict::Verified(signature) => run.policy.answers(signature, &circumstances),
        Verdict::VerifiedByKey(signature) => {
            let shapes = run.shapes_of_first(&judged.verdict, found, &circumstances);
            run.policy.answers_of_keys(signature, &shapes.with(circumstances))
        }
        Verdict::Undecided(undecided) => run.policy.answers_to_claim(undecided.findings()),
        // Whom nobody vouches for, no rule is asked about.
        Verdict::Rejected(_) | Verdict::Unsigned | Verdict::OtherFormat(_) => Vec::new(),
    }
}
