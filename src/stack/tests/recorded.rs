//! Requests that real servers answered, repeated.

use super::*;

/// What the real Fulcio and Rekor answered to requests that can be repeated: same status, same error code.
#[test]
fn recorded_requests_are_answered_alike() {
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let found =
        ["../shared", "../../shared"].map(|shared| root.join(shared).join("corpus/real-servers/exchanges.jsonl"));
    let Some(exchanges) = found.iter().find_map(|path| std::fs::read_to_string(path).ok()) else {
        println!("skipped: no ../shared/corpus/real-servers");
        return;
    };
    let world = World::new();
    let mut repeated = 0;
    for line in exchanges.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let name = exchange["name"].as_str().unwrap();
        let prefix = match exchange["server"].as_str().unwrap() {
            "fulcio" if FULCIO_REPEATED.contains(&name) => "",
            "rekor-v1" if REKOR_REPEATED.contains(&name) => REKOR,
            _ => continue,
        };
        let path = format!("{prefix}{}", exchange["path"].as_str().unwrap());
        let mut request = Request::builder().method(exchange["method"].as_str().unwrap()).uri(path).header(HOST, HERE);
        if let Some(content_type) = exchange["request_headers"]["Content-Type"].as_str() {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let body = exchange["request_body"]["text"].as_str().unwrap().as_bytes().to_vec();
        let answer = world.ask(request.body(body).unwrap());
        assert_eq!(json!(answer.status), exchange["status"], "{name}: {}", answer.text());
        let recorded: Value =
            serde_json::from_str(exchange["response_body"]["text"].as_str().unwrap()).unwrap_or(Value::Null);
        if answer.status == 201 {
            // Body, and so leaf hash, are what the real server made of the same proposal.
            let id = |answer: &Value| answer.as_object().unwrap().keys().next().unwrap()[16..].to_owned();
            assert_eq!(id(&answer.json()), id(&recorded), "{name}");
        } else if recorded.is_object() {
            assert_eq!(answer.json()["code"], recorded["code"], "{name}");
        }
        repeated += 1;
    }
    assert_eq!(repeated, FULCIO_REPEATED.len() + REKOR_REPEATED.len());
    world.assert_consistent();
}

const FULCIO_REPEATED: [&str; 5] = ["unknown path", "v2 GET", "v2 garbage token", "v2 no credentials", "v2 not JSON"];

/// Not among them: broken JSON, which the real server calls its own fault.
const REKOR_REPEATED: [&str; 13] = [
    "certificate PEM on one line",
    "certificate PEM with CRLF",
    "hash not hex",
    "hashedrekord again: conflict",
    "hashedrekord created",
    "index beyond the log",
    "plain public key",
    "sha512 hash",
    "signature does not verify",
    "two certificates in PEM",
    "unknown kind",
    "uuid unknown",
    "wrong content type",
];
