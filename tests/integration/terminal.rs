//! What concerns the person at the keyboard is said and asked on the terminal: never on stdout, nor among status lines.

use super::sandbox::{ALICE, BOB, Ran, Sandbox, Typist, WAXSEAL};

#[test]
fn news_of_a_signature() {
    let sandbox = Sandbox::with_stack();
    let Some(terminal) = Terminal::new(&sandbox) else { return };
    let shown = terminal.run("printf 'payload\\n' | \"$WAXSEAL\" --status-fd=2 -bsau alice@example.org >out 2>err", "");
    let shown = shown.success();
    assert_eq!(
        sandbox.masked(&address_left_out(&shown.out())),
        "waxseal: to sign, sign in with the browser at\n\n    ADDRESS\n\n\
         waxseal: signed as alice@example.org via STACK/oidc, log index 1\n"
    );
    let read = |name: &str| std::fs::read_to_string(sandbox.path("repository").join(name)).unwrap();
    assert!(read("out").starts_with("-----BEGIN SIGNED MESSAGE-----\n"));
    assert_eq!(
        sandbox.masked(&read("err")),
        "[GNUPG:] BEGIN_SIGNING H8\n[GNUPG:] SIG_CREATED D 19 8 00 SECONDS SHA1\n"
    );

    // Git before 2.40 drops what a failing signer says on stderr.
    let shown = terminal.run("git -c waxseal.instance= commit -q --allow-empty -S -m x", "").code(128).out();
    assert!(
        shown.starts_with("waxseal: error: no Sigstore instance is chosen to sign with\nwaxseal: hint: "),
        "{shown}"
    );
    // And nobody is told twice where stderr is the terminal.
    let shown = terminal.run("printf 'x\\n' | \"$WAXSEAL\" -bsau x -o no/such/folder/x", "").code(1).out();
    assert_eq!(shown.matches("waxseal: error: ").count(), 1, "{shown}");
}

#[test]
fn the_address_where_no_browser_can_be_started() {
    let sandbox = Sandbox::with_stack();
    sandbox.config("waxseal.browser", "/no/such/browser");
    let Some(typist) = Typist::at(&sandbox, "git commit -q --allow-empty -S -m one", &[]) else { return };
    // The person copies the address from the terminal into a browser of their own.
    let address = typist.sees("\n    (http[^\n]*)\n");
    sandbox.waxseal(["follow-login", &address]).success();
    let (code, shown) = typist.leaves();
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains(
            "waxseal: no browser could be started (/no/such/browser of waxseal.browser: No such file or directory (os error 2)); \
             open the address yourself\n"
        ),
        "{shown}"
    );
    assert!(shown.ends_with("log index 1\n"), "{shown}");
    sandbox.git(["log", "-1", "--format=%G?"]).success();
}

#[test]
fn the_address_where_there_is_no_terminal() {
    let sandbox = Sandbox::with_stack();
    let shown = Ran::of(sandbox.command(WAXSEAL).args(["-bsau", "x"]), b"payload\n").success().err();
    assert!(shown.starts_with("waxseal: to sign, sign in with the browser at\n\n    http://"), "{shown}");
    // Git shows it when signing failed.
    sandbox.config("waxseal.browser", "/no/such/browser");
    let failed = Ran::of(sandbox.command(WAXSEAL).args(["-bsau", "x"]), b"payload\n").code(1).err();
    assert!(failed.starts_with("waxseal: to sign, sign in with the browser at\n\n    http://"), "{failed}");
    assert!(
        failed.contains(
            "waxseal: error: no browser could be started (/no/such/browser of waxseal.browser: No such file or directory (os \
             error 2)), and nobody can be asked to open the address: GIT_TERMINAL_PROMPT keeps waxseal from the terminal\n\
             waxseal: hint: set waxseal.browser to one that starts, unset GIT_TERMINAL_PROMPT, or give an identity token in WAXSEAL_ID_TOKEN\n"
        ),
        "{failed}"
    );
}

#[test]
fn an_instance_is_trusted_after_a_yes() {
    let sandbox = Sandbox::with_stack();
    let Some(terminal) = Terminal::new(&sandbox) else { return };
    let add = format!("\"$WAXSEAL\" trust add again --url {}", sandbox.url());
    let refused = terminal.run(&add, "n\n").code(1).out();
    assert!(refused.ends_with("waxseal: error: nothing was changed\n"), "{refused}");
    assert!(!sandbox.path("home/.local/share/waxseal/instances/again").exists());

    let shown = sandbox.masked(&terminal.run(&add, "yes\n").success().out());
    assert!(shown.contains("waxseal: certificate authority waxseal root of "), "{shown}");
    assert!(shown.contains("\nwaxseal: digest SHA256; its operator can tell you whether that is right\n"), "{shown}");
    assert!(shown.contains("\nwaxseal: trust STACK as again? [y/N] "), "{shown}");
    assert!(
        shown.ends_with("instance again is trusted; to sign with it: git config --global waxseal.instance again\n"),
        "{shown}"
    );
}

#[test]
fn nothing_becomes_public_after_a_no() {
    let sandbox = Sandbox::with_stack();
    let Some(terminal) = Terminal::new(&sandbox) else { return };
    // Nobody is reached: the answer comes before.
    let token = sandbox.token(ALICE);
    let sign = format!(
        "printf 'payload\\n' | WAXSEAL_INSTANCE=public-good WAXSEAL_ID_TOKEN={token} \"$WAXSEAL\" -bsau x >out 2>err"
    );
    let shown = sandbox.masked(&terminal.run(&sign, "n\n").code(1).out());
    // What was typed is echoed before or after the question.
    let shown = shown.replace("[y/N] n\n", "[y/N] ");
    assert_eq!(
        shown.lines().map(|line| format!("{line}\n")).filter(|line| line.starts_with("waxseal: ")).collect::<String>(),
        "waxseal: signing at the public-good instance publishes for ever, where anyone can search for it:\n\
         waxseal:   who signs: alice@example.org\n\
         waxseal:   who says so: STACK/oidc\n\
         waxseal:   a hash of each commit, tag or push that is signed: whoever has one finds its entry (not the content)\n\
         waxseal:   when it was signed, to the second; the signature, its certificate and key\n\
         waxseal: you are asked once for this identity\n\
         waxseal: shall this become public? [y/N] waxseal: error: not signed: you did not agree to make it public\n\
         waxseal: hint: \"waxseal trust add\" adds an instance of your own, \"waxseal serve\" runs one\n"
    );
    assert_eq!(std::fs::read_to_string(sandbox.path("repository/out")).unwrap(), "");
}

#[test]
fn what_was_typed_before_the_question_is_no_answer() {
    let sandbox = Sandbox::with_stack();
    let add = format!("sleep 1; exec \"$WAXSEAL\" trust add again --url {}", sandbox.url());
    let Some(mut typist) = Typist::at(&sandbox, &add, &[]) else { return };
    typist.types("y\n");
    typist.sees(r"trust .* as again\? \[y/N\] ");
    typist.types("n\n");
    let (code, shown) = typist.leaves();
    assert!(code == 1 && shown.ends_with("waxseal: error: nothing was changed\n"), "{code}: {shown}");
}

#[test]
fn consent_is_asked_for_once_an_identity() {
    let sandbox = Sandbox::with_stack();
    let Some(terminal) = Terminal::new(&sandbox) else { return };
    // An instance that also names a log of public-good's publishes there, whatever it is called; it is over and not used.
    let config = sandbox.path("home/.local/share/waxseal/instances/home/signing_config.v0.2.json");
    let mut services: serde_json::Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    services["rekorTlogUrls"].as_array_mut().unwrap().push(serde_json::json!({
        "url": "https://rekor.sigstore.dev", "majorApiVersion": 1, "operator": "sigstore.dev",
        "validFor": { "start": "2021-01-12T11:53:27Z", "end": "2021-01-13T00:00:00Z" },
    }));
    std::fs::write(config, services.to_string()).unwrap();
    let sign = |address: &str| {
        let token = sandbox.token(address);
        format!("printf 'payload\\n' | WAXSEAL_ID_TOKEN={token} \"$WAXSEAL\" -bsau x >out 2>err")
    };
    let question = "waxseal: shall this become public?";
    // A program without a terminal is refused before anybody logs in, and told what lets it sign.
    let refused = sandbox.sh(&format!(
        "printf 'payload\\n' | WAXSEAL_BROWSER='touch {}' \"$WAXSEAL\" -bsau x",
        sandbox.path("opened").display()
    ));
    let nobody = "waxseal: error: signing at the public-good instance makes your identity public for ever, and \
                  GIT_TERMINAL_PROMPT keeps waxseal from asking whether you agree\nwaxseal: hint: sign once without it at a \
                  terminal, or run \"git config --global \
                  waxseal.acceptPublic true\"\n";
    assert_eq!(refused.code(1).err(), nobody);
    assert!(!sandbox.path("opened").exists());

    let shown = terminal.run("\"$WAXSEAL\" login", "n\n").code(1).out();
    let no = "waxseal: error: not logged in: you did not agree that what this login signs becomes public\n";
    assert!(shown.contains(no), "{shown}");

    let shown = terminal.run(&sign(ALICE), "y\n").success().out();
    assert!(shown.contains("waxseal:   who signs: alice@example.org\n") && shown.contains(question), "{shown}");
    let shown = terminal.run(&sign(ALICE), "").success().out();
    assert!(!shown.contains(question), "{shown}");
    let shown = terminal.run(&sign(BOB), "n\n").code(1).out();
    assert!(shown.contains("waxseal:   who signs: bob@example.org\n") && shown.contains(question), "{shown}");
    // What was agreed to on a terminal holds where there is none.
    let read = |name: &str| std::fs::read_to_string(sandbox.path("repository").join(name)).unwrap();
    sandbox.sh(&sign(ALICE)).success();
    assert!(read("out").starts_with("-----BEGIN SIGNED MESSAGE-----\n"));
    sandbox.sh(&sign(BOB)).code(1);
    assert_eq!((read("out"), read("err")), (String::new(), nobody.to_owned()));
}

/// `script` of util-linux, which runs a command on a terminal of its own.
#[test]
fn git_is_set_up_after_a_yes() {
    let sandbox = Sandbox::with_stack();
    let Some(terminal) = Terminal::new(&sandbox) else { return };
    let setup = "\"$WAXSEAL\" setup --instance home";
    let refused = terminal.run(setup, "n\n").code(1).out();
    assert!(
        refused.contains("  +waxseal.instance = home\n") && refused.ends_with("waxseal: error: nothing was changed\n"),
        "{refused}"
    );
    sandbox.git(["config", "--local", "waxseal.instance"]).code(1);
    terminal.run(setup, "y\n").success();
    assert_eq!(sandbox.git(["config", "--local", "waxseal.instance"]).line(), "home");
}

#[test]
fn whoever_has_seen_enough_of_a_text_is_told_nothing() {
    let sandbox = Sandbox::new();
    for arguments in [["completions", "bash"].as_slice(), &["man"], &["verify", "--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = sandbox.command(WAXSEAL).args(arguments).stdout(writer).output().unwrap();
        assert_eq!(
            (ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()),
            (Some(141), ""),
            "{arguments:?}"
        );
    }
}

struct Terminal<'a>(&'a Sandbox);

impl<'a> Terminal<'a> {
    fn new(sandbox: &'a Sandbox) -> Option<Self> {
        let works = Typist::at(sandbox, "test -t 1", &[]).is_some_and(|typist| typist.leaves().0 == 0);
        works.then_some(Self(sandbox))
    }

    /// Runs a shell command on a terminal at which somebody answers `typed`; its stdout is what the terminal showed.
    fn run(&self, command: &str, typed: &str) -> Ran {
        Typist::at(self.0, command, &[]).unwrap().answers(typed)
    }
}

fn address_left_out(shown: &str) -> String {
    let lines = shown.lines().map(|line| if line.starts_with("    http") { "    ADDRESS" } else { line });
    lines.map(|line| format!("{line}\n")).collect()
}
