//! A key that is bounded by commits, in a clone that lacks a part of the history: what nobody can tell there is not told.

use super::sandbox::ssh::SshSigner;
use super::sandbox::{Ran, Sandbox, WAXSEAL};

#[test]
fn what_lies_behind_the_cut_bounds_nothing_and_admits_nobody() {
    let sandbox = Sandbox::new();
    let carol = SshSigner::new(1);
    // zero ← one ← two ← three ← four, and a side line off one that four merges.
    let zero = carol.commit(&sandbox, "zero", &[]);
    let one = carol.commit(&sandbox, "one", &[&zero]);
    let two = carol.commit(&sandbox, "two", &[&one]);
    let three = carol.commit(&sandbox, "three", &[&two]);
    let side = carol.commit(&sandbox, "side", &[&one]);
    let four = carol.commit(&sandbox, "four", &[&three, &side]);
    sandbox.git(["update-ref", "refs/heads/main", &four]).success();
    let source = format!("file://{}", sandbox.path("repository").display());
    sandbox.run_in(".", "git", ["clone", "-q", "--depth=2", &source, "shallow"]).success();
    let run = |command: &str, bound: &str, commit: &str| -> Ran {
        let rule = format!("version = 1\n[[rule]]\nname = 'carol'\nssh = ['{}']\n{bound}\n", carol.public());
        let file = sandbox.write("policy.toml", rule);
        sandbox.run_in("shallow", WAXSEAL, [command, "--policy", file.to_str().unwrap(), commit])
    };
    let (from, until) = (|id: &str| format!("from_commit = '{id}'"), |id: &str| format!("until_commit = '{id}'"));
    let cases = [
        ("unbounded = true".to_owned(), [0, 0, 0], [0, 0, 0]),
        (until(&four), [0, 0, 0], [0, 0, 0]),
        // What came before the bound or after it may be behind the cut.
        (until(&three), [0, 3, 3], [0, 1, 1]),
        (from(&three), [0, 3, 0], [0, 1, 0]),
        (from(&side), [3, 0, 0], [1, 0, 0]),
        (from(&four), [3, 3, 0], [1, 1, 0]),
    ];
    let mut wrong = Vec::new();
    for (bound, shallow, _) in &cases {
        for (commit, code) in [&three, &side, &four].into_iter().zip(shallow) {
            let ran = run("verify", bound, commit);
            if ran.code != Some(*code) {
                wrong.push(format!("{bound} {commit} {code}\n{}{}", ran.out(), ran.err()));
                continue;
            }
            let explained = run("explain", bound, commit);
            assert_eq!(explained.code, Some(*code), "{}", explained.out());
            let hint = "this clone is shallow, and lacks what was cut off: \"git fetch --unshallow\" gets the rest";
            assert_eq!([ran.err().contains(hint), explained.out().contains(hint)], [*code == 3; 2], "{}", ran.err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A bound that was cut off.
    for bound in [from(&two), until(&two)] {
        let refused = run("verify", &bound, &four).code(5);
        assert!(refused.err().contains(&format!("the repository has no commit {two}")), "{}", refused.err());
        assert!(refused.err().contains("git fetch --unshallow"), "{}", refused.err());
    }
    sandbox.run_in("shallow", "git", ["fetch", "-q", "--unshallow"]).success();
    for (bound, _, whole) in &cases {
        for (commit, code) in [&three, &side, &four].into_iter().zip(whole) {
            let ran = run("verify", bound, commit);
            assert_eq!(ran.code, Some(*code), "{bound} {commit}\n{}{}", ran.out(), ran.err());
        }
    }
    run("verify", &until(&two), &four).code(1);
    run("verify", &from(&two), &four).success();
}
