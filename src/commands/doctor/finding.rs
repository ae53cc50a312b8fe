//! What was found, for people and for programs.

use serde_json::json;

use crate::command_error::CommandError;
use crate::commands::stdout::print;
use crate::escape;
use crate::report::plural;

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at: a word for programs.
    check: &'static str,
    state: State,
    detail: String,
    /// What would help.
    fix: Option<String>,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    /// It stops signing or verifying, or will mislead.
    Problem,
    /// It was not looked at.
    Skipped,
    /// It may surprise.
    Warning,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Problem => "problem",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
        }
    }
}

impl Finding {
    pub(super) fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, state: State::Ok, detail: detail.into(), fix: None }
    }

    pub(super) fn problem(check: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, state: State::Problem, detail: detail.into(), fix: Some(fix.into()) }
    }

    pub(super) fn skipped(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, state: State::Skipped, detail: detail.into(), fix: None }
    }

    pub(super) fn warning(check: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, state: State::Warning, detail: detail.into(), fix: Some(fix.into()) }
    }

    /// An error is a problem, and its first hint what would help.
    pub(super) fn of_error(check: &'static str, error: impl Into<CommandError>) -> Self {
        let error = error.into();
        let fix = error.hints().first().cloned();
        Self { check, state: State::Problem, detail: error.message().to_owned(), fix }
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> State {
        self.state
    }

    fn text(&self) -> String {
        let line = format!("{:<8} {:<14} {}", self.state.word(), self.check, self.detail);
        let fix = self.fix.iter().map(|fix| format!("{:23} fix: {fix}", ""));
        std::iter::once(line).chain(fix).map(|line| escape::terminal(line) + "\n").collect()
    }

    fn json(&self) -> String {
        let Self { check, state, detail, fix } = self;
        line(&json!({ "type": "finding", "check": check, "state": state.word(), "detail": detail, "fix": fix }))
    }
}

/// The output: each finding as soon as it is there.
pub(super) struct Report {
    json: bool,
    found: Vec<State>,
}

impl Report {
    pub(super) fn begin(json: bool, network: bool) -> Result<Self, CommandError> {
        if json {
            let tool = concat!("waxseal ", env!("CARGO_PKG_VERSION"));
            print(&line(&json!({ "type": "header", "schema": 1, "tool": tool, "network": network })))?;
        }
        Ok(Self { json, found: Vec::new() })
    }

    pub(super) fn add(&mut self, finding: Finding) -> Result<(), CommandError> {
        self.found.push(finding.state);
        print(&if self.json { finding.json() } else { finding.text() })
    }

    pub(super) fn all(&mut self, findings: Vec<Finding>) -> Result<(), CommandError> {
        findings.into_iter().try_for_each(|finding| self.add(finding))
    }

    /// The last line, and the exit code.
    pub(super) fn end(self) -> Result<u8, CommandError> {
        let count = |state| self.found.iter().filter(|found| **found == state).count();
        let (problems, warnings) = (count(State::Problem), count(State::Warning));
        let exit = u8::from(problems > 0);
        print(&if self.json {
            let (ok, skipped) = (count(State::Ok), count(State::Skipped));
            let counts = json!({ "ok": ok, "warning": warnings, "problem": problems, "skipped": skipped });
            line(&json!({ "type": "footer", "counts": counts, "exit": exit }))
        } else {
            format!("{problems} problem{}, {warnings} warning{}\n", plural(problems), plural(warnings))
        })?;
        Ok(exit)
    }
}

fn line(value: &serde_json::Value) -> String {
    // A value of texts and numbers can be written.
    let line = escape::json_line(value).unwrap_or_default();
    String::from_utf8_lossy(&line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_chose_stays_on_its_line() {
        let finding = Finding::warning("git-config", "gpg.format = \x1b[2K\nx", "do\nthis");
        let text = "warning  git-config     gpg.format = %1B[2K%0Ax\n                        fix: do%0Athis\n";
        assert_eq!(finding.text(), text);
        assert_eq!(finding.json().lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&finding.json()).unwrap();
        assert_eq!((&value["check"], &value["fix"]), (&json!("git-config"), &json!("do\nthis")));
    }
}
