//! What an error quotes of what others wrote is escaped in one form, wherever it came from, and never as Rust writes strings.

use super::sandbox::Sandbox;

/// What would clear the line.
const CLEARS: &str = "a\u{1b}[2K";
const SHOWN: &str = "a%1B[2K";

#[test]
fn control_characters_have_one_form_in_every_error() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "one"]).success();
    let policy = |name: &str, text: &str| {
        let text = format!("version = 1\n{}\n", text.replace("BAD", "a\\u001b[2K"));
        sandbox.write(name, text).to_str().unwrap().to_owned()
    };
    let people = "[[rule]]\nname = 'people'\nissuer = 'https://a.example'\nemail = ['x@x.example']";
    let start = policy("start.toml", &format!("start = \"BAD\"\n{people}"));
    let reference = policy("reference.toml", &format!("{people}\nrefs = [\"BAD\"]"));
    let pattern = policy("pattern.toml", &format!("{people}\nuri = [\"regex:(BAD\"]"));
    let key = policy("key.toml", "[[rule]]\nname = 'key'\nssh = [\"BAD\"]\nunbounded = true");
    let absent = format!("/no/{CLEARS}.toml");
    let of_a_commit = format!("HEAD:{CLEARS}");
    let of_no_commit = format!("{CLEARS}:policy.toml");
    let mut wrong = Vec::new();
    for arguments in [
        &["verify", CLEARS][..],
        &["verify", "--certificate-identity", "x", "--certificate-oidc-issuer", "x", "--instance", CLEARS],
        &["verify", "--max-trust-age", CLEARS],
        &["verify", "--trusted-root", CLEARS],
        &["verify", "--policy", &absent],
        &["verify", "--policy", &of_a_commit],
        &["verify", "--policy", &of_no_commit],
        &["verify", "--policy", &reference],
        &["verify", "--policy", &pattern],
        &["verify", "--policy", &key],
        &["verify", "--policy", &start],
        &["verify-tag", CLEARS],
        &["explain", CLEARS],
        &["show", CLEARS],
        &["who", "--after", CLEARS],
        &["logout", "--instance", CLEARS],
        &["trust", "show", CLEARS],
        &["trust", "add", CLEARS, "--url", "https://a.example"],
        &["serve", "--data", "x", "--auto-login", CLEARS],
        &["serve", "check", "--data", CLEARS],
        &["setup", "--instance", CLEARS],
        &["evidence", "fetch", CLEARS],
        &["--status-fd", CLEARS, "--sign"],
    ] {
        let err = sandbox.waxseal(arguments).err();
        let is_shown = err.contains(SHOWN) && !err.contains(['\u{1b}', '\\']);
        wrong.extend((!is_shown).then(|| format!("{arguments:?}\n{err}")));
    }
    for (name, value) in [
        ("waxseal.instance", CLEARS.to_owned()),
        ("waxseal.allow", format!("{CLEARS} https://a.example b c d")),
        ("waxseal.maxTrustAge", CLEARS.to_owned()),
        ("waxseal.online", CLEARS.to_owned()),
        ("waxseal.trust", CLEARS.to_owned()),
        ("waxseal.policy", absent.clone()),
    ] {
        sandbox.config(name, &value);
        let err = sandbox.waxseal(["verify"]).err();
        let is_shown = err.contains(SHOWN) && !err.contains(['\u{1b}', '\\']);
        wrong.extend((!is_shown).then(|| format!("{name}\n{err}")));
        sandbox.git(["config", "--global", "--unset-all", name]).success();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
