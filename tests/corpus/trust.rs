//! The root chain of the public-good instance's TUF repository: real rotations of keys, and both of the forms of keys that
//! waxseal reads.

use std::path::{Path, PathBuf};

use crate::objects::folder;
use waxseal::trust_store::tuf::{Followed, Source, TufProblem, TufState, follow};

#[test]
fn the_root_chain_is_walked_and_what_is_over_is_refused() {
    let Some(metadata) = metadata() else { return };
    // Then it was all valid, and only what the corpus lacks is missing: the timestamp that the newest root's keys sign was
    // read.
    let ends = |first: u64, now: &str| walk(&metadata, first, now).unwrap_err();
    for first in 5..=15 {
        let problem = ends(first, "2026-08-25T00:00:00Z");
        assert!(matches!(&problem, TufProblem::Missing(file) if file == "165.snapshot.json"), "{first}: {problem}");
        let problem = ends(first, "2026-09-01T00:00:00Z");
        let expected = "timestamp.json, version 762, expired on 2026-08-28T";
        assert!(problem.to_string().starts_with(expected), "{first}: {problem}");
        let problem = ends(first, "2026-11-26T00:00:00Z");
        let expected = "the newest root, version 15, expired on 2026-11-20T";
        assert!(problem.to_string().starts_with(expected), "{first}: {problem}");
    }
    // Roots 1 to 4 hold ECDSA keys as bare points, which nobody writes any more.
    for first in 1..=4 {
        let problem = ends(first, "2026-08-25T00:00:00Z");
        assert!(matches!(problem, TufProblem::OldKeys(version) if version == first), "{first}: {problem}");
    }
}

#[test]
fn the_root_that_is_built_in_is_the_newest_of_the_chain() {
    let Some(metadata) = metadata() else { return };
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/trust_store/public_good/root.json");
    let built_in = std::fs::read(built_in).unwrap();
    assert_eq!(std::fs::read(metadata.join("root_history/15.root.json")).unwrap(), built_in);
    assert_eq!(TufState::pinned(&built_in, Path::new("root.json")).unwrap().versions(), (15, 0));
}

fn walk(metadata: &Path, first: u64, now: &str) -> Result<Followed, TufProblem> {
    let root = std::fs::read(metadata.join(format!("root_history/{first}.root.json"))).unwrap();
    let state = TufState::pinned(&root, Path::new("N.root.json")).map_err(|error| error.problem)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let followed = runtime.block_on(follow(Source::Folder(metadata.to_owned()), state, now.parse().unwrap()));
    followed.map_err(|error| error.problem)
}

fn metadata() -> Option<PathBuf> {
    let metadata = folder("public-good").join("tuf/metadata");
    let there = metadata.is_dir();
    if !there {
        println!("skipped: {} is not there", metadata.display());
    }
    there.then_some(metadata)
}
