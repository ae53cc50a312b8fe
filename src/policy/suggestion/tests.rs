use super::*;
use crate::policy::{Circumstances, PolicyFile};
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
