//! Policies that nobody wants, and what is said of them.

use super::*;

fn codes(rules: &[String]) -> Vec<&'static str> {
    let own = "own".parse().unwrap();
    let policy = PolicyFile::read(format!("version = 1\n{}", rules.concat()).as_bytes(), &own).unwrap();
    let findings = policy.check("2026-06-01T00:00:00Z".parse().unwrap(), &[own]);
    findings.iter().map(|finding| finding.problem.code()).collect()
}

fn rule(name: &str, more: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\nissuer = \"https://i\"\ninstance = \"own\"\n{more}\n")
}

const ALICE: &str = "email = [\"alice@example.org\"]";

#[test]
fn a_check_finds_what_nobody_wants() {
    let alice = ALICE;
    let all = "email = [\"glob:*@example.org\"]";
    assert_eq!(codes(&[rule("a", alice)]), [""; 0]);
    assert_eq!(codes(&[rule("a", alice).replace("instance = \"own\"\n", "")]), ["no-instance"]);
    assert_eq!(codes(&[rule("a", alice).replace("own", "owm")]), ["unknown-instance"]);
    assert_eq!(codes(&[rule("a", all), rule("b", alice)]), ["unreachable-rule"]);
    assert_eq!(codes(&[rule("a", alice), rule("b", all)]), [""; 0]);
    let until = |day: &str| format!("{alice}\nuntil = {day}T00:00:00Z");
    let from = |day: &str| format!("{alice}\nfrom = {day}T00:00:00Z");
    assert_eq!(codes(&[rule("a", &until("2026-07-01")), rule("b", &from("2026-07-01"))]), [""; 0]);
    assert_eq!(codes(&[rule("a", &until("2026-07-02")), rule("b", &from("2026-07-01"))]), ["overlapping-rules"]);
    assert_eq!(codes(&[rule("a", &until("2026-01-01"))]), ["rule-over"]);
    let main = format!("{all}\nrefs = [\"refs/heads/main\"]");
    assert_eq!(codes(&[rule("a", &main), rule("b", alice)]), ["overlapping-rules"]);
    let elsewhere = format!("{alice}\nrefs = [\"refs/heads/next\"]");
    assert_eq!(codes(&[rule("a", &main), rule("b", &elsewhere)]), [""; 0]);
}

#[test]
fn a_check_finds_keys_that_two_rules_name() {
    let key = "AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    let rule = |name: &str, more: &str| format!("[[rule]]\nname = '{name}'\nssh = ['ssh-ed25519 {key}']\n{more}\n");
    let until = |digit: &str| format!("until_commit = '{}'", digit.repeat(40));
    assert_eq!(codes(&[rule("a", &until("1")), rule("b", &until("2"))]), [""; 0]);
    assert_eq!(codes(&[rule("a", "unbounded = true"), rule("b", &until("2"))]), ["unreachable-rule"]);
    assert_eq!(codes(&[rule("a", &until("1")), rule("b", "unbounded = true")]), ["overlapping-rules"]);
    let main = format!("{}\nrefs = ['refs/heads/main']", until("1"));
    assert_eq!(codes(&[rule("a", &main), rule("b", &until("1"))]), ["overlapping-rules"]);
    let matching = format!("{}\nrequire = ['author-match']", until("1"));
    assert_eq!(codes(&[rule("a", &until("1")), rule("b", &matching)]), ["unreachable-rule"]);
}

#[test]
fn a_check_finds_committers_that_nobody_is() {
    let key = "AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    let found = |committer: &str| {
        let forge = format!("[rule.forge]\ncommitter = ['{committer}']\nshape = ['merge']");
        codes(&[format!("[[rule]]\nname = 'f'\nssh = ['ssh-ed25519 {key}']\nunbounded = true\n{forge}\n")])
    };
    for address in ["noreply@github.com", "root", "a+b@x.example", "[bot]@x.example"] {
        assert_eq!(found(address), [""; 0], "{address}");
    }
    for none in ["glob:*@x.example", "regex:.*", "*@x.example", "GitHub <noreply@github.com>", "<a@x.example>"] {
        assert_eq!(found(none), ["matches-nothing"], "{none}");
    }
}

#[test]
fn a_check_knows_issuers_that_anybody_can_run() {
    let found = |issuer: &str| codes(&[rule("a", ALICE).replace("\"https://i\"", &format!("'{issuer}'"))]);
    for loose in [
        "regex:.*",
        "glob:https://*",
        "glob:http*://*",
        "glob:https://*/*",
        "glob:https://*/*/*",
        "glob:https://*.com",
        "regex:https?://.+",
        "regex:https://[a-z.]+",
        "regex:.+[.]com",
        "regex:https://.*\\.io/.*",
        "regex:https://github\\.com.*",
        "regex:https://accounts.google.com",
        "regex:.*gitlab\\.com",
        "glob:https://*.okta.com",
        "glob:https://login.microsoftonline.com/*/v2.0",
        "glob:https://*.onrender.com",
        "glob:https://*.vercel.app",
        "glob:https://x*",
        "glob:https://*example.org",
        "regex:https://login.example\\.org",
        "regex:https://oidc\\.[a-z]{7}\\.org",
        "regex:https://[a-z0-9]{4}\\.okta\\.com",
        "regex:https://container\\.googleapis\\.com/v1/projects/[a-z]+/locations/[a-z0-9-]+/clusters/prod",
        "glob:https://storage.googleapis.com/acme-*",
    ] {
        assert_eq!(found(loose), ["any-issuer"], "{loose}");
    }
    for bound in [
        "https://accounts.google.com",
        "glob:https://*.example.org",
        "glob:https://*.google.com",
        "glob:https://login.example.org/*/v2.0",
        "regex:https://(accounts\\.google\\.com|github\\.com/login/oauth)",
        "glob:https://token.actions.githubusercontent.com/*",
    ] {
        assert_eq!(found(bound), [""; 0], "{bound}");
    }
}

#[test]
fn a_check_knows_names_that_anybody_can_have() {
    for (field, loose) in [
        ("email", "regex:.*@.*"),
        ("email", "glob:*@*"),
        ("email", "regex:[^ ]+"),
        ("email", "regex:.+[.]com"),
        ("email", "glob:*@*.io"),
        ("email", "glob:*@gmail.com"),
        ("email", "regex:[0-9]+@qq\\.com"),
        ("email", "glob:alice@*"),
        ("email", "regex:alice@.*"),
        ("email", "glob:*@*example.org"),
        ("email", "glob:*@example.*"),
        ("email", "regex:.*@.*example\\.org"),
        ("email", "regex:.*example.org"),
        ("email", "regex:(alice|bob)@mail.example\\.org"),
        ("email", "glob:a*@googlemail.com"),
        ("email", "glob:*@yahoo.co.jp"),
        ("email", "regex:[a-z]{8}@gmail\\.com"),
        ("email", "regex:alice[0-9]@gmail\\.com"),
        ("email", "regex:alice@example\\.[a-z]+"),
        ("email", "regex:alice@example\\.(org|com|net|[a-z]{2})"),
        ("email", "regex:alice@[^@]{11}"),
        ("email", "regex:alice@ex[a-z]mple\\.org"),
        ("email", "regex:alice@exampl.\\.org"),
        ("email", "regex:alice@(ex)+ample\\.org"),
        ("email", "glob:build@*.iam.gserviceaccount.com"),
        ("email", "glob:*@appspot.gserviceaccount.com"),
        ("uri", "regex:.*/release.yml@refs/heads/main"),
        ("uri", "glob:https://github.com/*/*/.github/workflows/release.yml@refs/heads/main"),
        ("uri", "regex:https://github.com/acme.*"),
        ("uri", "regex:.*acme.*"),
        ("uri", "regex:https://.*"),
        ("uri", "regex:https://github.com/.*"),
        ("uri", "glob:https://github.com/*/*/.github/workflows/*@refs/heads/main"),
        ("uri", "regex:https://gitlab\\.com/.+//\\.gitlab-ci\\.yml@.*"),
        ("uri", "regex:https://gitlab\\.com/[a-z]{5}/p//\\.gitlab-ci\\.yml@refs/heads/main"),
        ("uri", "glob:spiffe://*/*"),
        ("username", "glob:*!*"),
        ("username", "regex:.*"),
    ] {
        assert_eq!(codes(&[rule("a", &format!("{field} = ['{loose}']"))]), ["any-subject"], "{field} {loose}");
    }
    for owner in ["acme\\d+", "acme[0-9]{2}", "[a-z]{4}", ".{4}", "acm.", "(?:acme|[a-f]{3,20})", "a[^/]{3}"] {
        let line =
            format!("uri = ['regex:https://github\\.com/{owner}/t/\\.github/workflows/r\\.yml@refs/heads/main']");
        assert_eq!(codes(&[rule("a", &line)]), ["any-subject"], "{owner}");
    }
    for (field, bound) in [
        ("email", "glob:*@example.org"),
        ("email", "regex:.*@example\\.org"),
        ("email", "regex:(alice|bob)@gmail\\.com"),
        ("email", "regex:alice(\\+.*)?@gmail\\.com"),
        ("email", "regex:.*@(.*\\.)?example\\.org"),
        ("email", "regex:(?i-u:alice@gmail\\.com)"),
        ("email", "regex:[a-z]+@[a-z]+\\.example\\.org"),
        ("email", "regex:(alice|bob)@example[12]?\\.(org|com)"),
        ("email", "glob:*@my-project.iam.gserviceaccount.com"),
        ("email", "glob:*@*.example.co.uk"),
        ("email", "regex:[a-z]{1,99}@(eng|ops)\\.example\\.org"),
        ("uri", "regex:https://(ci|cd)\\.example\\.org/.*"),
        ("uri", "glob:https://github.com/example/*"),
        ("uri", "regex:https://github\\.com/example/.*"),
        ("uri", "glob:spiffe://example.org/*"),
        ("username", "glob:*!example.org"),
    ] {
        assert_eq!(codes(&[rule("a", &format!("{field} = ['{bound}']"))]), [""; 0], "{field} {bound}");
    }
}

#[test]
fn a_check_shows_names_that_somebody_can_have() {
    let found = |email: &str| {
        let text = format!("version = 1\n{}", rule("a", &format!("email = ['{email}']")));
        let own = "own".parse().unwrap();
        let findings = PolicyFile::read(text.as_bytes(), &own).unwrap().check(Timestamp::UNIX_EPOCH, &[own]);
        findings.iter().map(|finding| finding.problem.clone()).collect::<Vec<_>>()
    };
    let pattern = |email: &str| email.to_owned();
    for (email, stranger) in [
        ("regex:alice@example\\.[a-z]+", "alice@example.com"),
        ("regex:alice@[^@]{11}", "alice@wvqkzjx.com"),
        ("regex:alice@mail.example.org", "alice@mail-example.org"),
    ] {
        assert_eq!(found(email), [Problem::AnySubject { pattern: pattern(email), stranger: stranger.to_owned() }]);
    }
    let email = "regex:alice@example.org";
    assert_eq!(
        found(email),
        [Problem::AnyCharacter { pattern: pattern(email), other: "alice@example-org".to_owned() }]
    );
}

#[test]
fn a_check_finds_rules_that_admit_nobody() {
    for (line, code) in [
        ("email = ['glob:*']", "matches-nothing"),
        ("email = ['alice']", "matches-nothing"),
        ("email = ['regex:alice']", "matches-nothing"),
        ("uri = ['github.com']", "matches-nothing"),
        ("username = ['alice@example.org']", "matches-nothing"),
        ("email = ['alice@example.org']\nrefs = ['glob:refs/*']", "matches-nothing"),
        ("email = ['alice@example.org']\nrefs = ['regex:main']", "matches-nothing"),
        ("workflow = { repository_id = '1', ref = 'refs/heads/' }", "matches-nothing"),
        ("workflow = { repository_id = '123*' }", "matches-nothing"),
        ("workflow = { repository_id = 'regex:[0-9]+' }", "matches-nothing"),
        ("workflow = { repository_id = 'example/app' }", "matches-nothing"),
        ("email = ['*@example.org']", "unmarked-pattern"),
        ("email = ['Glob:*@example.org']", "unmarked-pattern"),
        ("email = ['re:alice@example.org']", "unmarked-pattern"),
        ("email = ['^alice@example.org$']", "unmarked-pattern"),
        ("workflow = { repository_id = '1', path = '.github/workflows/*' }", "unmarked-pattern"),
        ("email = ['alice@example.org']\nrefs = ['refs/heads/*']", "unmarked-pattern"),
    ] {
        assert_eq!(codes(&[rule("a", line)]), [code], "{line}");
    }
    let issuer = |issuer: &str| codes(&[rule("a", ALICE).replace("https://i", issuer)]);
    assert_eq!(issuer("glob:*"), ["matches-nothing"]);
    assert_eq!(issuer("accounts.google.com"), ["matches-nothing"]);
    assert_eq!(issuer("https://*.example.org"), ["unmarked-pattern"]);
    let refs = "refs = ['glob:refs/heads/*', 'refs/stash', 'regex:refs/.*']";
    assert_eq!(codes(&[rule("a", &format!("{ALICE}\n{refs}"))]), [""; 0]);
}

#[test]
fn a_check_sees_through_the_way_in_which_a_pattern_is_written() {
    let order = |one: &str, two: &str| {
        let rule = |name, pattern| rule(name, &format!("email = ['{pattern}']"));
        codes(&[rule("a", one), rule("b", two)])
    };
    for (one, two) in [
        ("regex:[^/@]*@example\\.org", "glob:*@example.org"),
        ("regex:.+@example\\.org", "glob:*@example.org"),
        ("regex:.*@(.*\\.)?example\\.org", "glob:*@*.example.org"),
        ("glob:*@example.org", "glob:a*@example.org"),
        ("glob:a*@*.example.org", "glob:ab*@*.www.example.org"),
        ("glob:*@example.org", "regex:alice@example\\.org"),
        ("regex:alice@example\\.org", "glob:alice@example.org"),
    ] {
        assert_eq!(order(one, two), ["unreachable-rule"], "{one} before {two}");
    }
    for (one, two) in [
        ("regex:[a-z]+@example\\.org", "glob:*@example.org"),
        ("regex:.@example\\.org", "glob:*@example.org"),
        ("glob:a*@example.org", "glob:*@example.org"),
        ("glob:*a@example.org", "glob:a*@example.org"),
    ] {
        assert_ne!(order(one, two), ["unreachable-rule"], "{one} before {two}");
    }
}
