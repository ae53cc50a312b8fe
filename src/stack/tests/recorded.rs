//! Requests that real servers answered, repeated.

use der::Decode as _;

use super::*;
use crate::stack::paths::{REKOR, REKOR_V2, TIMESTAMPS};

/// What the real Fulcio, CT log, Rekor v1 and v2 and timestamp authority answered: same status, same error, same members,
/// same headers, but for what is listed in `recorded-differences.tsv`.
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
    let mut unused = differences();
    for line in exchanges.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let name = exchange["name"].as_str().unwrap();
        let server = exchange["server"].as_str().unwrap();
        let prefix = match server {
            "ct-log" => "",
            "fulcio" if !FULCIO_ELSEWHERE.contains(&name) => "",
            "rekor-v1" => REKOR,
            "rekor-v2" => REKOR_V2,
            "timestamp-authority" => TIMESTAMPS,
            _ => continue,
        };
        let ours = |text: &str| translated(&world, server, text);
        let token = token_for(&world, name);
        let path = format!("{prefix}{}", ours(exchange["path"].as_str().unwrap()));
        let mut request = Request::builder().method(exchange["method"].as_str().unwrap()).uri(path).header(HOST, HERE);
        for (header, value) in exchange["request_headers"].as_object().unwrap() {
            request = request.header(header, value.as_str().unwrap().replace("<ID token>", &token));
        }
        let body = match exchange["request_body"]["base64"].as_str() {
            Some(der) => STANDARD.decode(der).unwrap(),
            None => ours(exchange["request_body"]["text"].as_str().unwrap()).replace("<ID token>", &token).into_bytes(),
        };
        let answer = world.ask(request.body(body).unwrap());
        if let Some((status, _)) = differences().get(&key(server, name)) {
            assert_eq!(answer.status.to_string(), *status, "{server}, {name}: {}", answer.text());
            unused.remove(&key(server, name));
            continue;
        }
        assert_eq!(json!(answer.status), exchange["status"], "{server}, {name}");
        if let Some(der) = exchange["response_body"]["base64"].as_str() {
            assert_same_shape(&answer.body, &STANDARD.decode(der).unwrap(), name);
            continue;
        }
        let recorded_text = ours(exchange["response_body"]["text"].as_str().unwrap());
        let recorded: Value = serde_json::from_str(&recorded_text).unwrap_or(Value::Null);
        if answer.status >= 400 && !recorded.is_null() {
            assert_eq!(answer.json(), recorded, "{server}, {name}");
        } else if recorded.is_object() || recorded.is_array() {
            assert_eq!(members(&answer.json()), members(&recorded), "{server}, {name}");
            // What was logged is what the real server made of the same request.
            if answer.status == 201 && server == "rekor-v1" {
                let id = |answer: &Value| answer.as_object().unwrap().keys().next().unwrap().clone();
                assert_eq!(id(&answer.json()), id(&recorded), "{name}");
            }
            assert_eq!(answer.json()["canonicalizedBody"], recorded["canonicalizedBody"], "{name}");
        }
        if recorded.as_array().is_some_and(|items| items.iter().all(Value::is_string)) {
            assert_eq!(answer.json(), recorded, "{server}, {name}");
        }
        if server != "timestamp-authority" {
            for header in ["Content-Type", "Cache-Control", "Etag"] {
                if let Some(recorded) = exchange["response_headers"][header].as_str() {
                    assert_eq!(answer.headers[header], ours(recorded), "{server}, {name}");
                }
            }
        }
        if let Some(location) = exchange["response_headers"]["Location"].as_str() {
            assert_eq!(answer.headers[LOCATION], format!("{prefix}{}", ours(location)), "{name}");
        }
        assert_eq!(certificates(answer.text()), certificates(&recorded_text), "{name}");
    }
    assert_eq!(unused, std::collections::BTreeMap::new(), "listed, but not seen");
    world.assert_consistent();
}

/// What of the recorded log has another name or number in ours: the tree, the first index, the size after four entries.
fn translated(world: &World, server: &str, text: &str) -> String {
    let tree = world.stack.transparency_log.tree_id();
    match server {
        "rekor-v1" => text
            .replace("703e398d3ed3b17e", &format!("{tree:016x}"))
            .replace("logIndex=142", "logIndex=1")
            .replace("[142,", "[1,")
            .replace("lastSize=146", "lastSize=5")
            .replace("observable(146)", "observable(5)"),
        "rekor-v2" => text.replace("with index 50", "with index 1"),
        _ => text.to_owned(),
    }
}

fn key(server: &str, name: &str) -> (String, String) {
    (server.to_owned(), name.to_owned())
}

/// Server and name of what is answered otherwise, with our status and the reason.
fn differences() -> std::collections::BTreeMap<(String, String), (&'static str, &'static str)> {
    let lines = include_str!("recorded-differences.tsv").lines().filter(|line| !line.starts_with('#'));
    let rows = lines.map(|line| {
        let [server, name, status, reason] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        (key(server, name), (status, reason))
    });
    rows.collect()
}

/// The token that was cut out of the exchange, with the same fault. The proofs in the exchanges sign `dev@example.test`.
fn token_for(world: &World, name: &str) -> String {
    match name {
        "v2 expired token" => world.token_with("exp", json!(1)),
        "v2 wrong audience" => world.token_with("aud", json!("other")),
        "v2 unknown issuer" => world.token_with("iss", json!("http://other.example")),
        "v2 token signature damaged" => format!("{}AAAA", world.token()),
        "v2 token without email" => world.token_with("email", Value::Null),
        _ => world.token_with("email", json!("dev@example.test")),
    }
}

/// The same elements in the same order, as far as certificates with other names and keys allow: the outer structure of
/// the response, and whether a certificate is in it. (Without `certReq` the real authority sends an empty set of
/// certificates; RFC 3161 §2.4.1 wants none, so there is none here.)
fn assert_same_shape(ours: &[u8], theirs: &[u8], name: &str) {
    let [ours, theirs] = [ours, theirs].map(|der| {
        let token = crate::timestamp::TimeStampResp::from_der(der).unwrap().token.unwrap();
        let info = cms::content_info::ContentInfo::from_der(&token).unwrap();
        let signed: cms::signed_data::SignedData = info.content.decode_as().unwrap();
        let signer = &signed.signer_infos.0.as_slice()[0];
        let attributes: Vec<_> = signer.signed_attrs.iter().flat_map(|set| set.iter().map(|a| a.oid)).collect();
        let content: der::asn1::OctetString = signed.encap_content_info.econtent.unwrap().decode_as().unwrap();
        (
            (signed.version, signed.certificates.map_or(0, |set| set.0.len()), signed.digest_algorithms),
            (signer.version, signer.signature_algorithm.clone(), attributes, signer.unsigned_attrs.is_some()),
            tags(content.as_bytes()),
        )
    });
    assert_eq!(ours, theirs, "{name}");
}

/// The tags of a sequence's elements.
fn tags(der: &[u8]) -> Vec<der::Tag> {
    let fields = Vec::<der::Any>::from_der(der).unwrap();
    fields.iter().map(der::Tagged::tag).collect()
}

fn certificates(text: &str) -> usize {
    text.matches("-----BEGIN CERTIFICATE-----").count()
}

/// Names of members, all levels, each once.
fn members(value: &Value) -> std::collections::BTreeSet<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(members).collect(),
        Value::Object(values) => {
            let named = |name: &String| if name.len() == 80 { "an entry's ID".to_owned() } else { name.clone() };
            values.iter().flat_map(|(name, value)| members(value).into_iter().chain([named(name)])).collect()
        }
        _ => std::collections::BTreeSet::new(),
    }
}

/// These need other issuers than the stack's own: `certificate_authority/identity/tests.rs`.
const FULCIO_ELSEWHERE: [&str; 2] = ["v2 uri identity", "v2 username identity"];
