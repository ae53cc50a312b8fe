//! `waxseal policy test`: every object of a history with the rule that admits it, then how much each rule admitted.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::outcome::{Outcome, Who, named, rules, why};
use crate::cli::Verify;
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::hints;
use crate::commands::policy_source::LoadedPolicy;
use crate::commands::run::judged::{Judged, Tally};
use crate::commands::run::selection::Selection;
use crate::commands::run::{Run, json};
use crate::commands::stdout::{self, written};
use crate::escape;
use crate::policy::{Allowed, IdentityPolicy};
use crate::report::{Standing, plural};

/// Runs the command. The exit code is that of `waxseal verify` under this policy.
///
/// # Errors
/// [`CommandError`], as `waxseal verify`.
pub(super) fn run(request: &Verify, now: Timestamp) -> Result<u8, CommandError> {
    let select = |repository: &_, _policy: Option<&_>| Selection::of(request, repository);
    let run = Run::prepare_under(request, now, select, LoadedPolicy::read_on_trial)?;
    if matches!(run.policy, IdentityPolicy::NotGiven) {
        return Err(CommandError::new(ErrorKind::Policy, "there is no policy to test")
            .hint("--policy names one; \"waxseal policy suggest\" writes a draft"));
    }
    written(print(&run), ErrorKind::Undecided)
}

/// How much a rule admitted.
#[derive(Serialize)]
struct RuleCount {
    r#type: &'static str,
    name: String,
    admitted: u64,
}

fn print(run: &Run<'_>) -> io::Result<u8> {
    stdout::check_writable()?;
    let mut out = io::stdout().lock();
    let mut tally = Tally::default();
    let mut counts: Vec<RuleCount> =
        rules(&run.policy).into_iter().map(|name| RuleCount { r#type: "rule", name, admitted: 0 }).collect();
    let as_json = run.request.json;
    if as_json {
        json::header(&mut out, run)?;
    }
    let trouble = run.each(|judged| {
        tally.count(judged);
        if let Allowed::Yes(rule) = &judged.allowed
            && let Some(count) = counts.iter_mut().find(|count| count.name == *rule)
        {
            count.admitted += 1;
        }
        if as_json { json::object(&mut out, judged) } else { object(&mut out, judged) }
    })?;
    let exit_code = tally.exit_code(run.request.allow_empty);
    if as_json {
        counts.iter().try_for_each(|count| out.write_all(&escape::json_line(count)?))?;
        json::footer(&mut out, &tally, exit_code)?;
    } else {
        totals(&mut out, &tally, &counts)?;
    }
    out.flush()?;
    hints::say_for_cache(trouble.as_ref());
    Ok(exit_code)
}

fn object(out: &mut impl Write, judged: &Judged<'_>) -> io::Result<()> {
    let (id, subject) = named(judged);
    let outcome = Outcome::of(judged).as_str();
    let line = format!(
        "{outcome:<9}  {id}  {}  {}",
        escape::terminal(why(judged)),
        escape::terminal(Who::of(judged).to_string())
    );
    writeln!(out, "{line}  {subject}")
}

fn totals(out: &mut impl Write, tally: &Tally, counts: &[RuleCount]) -> io::Result<()> {
    writeln!(out)?;
    for RuleCount { name, admitted, .. } in counts {
        let nothing = if *admitted == 0 { "  admitted nothing" } else { "" };
        writeln!(out, "{admitted:>9}  {}{nothing}", escape::terminal(format!("rule \"{name}\"")))?;
    }
    let [passes, fails, exempt] = [Standing::Ok, Standing::Failed, Standing::Exempt].map(|standing| tally.of(standing));
    let undecided = tally.of(Standing::Unknown) + tally.of(Standing::Unjudged);
    let objects = tally.objects();
    writeln!(
        out,
        "{objects} object{}: {passes} pass, {fails} fail, {undecided} undecided, {exempt} exempt",
        plural(objects)
    )
}
