//! Vectors: files that say which outcome they must have, which error and not merely that there is one. One loop reads them
//! all. `tests/vectors/README.md` says where each set comes from.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod c2sp;
mod certificates;
mod merkle;
mod rfc3161;
mod sct;
mod sha1;
mod signatures;
mod sshsig;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// One case: its name, what its file expects, what came out.
pub(crate) struct Case {
    name: String,
    expected: String,
    outcome: String,
}

/// How a file becomes cases.
type Read = fn(&Path) -> Vec<Case>;

/// Each folder, and how its files are read.
const SETS: [(&str, Read); 7] = [
    ("vectors/c2sp/*", |file| vec![Vector::read(file).case(c2sp::outcome)]),
    ("vectors/certificates/*", |file| vec![Vector::read(file).case(certificates::outcome)]),
    ("vectors/rfc3161/*", |file| vec![Vector::read(file).case(rfc3161::outcome)]),
    ("vectors/rfc6962/*", merkle::cases),
    ("vectors/sct/*", |file| vec![Vector::read(file).case(sct::outcome)]),
    ("vectors/sha1/*", |file| vec![Vector::read(file).case(sha1::outcome)]),
    ("vectors/sshsig/*", |file| vec![Vector::read(file).case(sshsig::outcome)]),
];

#[test]
fn every_vector_has_the_outcome_that_its_file_names() {
    let mut wrong = Vec::new();
    for (set, cases_of) in SETS {
        let mut outcomes = BTreeSet::new();
        for file in files(set) {
            for case in cases_of(&file) {
                if case.outcome != case.expected {
                    let Case { name, expected, outcome } = &case;
                    wrong.push(format!("{}: {name}: expected {expected:?}, not {outcome:?}", file.display()));
                }
                outcomes.insert(case.outcome);
            }
        }
        let good = outcomes.iter().filter(|outcome| outcome.starts_with("ok")).count();
        assert!(good > 0 && outcomes.len() > good, "{set}: good ones and bad ones");
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_folder_of_vectors_is_a_set() {
    let folders = std::fs::read_dir(folder()).unwrap().map(Result::unwrap);
    let folders = folders.filter(|entry| entry.file_type().unwrap().is_dir());
    let folders: BTreeSet<_> = folders.map(|entry| format!("vectors/{}/*", entry.file_name().display())).collect();
    assert_eq!(folders, SETS.map(|(set, _)| set.to_owned()).into());
}

/// A vector in a file of its own: `key: value` lines, of which `expect` is the first, a blank line, and the body.
pub(crate) struct Vector {
    name: String,
    headers: Vec<(String, String)>,
    /// Everything after the blank line.
    pub(crate) body: String,
}

impl Vector {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let (headers, body) = text.split_once("\n\n").unwrap();
        let header = |line: &str| {
            let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{}: {line}", file.display()));
            (key.to_owned(), value.to_owned())
        };
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let vector = Self { name, headers: headers.split('\n').map(header).collect(), body: body.to_owned() };
        assert!(!vector.header("why").is_empty());
        vector
    }

    fn case(self, outcome: fn(&Self) -> String) -> Case {
        Case { outcome: outcome(&self), expected: self.header("expect").to_owned(), name: self.name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |header| header.0 == key).map(|header| header.1.as_str())
    }

    pub(crate) fn header(&self, key: &str) -> &str {
        self.all(key).next().unwrap_or_else(|| panic!("{} has no {key}", self.name))
    }

    pub(crate) fn time(&self, key: &str) -> Option<Timestamp> {
        self.all(key).next().map(|text| text.parse().unwrap())
    }

    /// The DER of each PEM block of this label.
    pub(crate) fn pem(&self, label: &str) -> Vec<Vec<u8>> {
        let (begin, end) = (format!("-----BEGIN {label}-----\n"), format!("-----END {label}-----\n"));
        let blocks = self.body.split(begin.as_str()).skip(1).map(|rest| rest.split(end.as_str()).next().unwrap());
        blocks.map(|block| base64(&block.replace('\n', ""))).collect()
    }
}

pub(crate) fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

/// The variants of an error, the outermost first, with the text that a variant holds: `Path/LeafOutsideValidity`,
/// `Malformed/tree size`.
pub(crate) fn variants(error: &impl Debug) -> String {
    let debug = format!("{error:?}");
    let mut rest = debug.as_str();
    let mut names = Vec::new();
    while rest.starts_with(char::is_uppercase) {
        let (word, after) = rest.split_at(rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len()));
        names.push(word);
        rest = after.strip_prefix('(').unwrap_or_default();
    }
    names.extend(rest.strip_prefix('"').and_then(|text| text.split('"').next()));
    names.join("/")
}

fn files(set: &str) -> Vec<PathBuf> {
    let folder = folder().join(set.strip_prefix("vectors/").unwrap().strip_suffix("/*").unwrap());
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| !file.ends_with("README.md")).collect();
    files.sort();
    files
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}
