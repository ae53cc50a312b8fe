//! The history, what is known of each of its objects, and the policy that judges it.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use gix::ObjectId;
use gix::objs::Kind;
use waxseal::cms::armor;
use waxseal::crypto::Sha256Digest;
use waxseal::git::{HashKind, ObjectKind, signed_bytes};

use super::kinds::*;
use super::openpgp::OpenPgpSigner;
use super::trees::{self, Tree};
use crate::der::{OCTET_STRING, oid, tlv, utc_time};
use crate::forge::{CONTENT_TYPE, DATA, Forge, ISSUER, MESSAGE_DIGEST, Recipe, SIGNING_TIME, attribute, san};
use crate::pack;
use crate::sandbox::ssh::SshSigner;
use crate::sandbox::{Ran, Sandbox};

pub(super) struct Made {
    pub id: ObjectId,
    /// What must be said under the policy.
    pub truth: Truth,
    /// And if it were the only object, without start, exemptions and bounds.
    pub kind: Truth,
    pub git_kind: ObjectKind,
    /// Of a commit its parents, of a tag what it names.
    parents: Vec<ObjectId>,
    bytes: Vec<u8>,
}

pub(super) struct World {
    pub made: Vec<Made>,
    /// All that can be made here.
    pub kinds: Vec<Truth>,
    refs: String,
    policy: String,
    keys: Keys,
    trusted_root: Vec<u8>,
}

/// The keys of each seed.
struct Keys {
    ssh: Vec<SshSigner>,
    openpgp: Vec<OpenPgpSigner>,
}

impl World {
    pub(super) fn make(has_gpg: bool) -> Self {
        let forge = Forge::new();
        let keys = Keys {
            ssh: (0..SEEDS).map(SshSigner::new).collect(),
            openpgp: (0..SEEDS).map(OpenPgpSigner::new).collect(),
        };
        let kinds = kinds(has_gpg);
        let chains: Vec<Chain> = thread::scope(|scope| {
            let chains: Vec<_> = (0..CHAINS)
                .map(|number| {
                    let chain =
                        Chain { forge: &forge, keys: &keys, kinds: &kinds, number, made: vec![], refs: String::new() };
                    scope.spawn(move || chain.filled())
                })
                .collect();
            chains.into_iter().map(|chain| chain.join().unwrap()).collect()
        });
        let refs = chains.iter().map(|chain| chain.refs.as_str()).collect();
        // Beside each bound stands a side line that is merged later: neither in its history nor with it in its own.
        let [lost, made_new] = [0, 1].map(|chain: usize| chains[chain].made[BOUND].id);
        let mut made: Vec<Made> = chains.into_iter().flat_map(|chain| chain.made).collect();
        bound(&mut made, lost, made_new);
        // The first commits of the first chain stand before the policy's start, tags of them do not; others are excepted.
        let commits =
            |made: &[Made]| (0..made.len()).filter(|at| made[*at].git_kind == ObjectKind::Commit).collect::<Vec<_>>();
        let commits = commits(&made);
        let start = made[commits[BEFORE]].id;
        let excepted: Vec<usize> = commits[BEFORE + 1..].iter().copied().step_by(97).collect();
        let mut policy = format!("version = 1\nstart = \"{start}\"\n");
        for at in &excepted {
            policy.push_str(&format!("[[exempt]]\nobject = \"{}\"\nreason = \"excepted\"\n", made[*at].id));
        }
        policy.push_str(&rules());
        policy.push_str(&keys.rules(has_gpg, lost, made_new));
        for at in commits[..BEFORE].iter().chain(&excepted) {
            made[*at].truth =
                Truth { what: "exempt", allowed: None, rule: None, reason: Some("exempt"), ..made[*at].truth };
        }
        Self { made, kinds, refs, policy, keys, trusted_root: forge.instance(|_| {}).trusted_root.to_json() }
    }

    /// Puts it into the sandbox's repository, and policies, keys and trusted root where they belong.
    pub(super) fn store(&self, sandbox: &Sandbox) {
        let objects = self.made.iter().map(|made| (pack_kind(made.git_kind), made.bytes.clone()));
        let objects: Vec<_> = trees::objects().into_iter().chain(objects).collect();
        pack::store(sandbox.path("repository/.git").to_str().unwrap(), &objects);
        let mut git = sandbox.command("git");
        Ran::of(git.args(["update-ref", "--stdin"]), self.refs.as_bytes()).success();
        sandbox.write("policy.toml", &self.policy);
        sandbox.write("other.toml", format!("version = 1\n{}{}", other_rules(), self.keys.rule_for_strangers()));
        sandbox.write("signers", self.keys.signers());
        for (name, seed) in OPENPGP_FILES {
            sandbox.write(name, self.keys.openpgp[usize::from(seed)].file(seed == REVOKED));
        }
        sandbox.write("repository/trusted_root.json", &self.trusted_root);
    }
}

/// What was signed by keys that rules name between commits is allowed there only.
fn bound(made: &mut [Made], lost: ObjectId, made_new: ObjectId) {
    let parents: BTreeMap<ObjectId, &[ObjectId]> = made.iter().map(|made| (made.id, made.parents.as_slice())).collect();
    let mut before_lost = BTreeSet::new();
    let mut pending = vec![lost];
    while let Some(commit) = pending.pop() {
        if before_lost.insert(commit) {
            pending.extend(parents[&commit]);
        }
    }
    // Parents stand before their children, and what a tag names before the tag.
    let mut with_new = BTreeSet::from([made_new]);
    for made in made.iter() {
        if made.parents.iter().any(|parent| with_new.contains(parent)) {
            with_new.insert(made.id);
        }
    }
    for made in made {
        let is_between = match made.kind.rule {
            Some(UNTIL | OPENPGP_UNTIL) => made.git_kind == ObjectKind::Commit && before_lost.contains(&made.id),
            Some(FROM) => with_new.contains(&made.id),
            _ => true,
        };
        if !is_between {
            made.truth = Truth { allowed: Some(false), rule: None, reason: NOT_ALLOWED, ..made.truth };
        }
    }
}

/// A branch with merges and tags.
struct Chain<'a> {
    forge: &'a Forge,
    keys: &'a Keys,
    kinds: &'a [Truth],
    number: usize,
    made: Vec<Made>,
    refs: String,
}

impl<'a> Chain<'a> {
    fn filled(mut self) -> Self {
        let number = self.number;
        let mut commits: Vec<ObjectId> = Vec::new();
        for position in 0..COMMITS {
            // A side line now and then, which the next commit merges; and some of three heads.
            let parents: Vec<ObjectId> = match (position % 11, &commits[..]) {
                (_, []) => Vec::new(),
                (5, [.., fork, _last]) => vec![*fork],
                (6, [.., last, side]) => vec![*last, *side],
                (9, [.., one, two, three]) => vec![*three, *two, *one],
                (_, [.., last]) => vec![*last],
            };
            // The host of repositories makes every other merge of two.
            let round = position / 11;
            let merge = (round % 2 == 0).then(|| MERGES[(round / 2 + number) % MERGES.len()]);
            // Each chain has the kinds at other places: merges are of every kind.
            let kind = self.kinds[(position * 7 + number * 3) % self.kinds.len()];
            let (kind, tree, committer) = match (position % 11, merge) {
                (4, _) => (kind, Tree::Ours, ALICE),
                (5, merge) => (kind, merge.map_or(Tree::Theirs, |merge| merge.side), ALICE),
                (6, Some(merge)) => (merge.truth, merge.tree, merge.committer),
                _ => (kind, Tree::Base, if matches!(kind.how, How::Ssh { by: HOST, .. }) { HOSTS } else { ALICE }),
            };
            let ids: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
            let time = 1_760_000_000 + position * CHAINS + number;
            let payload = format!(
                "tree {}\n{ids}author A <{ALICE}> {time} +0000\ncommitter A <{committer}> {time} +0000\n\n\
                 commit {position} of chain {number}, {}\n",
                tree.id(),
                kind.what
            );
            commits.push(self.add(ObjectKind::Commit, parents, &payload, kind));
        }
        let tip = commits[commits.len() - 1];
        self.refs.push_str(&format!("create refs/heads/chain-{number} {tip}\n"));
        let kinds: Vec<Truth> = self.kinds.iter().copied().filter(|kind| !kind.is_of_commits()).collect();
        for (position, target) in commits.iter().step_by(COMMITS / TAGS).take(TAGS).enumerate() {
            let truth = kinds[(position * 5 + number) % kinds.len()];
            let truth = match truth.rule {
                // A tag that is asked for by its name is reached through a ref, and that is another one.
                Some("main only") => Truth { allowed: Some(false), rule: None, reason: NOT_ALLOWED, ..truth },
                _ => truth,
            };
            let name = format!("v{number}.{position}");
            let who = format!("A <{ALICE}> {} +0000", 1_770_000_000 + position);
            let what = truth.what;
            let payload = format!("object {target}\ntype commit\ntag {name}\ntagger {who}\n\na tag, {what}\n");
            let id = self.add(ObjectKind::Tag, vec![*target], &payload, truth);
            self.refs.push_str(&format!("create refs/tags/{name} {id}\n"));
        }
        self
    }

    fn add(&mut self, git_kind: ObjectKind, parents: Vec<ObjectId>, payload: &str, kind: Truth) -> ObjectId {
        let bytes = self.bytes(git_kind, payload, kind.how);
        let gix_kind = match git_kind {
            ObjectKind::Commit => Kind::Commit,
            ObjectKind::Tag => Kind::Tag,
        };
        let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, gix_kind, &bytes).unwrap();
        self.made.push(Made { id, truth: kind, kind, git_kind, parents, bytes });
        id
    }

    fn bytes(&self, kind: ObjectKind, payload: &str, how: How) -> Vec<u8> {
        let with =
            |signature: &str| signed_bytes(kind, HashKind::Sha1, payload.as_bytes(), signature.as_bytes()).unwrap();
        let number = self.number + self.made.len();
        let keyless = |address: &'static str, change: fn(&mut Recipe)| {
            armor::encode(&self.forge.sign(&recipe(self.forge, payload, address, number, change)))
        };
        let over = |is_tampered| if is_tampered { "something else" } else { payload }.as_bytes();
        match how {
            How::Keyless(address, change) => with(&keyless(address, change)),
            How::Tampered => {
                let signed = with(&keyless(ALICE, |_| {}));
                String::from_utf8(signed).unwrap().replacen("tampered", "tampered with", 1).into_bytes()
            }
            How::Other(label) => with(&format!("-----BEGIN {label}-----\n\nAAAA\n-----END {label}-----\n")),
            How::Twice => {
                let text = String::from_utf8(with(&keyless(ALICE, |_| {}))).unwrap();
                let at = text.find("gpgsig ").unwrap();
                let end = text.find("\n\n").unwrap();
                format!("{}\n{}", &text[..end], &text[at..]).into_bytes()
            }
            How::Unsigned => payload.as_bytes().to_vec(),
            How::Ssh { by, namespace, is_tampered } => {
                let armor = self.keys.ssh[usize::from(by)].armor(namespace, over(is_tampered));
                with(std::str::from_utf8(&armor).unwrap())
            }
            How::OpenPgp { by, hash, is_tampered } => {
                with(&self.keys.openpgp[usize::from(by)].armor(over(is_tampered), hash))
            }
        }
    }
}

impl Keys {
    fn rules(&self, has_gpg: bool, lost: ObjectId, made_new: ObjectId) -> String {
        let rule = |name: &str, more: &str| format!("[[rule]]\nname = \"{name}\"\n{more}\n");
        let ssh = |seed: u8| format!("ssh = [\"{}\"]\n", self.ssh[usize::from(seed)].public());
        let (until, from) = (format!("until_commit = \"{lost}\""), format!("from_commit = \"{made_new}\""));
        let mut rules = vec![
            rule("a key", &format!("{}unbounded = true", ssh(NAMED))),
            rule("allowed signers", "allowed_signers = \"signers\"\nunbounded = true\nrequire = [\"author-match\"]"),
            rule(UNTIL, &format!("{}{until}", ssh(LOST))),
            rule(FROM, &format!("{}{from}", ssh(NEW))),
            rule(
                "the host",
                &format!("{}unbounded = true\nforge = {{ committer = [\"{HOSTS}\"], shape = [\"merge\"] }}", ssh(HOST)),
            ),
        ];
        // Every file has the keys of all.
        let names: Vec<String> = OPENPGP_FILES.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let names = names.join(", ");
        let openpgp = |seed: u8| {
            let print = self.openpgp[usize::from(seed)].fingerprint();
            format!("openpgp = [\"{print}\"]\nkey_files = [{names}]\n")
        };
        if has_gpg {
            rules.extend([
                rule("an OpenPGP key", &format!("{}unbounded = true", openpgp(NAMED))),
                rule("taken back", &format!("{}unbounded = true", openpgp(REVOKED))),
                rule(OPENPGP_UNTIL, &format!("{}{until}", openpgp(LOST))),
            ]);
        }
        rules.concat()
    }

    /// Of `other.toml`.
    fn rule_for_strangers(&self) -> String {
        let key = self.ssh[usize::from(STRANGER)].public();
        format!("[[rule]]\nname = \"the stranger\"\nssh = [\"{key}\"]\nunbounded = true\n")
    }

    /// As `gpg.ssh.allowedSignersFile` is.
    fn signers(&self) -> String {
        let key = |seed: u8| self.ssh[usize::from(seed)].public();
        format!(
            "# who may\n{ALICE} namespaces=\"git,file\" {}\n{BOB} {} of a laptop\n{MALLORY} namespaces=\"file\" {}\n",
            key(SIGNER),
            key(NOT_THE_AUTHOR),
            key(STRANGER)
        )
    }
}

fn recipe(forge: &Forge, payload: &str, address: &str, number: usize, change: fn(&mut Recipe)) -> Recipe {
    let mut recipe = Recipe::right(forge);
    recipe.payload = payload.as_bytes().to_vec();
    recipe.number = u8::try_from(number % 200).unwrap();
    let digest = Sha256Digest::of(payload.as_bytes());
    recipe.signed_attributes = vec![
        attribute(CONTENT_TYPE, &[oid(DATA)]),
        attribute(SIGNING_TIME, &[utc_time(recipe.not_before)]),
        attribute(MESSAGE_DIGEST, &[tlv(OCTET_STRING, digest.as_ref())]),
    ];
    recipe.replace_extension("2.5.29.17", None);
    recipe.extensions.push(san(&[tlv(0x81, address.as_bytes())]));
    change(&mut recipe);
    recipe
}

fn rule(name: &str, addresses: &[&str], more: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\nissuer = \"{ISSUER}\"\ninstance = \"file\"\nemail = {addresses:?}\n{more}\n")
}

fn rules() -> String {
    [
        rule("people", &[ALICE], ""),
        rule("stamped", &[BOB], "require = [\"timestamp\"]"),
        rule("main only", &[CAROL], "refs = [\"refs/heads/main\"]"),
        rule("gone", &[DAVE], "until = 2025-01-01T00:00:00Z"),
    ]
    .concat()
}

fn other_rules() -> String {
    rule("the others", &[BOB, CAROL, DAVE, MALLORY, "alice@example.org.example.net"], "")
}

fn pack_kind(kind: ObjectKind) -> u8 {
    match kind {
        ObjectKind::Commit => pack::COMMIT,
        ObjectKind::Tag => pack::TAG,
    }
}

const OPENPGP_FILES: [(&str, u8); 4] =
    [("named.pgp", NAMED), ("lost.pgp", LOST), ("revoked.pgp", REVOKED), ("stranger.pgp", STRANGER)];

const CHAINS: usize = 10;
const COMMITS: usize = 450;
const TAGS: usize = 50;
/// Commits of the first chain that stand before the start.
const BEFORE: usize = 20;
/// The commit of a chain that bounds a rule: beside it stands a side line.
const BOUND: usize = 11 * 20 + 4;
