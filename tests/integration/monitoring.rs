//! What an operator sees of the embedded stack: access log, audit log, metrics. And what nobody may see there.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::{Value, json};

use super::sandbox::{ALICE, FORM, REDIRECT, Sandbox, Stack, VERIFIER, WAXSEAL, free_port, http, token_form};

#[test]
fn who_got_what_is_written_down_and_no_secret_is() {
    let sandbox = Sandbox::with_stack_and(&["--access-log", "../access.log", "--audit-log", "../audit.log"]);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    let token = sandbox.token(ALICE);
    let code = sandbox.code(ALICE, &[]);
    let wrong = token_form(&code, &VERIFIER.replace('d', "e"), REDIRECT);
    assert_eq!(http("POST", &format!("{}/token", sandbox.issuer()), FORM, wrong.as_bytes()).status, 400);
    assert_eq!(http("GET", &format!("{}/nowhere%0a\u{202e}?code={code}", sandbox.url()), "", b"").status, 404);
    let lines = |name: &str, until: &str| {
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(sandbox.path(name)).unwrap();
            if text.contains(until) {
                for secret in [&token, &code, "eyJ", VERIFIER, "code=", "state", "nonce", REDIRECT, "\u{202e}"] {
                    assert!(!text.contains(secret), "{secret} in {text}");
                }
                return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
            }
            assert!(start.elapsed() < Duration::from_secs(10), "{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let audit = lines("audit.log", "token-refused");
    let events: Vec<&str> = audit.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        [
            "started",
            "logged-in",
            "token-issued",
            "certificate-issued",
            "entry-logged",
            "logged-in",
            "token-issued",
            "logged-in",
            "token-refused"
        ]
    );
    assert!(audit.iter().all(|line| line["type"] == "audit" && line["time"].as_str().unwrap().ends_with('Z')));
    assert!(audit[1..].iter().all(|line| line["client"] == "127.0.0.1"));
    assert_eq!((&audit[0]["url"], &audit[0]["trust_sha256"]), (&json!(sandbox.url()), &json!(sandbox.digest())));
    assert_eq!((&audit[1]["email"], &audit[1]["flow"]), (&json!(ALICE), &json!("browser")));
    assert_eq!((&audit[2]["email"], &audit[2]["grant"]), (&json!(ALICE), &json!("authorization_code")));
    let (san, issuer) = (&audit[3]["san"], &audit[3]["issuer"]);
    assert_eq!((san, issuer), (&json!(ALICE), &json!(sandbox.issuer())));
    assert!(Regex::new("^[0-9a-f]{38,40}$").unwrap().is_match(audit[3]["serial"].as_str().unwrap()), "{}", audit[3]);
    assert_eq!((&audit[4]["log"], &audit[4]["index"]), (&json!("rekor-v1"), &json!(1)));
    assert_eq!(audit[8]["error"], "invalid_grant");
    let access = lines("access.log", "nowhere");
    let signing: Vec<&Value> = access.iter().filter(|line| line["path"] == "/api/v2/signingCert").collect();
    assert_eq!(signing.len(), 1);
    assert_eq!(
        (&signing[0]["type"], &signing[0]["method"], &signing[0]["status"], &signing[0]["client"]),
        (&json!("access"), &json!("POST"), &json!(200), &json!("127.0.0.1"))
    );
    // A file that was moved away is not written to any more.
    fs::rename(sandbox.path("access.log"), sandbox.path("access.log.1")).unwrap();
    sandbox.stack().hang_up();
    let start = Instant::now();
    while !sandbox.path("access.log").exists() {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
    http("GET", &format!("{}/trust/trusted_root.json", sandbox.url()), "", b"");
    assert_eq!(lines("access.log", "trusted_root").len(), 1);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(sandbox.path("audit.log")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_log_on_a_full_disk_has_whole_lines() {
    let sandbox = Sandbox::new();
    let log = sandbox.path("access.log");
    // Room for one line and a half, below a size that no file of the process may exceed.
    let blocks: u64 = 128 << 10;
    let file = fs::File::create(&log).unwrap();
    let begin = blocks * 512 - 200;
    file.set_len(begin - 1).unwrap();
    std::io::Write::write_all(&mut fs::OpenOptions::new().append(true).open(&log).unwrap(), b"\n").unwrap();
    let mut serve = sandbox.command("sh");
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    serve.args(["-c", &limited, "sh", WAXSEAL, "serve", "--listen", "127.0.0.1:0", "--data"]);
    let stack = Stack::start({
        serve.arg(sandbox.path("sigstore")).arg("--access-log").arg(&log);
        serve
    });
    let lines = || fs::read(&log).unwrap().split_off(usize::try_from(begin).unwrap());
    for _ in 0..4 {
        assert_eq!(http("GET", &format!("{}/healthz", stack.url()), "", b"").status, 200, "it goes on");
    }
    stack.says("cannot be written, and its lines are lost: File too large");
    let text = String::from_utf8(lines()).unwrap();
    assert_eq!((text.lines().count(), text.ends_with("}\n")), (1, true), "{text}");
    stack.stop();
    assert_eq!(String::from_utf8(lines()).unwrap(), text);
}

#[test]
fn prometheus_can_read_it() {
    let monitor = format!("127.0.0.1:{}", free_port());
    let sandbox = Sandbox::with_stack_and(&["--metrics-listen", &monitor]);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    for address in [sandbox.url().to_owned(), format!("http://{monitor}")] {
        let answer = http("GET", &format!("{address}/metrics"), "", b"");
        assert_eq!(answer.header("content-type").as_deref(), Some("text/plain; version=0.0.4; charset=utf-8"));
        let samples = samples(&answer.text());
        let value = |name: &str| samples.get(name).copied().unwrap_or_else(|| panic!("no {name} in {samples:?}"));
        for (name, expected) in [
            ("waxseal_http_requests_total{route=\"certificate\",status=\"200\"}", 1.0),
            ("waxseal_http_request_duration_seconds_count{route=\"certificate\"}", 1.0),
            ("waxseal_http_request_duration_seconds_bucket{route=\"certificate\",le=\"+Inf\"}", 1.0),
            ("waxseal_events_total{event=\"certificate-issued\"}", 1.0),
            ("waxseal_events_total{event=\"logged-in\"}", 1.0),
            ("waxseal_tlog_state{log=\"rekor-v1\",state=\"open\"}", 1.0),
            ("waxseal_tlog_state{log=\"rekor-v1\",state=\"full\"}", 0.0),
            ("waxseal_tlog_size{log=\"rekor-v1\"}", 2.0),
            ("waxseal_tlog_size{log=\"ct-log\"}", 1.0),
            ("waxseal_faults_total", 0.0),
        ] {
            assert!((value(name) - expected).abs() < f64::EPSILON, "{name} {}", value(name));
        }
    }
    assert_eq!(http("GET", &format!("http://{monitor}/healthz"), "", b"").json()["status"], "ok");
    assert_eq!(http("GET", &format!("http://{monitor}/trust/trusted_root.json"), "", b"").status, 404);
    // Not for a web page that had its host name moved here.
    assert_eq!(http("GET", &format!("{}/metrics", sandbox.url()), "Host: evil.example\r\n", b"").status, 421);
}

/// The samples, if the page is in Prometheus' text format.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let sample = r#"^([a-z_]+)(\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})? ([0-9.]+)$"#;
    let sample = Regex::new(sample).unwrap();
    let (mut family, mut found) = (String::new(), BTreeMap::new());
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap().to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(name == family && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
        } else {
            let parts = sample.captures(line).unwrap_or_else(|| panic!("{line}"));
            assert!(parts[1].starts_with(&family), "{line} in {family}");
            let labels = parts.get(2).map_or("", |labels| labels.as_str());
            let twice = found.insert(format!("{}{labels}", &parts[1]), parts[3].parse().unwrap());
            assert_eq!(twice, None, "{line}");
        }
    }
    found
}
