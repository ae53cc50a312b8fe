//! What `docs/` promises about settings, exit codes and reason codes is what the program does, and what it says about other
//! people's software is what `scripts/test-peers` demands.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use waxseal::command_error::ErrorKind;
use waxseal::settings::KEYS;
use waxseal::settings::gitsign::{self, Fate};

#[test]
fn every_setting_is_documented() {
    let mut table = String::from(
        "| git config | environment | read when | value | default | what it does |\n|---|---|---|---|---|---|\n",
    );
    for key in KEYS {
        let (name, variable, scope) = (key.name, key.variable, key.scope);
        let (value, default, about) = (key.value, key.default, key.about);
        writeln!(table, "| `waxseal.{name}` | `{variable}` | {scope} | {value} | {default} | {about} |").unwrap();
    }
    assert!(read("docs/configuration.md").contains(&table), "docs/configuration.md lacks this table:\n{table}");
}

#[test]
fn every_setting_of_gitsigns_is_documented() {
    let mut table =
        String::from("| git config | environment | waxseal reads it as | how, or why not |\n|---|---|---|---|\n");
    for key in gitsign::KEYS {
        let name = if key.name.is_empty() { String::new() } else { format!("`gitsign.{}`", key.name) };
        let variables: Vec<_> = key.variables.iter().map(|variable| format!("`{variable}`")).collect();
        let (target, about) = match key.fate {
            Fate::Ignored(why) => ("not read".to_owned(), why),
            Fate::ReadAs(target, how) => (format!("`{target}`"), how),
        };
        writeln!(table, "| {name} | {} | {target} | {about} |", variables.join(", ")).unwrap();
    }
    assert!(read("docs/from-gitsign.md").contains(&table), "docs/from-gitsign.md lacks this table:\n{table}");
    // What is promised to be read is read: nothing else in the sources names gitsign's settings.
    let targets: BTreeSet<String> = KEYS.iter().map(|key| format!("waxseal.{}", key.name)).collect();
    for key in gitsign::KEYS {
        if let Fate::ReadAs(target, _) = key.fate {
            assert!(targets.contains(target) || target == "WAXSEAL_ID_TOKEN", "{target}");
        }
    }
}

#[test]
fn every_exit_code_is_documented() {
    let kinds =
        [ErrorKind::Failed, ErrorKind::Usage, ErrorKind::Undecided, ErrorKind::TrustMaterial, ErrorKind::Policy];
    let mut codes: Vec<u8> = kinds.iter().map(|kind| kind.exit_code()).chain([0, 70]).collect();
    codes.sort_unstable();
    let documented: Vec<u8> = rows("docs/errors.md").iter().filter_map(|cell| cell.parse().ok()).collect();
    assert_eq!(documented, codes);
}

#[test]
fn every_reason_code_is_documented() {
    let mut reasons = BTreeSet::new();
    for file in rust_files(Path::new("src")) {
        let text = read(&file);
        for function in text.split("fn reason(").skip(1) {
            let body = function.split("\n    }\n").next().unwrap();
            let quoted = body
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .flat_map(|line| line.split('"').skip(1).step_by(2));
            reasons.extend(quoted.map(str::to_owned));
        }
    }
    assert!(reasons.len() > 30, "{reasons:?}");
    let documented: BTreeSet<String> = rows("docs/errors.md")
        .iter()
        .filter_map(|cell| Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned()))
        .collect();
    for row in read("docs/errors.md").lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, cause, cure] = cells[..] else { panic!("a reason has a cause and a cure: {row}") };
        assert!(cause.len() > 10 && cure.len() > 10, "{row}");
    }
    let undocumented: Vec<_> = reasons.difference(&documented).collect();
    let invented: Vec<_> = documented.difference(&reasons).collect();
    assert!(undocumented.is_empty() && invented.is_empty(), "undocumented: {undocumented:?}, not in src: {invented:?}");
}

#[test]
fn every_finding_of_policy_check_is_documented() {
    let text = read("src/policy/check/problem.rs");
    let body = text.split("fn code(").nth(1).unwrap().split("\n    }\n").next().unwrap();
    let codes: BTreeSet<_> = body.split('"').skip(1).step_by(2).map(|code| format!("`{code}`")).collect();
    assert!(codes.len() > 4, "{codes:?}");
    let documented: BTreeSet<_> = rows("docs/policy.md").into_iter().collect();
    let undocumented: Vec<_> = codes.difference(&documented).collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");
}

#[test]
fn every_peer_is_documented() {
    let scripts = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/test-peers.d")).unwrap();
    let scripts = scripts.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let peers: BTreeSet<_> = scripts.filter_map(|name| Some(format!("`{}`", name.strip_suffix(".sh")?))).collect();
    let documented: BTreeSet<_> = rows("docs/peers.md").into_iter().filter(|cell| cell.starts_with('`')).collect();
    assert_eq!(documented, peers);
}

#[test]
fn who_accepts_what_is_documented() {
    let text = read("docs/peers.md");
    let table = text.split("| signed by, into |").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut documented = BTreeSet::new();
    for row in table.lines().skip(2) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [signed_by, form, entry, python, js, rust] = cells[..] else { panic!("{row}") };
        // Such as "waxseal, tag, v1 and timestamp".
        let mut name: Vec<_> = signed_by.split(", ").map(|word| word.trim_start_matches("sigstore-")).collect();
        let log = name.pop().unwrap().split(' ').next().unwrap();
        match form {
            "DSSE" if entry.starts_with("intoto ") => name.push("intoto"),
            "DSSE" => name.push("dsse"),
            _ => {}
        }
        name.push(log);
        for (verifier, outcome) in [("python", python), ("js", js), ("rust", rust)] {
            documented.insert((name.join("-"), verifier, outcome == "accepted"));
        }
    }
    let matrix = read("scripts/test-peers.d/matrix");
    let mut lines = Vec::new();
    for line in matrix.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [bundle, verifier, outcome, ..] = words[..] else { panic!("{line}") };
        lines.push((bundle, verifier, outcome == "ok"));
    }
    let mut expected = BTreeSet::new();
    for (bundle, ..) in &lines {
        for verifier in ["python", "js", "rust"] {
            let first = lines.iter().find(|(name, of, _)| name == bundle && ["*", verifier].contains(of));
            let (.., accepted) = first.unwrap_or_else(|| panic!("nothing about {bundle} and {verifier}"));
            expected.insert(((*bundle).to_owned(), verifier, *accepted));
        }
    }
    assert_eq!(documented, expected);
}

/// The first cells of all table rows.
fn rows(file: &str) -> Vec<String> {
    let text = read(file);
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    cells.map(str::to_owned).collect()
}

fn read(file: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
