//! `waxseal serve` as a process: what it says, how it ends, and what it keeps.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use reqwest::StatusCode;
use waxseal::crypto::{Sha256Digest, SigningKey};
use waxseal::tlog::hashedrekord::{Verifier, canonical_body};
use waxseal::tlog::merkle::root_from_inclusion;
use waxseal::tlog::rekor_json::{self, EntryId};
use waxseal::trust_digest::trust_digest;

struct Served {
    process: Child,
    url: String,
    trust_sha256: String,
}

impl Served {
    fn start(data: &Path) -> Self {
        let mut process = serve(data, &["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"));
        let member = |name: &str| ready.get(name).and_then(|value| value.as_str()).unwrap().to_owned();
        Self { process, url: member("url"), trust_sha256: member("trust_sha256") }
    }

    async fn get(&self, path: &str) -> Vec<u8> {
        let response = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.bytes().await.unwrap().to_vec()
    }

    /// `None` when the stack was gone before it answered.
    async fn add(&self, message: &[u8], key: &SigningKey) -> Option<EntryId> {
        let verifier = key.public_key_der();
        let body = canonical_body(&Sha256Digest::of(message), &key.sign(message), Verifier::PublicKey(&verifier));
        let request = reqwest::Client::new().post(format!("{}/rekor/api/v1/log/entries", self.url));
        let response = request.header("content-type", "application/json").body(body).send().await.ok()?;
        assert_eq!(response.status(), StatusCode::CREATED);
        Some(rekor_json::read(&response.bytes().await.ok()?).unwrap().0)
    }

    fn terminate(mut self) {
        let asked = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(asked.success());
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn serve(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    command.arg("serve").arg("--data").arg(data).args(arguments).stderr(Stdio::null());
    command
}

fn refused(data: &Path, arguments: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = serve(data, arguments).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(stdout, b"");
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn the_digest_is_that_of_what_is_served_and_the_address_stays() {
    let folder = tempfile::tempdir().unwrap();
    let first = Served::start(folder.path());
    block_on(async {
        let trusted_root = first.get("/trust/trusted_root.json").await;
        let signing_config = first.get("/trust/signing_config.v0.2.json").await;
        assert_eq!(trust_digest(&trusted_root, &signing_config).to_string(), first.trust_sha256);
    });
    let (url, digest) = (first.url.clone(), first.trust_sha256.clone());
    first.terminate();
    let second = Served::start(folder.path());
    assert_eq!((&second.url, &second.trust_sha256), (&url, &digest));
    second.terminate();
}

#[test]
fn what_was_acknowledged_survives_being_killed() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate();
    let mut kept: Vec<EntryId> = Vec::new();
    for round in 0..4_u8 {
        let served = Served::start(folder.path());
        block_on(async {
            for id in &kept {
                let (found, entry) =
                    rekor_json::read(&served.get(&format!("/rekor/api/v1/log/entries/{id}")).await).unwrap();
                let proof = entry.inclusion_proof.unwrap();
                let root = root_from_inclusion(id.leaf_hash, proof.leaf_index, proof.tree_size, &proof.hashes);
                assert_eq!((&found, root), (id, Ok(proof.root_hash)));
            }
            for number in 0..5 + round {
                kept.push(served.add(&[round, number], &key).await.unwrap());
            }
            // Killed while an entry is under way, which then may be there or not.
            let pid = served.process.id().to_string();
            let killed = async { Command::new("kill").args(["-KILL", &pid]).status().unwrap() };
            let last = [round];
            let (added, killed) = tokio::join!(served.add(&last, &key), killed);
            assert!(killed.success());
            kept.extend(added);
        });
    }
}

#[test]
fn refusals_name_the_thing_and_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let running = Served::start(&data);
    let (code, text) = refused(&data, &["--listen", "127.0.0.2:0", "--public-url", &running.url]);
    assert_eq!(code, 1, "{text}");
    running.terminate();
    for (arguments, code, says) in [
        (&["--public-url", "http://localhost:1"][..], 2, "cannot become http://localhost:1"),
        (&["--public-url", "http://example.org"], 2, "must be https, except on loopback"),
        (&["--listen", "0.0.0.0:0"], 2, "it is not a loopback address"),
        (&["--auto-login", "nobody"], 2, "is not an e-mail address"),
    ] {
        let (found, text) = refused(&data, arguments);
        assert!(found == code && text.contains(says), "{arguments:?}: {found}: {text}");
        assert!(text.starts_with("waxseal: error: "), "{text}");
    }
    let elsewhere = folder.path().join("thesis");
    std::fs::create_dir_all(elsewhere.join("chapter-1")).unwrap();
    let (code, text) = refused(&elsewhere, &[]);
    assert!(code == 1 && text.contains("neither empty nor the data folder"), "{text}");
}
