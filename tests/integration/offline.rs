//! Verifying asks nobody: with every socket refused all verdicts are the same, and fifty verifiers that find a trust
//! folder cold agree.

#[cfg(target_os = "linux")]
mod without_sockets {
    use std::collections::BTreeMap;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Output};

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

    use super::super::sandbox::{ALICE, Sandbox, WAXSEAL};

    /// The kernel kills whoever asks for a socket, of any family.
    #[test]
    fn verifying_with_every_socket_refused() {
        let mut sandbox = Sandbox::with_stack();
        sandbox.allow(ALICE);
        sandbox.config("waxseal.log", "v2");
        sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
        sandbox.config("waxseal.log", "v1");
        sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "two"]).success();
        sandbox.git(["tag", "-s", "-m", "a tag", "v1"]).success();
        let gallery = sandbox.gallery();
        let url = sandbox.url().to_owned();
        sandbox.kill_stack();
        let run = |program: &str, arguments: &[&str]| {
            let mut command = sandbox.command(program);
            command.args(arguments);
            confined(command)
        };

        let probe = run(WAXSEAL, &["trust", "add", "other", "--url", &url]);
        assert_eq!(probe.status.signal(), Some(SIGSYS), "the filter is on: {probe:?}");

        let everything = [
            gallery.by_alice.as_str(),
            &gallery.by_bob,
            &gallery.tampered,
            &gallery.online,
            &gallery.unsigned,
            &gallery.garbled,
            &gallery.ssh,
            &gallery.openpgp,
            "v1",
            "v1^{commit}",
            "v1~1",
        ];
        let arguments = [&["verify", "--json"], &everything[..]].concat();
        // What one run finds the next one knows; here both know all.
        sandbox.waxseal(&arguments).code(1);
        let offline = run(WAXSEAL, &arguments);
        let free = sandbox.waxseal(&arguments);
        assert_eq!((offline.status.code(), &offline.stdout, &offline.stderr), (free.code, &free.stdout, &free.stderr));
        assert_eq!(offline.status.code(), Some(1));
        let verdicts = String::from_utf8(offline.stdout).unwrap();
        assert_eq!(verdicts.matches("\"verdict\":\"verified\"").count(), 5, "{verdicts}");

        // Git's own calls.
        for (arguments, code) in [
            (&["verify-tag", "v1"][..], 0),
            (&["verify-commit", "v1^{commit}", "v1~1"], 0),
            (&["verify-commit", &gallery.online], 1),
            (&["verify-commit", &gallery.tampered], 1),
            (&["log", "--show-signature", "--format=%G? %GS", "v1"], 0),
        ] {
            let done = run("git", arguments);
            assert_eq!(done.status.code(), Some(code), "{arguments:?}: {done:?}");
        }
    }

    /// The command's output, with a filter that its process inherits from the thread that starts it.
    fn confined(mut command: Command) -> Output {
        std::thread::spawn(move || {
            let mut refused = BTreeMap::from([(libc::SYS_socket, vec![])]);
            if command.get_program() == WAXSEAL {
                // A pair of one's own reaches nobody, and yet there is no use for one. (The standard library has one while
                // it looks for a program along the path.)
                refused.insert(libc::SYS_socketpair, vec![]);
            }
            let architecture = std::env::consts::ARCH.try_into().unwrap();
            let filter =
                SeccompFilter::new(refused, SeccompAction::Allow, SeccompAction::KillProcess, architecture).unwrap();
            let filter: BpfProgram = filter.try_into().unwrap();
            apply_filter(&filter).unwrap();
            command.output().unwrap()
        })
        .join()
        .unwrap()
    }

    const SIGSYS: i32 = 31;
}

use std::path::Path;
use std::sync::Barrier;

use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL};

#[test]
fn fifty_verifiers_of_one_cold_trust_folder_give_the_same_answer() {
    let mut sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    let gallery = sandbox.gallery();
    // A home that nothing was ever verified in: the instance is added, and that is all.
    let home = sandbox.path("cold");
    std::fs::create_dir(&home).unwrap();
    let command = |program: &str| {
        let mut command = sandbox.command(program);
        command.env("HOME", &home);
        command
    };
    let mut add = command(WAXSEAL);
    add.args(["trust", "add", "home", "--url", sandbox.url(), "--sha256", sandbox.digest()]);
    Ran::of(&mut add, b"").success();
    let before = tree(&home);

    let objects = [gallery.by_alice.as_str(), &gallery.by_bob, &gallery.tampered, &gallery.online];
    let waxseal = [&["verify", "--json"], &objects[..]].concat();
    let git = [&["verify-commit", "--raw"], &objects[..]].concat();
    let barrier = Barrier::new(50);
    let answers: Vec<(usize, Ran)> = std::thread::scope(|scope| {
        let verifiers: Vec<_> = (0..50)
            .map(|number| {
                let (program, arguments) = if number % 2 == 0 { (WAXSEAL, &waxseal) } else { ("git", &git) };
                let mut command = command(program);
                command.args(arguments);
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    (number % 2, Ran::of(&mut command, b""))
                })
            })
            .collect();
        verifiers.into_iter().map(|verifier| verifier.join().unwrap()).collect()
    });
    for kind in 0..2 {
        let mut same = answers.iter().filter(|(other, _)| *other == kind).map(|(_, answer)| answer);
        let first = same.next().unwrap();
        assert_eq!(first.code, Some(1), "{}{}", first.out(), first.err());
        for other in same {
            // Who comes first finds what the others then know.
            let said = |ran: &Ran| ran.out().replace("\"cached\":true", "\"cached\":false");
            assert_eq!((other.code, said(other), &other.stderr), (first.code, said(first), &first.stderr));
        }
    }
    let out = answers[0].1.out();
    for verdict in ["verified", "rejected", "undecided"] {
        assert!(out.contains(&format!("\"verdict\":\"{verdict}\"")), "{out}");
    }
    let findings = home.join(".cache/waxseal/findings");
    let mut after = tree(&home);
    after.retain(|(path, _)| !Path::new(path).starts_with(&findings));
    assert_eq!(after, before, "nobody wrote anything but what was found");
    sandbox.kill_stack();
}

/// Every file below `folder`, with its content.
fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files.extend(tree(&entry.path()));
        } else {
            files.push((entry.path().to_str().unwrap().to_owned(), std::fs::read(entry.path()).unwrap()));
        }
    }
    files.sort();
    files
}
