//! Git: its version, what it was told, which program it starts, and what other tools left behind.

use std::path::Path;

use super::Finding;
use crate::credential::RequestedSigner;
use crate::git_version::GitVersion;
use crate::settings::effective::{EffectiveConfig, SetValue};
use crate::settings::{gitsign, programs};

pub(super) fn version() -> Vec<Finding> {
    let finding = match GitVersion::installed() {
        Err(error) => Finding::problem(VERSION, error.to_string(), "install Git, or put it on PATH"),
        Ok(version) if version < FIRST_WITH_X509 => {
            Finding::problem(VERSION, format!("Git {version} knows no X.509 signatures"), "install Git 2.19 or newer")
        }
        Ok(version) if version < FIRST_TO_SAY_WHY => Finding::warning(
            VERSION,
            format!(
                "Git {version} hides why signing failed; waxseal says it on the terminal, and keeps the last error"
            ),
            "install Git 2.40 or newer",
        ),
        Ok(version) => Finding::ok(VERSION, format!("Git {version}")),
    };
    vec![finding]
}

/// What the whole configuration says. Whoever only verifies need not have told Git to sign.
pub(super) fn findings(config: &EffectiveConfig, signs: bool) -> Vec<Finding> {
    let mut findings = vec![format(config, signs), program(config, signs)];
    if signs {
        findings.extend(always(config));
    }
    findings.extend(signing_key(config));
    findings.extend(of_gitsign(config));
    findings
}

fn format(config: &EffectiveConfig, signs: bool) -> Finding {
    match config.last("gpg.format") {
        Some(set) if set.value == "x509" => Finding::ok(FORMAT, at("gpg.format", &set)),
        Some(set) if signs => {
            Finding::warning(FORMAT, format!("{}: Git does not ask waxseal to sign", at("gpg.format", &set)), SET_UP)
        }
        None if signs => Finding::warning(FORMAT, "gpg.format is not set: Git asks OpenPGP to sign", SET_UP),
        Some(set) => Finding::ok(FORMAT, format!("{}, and no instance is chosen to sign with", at("gpg.format", &set))),
        None => Finding::ok(FORMAT, "not set, and no instance is chosen to sign with"),
    }
}

fn program(config: &EffectiveConfig, signs: bool) -> Finding {
    let Some(set) = config.last("gpg.x509.program") else {
        let what = "gpg.x509.program is not set: Git starts gpgsm for signatures of this kind";
        return match signs {
            true => Finding::problem(PROGRAM, what, SET_UP),
            false => {
                Finding::warning(PROGRAM, what, "\"git config --global gpg.x509.program waxseal\" lets Git verify")
            }
        };
    };
    let said = at("gpg.x509.program", &set);
    let name = Path::new(&set.value);
    match programs::find(name) {
        _ if programs::is_this(name) => Finding::ok(PROGRAM, said),
        None => Finding::problem(PROGRAM, format!("{said}: there is no such program"), SET_UP),
        Some(found) if found.file_name() == Path::new("waxseal").file_name() => Finding::warning(
            PROGRAM,
            format!("{said}: it is {}, and not the waxseal that looks", found.display()),
            "remove one of the two, or put the right one first on PATH",
        ),
        Some(found) => Finding::problem(PROGRAM, format!("{said}: it is {}, and not waxseal", found.display()), SET_UP),
    }
}

fn always(config: &EffectiveConfig) -> Vec<Finding> {
    let one = |key: &str, what: &str, flag: &str| match config.last(key) {
        Some(set) => Finding::ok(ALWAYS, at(key, &set)),
        None => Finding::ok(ALWAYS, format!("{key} is not set: {what} are signed with {flag}")),
    };
    vec![one("commit.gpgSign", "commits", "git commit -S"), one("tag.gpgSign", "tags", "git tag -s")]
}

/// A key of another tool demands nothing of a certificate; any other address or URI does.
fn signing_key(config: &EffectiveConfig) -> Option<Finding> {
    let set = config.last("user.signingKey")?;
    let said = at("user.signingKey", &set);
    let people = config.last("user.email").map(|set| set.value);
    let people = people.iter().map(|address| address.as_bytes());
    Some(match RequestedSigner::new(set.value.as_bytes(), people) {
        Some(signer) => Finding::ok(KEY, format!("{said}: only {signer} may sign")),
        None if set.value.contains('@') => Finding::ok(KEY, said),
        None => Finding::warning(
            KEY,
            format!("{said}: a key of another tool, which waxseal does not look at"),
            match &set.path {
                Some(_) => {
                    format!("\"git config --{} --unset user.signingKey\", unless the other tool needs it", set.scope)
                }
                None => "unset it where Git is called, unless the other tool needs it".to_owned(),
            },
        ),
    })
}

fn of_gitsign(config: &EffectiveConfig) -> Option<Finding> {
    let names = gitsign::KEYS.iter().map(|key| format!("gitsign.{}", key.name));
    let set: Vec<String> =
        names.filter_map(|name| config.last(&name).map(|set| format!("{name} ({})", set.scope))).collect();
    (!set.is_empty()).then(|| {
        Finding::warning(
            "gitsign",
            format!("settings of gitsign are there: {}", set.join(", ")),
            "docs/from-gitsign.md says what waxseal makes of each; what is not needed, \"git config --unset\" removes",
        )
    })
}

/// A key with its value, and where it stands.
fn at(key: &str, set: &SetValue) -> String {
    match &set.path {
        Some(path) => format!("{key} = {} in {} ({})", set.value, path.display(), set.scope),
        None => format!("{key} = {} in the environment or on the command line", set.value),
    }
}

const VERSION: &str = "git-version";
const FORMAT: &str = "git-format";
const PROGRAM: &str = "git-program";
const ALWAYS: &str = "git-signs";
const KEY: &str = "signing-key";
const SET_UP: &str = "\"waxseal setup\" tells Git to sign with waxseal";
/// `gpg.format`
const FIRST_WITH_X509: GitVersion = GitVersion { major: 2, minor: 19 };
/// It shows what a failing signer says.
const FIRST_TO_SAY_WHY: GitVersion = GitVersion { major: 2, minor: 40 };
