//! What is allowed to be in a policy file and is nevertheless not what anybody wants.

use std::fmt;

use jiff::Timestamp;

mod covers;
mod keys;
mod nobody;
mod others;
mod places;
mod problem;
mod samples;
mod strangers;

use self::others::Other;
pub use self::problem::Problem;
use self::strangers::Strangers;
use super::{Pattern, PolicyFile, Rule, Who, Workflow};
use crate::instance::InstanceName;

/// Something about a policy file that its author should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule it is about.
    pub rule: String,
    /// What about it.
    pub problem: Problem,
}

impl PolicyFile {
    /// Everything that its author should look at, in the order of the rules, those about keys last. `instances` are those
    /// that are known.
    #[must_use]
    pub fn check(&self, now: Timestamp, instances: &[InstanceName]) -> Vec<Finding> {
        let strangers = Strangers::new();
        let mut findings = Vec::new();
        for (position, rule) in self.rules().iter().enumerate() {
            let earlier = self.rules().get(..position).unwrap_or_default();
            let problems = alone(rule, now, instances, &strangers).into_iter().chain(beside(rule, earlier));
            findings.extend(problems.map(|problem| Finding { rule: rule.name.clone(), problem }));
        }
        for (position, rule) in self.key_rules().iter().enumerate() {
            let earlier = self.key_rules().get(..position).unwrap_or_default();
            let problems = keys::alone(rule).into_iter().chain(keys::beside(rule, earlier));
            findings.extend(problems.map(|problem| Finding { rule: rule.name.clone(), problem }));
        }
        findings
    }
}

/// Where a pattern stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Email,
    Issuer,
    Path,
    Ref,
    Uri,
    Username,
}

fn alone(rule: &Rule, now: Timestamp, instances: &[InstanceName], strangers: &Strangers) -> Vec<Problem> {
    let mut problems: Vec<Problem> =
        patterns(rule).filter_map(|(field, pattern)| about(field, pattern, strangers)).collect();
    problems.extend(rule.who.iter().filter_map(|who| {
        let Who::Workflow(Workflow { repository_id, .. }) = who else { return None };
        let why = nobody::why_no_repository(repository_id)?;
        Some(Problem::MatchesNothing { pattern: repository_id.clone(), why })
    }));
    if !rule.names_instance {
        problems.push(Problem::NoInstance);
    } else if !instances.contains(&rule.instance) {
        problems.push(Problem::UnknownInstance(rule.instance.clone()));
    }
    problems.extend(rule.validity.until.filter(|until| *until <= now).map(Problem::Over));
    problems
}

/// Every pattern of a rule.
fn patterns(rule: &Rule) -> impl Iterator<Item = (Field, &Pattern)> {
    let who = rule.who.iter().flat_map(|who| -> Vec<(Field, &Pattern)> {
        match who {
            Who::Email(pattern) => vec![(Field::Email, pattern)],
            Who::Uri(pattern) => vec![(Field::Uri, pattern)],
            Who::Username(pattern) => vec![(Field::Username, pattern)],
            Who::Workflow(workflow) => {
                let path = workflow.path.iter().map(|pattern| (Field::Path, pattern));
                path.chain(workflow.reference.iter().map(|pattern| (Field::Ref, pattern))).collect()
            }
        }
    });
    std::iter::once((Field::Issuer, &rule.issuer)).chain(who).chain(rule.refs.iter().map(|one| (Field::Ref, one)))
}

/// What is wrong with one pattern.
fn about(field: Field, pattern: &Pattern, strangers: &Strangers) -> Option<Problem> {
    let text = || pattern.as_str().to_owned();
    if nobody::is_unmarked(pattern) {
        return Some(Problem::Unmarked(text()));
    }
    if let Some(why) = nobody::why_nobody(field, pattern) {
        return Some(Problem::MatchesNothing { pattern: text(), why });
    }
    if pattern.literal().is_some() {
        return None;
    }
    let known = strangers.among(field, |stranger| pattern.matches(stranger)).map(str::to_owned);
    let stranger = match known.map(Other::Strangers).or_else(|| others::admitted(field, pattern))? {
        Other::Strangers(stranger) => stranger,
        Other::Undotted(other) => return Some(Problem::AnyCharacter { pattern: text(), other }),
    };
    Some(match field {
        Field::Issuer => Problem::AnyIssuer { pattern: text(), stranger },
        Field::Email | Field::Path | Field::Ref | Field::Uri | Field::Username => {
            Problem::AnySubject { pattern: text(), stranger }
        }
    })
}

fn beside(rule: &Rule, earlier: &[Rule]) -> Vec<Problem> {
    if let Some(by) = earlier.iter().find(|earlier| makes_unreachable(earlier, rule)) {
        return vec![Problem::Unreachable { by: by.name.clone() }];
    }
    let mut problems = Vec::new();
    for other in earlier.iter().filter(|earlier| meets(earlier, rule)) {
        if let Some(identity) = rule.who.iter().find(|who| other.who.iter().any(|earlier| earlier.covers(who))) {
            problems.push(Problem::Overlapping { other: other.name.clone(), identity: identity.to_string() });
        }
    }
    problems
}

/// Whether nobody ever gets past `earlier` to `rule`.
fn makes_unreachable(earlier: &Rule, rule: &Rule) -> bool {
    let refs = earlier.refs.is_empty()
        || !rule.refs.is_empty() && rule.refs.iter().all(|one| earlier.refs.iter().any(|other| other.covers(one)));
    earlier.instance == rule.instance
        && earlier.issuer.covers(&rule.issuer)
        && earlier.validity.covers(rule.validity)
        && refs
        && earlier.requires.iter().all(|requirement| rule.requires.contains(requirement))
        && (earlier.may_change_policy || !rule.may_change_policy)
        && rule.who.iter().all(|who| earlier.who.iter().any(|other| other.covers(who)))
}

/// Whether some signature could be for both, whoever made it.
fn meets(earlier: &Rule, rule: &Rule) -> bool {
    let refs = earlier.refs.is_empty()
        || rule.refs.is_empty()
        || rule.refs.iter().any(|one| earlier.refs.iter().any(|other| other.covers(one) || one.covers(other)));
    earlier.instance == rule.instance
        && (earlier.issuer.covers(&rule.issuer) || rule.issuer.covers(&earlier.issuer))
        && earlier.validity.overlaps(rule.validity)
        && earlier.may_change_policy == rule.may_change_policy
        && refs
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email(pattern) | Self::Uri(pattern) | Self::Username(pattern) => f.write_str(pattern.as_str()),
            Self::Workflow(workflow) => write!(f, "the workflow of repository {}", workflow.repository_id),
        }
    }
}

#[cfg(test)]
mod tests {
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
}
