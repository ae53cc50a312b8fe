//! Requests that real servers answered, repeated.

use der::Decode as _;

use super::*;

/// What the real Fulcio, Rekor and timestamp authority answered to requests that can be repeated: same status, same
/// error, same content type.
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
            "fulcio" if !FULCIO_ELSEWHERE.contains(&name) => "",
            "rekor-v1" if REKOR_REPEATED.contains(&name) => REKOR,
            "timestamp-authority" => TIMESTAMPS,
            _ => continue,
        };
        let token = token_for(&world, name);
        let path = format!("{prefix}{}", exchange["path"].as_str().unwrap());
        let mut request = Request::builder().method(exchange["method"].as_str().unwrap()).uri(path).header(HOST, HERE);
        for (header, value) in exchange["request_headers"].as_object().unwrap() {
            request = request.header(header, value.as_str().unwrap().replace("<ID token>", &token));
        }
        let body = match exchange["request_body"]["base64"].as_str() {
            Some(der) => STANDARD.decode(der).unwrap(),
            None => exchange["request_body"]["text"].as_str().unwrap().replace("<ID token>", &token).into_bytes(),
        };
        let answer = world.ask(request.body(body).unwrap());
        assert_eq!(json!(answer.status), exchange["status"], "{name}");
        repeated += 1;
        if let Some(der) = exchange["response_body"]["base64"].as_str() {
            assert_same_shape(&answer.body, &STANDARD.decode(der).unwrap(), name);
            continue;
        }
        let recorded_text = exchange["response_body"]["text"].as_str().unwrap();
        let recorded: Value = serde_json::from_str(recorded_text).unwrap_or(Value::Null);
        if answer.status == 201 && prefix == REKOR {
            // Body, and so leaf hash, are what the real server made of the same proposal.
            let id = |answer: &Value| answer.as_object().unwrap().keys().next().unwrap()[16..].to_owned();
            assert_eq!(id(&answer.json()), id(&recorded), "{name}");
        } else if answer.status >= 400 && prefix != REKOR {
            assert_eq!(answer.json(), recorded, "{name}");
        } else if recorded.is_object() {
            assert_eq!(answer.json()["code"], recorded["code"], "{name}");
            assert_eq!(members(&answer.json()), members(&recorded), "{name}");
        }
        if prefix.is_empty() {
            assert_eq!(answer.headers[CONTENT_TYPE], exchange["response_headers"]["Content-Type"].as_str().unwrap());
            assert_eq!(certificates(answer.text()), certificates(recorded_text), "{name}");
        }
    }
    assert_eq!(repeated, FULCIO_EXCHANGES - FULCIO_ELSEWHERE.len() + REKOR_REPEATED.len() + TIMESTAMP_EXCHANGES);
    world.assert_consistent();
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
            values.iter().flat_map(|(name, value)| members(value).into_iter().chain([name.clone()])).collect()
        }
        _ => std::collections::BTreeSet::new(),
    }
}

const TIMESTAMP_EXCHANGES: usize = 15;
const FULCIO_EXCHANGES: usize = 36;

/// These need other issuers than the stack's own: `certificate_authority/identity/tests.rs`.
const FULCIO_ELSEWHERE: [&str; 2] = ["v2 uri identity", "v2 username identity"];

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
