//! Signatures by SSH keys, as `git -c gpg.format=ssh` has them made: here without ssh-keygen.

use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use waxseal::git::{HashKind, ObjectKind, signed_bytes};

use super::{Ran, Sandbox};

/// Somebody's key.
pub(crate) struct SshSigner {
    key: PrivateKey,
}

impl SshSigner {
    /// The same key for the same seed.
    pub(crate) fn new(seed: u8) -> Self {
        Self { key: PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32])) }
    }

    /// As in a `.pub` file.
    pub(crate) fn public(&self) -> String {
        self.key.public_key().to_openssh().unwrap()
    }

    pub(crate) fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    pub(crate) fn armor(&self, namespace: &str, payload: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(namespace, HashAlg::Sha512, payload).unwrap();
        signature.to_pem(LineEnding::LF).unwrap().into_bytes()
    }

    /// A commit on top of `parents`, on no branch.
    pub(crate) fn commit(&self, sandbox: &Sandbox, message: &str, parents: &[&str]) -> String {
        let payload = unsigned(sandbox, message, parents);
        self.signed(sandbox, HashKind::Sha1, &payload, &payload)
    }

    /// A commit with the content `payload` and a signature over `signed`.
    pub(crate) fn signed(&self, sandbox: &Sandbox, hash: HashKind, payload: &[u8], signed: &[u8]) -> String {
        let raw = signed_bytes(ObjectKind::Commit, hash, payload, &self.armor("git", signed));
        sandbox.hash_object("commit", &raw.unwrap())
    }

    /// A tag of a commit, below `refs/tags/`.
    pub(crate) fn tag(&self, sandbox: &Sandbox, name: &str, commit: &str) -> String {
        let payload = format!(
            "object {commit}\ntype commit\ntag {name}\ntagger T <alice@example.org> 1580608922 +0000\n\n{name}\n"
        );
        let raw =
            signed_bytes(ObjectKind::Tag, HashKind::Sha1, payload.as_bytes(), &self.armor("git", payload.as_bytes()));
        let id = sandbox.hash_object("tag", &raw.unwrap());
        sandbox.git(["update-ref", &format!("refs/tags/{name}"), &id]).success();
        id
    }
}

/// The payload of a commit with an empty tree.
pub(crate) fn unsigned(sandbox: &Sandbox, message: &str, parents: &[&str]) -> Vec<u8> {
    let tree = sandbox.git(["mktree"]).success().line();
    let mut command = sandbox.command("git");
    command.args(["commit-tree", "-m", message, &tree]);
    command.args(parents.iter().flat_map(|parent| ["-p", parent]));
    let id = Ran::of(&mut command, b"").success().line();
    sandbox.git(["cat-file", "commit", &id]).success().stdout
}
