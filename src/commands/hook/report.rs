//! What the pusher reads, behind Git's `remote: `: what is refused, why, and what mends it.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::parts::{Part, Parts};
use crate::cli::{Hook, HookEvent};
use crate::command_error::ErrorKind;
use crate::commands::hints;
use crate::commands::run::Run;
use crate::commands::run::judged::Judged;
use crate::escape;
use crate::git::ObjectKind;
use crate::git::refs::TAGS;
use crate::policy::Allowed;
use crate::report::{MAX_CHANGES, SHORT_ID, Standing, headline, plural};
use crate::verify::Verdict;

/// What is to be said, as it is found out.
pub(super) struct Report<'a> {
    hook: &'a Hook,
    run: &'a Run<'a>,
    parts: &'a Parts,
    found: Vec<Found>,
    /// Those that were met, each once.
    reasons: Vec<&'static str>,
    /// Failures that are shown already.
    shown: usize,
    /// Commits in order that change the policy file.
    changes: usize,
    /// Who signed the push, if that was asked for.
    pub(super) pusher: Option<String>,
}

/// What was found of a part.
#[derive(Default)]
struct Found {
    objects: u64,
    refused: u64,
    lines: Vec<String>,
    /// The last commit that a new signature would mend, which is the oldest.
    to_sign: Option<ToSign>,
    tag_to_sign: Option<String>,
    /// Somebody signed whom no rule admits.
    has_stranger: bool,
}

struct ToSign {
    id: String,
    is_root: bool,
    is_alone: bool,
}

impl<'a> Report<'a> {
    pub(super) fn new(hook: &'a Hook, run: &'a Run<'a>, parts: &'a Parts) -> Self {
        let found = parts.parts.iter().map(|_| Found::default()).collect();
        Self { hook, run, parts, found, reasons: Vec::new(), shown: 0, changes: 0, pusher: None }
    }

    /// Takes note of an object, which the argument at `position` named.
    pub(super) fn take(&mut self, judged: &Judged<'_>, position: usize) {
        let owner = self.parts.owner(position);
        let (Some(found), Some(part)) = (self.found.get_mut(owner), self.parts.parts.get(owner)) else { return };
        found.objects += 1;
        let short = judged.found.id.to_hex_with_len(SHORT_ID);
        let is_refused = is_refused(judged);
        if !is_refused {
            if judged.changes_policy {
                self.changes += 1;
                found.lines.extend((self.changes <= MAX_CHANGES).then(|| format!("{short} changes the policy file")));
            }
            return;
        }
        found.refused += 1;
        found.mend(judged, part);
        self.reasons.extend(judged.hinted().filter(|reason| !self.reasons.contains(reason)));
        if self.shown < self.hook.max_failures {
            self.shown += 1;
            found.lines.push(line(judged));
        }
    }

    /// Whether a ref points at what nobody can sign.
    pub(super) fn has_unsignable(&self) -> bool {
        self.parts.parts.iter().any(|part| !part.not_signable.is_empty())
    }

    /// Says it.
    pub(super) fn print(&self, out: &mut impl Write, exit_code: u8, stopped: Option<&str>) -> io::Result<()> {
        let is_client = matches!(self.hook.event, HookEvent::PrePush { .. });
        let mut text = Vec::new();
        if let Some(pusher) = self.pusher.as_ref().filter(|_| exit_code == 0) {
            text.push(format!("the push is signed by {pusher}"));
        }
        for (part, found) in self.parts.parts.iter().zip(&self.found) {
            let Found { objects, refused, .. } = found;
            let name = name(part);
            for other in &part.not_signable {
                text.push(format!("{other}: it points at a file or a folder, and only commits and tags are signed"));
            }
            if *refused > 0 {
                text.push(format!("{name}: {refused} of {} refused", counted(*objects)));
            } else if !is_client || !found.lines.is_empty() {
                text.push(format!("{name}: {} verified", counted(*objects)));
            }
            text.extend(found.lines.iter().map(|line| format!("  {line}")));
        }
        let refused: u64 = self.found.iter().map(|found| found.refused).sum();
        let hidden = usize::try_from(refused).unwrap_or(usize::MAX).saturating_sub(self.shown);
        if hidden > 0 {
            text.push(format!("  and {hidden} more"));
        }
        let unnamed = self.changes.saturating_sub(MAX_CHANGES);
        if unnamed > 0 {
            text.push(format!("  and {unnamed} more change the policy file"));
        }
        if let Some(why) = stopped {
            text.push(format!("not everything was judged: {why}; push in parts"));
        }
        if exit_code != 0 {
            let done = if is_client || self.hook.report_only { "would be refused" } else { "is refused" };
            let why = if exit_code == ErrorKind::Undecided.exit_code() { ": not all of it can be decided" } else { "" };
            text.push(format!("error: the push {done}{why}"));
            let mut hints: Vec<String> = Vec::new();
            for (part, found) in self.parts.parts.iter().zip(&self.found) {
                hints.extend(found.remedies(part).into_iter().filter(|hint| !hints.contains(hint)).collect::<Vec<_>>());
            }
            hints.extend(hints::for_reasons(&self.reasons, self.run.verifier.instances()));
            text.extend(hints.iter().map(|hint| format!("hint: {hint}")));
        }
        for line in text {
            writeln!(out, "waxseal: {}", escape::terminal(line))?;
        }
        out.flush()
    }
}

impl Found {
    /// Takes note of what a new signature would mend.
    fn mend(&mut self, judged: &Judged<'_>, part: &Part) {
        let is_keyless = matches!(judged.verdict, Verdict::Verified(_) | Verdict::Undecided(_));
        self.has_stranger |= is_keyless && matches!(judged.allowed, Allowed::No(_));
        match (judged.kind(), &judged.verdict, &judged.found.content) {
            (
                Some(ObjectKind::Commit),
                Verdict::Unsigned | Verdict::Rejected(_) | Verdict::OtherFormat(_),
                Ok(object),
            ) => {
                let is_root = !object.bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"parent "));
                let is_alone = self.to_sign.is_none() && part.has_tip(judged.found.id);
                let id = judged.found.id.to_hex_with_len(SHORT_ID).to_string();
                self.to_sign = Some(ToSign { id, is_root, is_alone });
            }
            (Some(ObjectKind::Tag), Verdict::Unsigned | Verdict::Rejected(_) | Verdict::OtherFormat(_), _) => {
                let tag = part.references.iter().find_map(|name| name.strip_prefix(TAGS));
                self.tag_to_sign = tag.map(str::to_owned);
            }
            _ => {}
        }
    }

    /// The commands that mend it.
    fn remedies(&self, part: &Part) -> Vec<String> {
        let mut remedies = Vec::new();
        if let Some(ToSign { id, is_root, is_alone }) = &self.to_sign {
            let command = match (is_alone, is_root) {
                (true, _) => "git commit --amend --no-edit --gpg-sign".to_owned(),
                (false, true) => "git rebase --force-rebase --rebase-merges --gpg-sign --root".to_owned(),
                (false, false) => format!("git rebase --force-rebase --rebase-merges --gpg-sign {id}~"),
            };
            remedies.push(format!("to sign what you made, on its branch: {command}; then push again"));
        }
        // What begins with a dash Git takes for a flag.
        if let Some(tag) = self.tag_to_sign.as_ref().filter(|tag| !tag.starts_with('-')) {
            let (name, commit) = (escape::shell(tag), escape::shell(&format!("{tag}^{{}}")));
            remedies.push(format!("to sign the tag: git tag --force --sign {name} {commit}; then push again"));
        }
        if self.has_stranger {
            let name = part.references.first().map(String::as_str).unwrap_or_default();
            remedies.push(format!(
                "who looks after the policy says who may sign for {name}; \"waxseal whoami\" says who you are"
            ));
        }
        remedies
    }
}

/// Whether `waxseal verify` would fail for it.
fn is_refused(judged: &Judged<'_>) -> bool {
    match judged.standing() {
        Standing::Exempt | Standing::Ok => false,
        Standing::Failed | Standing::Unjudged | Standing::Unknown => true,
    }
}

/// One failure: which object, the reason's code, who signed it if that was proven, why, and its subject.
fn line(judged: &Judged<'_>) -> String {
    let id = judged.found.id.to_hex_with_len(SHORT_ID);
    let tag = if judged.kind() == Some(ObjectKind::Tag) { "tag " } else { "" };
    let code = judged.reason().unwrap_or_default();
    let signer = match &judged.verdict {
        Verdict::Verified(signature) => format!("{} ({}): ", signature.san(), signature.issuer()),
        Verdict::VerifiedByKey(signature) => format!("{}: ", signature.identity()),
        Verdict::Rejected(_) | Verdict::Undecided(_) | Verdict::Unsigned | Verdict::OtherFormat(_) => String::new(),
    };
    let mut line = format!("{tag}{id} {code}: {signer}{}", judged.detail().unwrap_or_default());
    let subject = headline(&String::from_utf8_lossy(judged.description().subject()));
    if !subject.is_empty() {
        // Writing into a String cannot fail.
        write!(line, " ({subject})").unwrap_or_default();
    }
    line
}

/// The refs of a part; of many the first.
fn name(part: &Part) -> String {
    let first = part.references.first().map(String::as_str).unwrap_or_default();
    match part.references.len() {
        0 | 1 => first.to_owned(),
        many => format!("{first} and {} more", many - 1),
    }
}

fn counted(objects: u64) -> String {
    format!("{objects} new object{}", plural(objects))
}
