//! Every fuzz target without a fuzzer: the seeds, and what a few seconds of mutations make of them. `fuzz/` runs the same
//! targets under libFuzzer.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a target fails by panicking"
)]

#[path = "../strict/der.rs"]
mod der;
#[expect(dead_code, reason = "the strict reading's tests make bad signatures, too")]
#[path = "../strict/forge.rs"]
mod forge;
mod mutation;
mod seeds;
mod served;
mod targets;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use http::Method;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use waxseal::instance::InstanceName;
use waxseal::policy::PolicyFile;

use served::{JSON, SERVED};
use targets::TARGETS;

/// Each seed as it is: this is also what keeps a finding from coming back.
#[test]
fn seeds() {
    for (name, target) in TARGETS {
        let seeds = of(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in seeds {
            target(&seed);
        }
    }
}

/// Seeds that nothing takes any more lead nowhere.
#[test]
fn good_requests_are_taken() {
    for (path, content_type, seeds) in [
        ("/api/v2/signingCert", JSON, &["fulcio_v2/key", "fulcio_v2/signing_request"][..]),
        ("/ct/v1/add-chain", JSON, &["ct_add_chain/chain", "ct_add_chain/short"]),
        ("/rekor/api/v1/index/retrieve", JSON, &["rekor_v1_search/hash", "rekor_v1_search/both"]),
        (
            "/rekor/api/v1/log/entries",
            JSON,
            &["rekor_v1_entry/dsse", "rekor_v1_entry/hashedrekord", "rekor_v1_entry/intoto"],
        ),
        ("/rekor2/api/v2/log/entries", JSON, &["rekor_v2_entry/dsse", "rekor_v2_entry/hashedrekord"]),
        ("/tsa/api/v1/timestamp", JSON, &["timestamp_json/whole"]),
        ("/tsa/api/v1/timestamp", "application/timestamp-query", &["timestamp_request/nonce"]),
    ] {
        for seed in seeds {
            let bytes = std::fs::read(folder().join(seed)).unwrap();
            // The first byte chooses the path.
            let body = if seed.starts_with("ct_add_chain") { &bytes[1..] } else { &bytes };
            let answer = SERVED.send(Method::POST, path, content_type, &[], &SERVED.fill_in(body)).unwrap();
            let status = answer.status();
            // Another test of this process may have sent it.
            assert!(status.is_success() || status == 409, "{seed}: {}", String::from_utf8_lossy(answer.body()));
        }
    }
    for seed in of("policy") {
        PolicyFile::read(&seed, &InstanceName::public_good()).unwrap();
    }
}

/// And so do the binaries of `fuzz/`.
#[test]
fn seeds_belong_to_targets() {
    let folders = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders.collect::<BTreeSet<_>>(), targets);
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml");
    let package: toml::Table = std::fs::read_to_string(package).unwrap().parse().unwrap();
    let binaries = package["bin"].as_array().unwrap().iter().map(|binary| binary["name"].as_str().unwrap().to_owned());
    assert_eq!(binaries.collect::<Vec<_>>(), Vec::from_iter(targets), "the binaries of fuzz/Cargo.toml");
}

/// `WAXSEAL_FUZZ_SECONDS` a target, a third of a second if it is not set; `PROPTEST_*` as usual.
#[test]
fn mutated_seeds() {
    let seconds = std::env::var("WAXSEAL_FUZZ_SECONDS").ok().map_or(0.3, |seconds| seconds.parse().unwrap());
    let total = Cell::new(0);
    for (name, target) in TARGETS {
        let seeds = of(name);
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            let config = Config { cases: 16, failure_persistence: None, ..Config::default() };
            let outcome = TestRunner::new(config).run(&mutation::of(&seeds), |data| {
                total.set(total.get() + 1);
                target(&data);
                Ok::<_, TestCaseError>(())
            });
            outcome.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        }
    }
    println!("{} inputs for {} targets", total.get(), TARGETS.len());
}

/// Writes the seeds anew. They are what a stack and a client say to each other, so they differ from one time to the next.
#[test]
#[ignore = "writes tests/fuzz/seeds"]
fn write_seeds() {
    for (target, name, bytes) in seeds::all() {
        let folder = folder().join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

fn of(target: &str) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder().join(target)).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds")
}
