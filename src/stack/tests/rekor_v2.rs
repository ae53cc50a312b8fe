//! Rekor v2: what is answered is proved, what is published is static, and both agree.

use super::*;
use crate::tlog::hashedrekord::{KeyDetails, canonical_body_0_0_2};

const ENTRIES: &str = "/rekor2/api/v2/log/entries";

pub(super) fn request(message: &[u8], key: &SigningKey, leaf: &Certificate) -> Value {
    json!({ "hashedRekordRequestV002": {
        "digest": STANDARD.encode(Sha256Digest::of(message)),
        "signature": {
            "content": STANDARD.encode(key.sign(message)),
            "verifier": {
                "x509Certificate": { "rawBytes": STANDARD.encode(leaf.der()) },
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            },
        },
    }})
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

fn hash(value: &Value) -> Sha256Digest {
    Sha256Digest(STANDARD.decode(value.as_str().unwrap()).unwrap().try_into().unwrap())
}

/// The entry's root hash and size, once body, proof and checkpoint agree.
fn proved(world: &World, entry: &Value) -> (u64, Sha256Digest) {
    let log = &world.trusted_root().transparency_logs[1];
    assert_eq!(entry["logId"]["keyId"], STANDARD.encode(log.log_id.0));
    let proof = &entry["inclusionProof"];
    let checkpoint = Checkpoint::verify(proof["checkpoint"]["envelope"].as_str().unwrap(), log).unwrap();
    assert_eq!(checkpoint.origin(), "127.0.0.1");
    let leaf = merkle::leaf_hash(&STANDARD.decode(entry["canonicalizedBody"].as_str().unwrap()).unwrap());
    let path: Vec<_> = proof["hashes"].as_array().unwrap().iter().map(hash).collect();
    let size = number(&proof["treeSize"]);
    let root = merkle::root_from_inclusion(leaf, number(&entry["logIndex"]), size, &path).unwrap();
    assert_eq!((checkpoint.tree_size(), checkpoint.root_hash()), (size, root));
    assert_eq!((number(&proof["logIndex"]), hash(&proof["rootHash"])), (number(&entry["logIndex"]), root));
    (size, root)
}

#[test]
fn an_entry_is_proved_and_whole() {
    let world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let answer = world.post_json(ENTRIES, &request(b"message", &key, &leaf));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let entry = answer.json();
    assert_eq!(proved(&world, &entry).0, 2);
    assert_eq!(entry["logIndex"], "1", "0 is the log's own");
    assert_eq!(entry["kindVersion"], json!({ "kind": "hashedrekord", "version": "0.0.2" }));
    assert_eq!(entry["integratedTime"], "0");
    assert_eq!(entry.as_object().unwrap()["inclusionPromise"], Value::Null);
    let log = &world.trusted_root().transparency_logs[1];
    assert_eq!(log.key.kind(), crate::crypto::KeyKind::Ed25519);
    assert_eq!(log.base_url, format!("http://{HERE}/rekor2"));
    world.assert_consistent();
}

#[test]
fn an_equal_entry_is_named() {
    let world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let request = request(b"message", &key, &leaf);
    assert_eq!(world.post_json(ENTRIES, &request).status, 201);
    let world = world.restart();
    let again = world.post_json(ENTRIES, &request);
    assert_eq!((again.status, again.headers["x-log-index"].to_str().unwrap()), (409, "1"));
    let message = "an equivalent entry already exists in the transparency log with index 1";
    assert_eq!(again.json(), json!({ "code": 6, "message": message, "details": [] }));
}

#[test]
fn an_envelope_is_logged_as_its_encoding() {
    let world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let message = crate::tlog::dsse::pre_authentication_encoding("text/plain", b"hi");
    let signature = key.sign(&message);
    let verifier = request(b"", &key, &leaf)["hashedRekordRequestV002"]["signature"]["verifier"].clone();
    let signatures = json!([{ "sig": STANDARD.encode(&signature), "keyid": "" }]);
    let envelope = json!({ "payload": "aGk=", "payloadType": "text/plain", "signatures": signatures });
    let answer =
        world.post_json(ENTRIES, &json!({ "dsseRequestV002": { "envelope": envelope, "verifiers": [verifier] } }));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let entry = answer.json();
    proved(&world, &entry);
    assert_eq!(entry["kindVersion"], json!({ "kind": "hashedrekord", "version": "0.0.2" }));
    let digest = Sha256Digest::of(&message);
    let verifier = Verifier::Certificate(leaf.der());
    let expected = canonical_body_0_0_2(digest.as_ref(), &signature, verifier, KeyDetails::EcdsaP256);
    assert_eq!(entry["canonicalizedBody"], STANDARD.encode(expected));
}

#[test]
fn errors_are_the_gateways() {
    let world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let refused = |body: &str| {
        let answer = world.post(ENTRIES, "application/json", body.as_bytes());
        let json = answer.json();
        assert_eq!((answer.status, &json["code"], &json["details"]), (400, &json!(3), &json!([])));
        json["message"].as_str().unwrap().to_owned()
    };
    let mut wrong = request(b"message", &key, &leaf);
    wrong["hashedRekordRequestV002"]["digest"] = STANDARD.encode(Sha256Digest::of(b"other")).into();
    assert_eq!(refused(&wrong.to_string()), "invalid hashedrekord request");
    assert_eq!(refused("{"), "unexpected EOF");
    assert_eq!(refused("{}"), "invalid type, must be hashedrekord");
    assert!(refused(r#"{"x":1}"#).starts_with("unknown field `x`"));
    let get = world.get(ENTRIES);
    assert_eq!((get.status, get.json()), (501, json!({ "code": 12, "message": "Method Not Allowed", "details": [] })));
    let nothing = world.get("/rekor2/api/v2/nothing");
    assert_eq!((nothing.status, nothing.json()["code"].clone()), (404, json!(5)));
    assert_eq!(world.get("/rekor2/healthz").json(), json!({ "status": "SERVING" }));
    let mut world = world;
    world.now -= SignedDuration::from_secs(60);
    let later = Request::post(ENTRIES).header(HOST, HERE).body(request(b"m", &key, &leaf).to_string().into_bytes());
    let answer = world.stack.handle(&later.unwrap(), world.now);
    assert_eq!(answer.status(), 503);
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body, json!({ "code": 14, "message": "the clock went back", "details": [] }));
}

#[test]
fn the_static_files_give_the_log() {
    let world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let mut bodies = Vec::new();
    for index in 0..258_u32 {
        let answer = world.post_json(ENTRIES, &request(&index.to_be_bytes(), &key, &leaf));
        assert_eq!(answer.status, 201);
        bodies.push(STANDARD.decode(answer.json()["canonicalizedBody"].as_str().unwrap()).unwrap());
    }
    let log = &world.trusted_root().transparency_logs[1];
    for base in ["/rekor2", "/rekor2/api/v2"] {
        let checkpoint = world.get(&format!("{base}/checkpoint"));
        assert_eq!(checkpoint.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(checkpoint.headers["cache-control"], "no-cache");
        assert_eq!(Checkpoint::verify(checkpoint.text(), log).unwrap().tree_size(), 259);
        let file = |name: &str| {
            let answer = world.get(&format!("{base}/tile/{name}"));
            assert_eq!(answer.status, 200, "{name}");
            assert_eq!(answer.headers["content-type"], "application/octet-stream");
            assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
            answer.body
        };
        let mut bundles = [file("entries/000"), file("entries/001.p/3")].concat();
        let hashes = [file("0/000"), file("0/001.p/3")].concat();
        assert_eq!(file("1/000.p/1").len(), 32);
        assert_eq!(file("0/000.p/7"), hashes[..7 * 32], "an earlier partial tile");
        let mut leaves = Vec::new();
        while let [high, low, ..] = bundles[..] {
            let end = 2 + usize::from(u16::from_be_bytes([high, low]));
            leaves.push(bundles[2..end].to_vec());
            bundles.drain(..end);
        }
        assert_eq!(leaves[1..], bodies);
        let stored: Vec<u8> = leaves.iter().flat_map(|leaf| merkle::leaf_hash(leaf).0).collect();
        assert_eq!(stored, hashes);
        // What the folder holds is what is answered: any web server will do.
        let on_disk = |name: &str| std::fs::read(world.folder.path().join("rekor-v2").join(name)).unwrap();
        assert_eq!(on_disk("checkpoint"), checkpoint.body);
        assert_eq!(on_disk("tile/0/000"), file("0/000"));
        assert_eq!(on_disk("tile/entries/001.p/3"), file("entries/001.p/3"));
        for absent in ["0/001", "0/002.p/1", "0/001.p/4", "2/000", "entries/001", "0/000.p/0"] {
            assert_eq!(world.get(&format!("{base}/tile/{absent}")).status, 404, "{absent}");
        }
    }
    world.assert_consistent();
}
