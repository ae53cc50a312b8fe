//! `waxseal who`: who signed, by identity: how much, and when that is proven to have been. Claims of signatures that are
//! not verified name nobody.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::hints;
use super::progress::Progress;
use super::run::json;
use super::run::judged::Judged;
use super::run::selection::Selection;
use super::run::{Run, line};
use super::stdout::written;
use super::stdout::{self, Output};
use crate::cli::Who;
use crate::command_error::{CommandError, ErrorKind};
use crate::escape;
use crate::git::repository::{Repository, Selected};
use crate::policy::Allowed;
use crate::report::signers::{Identity, Signer, Signers, share};
use crate::report::{Row, grouped, key_kind, plural};
use crate::verify::Verdict;

/// Verifies what `request` names and says who signed it. The exit code: 3 where somebody may have signed and that could not
/// be decided, or nothing was there; whoever signed, allowed or not, it is 0.
///
/// # Errors
/// As [`super::verify::run`].
pub fn run(request: &Who, now: Timestamp) -> Result<u8, CommandError> {
    let after = request.after.as_deref().map(|time| parsed("--after", time)).transpose()?;
    let before = request.before.as_deref().map(|time| parsed("--before", time)).transpose()?;
    let run = Run::prepare(&request.verify, now, |repository, _policy| selected(request, repository))?;
    let asked = Asked { identity: request.identity.as_deref(), after, before };
    written(print(&run, &asked), ErrorKind::Undecided)
}

/// What is asked for; without anything the whole history of HEAD.
fn selected(request: &Who, repository: &Repository) -> Result<Selection, CommandError> {
    let selection = Selection { once: true, ..Selection::of(&request.verify, repository)? };
    let verify = &request.verify;
    if verify.all || verify.stdin || !verify.revisions.is_empty() || !verify.tags.is_empty() {
        return Ok(selection);
    }
    let selected = selection.selected.into_iter().map(|one| match one {
        Selected::Object(head) => Selected::History { hidden: Vec::new(), tips: vec![head] },
        history @ Selected::History { .. } => history,
    });
    Ok(Selection { selected: selected.collect(), ..selection })
}

/// Which signatures are counted.
struct Asked<'a> {
    /// Of this one alone, and they are listed.
    identity: Option<&'a str>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl Asked<'_> {
    fn wants(&self, row: &Row) -> bool {
        let is_whose = self.identity.is_none_or(|identity| row.identity.as_deref() == Some(identity));
        // What has no proven time may have been made at any.
        let is_then = row.time.is_none_or(|time| {
            self.after.is_none_or(|after| time >= after) && self.before.is_none_or(|before| time < before)
        });
        is_whose && is_then
    }
}

/// What was found.
struct Found {
    signers: Signers,
    /// Verified signatures that were asked for or not.
    verified: u64,
    /// What names nobody, by the reason's code.
    unverified: BTreeMap<&'static str, u64>,
    /// Of them, what may be somebody's.
    undecided: u64,
}

impl Found {
    fn count(&mut self, judged: &Judged<'_>) {
        if matches!(judged.verdict, Verdict::Verified(_) | Verdict::VerifiedByKey(_)) {
            self.verified += 1;
            return;
        }
        *self.unverified.entry(judged.verdict.reason().unwrap_or("unknown")).or_default() += 1;
        let is_open = matches!(judged.verdict, Verdict::Undecided(_) | Verdict::OtherFormat(_));
        self.undecided += u64::from(is_open && !matches!(judged.allowed, Allowed::Exempt(_)));
    }

    fn objects(&self) -> u64 {
        self.verified + self.unverified.values().sum::<u64>()
    }

    fn exit_code(&self, allow_empty: bool) -> u8 {
        let nothing = self.objects() == 0 && !allow_empty;
        if self.undecided > 0 || nothing { ErrorKind::Undecided.exit_code() } else { 0 }
    }
}

fn print(run: &Run<'_>, asked: &Asked<'_>) -> io::Result<u8> {
    stdout::check_writable()?;
    let as_json = run.request.json;
    let mut out = Output::stdout();
    if as_json {
        json::header(&mut out, run)?;
    }
    let mut found =
        Found { signers: Signers::at_most(MAX_SIGNERS), verified: 0, unverified: BTreeMap::new(), undecided: 0 };
    let mut progress = Progress::begin(asked.identity.is_some(), &run.settings.surroundings);
    let trouble = run.each(|judged| {
        progress.count();
        found.count(judged);
        let row = judged.row();
        if row.identity.is_none() || !asked.wants(&row) {
            return Ok(());
        }
        found.signers.add(&row);
        match (asked.identity, as_json) {
            (None, _) => Ok(()),
            (Some(_), true) => json::object(&mut out, judged),
            (Some(_), false) => {
                progress.clear();
                line::object(&mut out, judged)
            }
        }?;
        out.flush_now_and_then()
    })?;
    progress.clear();
    let exit_code = found.exit_code(run.request.allow_empty);
    if as_json {
        print_json(&mut out, &found, exit_code)?
    } else {
        print_lines(&mut out, &found, asked)?
    }
    out.flush()?;
    hints::say_for_cache(trouble.as_ref());
    Ok(exit_code)
}

fn print_lines(out: &mut impl Write, found: &Found, asked: &Asked<'_>) -> io::Result<()> {
    let sorted = found.signers.sorted();
    let shown = |identity: &Identity| escape::terminal(&identity.name);
    let widest = sorted.iter().map(|(identity, _)| shown(identity).chars().count()).max().unwrap_or_default();
    let width = widest.min(MAX_WIDTH);
    for (identity, signer) in &sorted {
        let share = share(signer.count, found.signers.signatures());
        let line = format!(
            "{:>9}  {share:>7}  {:<width$}  {}  {}{}",
            grouped(signer.count),
            shown(identity),
            vouched(identity),
            when(signer),
            match signer.not_allowed {
                0 => String::new(),
                no => format!("  {} not allowed", grouped(no)),
            }
        );
        writeln!(out, "{line}")?;
    }
    if found.signers.others() > 0 {
        writeln!(out, "{:>9}  by others: more identities than are told apart", grouped(found.signers.others()))?;
    }
    let objects = |count: u64| format!("{} object{}", grouped(count), plural(count));
    let signatures = found.signers.signatures();
    match asked.identity {
        Some(identity) if signatures == 0 => {
            writeln!(out, "nothing that is asked for is signed by {}", escape::terminal(identity))?;
        }
        _ if found.objects() == 0 => writeln!(out, "nothing was there to verify")?,
        _ => writeln!(out, "verified signatures: {} of {}", grouped(signatures), objects(found.objects()))?,
    }
    if !found.unverified.is_empty() {
        let mut parts: Vec<_> = found.unverified.iter().collect();
        parts.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), **reason));
        let parts =
            parts.into_iter().map(|(reason, count)| format!("{} {}", reason.replace('-', " "), grouped(*count)));
        let count = found.unverified.values().sum();
        writeln!(out, "not verified, so nobody's: {}, {}", objects(count), parts.collect::<Vec<_>>().join(" · "))?;
    }
    Ok(())
}

/// Who vouched for the name.
fn vouched(identity: &Identity) -> String {
    let by = match (&identity.issuer, identity.signature) {
        (Some(issuer), _) => format!("via {issuer}"),
        (None, kind) => format!("by {}", key_kind(kind)),
    };
    let at = identity.instance.as_ref().map(|instance| format!(" at {instance}")).unwrap_or_default();
    escape::terminal(by + &at)
}

fn when(signer: &Signer) -> String {
    match (signer.first, signer.last) {
        (Some(first), Some(last)) => format!("{} .. {}", first.strftime("%Y-%m-%d"), last.strftime("%Y-%m-%d")),
        _ => "no proven time".to_owned(),
    }
}

#[derive(Serialize)]
struct SignerLine<'a> {
    r#type: &'static str,
    identity: &'a str,
    identity_kind: Option<&'static str>,
    issuer: Option<&'a str>,
    instance: Option<&'a str>,
    signature: Option<&'static str>,
    count: u64,
    not_allowed: u64,
    first: Option<String>,
    last: Option<String>,
}

#[derive(Serialize)]
struct Footer<'a> {
    r#type: &'static str,
    objects: u64,
    verified: u64,
    counted: u64,
    others: u64,
    unverified: &'a BTreeMap<&'static str, u64>,
    exit: u8,
}

fn print_json(out: &mut impl Write, found: &Found, exit: u8) -> io::Result<()> {
    for (identity, signer) in found.signers.sorted() {
        out.write_all(&escape::json_line(&SignerLine {
            r#type: "signer",
            identity: &identity.name,
            identity_kind: identity.kind,
            issuer: identity.issuer.as_deref(),
            instance: identity.instance.as_deref(),
            signature: identity.signature,
            count: signer.count,
            not_allowed: signer.not_allowed,
            first: signer.first.map(|time| time.to_string()),
            last: signer.last.map(|time| time.to_string()),
        })?)?;
    }
    out.write_all(&escape::json_line(&Footer {
        r#type: "footer",
        objects: found.objects(),
        verified: found.verified,
        counted: found.signers.signatures(),
        others: found.signers.others(),
        unverified: &found.unverified,
        exit,
    })?)
}

/// A day, which begins at midnight UTC, or a moment.
fn parsed(flag: &str, text: &str) -> Result<Timestamp, CommandError> {
    let day = || {
        let day = text.parse::<jiff::civil::Date>().ok()?;
        // It is found in a moment without an offset, too, which says a time that would be dropped.
        (day.to_string() == text).then(|| day.to_zoned(jiff::tz::TimeZone::UTC).ok()).flatten()
    };
    let moment = text.parse::<Timestamp>().ok();
    moment.or_else(|| day().map(|day| day.timestamp())).ok_or_else(|| {
        CommandError::usage(format!("{flag} \"{text}\" is no time"))
            .hint("a day is 2026-03-31, a moment 2026-03-31T12:00:00Z")
    })
}

/// Nobody reads a table of more.
const MAX_SIGNERS: usize = 100_000;

/// A longer name pushes its own line to the right, and no other.
const MAX_WIDTH: usize = 44;
