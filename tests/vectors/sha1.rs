//! Git's old hash, as the objects of a repository are hashed again: with collision detection.

use super::Vector;

pub(crate) fn outcome(vector: &Vector) -> String {
    let [data] = &vector.pem("DATA")[..] else { panic!("{}: one block", vector.name()) };
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(data);
    hasher.try_finalize().map_or_else(|_collision| "collision".to_owned(), |hash| format!("ok {hash}"))
}
