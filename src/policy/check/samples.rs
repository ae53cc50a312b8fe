//! Texts that a pattern matches, made from the pattern itself.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::policy::Pattern;

/// Some of what `pattern` matches: each way through its alternatives, each run in the place of what may be anything.
pub(super) fn samples(pattern: &Pattern) -> Vec<String> {
    let mut samples: Vec<String> = match pattern {
        Pattern::Exact(text) => vec![text.clone()],
        Pattern::Glob { glob, .. } => RUNS.iter().map(|run| glob.with(run)).collect(),
        Pattern::Regex { source, .. } => {
            let expression = source.strip_prefix("regex:").unwrap_or(source);
            let Ok(hir) = regex_syntax::parse(expression) else { return Vec::new() };
            (0..BRANCHES).flat_map(|branch| RUNS.map(|run| Writer::write(&hir, run, branch))).collect()
        }
    };
    samples.sort_unstable();
    samples.dedup();
    samples.retain(|sample| pattern.matches(sample));
    samples
}

/// Writes one text that an expression could match. Whether it does is for the expression to say: looks are not heeded.
struct Writer {
    run: &'static str,
    branch: usize,
    steps: u16,
    text: String,
}

impl Writer {
    fn write(hir: &Hir, run: &'static str, branch: usize) -> String {
        let mut writer = Self { run, branch, steps: MAX_STEPS, text: String::new() };
        writer.part(hir);
        writer.text
    }

    /// Nothing is left to write with: expressions in expressions would go on for ever.
    fn is_spent(&self) -> bool {
        self.steps == 0 || self.text.len() > LONGEST
    }

    fn part(&mut self, hir: &Hir) {
        if self.is_spent() {
            return;
        }
        self.steps = self.steps.saturating_sub(1);
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.text.push_str(&String::from_utf8_lossy(&literal.0)),
            HirKind::Class(class) => self.text.extend(member(class)),
            HirKind::Capture(capture) => self.part(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.part(part)),
            HirKind::Alternation(parts) => {
                if let Some(part) = parts.iter().cycle().nth(self.branch) {
                    self.part(part);
                }
            }
            HirKind::Repetition(repetition) => {
                let most = repetition.max.unwrap_or(u32::MAX);
                if let HirKind::Class(class) = repetition.sub.kind()
                    && u32::try_from(self.run.len()).is_ok_and(|len| (repetition.min..=most).contains(&len))
                    && self.run.chars().all(|char| has(class, char))
                {
                    self.text.push_str(self.run);
                    return;
                }
                let times = repetition.min.max(u32::from(!self.run.is_empty())).min(most);
                for _ in 0..times {
                    if self.is_spent() {
                        return;
                    }
                    self.part(&repetition.sub);
                }
            }
        }
    }
}

fn has(class: &Class, char: char) -> bool {
    match class {
        Class::Unicode(class) => class.iter().any(|range| (range.start()..=range.end()).contains(&char)),
        Class::Bytes(class) => {
            u8::try_from(char).is_ok_and(|byte| class.iter().any(|range| (range.start()..=range.end()).contains(&byte)))
        }
    }
}

/// A dot for what may be anything: whoever writes it has forgotten to escape one.
fn member(class: &Class) -> Option<char> {
    if has(class, '.') && has(class, '@') {
        return Some('.');
    }
    let usual = ['q', 'Q', '7', '-', '.'].into_iter().find(|char| has(class, *char));
    usual.or_else(|| match class {
        Class::Unicode(class) => class.iter().next().map(|range| range.start()),
        Class::Bytes(class) => class.iter().next().map(|range| char::from(range.start())),
    })
}

/// As many of an expression's alternatives are looked at.
const BRANCHES: usize = 8;
const LONGEST: usize = 512;
const MAX_STEPS: u16 = 2048;
/// What stands for anything: with parts of what names are made of, for patterns that leave them out.
const RUNS: [&str; 8] =
    ["", "a", "wvqk", "wvqk.com", "wvqk@", "wvqk@mail.", "https://", "https://github.com/wvqk/wvqk/.github/workflows"];
