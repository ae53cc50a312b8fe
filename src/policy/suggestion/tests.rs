use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::*;
use crate::policy::{Circumstances, PolicyFile};
use crate::verify::KeyFormat;
use crate::x509::fulcio::BuildClaims;
use crate::x509::{CertificateClaims, SubjectAlternativeName};

fn signer(san: SubjectAlternativeName, build: BuildClaims) -> Signer {
    let issuer = "https://issuer.example".to_owned();
    let time = "2026-01-31T00:00:00Z".parse().unwrap();
    Signer { claims: CertificateClaims { san, issuer }, build, time, is_timestamped: false }
}

fn email(name: &str) -> Signer {
    signer(SubjectAlternativeName::Email(name.to_owned()), BuildClaims::default())
}

fn job(path: &str, reference: &str, trigger: &str) -> Signer {
    let text = |text: &str| Some(text.to_owned());
    let uri = format!("https://forge.example/o/r/{path}@{reference}");
    let build = BuildClaims {
        source_repository_uri: text("https://forge.example/o/r"),
        source_repository_ref: text(reference),
        source_repository_identifier: text("4711"),
        build_config_uri: Some(uri.clone()),
        build_trigger: text(trigger),
    };
    signer(SubjectAlternativeName::Uri(uri), build)
}

fn of(signers: &[Signer]) -> Suggestion {
    let mut suggestion = Suggestion::default();
    signers.iter().for_each(|signer| suggestion.add(signer, &own()));
    suggestion
}

fn own() -> InstanceName {
    "own".parse().unwrap()
}

fn draft(signers: &[Signer], at_least: u64) -> Draft {
    of(signers).draft(at_least, "2026-06-01T00:00:00Z".parse().unwrap())
}

#[test]
fn a_draft_is_as_narrow_as_what_was_seen() {
    let name = |name: &str| name.to_owned();
    let signers = [
        email("alice@example.org"),
        email("alice@example.org"),
        email("bob@example.org"),
        signer(SubjectAlternativeName::Uri(name("https://spiffe.example/agent")), BuildClaims::default()),
        signer(SubjectAlternativeName::Username(name("carol!example.org")), BuildClaims::default()),
        job(".ci/release.yml", "refs/tags/v1.0", "push"),
        job(".ci/release.yml", "refs/tags/v1.1", "workflow_dispatch"),
        job(".ci/release.yml", "refs/tags/v1.1", "push"),
        job(".ci/nightly.yml", "refs/heads/main", "schedule"),
    ];
    let text = draft(&signers, 1).text.unwrap();
    assert_eq!(
        text,
        r#"# A draft of "waxseal policy suggest": who did sign, which is not who may.
# 9 signatures verified, by 6 signers.
# Whom you do not know, take out; who may change this file needs may_change_policy = true.
version = 1

[[rule]]
name = "people of issuer.example"
issuer = "https://issuer.example"
instance = "own"
email = [
    "alice@example.org",  # 2 signatures, 2026-01-31
    "bob@example.org",  # 1 signature, 2026-01-31
]
username = [
    "carol!example.org",  # 1 signature, 2026-01-31
]

[[rule]]
name = ".ci/release.yml of repository 4711 for tags"
issuer = "https://issuer.example"
instance = "own"
# 3 signatures, 2026-01-31
[rule.workflow]
repository_id = "4711"
path = ".ci/release.yml"
ref = "glob:refs/tags/v*"
trigger = ["push", "workflow_dispatch"]

[[rule]]
name = "services of issuer.example"
issuer = "https://issuer.example"
instance = "own"
uri = [
    "https://spiffe.example/agent",  # 1 signature, 2026-01-31
]

[[rule]]
name = ".ci/nightly.yml of repository 4711 for refs/heads/main"
issuer = "https://issuer.example"
instance = "own"
# 1 signature, 2026-01-31
[rule.workflow]
repository_id = "4711"
path = ".ci/nightly.yml"
ref = "refs/heads/main"
trigger = ["schedule"]
"#
    );
}

#[test]
fn whoever_signed_enough_is_admitted_and_nobody_else() {
    let few = draft(&[email("a@x.example"), email("a@x.example"), email("b@x.example")], 2);
    assert_eq!((few.signers, few.signatures, few.few, few.rules), (1, 2, 1, 1));
    let nobody = draft(&[email("a@x.example")], 2);
    assert_eq!((nobody.text, nobody.rules, nobody.few), (None, 0, 1));
}

#[test]
fn names_that_a_policy_would_read_otherwise_are_left_out() {
    let host = signer(SubjectAlternativeName::Dns("host.example".to_owned()), BuildClaims::default());
    let signers = [
        email("a@x.example"),
        email("glob:*@x.example"),
        email("regex:.*@x.example"),
        email("*@x.example"),
        email("nobody"),
        host,
        job("glob:*", "refs/heads/main", "push"),
        job("a.yml", "refs/tags/a/b*", "push"),
    ];
    let draft = draft(&signers, 1);
    let left_out: Vec<_> = draft.left_out.iter().map(|one| (one.signer.as_str(), one.why.to_string())).collect();
    let pattern = "a policy would take the name for a pattern";
    let unmarked = |name: &str| format!("{name} is compared byte for byte: a pattern is marked with glob: or regex:");
    assert_eq!(
        left_out,
        [
            ("glob:*@x.example", pattern.to_owned()),
            ("regex:.*@x.example", pattern.to_owned()),
            ("glob:* of repository 4711 for refs/heads/main", pattern.to_owned()),
            ("host.example", "no rule is about names of hosts".to_owned()),
            ("*@x.example", unmarked("*@x.example")),
            ("nobody", "nobody matches nothing: an e-mail address has an @".to_owned()),
            ("a.yml of repository 4711 for refs/tags/a/b*", unmarked("refs/tags/a/b*")),
        ]
    );
    assert_eq!(draft.signers, 1);
}

#[test]
fn a_certificate_that_does_not_tell_the_job_is_known_by_its_name() {
    let mut anonymous = job("a.yml", "refs/heads/main", "push");
    anonymous.build.source_repository_ref = None;
    let text = draft(&[anonymous], 1).text.unwrap();
    assert!(text.contains("uri = [\n    \"https://forge.example/o/r/a.yml@refs/heads/main\","), "{text}");
    // Not every certificate names what started the job: then none is asked for.
    let mut silent = job("a.yml", "refs/heads/main", "push");
    silent.build.build_trigger = None;
    let text = draft(&[job("a.yml", "refs/heads/main", "push"), silent], 1).text.unwrap();
    assert!(!text.contains("trigger"), "{text}");
}

proptest::proptest! {
    // A check asks some thousand names of each policy.
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_signs_the_draft_is_a_policy_without_findings(
        names in proptest::collection::vec(proptest::prelude::any::<(u8, String, String)>(), 0..6),
        refs in proptest::collection::vec("refs/(heads|tags)/[a-c./*]{1,4}", 0..4),
    ) {
        let mut signers: Vec<Signer> = names.into_iter().map(|(kind, name, issuer)| {
            let san = match kind % 4 {
                0 => SubjectAlternativeName::Email(name),
                1 => SubjectAlternativeName::Uri(name),
                2 => SubjectAlternativeName::Username(name),
                _ => SubjectAlternativeName::Email(format!("{name}@x.example")),
            };
            let mut signer = signer(san, BuildClaims::default());
            if kind > 100 {
                signer.claims.issuer = issuer;
            }
            signer
        }).collect();
        signers.extend(refs.iter().map(|reference| job("a.yml", reference, "push")));
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        let draft = of(&signers).draft(1, now);
        proptest::prop_assert!(draft.signers + draft.left_out.len() == of(&signers).signers());
        if let Some(text) = &draft.text {
            let file = PolicyFile::read(text.as_bytes(), &InstanceName::public_good());
            proptest::prop_assert!(file.is_ok(), "{:?}\n{}", file, text);
            let findings = file.unwrap().check(now, &[own()]);
            proptest::prop_assert!(findings.is_empty(), "{:?}\n{}", findings, text);
        }
    }
}

#[test]
fn a_draft_admits_the_jobs_that_it_was_made_of() {
    let signers = [
        job("a.yml", "refs/tags/v1", "push"),
        job("a.yml", "refs/tags/release-2", "push"),
        job("a.yml", "refs/heads/main", "push"),
    ];
    let text = draft(&signers, 1).text.unwrap();
    let file = PolicyFile::read(text.as_bytes(), &InstanceName::public_good()).unwrap();
    let circumstances = Circumstances { changes_policy: Some(false), ..Circumstances::default() };
    for signer in &signers {
        let admitting = file.rules().iter().find(|rule| rule.admits(signer, &own(), &circumstances).is_ok());
        assert!(admitting.is_some(), "{text}");
    }
    let other = job("b.yml", "refs/heads/main", "push");
    assert!(file.rules().iter().all(|rule| rule.admits(&other, &own(), &circumstances).is_err()), "{text}");
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn armor(key: &PrivateKey, namespace: &str) -> Vec<u8> {
    key.sign(namespace, HashAlg::Sha512, b"payload").unwrap().to_pem(LineEnding::LF).unwrap().into_bytes()
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// The draft with a `#` taken away before each line of the rules about keys.
fn uncommented(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if line.starts_with("##") || KEY_LINES.iter().any(|start| line.starts_with(start)) => rest,
        _ => line,
    });
    lines.map(|line| format!("{line}\n")).collect()
}

const KEY_LINES: [&str; 4] = ["# [[rule]]", "# name = ", "# ssh = ", "# unbounded = "];

#[test]
fn an_ssh_key_is_a_comment() {
    let mut suggestion = of(&[email("alice@example.org")]);
    let (one, two) = (key(1), key(2));
    let hostile = b"x> \n[[rule]]\x1b[2J\xe2\x80\xae\xff\", \"b@example.org";
    for address in [Some(&b"alice@example.org"[..]), Some(b"alice@example.org"), Some(hostile), None] {
        suggestion.add_ssh(b"payload", &armor(&one, "git"), address);
    }
    suggestion.add_ssh(b"payload", &armor(&two, "git"), Some(b"alice@example.org"));
    // What a key did not sign, or signed for something else, or cannot be read, is not its.
    suggestion.add_ssh(b"another", &armor(&key(3), "git"), Some(b"alice@example.org"));
    suggestion.add_ssh(b"payload", &armor(&key(3), "file"), Some(b"alice@example.org"));
    suggestion.add_ssh(b"payload", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----", None);
    let Draft { text, ssh, signers, rules, .. } = suggestion.draft(1, now());
    let text = text.unwrap();
    let rule = |key: &PrivateKey| {
        let (print, line) = (key.fingerprint(HashAlg::Sha256), key.public_key().to_openssh().unwrap());
        format!(
            "# [[rule]]\n# name = \"SSH key {print}\"\n# ssh = [\"{}\"]\n\
             # unbounded = true  # or until_commit = \"…\", where the key is in use no more\n",
            line.trim_end()
        )
    };
    let (_, keys) = text.split_once("    \"alice@example.org\",  # 1 signature, 2026-01-31\n]\n").unwrap();
    assert_eq!(
        keys,
        format!(
            r#"
## The rules below are comments and admit nobody. Each is about an SSH key that made good signatures; whose key it is
## nobody has proven: whoever has one commits under any address. Ask the owner, or the forge where they are known, for
## the fingerprint, and compare all of it. Where it is the same, take away the first # of each line of the rule.

## 4 signatures, under "alice@example.org" (2, and other keys too), "x> %0A[[rule]]%1B[2J%E2%80%AE%FF\", \"b@example.org" (1), others (1)
{}
## 1 signature, under "alice@example.org" (1, and other keys too)
{}"#,
            rule(&one),
            rule(&two)
        )
    );
    let counted = DraftedKeys { seen: 2, signatures: 5, drafted: 2, bad: 3, ..DraftedKeys::default() };
    assert_eq!((ssh, signers, rules), (counted, 1, 1));
    // As it is nobody is admitted by a key; whom somebody has compared is.
    let file = |text: &str| PolicyFile::read(text.as_bytes(), &own()).unwrap();
    assert!(file(&text).key_rules().is_empty());
    let file = file(&uncommented(&text));
    assert_eq!(file.key_rules().len(), 2);
    for (key, is_named) in [(one, true), (two, true), (key(3), false)] {
        let print = key.fingerprint(HashAlg::Sha256).to_string();
        assert_eq!(file.names_key(KeyFormat::Ssh, &print), is_named);
    }
    assert!(file.check(now(), &[own()]).is_empty());
}

#[test]
fn keys_that_signed_seldom_and_keys_beyond_the_room_are_counted() {
    let mut suggestion = Suggestion::default();
    for seed in [1, 1, 2, 3] {
        suggestion.add_ssh(b"payload", &armor(&key(seed), "git"), None);
    }
    let Draft { text, ssh, signers, .. } = suggestion.draft(2, now());
    assert_eq!(ssh, DraftedKeys { seen: 3, signatures: 4, drafted: 1, few: 2, ..DraftedKeys::default() });
    // It is no policy yet.
    assert_eq!(signers, 0);
    let problem = PolicyFile::read(text.unwrap().as_bytes(), &own()).unwrap_err();
    assert_eq!(problem.to_string(), "it has no rule");
    let mut nearly = "#".repeat(usize::try_from(super::super::MAX_BYTES).unwrap() - 900);
    let ssh = suggestion.ssh.write(&mut nearly, 1);
    assert_eq!((ssh.drafted, ssh.no_room), (1, 2));
    assert!(nearly.len() <= usize::try_from(super::super::MAX_BYTES).unwrap());
    let nobody = suggestion.draft(9, now());
    assert_eq!((nobody.text, nobody.ssh.few), (None, 3));
}

#[test]
fn openpgp_keys_are_named_and_not_drafted() {
    let mut suggestion = Suggestion::default();
    // A signature packet with the key ID that GitHub's has.
    let id = [0xB5, 0x69, 0x0E, 0xEE, 0xBB, 0x95, 0x21, 0x94];
    let of = |id: [u8; 8]| {
        use base64::Engine as _;
        let packet = [&[0xC2, 26, 4, 0, 22, 8, 0, 0, 0, 10, 9, 16][..], &id, &[0, 0, 0, 1, 1, 0, 1, 1]].concat();
        let base64 = base64::engine::general_purpose::STANDARD.encode(packet);
        format!("-----BEGIN PGP SIGNATURE-----\n\n{base64}\n-----END PGP SIGNATURE-----\n").into_bytes()
    };
    for armor in [of([7; 8]), of(id), of(id), b"-----BEGIN PGP SIGNATURE-----".to_vec()] {
        suggestion.add_openpgp(&armor);
    }
    let draft = suggestion.draft(1, now());
    assert_eq!(draft.text, None);
    let named: Vec<_> = draft.openpgp.keys.iter().map(ToString::to_string).collect();
    assert_eq!(
        named,
        [
            "the OpenPGP key B5690EEEBB952194, named by 2 signatures; it is a forge's, for which there is [rule.forge]",
            "the OpenPGP key 0707070707070707, named by 1 signature",
        ]
    );
    assert_eq!((draft.openpgp.unnamed, draft.openpgp.all_signatures()), (1, 4));
}

proptest::proptest! {
    #[test]
    fn whatever_address_stands_beside_a_key_it_stays_in_its_comment(addresses: Vec<Vec<u8>>) {
        let mut suggestion = of(&[email("alice@example.org")]);
        let armor = armor(&key(1), "git");
        for address in &addresses {
            suggestion.add_ssh(b"payload", &armor, Some(address));
        }
        let text = suggestion.draft(1, now()).text.unwrap();
        proptest::prop_assert!(PolicyFile::read(text.as_bytes(), &own()).unwrap().key_rules().is_empty());
        let file = PolicyFile::read(uncommented(&text).as_bytes(), &own()).unwrap();
        proptest::prop_assert_eq!(file.key_rules().len(), usize::from(!addresses.is_empty()));
        proptest::prop_assert_eq!(file.rules().len(), 1);
        let lines = if addresses.is_empty() { 12 } else { 22 };
        proptest::prop_assert_eq!(text.lines().count(), lines, "{}", text);
    }
}
