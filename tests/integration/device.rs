//! Signing in on another device, and by a copied code: where there is no display, git owns all three streams, and a person
//! sits at the terminal.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::outage::services;
use super::sandbox::front::{Front, Reply, reply};
use super::sandbox::{ALICE, FORM, Ran, Sandbox, Typist, WAXSEAL, http};

/// Nothing here can show a browser.
fn headless() -> Sandbox {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["config", "--global", "--unset", "waxseal.browser"]).success();
    sandbox
}

const COMMIT: &str = "git commit -q --allow-empty -S -m one";
const SHOWS_BLOCKS: [(&str, &str); 2] = [("TERM", "xterm"), ("LC_ALL", "C.UTF-8")];

fn commits(sandbox: &Sandbox) -> String {
    sandbox.git(["rev-list", "--count", "--all"]).success().line()
}

/// What a person does on the telephone.
fn on_the_phone(sandbox: &Sandbox, code: &str, decision: &str) {
    let form = |pairs: &[(&str, &str)]| {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes()
    };
    let page =
        http("POST", &format!("{}/device/auth/verify_code", sandbox.issuer()), FORM, &form(&[("user_code", code)]));
    let page = page.text();
    let sealed = page.split_once("name=\"form\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let answer = http(
        "POST",
        &format!("{}/device/confirm", sandbox.issuer()),
        FORM,
        &form(&[("form", &sealed), ("email", ALICE), ("decision", decision)]),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_machine_without_a_display_signs_in_on_another() {
    let sandbox = headless();
    let variables = [SHOWS_BLOCKS[0], SHOWS_BLOCKS[1], ("WAXSEAL_VERBOSE", "1")];
    let Some(typist) = Typist::at(&sandbox, COMMIT, &variables) else { return };
    let code = typist.sees("waxseal: and type the code ([A-Z]{4}-[A-Z]{4})\n");
    typist.sees("or until Ctrl-C");
    on_the_phone(&sandbox, &code, "allow");
    let (status, shown) = typist.leaves();
    assert_eq!(status, 0, "{shown}");
    let (before, rest) = shown.split_once("\u{1b}[0;30;107m").unwrap();
    // Wherever the tests run.
    let before = before.replace("this is a container", "there is no display");
    assert_eq!(
        sandbox.masked(&before.replace(&code, "CODE")),
        "waxseal: signing in with another device: there is no display\n\
         waxseal: to sign, sign in on any device with a browser, such as your phone, at\n\n    STACK/oidc/device\n\n\
         waxseal: and type the code CODE\n\
         waxseal: or go where the code is typed already\n\n    STACK/oidc/device?user_code=CODE\n\n    "
    );
    let (blocks, after) = rest.rsplit_once("\u{1b}[0m\n").unwrap();
    assert!(blocks.lines().count() > 10 && blocks.contains('▀'), "{blocks}");
    assert_eq!(
        sandbox.masked(after),
        "waxseal: this waits 120 s, or until Ctrl-C; sign in only if you began it yourself, just now\n\
         waxseal: signed as alice@example.org via STACK/oidc, log index 1\n"
    );
    sandbox.allow(ALICE);
    assert_eq!(sandbox.git(["log", "-1", "--format=%G?"]).success().line(), "G");
}

#[test]
fn a_refusal_on_the_other_device() {
    let sandbox = headless();
    let Some(typist) = Typist::at(&sandbox, COMMIT, &[]) else { return };
    let code = typist.sees("waxseal: and type the code ([A-Z]{4}-[A-Z]{4})\n");
    on_the_phone(&sandbox, &code, "refuse");
    let (status, shown) = typist.leaves();
    assert_eq!(status, 128, "{shown}");
    assert!(shown.contains("waxseal: error: the issuer refused the login: access_denied"), "{shown}");
    // A terminal that is no wonder gets no drawing.
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert_eq!(commits(&sandbox), "0");
}

#[test]
fn ctrl_c_leaves_the_terminal_as_it_was_and_no_commit() {
    let sandbox = headless();
    let command = format!("trap : INT; stty -g >before; {COMMIT}; echo \"status $?\"; stty -g >after");
    for (login, prompt) in [("device", "or until Ctrl-C"), ("oob", "type the code that the page shows: ")] {
        let Some(mut typist) = Typist::at(&sandbox, &command, &[("WAXSEAL_LOGIN", login)]) else { return };
        typist.sees(prompt);
        typist.types("\u{3}");
        let status = typist.sees("status ([0-9]+)");
        assert_ne!(status, "0");
        typist.leaves();
        let read = |name: &str| std::fs::read_to_string(sandbox.path("repository").join(name)).unwrap();
        assert_eq!(read("before"), read("after"));
        assert_eq!(commits(&sandbox), "0");
    }
}

#[test]
fn codes_that_expire_and_issuers_that_want_to_be_asked_less_often() {
    let sandbox = headless();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&asked);
    let issuer = |lifetime: u64, times: Arc<Mutex<Vec<Instant>>>| {
        Front::new(sandbox.url(), move |request| match request.line.split(' ').nth(1).unwrap() {
            path if path.contains("openid-configuration") => {
                let host = request.host.clone();
                Reply::Edit(Arc::new(move |document: &mut Value| {
                    document["issuer"] = json!(format!("http://{host}/oidc"));
                    for name in ["token_endpoint", "device_authorization_endpoint"] {
                        let path = document[name].as_str().unwrap().split("/oidc/").nth(1).unwrap().to_owned();
                        document[name] = json!(format!("http://{host}/oidc/{path}"));
                    }
                }))
            }
            "/oidc/device/code" => Reply::Edit(Arc::new(move |codes: &mut Value| {
                codes["expires_in"] = json!(lifetime);
                // None at all is not what is done.
                codes["interval"] = json!(0);
            })),
            "/oidc/token" => {
                times.lock().unwrap().push(Instant::now());
                Reply::Bytes(reply("400 Bad Request", "", br#"{"error":"slow_down"}"#))
            }
            _ => Reply::Pass,
        })
    };
    let front = issuer(8, times);
    services(&sandbox, "oidcUrls", &format!("{}/oidc", front.url));
    let Some(typist) = Typist::at(&sandbox, COMMIT, &[]) else { return };
    typist.sees("this waits 8 s");
    let (status, shown) = typist.leaves();
    assert_eq!(status, 128, "{shown}");
    assert!(
        shown.contains("waxseal: error: the code for the other device expired before anybody signed in with it\n"),
        "{shown}"
    );
    // Each time five seconds later than before.
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    assert!(asked[1] - asked[0] >= Duration::from_secs(5), "{asked:?}");
}

#[test]
fn nobody_and_nothing_to_sign_in_with() {
    let sandbox = headless();
    let began = Instant::now();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).code(128);
    let failed = Ran::of(sandbox.command(WAXSEAL).args(["-bsau", "x"]), b"payload\n").code(1).err();
    assert!(
        failed.contains(
            "waxseal: error: nobody can sign in here: there is no display for a browser, and no code can be shown: \
             GIT_TERMINAL_PROMPT keeps waxseal from the terminal\n\
             waxseal: hint: unset GIT_TERMINAL_PROMPT, set waxseal.browser, or give an identity token in WAXSEAL_ID_TOKEN\n"
        ),
        "{failed}"
    );
    assert!(began.elapsed() < Duration::from_secs(20));
    // At a terminal, too.
    let sign = "printf 'payload\\n' | \"$WAXSEAL\" -bsau x";
    let Some(typist) = Typist::at(&sandbox, sign, &[("GIT_TERMINAL_PROMPT", "0")]) else { return };
    let (_, shown) = typist.leaves();
    assert!(shown.contains("no code can be shown: GIT_TERMINAL_PROMPT keeps waxseal from the terminal\n"), "{shown}");
    assert_eq!(commits(&sandbox), "0");
}

/// What a person sees at the end of a login that ends out of band.
fn copied_code(address: &str) -> String {
    let page = http("GET", address, "", b"").text();
    page.split_once("aria-label=\"The code\">").unwrap().1.split_once('<').unwrap().0.to_owned()
}

#[test]
fn a_copied_code() {
    let sandbox = headless();
    let variables = [("WAXSEAL_LOGIN", "oob"), ("WAXSEAL_VERBOSE", "1")];
    let Some(mut typist) = Typist::at(&sandbox, COMMIT, &variables) else { return };
    let address = typist.sees("\n    (http\\S+)\n");
    typist.sees("type the code that the page shows: ");
    // A slip, and a code that somebody mistyped.
    typist.types("\n");
    typist.types("wrong\n");
    typist.sees("the issuer does not know this code; type it once more");
    typist.types(&format!("{}\n", copied_code(&address)));
    let (status, shown) = typist.leaves();
    assert_eq!(status, 0, "{shown}");
    assert!(shown.starts_with("waxseal: signing in with a code from a page: waxseal.login says so\n"), "{shown}");
    assert!(shown.ends_with("log index 1\n"), "{shown}");
    sandbox.allow(ALICE);
    assert_eq!(sandbox.git(["log", "-1", "--format=%G?"]).success().line(), "G");
}

#[test]
fn no_payload_is_taken_for_a_code() {
    let sandbox = headless();
    // The first line of what git passes could be anything, and is never typed.
    let command = "printf 'payload\\n\\n' | \"$WAXSEAL\" -bsau x >out 2>err; echo \"status $?\"";
    let Some(mut typist) = Typist::at(&sandbox, command, &[("WAXSEAL_LOGIN", "oob")]) else { return };
    typist.sees("type the code that the page shows: ");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!typist.shown().contains("status"), "{}", typist.shown());
    // Not for ever.
    for _ in 0..4 {
        typist.types("wrong\n");
    }
    let status = typist.sees("status ([0-9]+)");
    let shown = typist.shown();
    assert_eq!(status, "1", "{shown}");
    assert!(shown.contains("waxseal: error: the issuer refused the login: invalid_grant"), "{shown}");
    typist.leaves();
    assert_eq!(std::fs::read(sandbox.path("repository/out")).unwrap(), b"");

    let Some(mut typist) = Typist::at(&sandbox, command, &[("WAXSEAL_LOGIN", "oob")]) else { return };
    typist.sees("type the code that the page shows: ");
    typist.types("\u{4}");
    assert_eq!(typist.sees("status ([0-9]+)"), "1");
    assert!(typist.leaves().1.contains("waxseal: error: no code was typed\n"));
}
