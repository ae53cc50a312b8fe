//! Texts that a pattern matches, made from the pattern itself.

use std::ops::Range;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use crate::policy::Pattern;

/// Something that a pattern matches, and how many texts it lets through in its place.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sample {
    pub(super) text: String,
    /// Of each byte: how many characters could be there, 1 if it is a literal.
    ways: Vec<u32>,
}

impl Sample {
    /// How many texts could stand in `place`. Dots are not counted: what else one may be is for other samples to show.
    pub(super) fn ways(&self, place: Range<usize>) -> u32 {
        let bytes = self.text.bytes().zip(&self.ways).skip(place.start).take(place.len());
        bytes.filter(|(byte, _)| *byte != b'.').fold(1, |all, (_, ways)| all.saturating_mul(*ways))
    }

    fn push(&mut self, text: &str, ways: u32) {
        self.text.push_str(text);
        self.ways.resize(self.text.len(), ways);
    }
}

/// Some of what `pattern` matches: each way through its alternatives, each run in the place of what may be anything.
pub(super) fn samples(pattern: &Pattern) -> Vec<Sample> {
    let mut samples: Vec<Sample> = match pattern {
        Pattern::Exact(text) => vec![Sample { text: text.clone(), ways: vec![1; text.len()] }],
        Pattern::Glob { source, .. } => RUNS.iter().map(|run| of_glob(source, run)).collect(),
        Pattern::Regex { source, .. } => {
            let expression = source.strip_prefix("regex:").unwrap_or(source);
            let Ok(hir) = regex_syntax::parse(expression) else { return Vec::new() };
            let ways = (0..BRANCHES).flat_map(|branch| RUNS.map(|run| (branch, run)));
            ways.flat_map(|(branch, run)| ['.', 'q'].map(|any| Writer::write(&hir, run, branch, any))).collect()
        }
    };
    samples.sort_unstable_by(|one, other| (one.text.len(), one).cmp(&(other.text.len(), other)));
    samples.dedup();
    samples.retain(|sample| pattern.matches(&sample.text));
    samples
}

fn of_glob(source: &str, run: &str) -> Sample {
    let mut sample = Sample { text: String::new(), ways: Vec::new() };
    for (position, literal) in source.strip_prefix("glob:").unwrap_or(source).split('*').enumerate() {
        if position > 0 {
            sample.push(run, u32::MAX);
        }
        sample.push(literal, 1);
    }
    sample
}

/// Writes one text that an expression could match. Whether it does is for the expression to say: looks are not heeded.
struct Writer {
    run: &'static str,
    branch: usize,
    /// What stands for any character.
    any: char,
    steps: u16,
    /// Inside of what may be there any number of times.
    is_repeated: bool,
    sample: Sample,
}

impl Writer {
    fn write(hir: &Hir, run: &'static str, branch: usize, any: char) -> Sample {
        let sample = Sample { text: String::new(), ways: Vec::new() };
        let mut writer = Self { run, branch, any, steps: MAX_STEPS, is_repeated: false, sample };
        writer.part(hir);
        writer.sample
    }

    fn push(&mut self, text: &str, ways: u32) {
        self.sample.push(text, if self.is_repeated { u32::MAX } else { ways });
    }

    /// Nothing is left to write with: expressions in expressions would go on for ever.
    fn is_spent(&self) -> bool {
        self.steps == 0 || self.sample.text.len() > LONGEST
    }

    fn part(&mut self, hir: &Hir) {
        if self.is_spent() {
            return;
        }
        self.steps = self.steps.saturating_sub(1);
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.push(&String::from_utf8_lossy(&literal.0), 1),
            HirKind::Class(class) => {
                if let Some(member) = member(class, self.any) {
                    self.push(member.encode_utf8(&mut [0; 4]), size(class));
                }
            }
            HirKind::Capture(capture) => self.part(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.part(part)),
            HirKind::Alternation(parts) => {
                if let Some(part) = parts.iter().cycle().nth(self.branch) {
                    self.part(part);
                }
            }
            HirKind::Repetition(repetition) => {
                let was_repeated = self.is_repeated;
                self.is_repeated |= repetition.max.is_none();
                self.times(repetition);
                self.is_repeated = was_repeated;
            }
        }
    }

    fn times(&mut self, repetition: &Repetition) {
        let most = repetition.max.unwrap_or(u32::MAX);
        let HirKind::Class(class) = repetition.sub.kind() else {
            for _ in 0..repetition.min.max(u32::from(!self.run.is_empty())).min(most) {
                if self.is_spent() {
                    return;
                }
                self.part(&repetition.sub);
            }
            return;
        };
        let ways = size(class);
        let has_all = |run: &str| run.chars().all(|char| has(class, char));
        if u32::try_from(self.run.len()).is_ok_and(|len| (repetition.min..=most).contains(&len)) && has_all(self.run) {
            return self.push(self.run, ways);
        }
        let times = repetition.min.max(u32::from(!self.run.is_empty())).min(most);
        for letter in LETTERS.chars().cycle().take(usize::try_from(times).unwrap_or(LONGEST)) {
            if self.is_spent() {
                return;
            }
            if let Some(char) =
                Some(letter).filter(|char| times > 1 && has(class, *char)).or_else(|| member(class, self.any))
            {
                self.push(char.encode_utf8(&mut [0; 4]), ways);
            }
        }
    }
}

/// How many characters it has. Two cases of a letter are one: who folds them means one name.
fn size(class: &Class) -> u32 {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
        Class::Bytes(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let all = ranges
        .iter()
        .fold(0, |all: u32, (start, end)| all.saturating_add(end.saturating_sub(*start)).saturating_add(1));
    let cased = ('a'..='z').filter(|lower| has(class, *lower) && has(class, lower.to_ascii_uppercase())).count();
    all.saturating_sub(u32::try_from(cased).unwrap_or_default())
}

fn has(class: &Class, char: char) -> bool {
    match class {
        Class::Unicode(class) => class.iter().any(|range| (range.start()..=range.end()).contains(&char)),
        Class::Bytes(class) => {
            u8::try_from(char).is_ok_and(|byte| class.iter().any(|range| (range.start()..=range.end()).contains(&byte)))
        }
    }
}

/// `any` for what may be anything: whoever writes a dot may have forgotten to escape it.
fn member(class: &Class, any: char) -> Option<char> {
    if has(class, '.') && has(class, '@') {
        return Some(any);
    }
    let usual = ['q', '7', '-', '.'].into_iter().find(|char| has(class, *char));
    usual.or_else(|| match class {
        Class::Unicode(class) => class.iter().next().map(|range| range.start()),
        Class::Bytes(class) => class.iter().next().map(|range| char::from(range.start())),
    })
}

/// For what has a length of its own.
const LETTERS: &str = "wvqkzjx";
/// As many of an expression's alternatives are looked at.
const BRANCHES: usize = 8;
const LONGEST: usize = 512;
const MAX_STEPS: u16 = 2048;
/// What stands for anything: with parts of what names are made of, for patterns that leave them out.
const RUNS: [&str; 8] =
    ["", "a", "wvqk", "wvqk.com", "wvqk@", "wvqk@mail.", "https://", "https://github.com/wvqk/wvqk/.github/workflows"];
