//! Inclusion and consistency proofs (RFC 6962 §2.1, RFC 9162 §2.1.3, §2.1.4). `wantErr` is the source's own; `expect` was
//! added.

use std::path::Path;

use serde::Deserialize;
use waxseal::crypto::Sha256Digest;
use waxseal::tlog::merkle::{root_from_inclusion, verify_consistency};

use super::{Case, base64, variants};

pub(crate) fn cases(file: &Path) -> Vec<Case> {
    let json = std::fs::read_to_string(file).unwrap();
    match file.file_stem().unwrap().to_str().unwrap() {
        "inclusion" => read::<Inclusion>(&json).iter().map(|proof| proof.vector.case(proof.outcome())).collect(),
        "consistency" => read::<Consistency>(&json).iter().map(|proof| proof.vector.case(proof.outcome())).collect(),
        other => panic!("{other}: neither inclusion nor consistency"),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Common {
    name: String,
    want_err: bool,
    expect: String,
    proof: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    #[serde(flatten)]
    vector: Common,
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    #[serde(flatten)]
    vector: Common,
    size1: u64,
    size2: u64,
    root1: Option<String>,
    root2: Option<String>,
}

impl Common {
    fn case(&self, outcome: String) -> Case {
        assert_eq!(self.expect != "ok", self.want_err, "{}", self.name);
        Case { name: self.name.clone(), expected: self.expect.clone(), outcome }
    }

    fn hashes(&self) -> Option<Vec<Sha256Digest>> {
        self.proof.iter().map(|text| hash(text)).collect()
    }
}

impl Inclusion {
    fn outcome(&self) -> String {
        let parts = || Some((optional(&self.root)?, optional(&self.leaf_hash)?, self.vector.hashes()?));
        let Some((root, leaf, hashes)) = parts() else { return "no hash".to_owned() };
        match root_from_inclusion(leaf, self.leaf_idx, self.tree_size, &hashes) {
            Ok(computed) if computed == root => "ok".to_owned(),
            Ok(_) => "another root".to_owned(),
            Err(error) => variants(&error),
        }
    }
}

impl Consistency {
    fn outcome(&self) -> String {
        let parts = || Some((optional(&self.root1)?, optional(&self.root2)?, self.vector.hashes()?));
        let Some((first, second, hashes)) = parts() else { return "no hash".to_owned() };
        let outcome = verify_consistency((self.size1, first), (self.size2, second), &hashes);
        outcome.map_or_else(|error| variants(&error), |()| "ok".to_owned())
    }
}

fn read<T: for<'a> Deserialize<'a>>(json: &str) -> Vec<T> {
    serde_json::from_str(json).unwrap()
}

fn optional(text: &Option<String>) -> Option<Sha256Digest> {
    hash(text.as_deref()?)
}

/// Nothing is no hash, and our types cannot say it; some vectors have other text where any hash would do.
fn hash(text: &str) -> Option<Sha256Digest> {
    let bytes = base64(text);
    let any = || (!bytes.is_empty()).then(|| Sha256Digest::of(&bytes));
    bytes.as_slice().try_into().map(Sha256Digest).ok().or_else(any)
}
