//! Who may import whom, what no pure module may name, and that every Rust file and every vector is used.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod circles;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use source::{production, submodules};

/// The layout: each unit, its zone, and what it may import. A unit is a file right under `src` with its folder, or a
/// submodule that stands in another zone than its parent, or imports more.
const UNITS: [Unit; 46] = [
    // Who keeps or shows addresses hides the same parts of them.
    pure("address", &[]),
    pure("causes", &[]),
    pure("clock", &[]),
    pure("escape", &[]),
    // Values in, text out: it knows no verdict, so that no sink can ask for one.
    pure("report", &["crypto", "escape"]),
    pure("encoding", &[]),
    pure("crypto", &["encoding"]),
    pure("signing_config", &["address", "crypto"]),
    pure("trust_age", &["clock"]),
    pure("trust_digest", &["crypto"]),
    pure("trusted_root", &["crypto", "encoding"]),
    pure("instance", &["signing_config", "trusted_root"]),
    pure("identity_token", &["crypto"]),
    pure("x509", &["crypto", "trusted_root"]),
    pure("cms", &["crypto", "encoding", "x509"]),
    pure("openpgp", &["crypto"]),
    pure("ssh", &["crypto"]),
    pure("tlog", &["crypto", "encoding", "trusted_root"]),
    pure("timestamp", &["crypto", "trusted_root", "x509"]),
    pure("signature", &["cms", "crypto", "tlog", "x509"]),
    pure("evidence", &["crypto", "signature", "tlog", "x509"]),
    pure(
        "verify",
        &[
            "clock",
            "crypto",
            "evidence",
            "instance",
            "openpgp",
            "signature",
            "ssh",
            "timestamp",
            "tlog",
            "trusted_root",
            "x509",
        ],
    ),
    // A suggested policy has names in it.
    pure("policy", &["crypto", "escape", "instance", "openpgp", "ssh", "trust_age", "verify", "x509"]),
    pure("git", &["signature", "verify"]),
    pure("git::status_fd", &["crypto", "escape", "git", "policy", "signature", "verify", "x509"]),
    edge("files", &[]),
    edge("settings", &["causes", "files", "trust_age"]),
    edge("terminal", &["escape"]),
    // What it starts says nothing but its version.
    edge("git_version", &["child_process"]),
    // It keeps bytes for whoever names them, and knows nothing of logins.
    edge("key_ring", &[]),
    // What is no regular file is not given to gix.
    edge("git::repository", &["causes", "files", "git", "signature"]),
    edge(
        "services",
        &[
            "crypto",
            "files",
            "identity_token",
            "settings",
            "signing_config",
            "timestamp",
            "tlog",
            "trusted_root",
            "x509",
        ],
    ),
    edge("oidc", &["address", "escape", "files", "identity_token", "services", "settings", "terminal"]),
    edge(
        "trust_store",
        &[
            "address",
            "causes",
            "escape",
            "files",
            "instance",
            "services",
            "settings",
            "signing_config",
            "trust_age",
            "trust_digest",
            "trusted_root",
        ],
    ),
    edge(
        "credential",
        &[
            "clock",
            "crypto",
            "escape",
            "identity_token",
            "instance",
            "oidc",
            "services",
            "signing_config",
            "trusted_root",
            "x509",
        ],
    ),
    // It signs signed attributes, and nothing else: it knows what Git signs and how that is written down.
    edge(
        "agent",
        &[
            "cms",
            "credential",
            "crypto",
            "escape",
            "identity_token",
            "instance",
            "key_ring",
            "oidc",
            "services",
            "settings",
            "signature",
            "signing_config",
            // Each signature for another machine is confirmed.
            "terminal",
            "trusted_root",
        ],
    ),
    // Which program, and what it says, is for whoever starts it.
    edge("child_process", &[]),
    // Keys and signatures are taken apart before it is asked.
    edge("gpg", &["child_process", "files", "openpgp"]),
    // It is handed folders and ids, and gives ids.
    edge("merge_tree", &["child_process", "files"]),
    edge("finding_cache", &["crypto", "files"]),
    // It asks logs for proofs of what it keeps.
    edge("seen_checkpoints", &["crypto", "files", "services", "settings", "tlog", "trusted_root"]),
    edge("sign", &["crypto", "services", "signature", "tlog", "x509"]),
    stack(
        "stack",
        &[
            "crypto",
            "escape",
            "identity_token",
            "signing_config",
            "timestamp",
            "tlog",
            "trust_digest",
            "trusted_root",
            "x509",
        ],
    ),
    commands("cli", &[]),
    commands("command_error", &[EVERYTHING]),
    commands("commands", &[EVERYTHING]),
];

/// Crates and parts of std that have one home: path, the units that may name it, why.
const HOMES: [(&str, &[&str], &str); 29] = [
    ("aws_lc_rs", &["crypto"], "algorithms are chosen in one place"),
    ("p256", &["crypto"], "algorithms are chosen in one place"),
    ("x509_cert", &["x509", "cms", "timestamp", "tlog", "credential", "stack"], "one module reads certificates"),
    ("prost", &["tlog"], "protobuf is the form of stored log entries only"),
    ("gix", &["settings", "git::repository"], "one module reads objects, one reads configuration"),
    ("clap", &["cli"], "one command line"),
    ("clap_complete", &["cli"], "one command line"),
    ("clap_mangen", &["cli"], "one command line"),
    ("reqwest", &["services"], "one HTTP client, with its limits"),
    ("hyper", &["stack"], "one server, with its limits"),
    ("hyper_util", &["services", "stack"], "one HTTP client and one server, with their limits"),
    ("tokio_rustls", &["stack"], "one server, with its limits"),
    ("openidconnect", &["oidc", "services"], "one login"),
    ("qrcode", &["oidc"], "one drawing"),
    ("keyring", &["key_ring"], "one key ring, which nobody waits for"),
    ("keyring_core", &["key_ring"], "one key ring, which nobody waits for"),
    ("webbrowser", &["commands"], "it may run in a process of its own only: open-browser"),
    ("redb", &["stack"], "one store"),
    ("argon2", &["crypto"], "algorithms are chosen in one place"),
    ("rpassword", &["commands"], "one place asks for passwords"),
    (
        "rustix",
        &["agent", "files", "terminal"],
        "std has nearly everything; files are opened without waiting, and folders exchanged, in one place",
    ),
    ("listenfd", &["agent"], "one process takes sockets from a service manager"),
    ("nix", &["agent"], "one process lets go of what it inherited"),
    ("sigstore_tuf", &["trust_store"], "one TUF client"),
    ("regex", &["policy"], "identity patterns are anchored in one place"),
    ("ssh_key", &["ssh"], "one module reads SSH's keys and signatures"),
    (
        "toml",
        &["policy", "trust_store", "stack"],
        "our files: policies, instances, and the issuers that a stack believes",
    ),
    (
        "std::process::Command",
        &["agent", "child_process", "git_version", "gpg", "merge_tree", "oidc"],
        "no child process but browser, agent, what prints identity tokens, and git for the doctor; gpg where a policy names its keys, and git for merges of a forge: verifying starts no other",
    ),
    ("tokio::process", &["oidc"], "the same"),
];

/// What would make a pure module impure.
const IMPURE: [&str; 10] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "tokio",
    "reqwest",
    "gix",
];

/// The exceptions to [`IMPURE`], with the reason.
const IMPURE_ALL_THE_SAME: [(&str, &str, &str); 1] =
    [("crypto", "std::process", "without a random number generator nothing may go on")];

#[test]
fn every_import_is_in_the_table() {
    let mut wrong = BTreeSet::new();
    for (file, source) in &production() {
        let Some(from) = unit_of(&module_path(file)) else {
            wrong.insert(format!("{}: no unit of the table", file.display()));
            continue;
        };
        for path in source.crate_paths(&module_path(file)) {
            let Some(to) = unit_of(&path) else {
                wrong.insert(format!("{}: {} is no unit of the table", file.display(), path.join("::")));
                continue;
            };
            let own = to.name == from.name || to.name.starts_with(&format!("{}::", from.name));
            if !own && !from.imports.contains(&to.name) && from.imports != [EVERYTHING] {
                wrong.insert(format!("{} may not import {} ({})", from.name, to.name, file.display()));
            }
        }
        // A parent of two zones knows the other one by name only.
        for child in UNITS.iter().filter_map(|unit| unit.name.strip_prefix(&format!("{}::", from.name))) {
            if source.names(&[child]) {
                wrong.insert(format!("{} may not import its {child} ({})", from.name, file.display()));
            }
        }
    }
    report(&wrong);
}

#[test]
fn the_table_has_layers_and_no_circle() {
    let mut wrong = BTreeSet::new();
    let unit = |name: &str| UNITS.iter().find(|unit| unit.name == name).unwrap_or_else(|| panic!("no unit {name}"));
    for from in &UNITS {
        for to in from.imports.iter().filter(|to| **to != EVERYTHING).map(|to| unit(to)) {
            let below = match from.zone {
                Zone::Pure | Zone::Stack => to.zone == Zone::Pure,
                Zone::Edge => to.zone == Zone::Pure || to.zone == Zone::Edge,
                Zone::Commands => true,
            };
            if !below {
                wrong.insert(format!("{} ({:?}) stands above {} ({:?})", to.name, to.zone, from.name, from.zone));
            }
        }
    }
    let mut settled: BTreeSet<&str> = BTreeSet::from([EVERYTHING]);
    while let Some(next) = UNITS
        .iter()
        .find(|unit| !settled.contains(unit.name) && unit.imports.iter().all(|import| settled.contains(import)))
    {
        settled.insert(next.name);
    }
    wrong.extend(
        UNITS.iter().filter(|unit| !settled.contains(unit.name)).map(|unit| format!("circle at {}", unit.name)),
    );
    report(&wrong);
}

#[test]
fn pure_modules_name_nothing_of_the_world() {
    let mut wrong = BTreeSet::new();
    for (file, source) in &production() {
        let Some(unit) = unit_of(&module_path(file)).filter(|unit| unit.zone == Zone::Pure) else { continue };
        for impure in IMPURE {
            let excepted = IMPURE_ALL_THE_SAME.iter().any(|(name, what, _)| *name == unit.name && *what == impure);
            if !excepted && source.names(&impure.split("::").collect::<Vec<_>>()) {
                wrong.insert(format!("{} names {impure}", file.display()));
            }
        }
    }
    report(&wrong);
}

#[test]
fn every_crate_is_named_at_home_only() {
    let mut wrong = BTreeSet::new();
    for (file, source) in &production() {
        let unit = unit_of(&module_path(file)).map_or("main", |unit| unit.name);
        for (what, homes, why) in HOMES {
            if !homes.contains(&unit) && source.names(&what.split("::").collect::<Vec<_>>()) {
                wrong.insert(format!("{} names {what}: {why}", file.display()));
            }
        }
    }
    report(&wrong);
}

#[test]
fn the_crate_doc_lists_every_module_in_its_zone() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut zone = None;
    let mut wrong = BTreeSet::new();
    let mut listed = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with("//!") && !line.is_empty()) {
        match (line, line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';'))) {
            ("// pure", _) => zone = Some(Zone::Pure),
            ("// edge", _) => zone = Some(Zone::Edge),
            ("// stack", _) => zone = Some(Zone::Stack),
            ("// commands", _) => zone = Some(Zone::Commands),
            (_, Some(module)) => {
                let Some(unit) = UNITS.iter().find(|unit| unit.name == module) else {
                    wrong.insert(format!("{module} is no unit of the table"));
                    continue;
                };
                listed.insert(module);
                if Some(unit.zone) != zone {
                    wrong.insert(format!("{module} stands under {zone:?} and is {:?}", unit.zone));
                }
            }
            _ => drop(wrong.insert(format!("only doc lines, zones and public modules, not: {line}"))),
        }
    }
    let missing = UNITS.iter().filter(|unit| !unit.name.contains("::") && !listed.contains(unit.name));
    wrong.extend(missing.map(|unit| format!("{} is not in lib.rs", unit.name)));
    report(&wrong);
}

#[test]
fn no_rust_file_is_forgotten() {
    let mut wrong = BTreeSet::new();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for folder in ["src", "tests", "benches"] {
        let mut reached: BTreeSet<PathBuf> = files_under(folder)
            .into_iter()
            .filter(|file| {
                let parts: Vec<_> = file.iter().map(|part| part.to_str().unwrap()).collect();
                match parts[..] {
                    ["src", "lib.rs" | "main.rs"] | ["tests", _] | ["tests", _, "main.rs"] => true,
                    ["benches", name] => manifest.contains(&format!("name = \"{}\"", name.trim_end_matches(".rs"))),
                    _ => false,
                }
            })
            .collect();
        let mut queue: Vec<PathBuf> = reached.iter().cloned().collect();
        while let Some(file) = queue.pop() {
            for child in submodules(&file) {
                if reached.insert(child.clone()) {
                    queue.push(child);
                }
            }
        }
        wrong.extend(
            files_under(folder).difference(&reached).map(|file| format!("{} is compiled by nobody", file.display())),
        );
    }
    report(&wrong);
}

#[test]
fn no_vector_is_forgotten() {
    let tests: String = ["src", "tests"]
        .iter()
        .flat_map(|folder| files_under(folder))
        .map(|file| fs::read_to_string(root().join(file)).unwrap())
        .collect();
    let mut wrong = BTreeSet::new();
    for file in walk(&root().join("tests")) {
        let file = file.strip_prefix(root()).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let folder = file.parent().unwrap();
        if name.ends_with(".rs") || name == "README.md" {
            continue;
        }
        // Either the file is named, or a test walks its folder.
        let walked = folder.strip_prefix("tests").is_ok_and(|folder| {
            folder.iter().count() > 0 && tests.contains(&format!("{}/*", folder.to_str().unwrap()))
        });
        if !tests.contains(name) && !walked {
            wrong.insert(format!("{} is read by no test", file.display()));
        }
    }
    report(&wrong);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zone {
    /// Bytes, trust, policy and time in; values out.
    Pure,
    /// Network, disk, child processes.
    Edge,
    /// The embedded Sigstore.
    Stack,
    /// The command line.
    Commands,
}

#[derive(Debug)]
struct Unit {
    name: &'static str,
    zone: Zone,
    imports: &'static [&'static str],
}

const EVERYTHING: &str = "everything";

const fn pure(name: &'static str, imports: &'static [&'static str]) -> Unit {
    Unit { name, zone: Zone::Pure, imports }
}

const fn edge(name: &'static str, imports: &'static [&'static str]) -> Unit {
    Unit { name, zone: Zone::Edge, imports }
}

const fn stack(name: &'static str, imports: &'static [&'static str]) -> Unit {
    Unit { name, zone: Zone::Stack, imports }
}

const fn commands(name: &'static str, imports: &'static [&'static str]) -> Unit {
    Unit { name, zone: Zone::Commands, imports }
}

/// The unit that a module path lies in: the one with the longest name.
fn unit_of(path: &[String]) -> Option<&'static Unit> {
    let path = path.join("::");
    UNITS
        .iter()
        .filter(|unit| path == unit.name || path.starts_with(&format!("{}::", unit.name)))
        .max_by_key(|unit| unit.name.len())
}

/// `src/git/status_fd.rs` is `git::status_fd`.
fn module_path(file: &Path) -> Vec<String> {
    let inside = file.strip_prefix("src").unwrap().with_extension("");
    inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect()
}

fn files_under(folder: &str) -> BTreeSet<PathBuf> {
    let files = walk(&root().join(folder)).into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs"));
    files.map(|file| file.strip_prefix(root()).unwrap().to_owned()).collect()
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries.map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files.extend(walk(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn report(wrong: &BTreeSet<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.iter().map(String::as_str).collect::<Vec<_>>().join("\n"));
}
