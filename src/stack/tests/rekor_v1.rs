//! Rekor v1: every answer that is not an entry, and what is found by what.

use super::*;

fn entries(path: &str) -> String {
    format!("/rekor/api/v1/log/entries{path}")
}

#[test]
fn an_entry_that_is_wrong() {
    let world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let good = String::from_utf8(proposal(b"message", &key, &leaf)).unwrap();
    let post = |body: &str| {
        let answer = world.post(&entries(""), "application/json; charset=utf-8", body.as_bytes());
        let json = answer.json();
        assert_eq!(json.as_object().unwrap().len(), 2);
        (answer.status, json["code"].as_u64().unwrap(), json["message"].as_str().unwrap().to_owned())
    };
    let processing = |why: &str| (400, 400, format!("error processing entry: {why}"));
    let digest = Sha256Digest::of(b"message").to_string();
    let other = good.replace(&digest, &Sha256Digest::of(b"other").to_string());
    assert_eq!(post(&other), processing("verifying signature: the signature does not verify"));
    assert_eq!(post(&good.replace(&digest, "zz")), processing("invalid value for hash"));
    let certificate = pem(Verifier::Certificate(leaf.der()));
    let twice = good.replace(&STANDARD.encode(&certificate), &STANDARD.encode(certificate.repeat(2)));
    assert_eq!(post(&twice), processing("invalid public key: failure decoding PEM"));
    assert_eq!(post(&good.replace("0.0.1", "0.0.9")), processing("hashedrekord of version \"0.0.9\" is not supported"));
    let nope = r#"{"apiVersion":"0.0.1","kind":"nope","spec":{}}"#;
    assert_eq!(post(nope), (422, 422, "invalid kind value: \"nope\"".to_owned()));
    assert_eq!(post("{}"), (422, 602, "kind in body is required".to_owned()));
    assert_eq!(post(""), (422, 602, "proposedEntry in body is required".to_owned()));
    assert_eq!(post("{"), (500, 500, "unexpected EOF".to_owned()));
    let text = world.post(&entries(""), "text/plain", b"{}");
    let message = "unsupported media type \"text/plain\", only [application/json] are allowed";
    assert_eq!((text.status, text.json()), (415, json!({"code": 415, "message": message})));
    let long = json!({ "payloadType": "x".repeat(70_000), "payload": "" });
    assert_eq!(post(&long.to_string()).0, 422);
    world.assert_consistent();
}

#[test]
fn an_entry_too_long_for_the_log() {
    let world = World::new();
    let key = SigningKey::generate();
    let payload_type = "x".repeat(70_000);
    let signature = key.sign(&crate::tlog::dsse::pre_authentication_encoding(&payload_type, b""));
    let signature = json!({
        "publicKey": STANDARD.encode(pem(Verifier::PublicKey(&key.public_key_der()))),
        "sig": STANDARD.encode(STANDARD.encode(signature)),
    });
    let envelope = json!({ "payloadType": payload_type, "payload": "", "signatures": [signature] });
    let hash = json!({ "algorithm": "sha256", "value": "0".repeat(64) });
    let spec = json!({ "content": { "envelope": envelope, "hash": hash } });
    let answer = world.post_json(&entries(""), &json!({ "kind": "intoto", "apiVersion": "0.0.2", "spec": spec }));
    assert_eq!((answer.status, &answer.json()["code"]), (413, &json!(413)));
}

#[test]
fn paths_and_methods() {
    let world = World::new();
    let no_cache = "no-cache, no-store, no-transform, must-revalidate, private, max-age=0";
    for (path, status, code) in [
        ("log", 200, Value::Null),
        ("log?stable=true", 200, Value::Null),
        ("log/publicKey", 200, Value::Null),
        ("log/publicKey?treeID=1", 400, json!(400)),
        ("log/publicKey?treeID=x", 422, json!(605)),
        ("log/proof?lastSize=1", 200, Value::Null),
        ("log/proof?firstSize=9&lastSize=3", 400, json!(400)),
        ("log/proof?lastSize=99", 400, json!(400)),
        ("log/proof?lastSize=1&treeID=7", 400, json!(400)),
        ("log/proof", 422, json!(602)),
        ("log/proof?lastSize=0", 422, json!(609)),
        ("log/entries", 422, json!(602)),
        ("log/entries?logIndex=0", 200, Value::Null),
        ("log/entries?logIndex=x", 422, json!(601)),
        ("log/entries?logIndex=-1", 422, json!(609)),
        ("log/entries/xyz", 422, json!(605)),
    ] {
        let answer = world.get(&format!("/rekor/api/v1/{path}"));
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.headers["cache-control"], no_cache, "{path}");
        if status != 200 {
            assert_eq!(answer.json()["code"], code, "{path}");
        }
    }
    for absent in ["?logIndex=99999".to_owned(), format!("/{:064}", 1), format!("/{:080}", 1)] {
        let answer = world.get(&entries(&absent));
        assert_eq!((answer.status, answer.body.len()), (404, 0), "{absent}");
    }
    let ping = world.get("/rekor/ping");
    assert_eq!((ping.status, ping.text()), (200, ".\n"));
    let nothing = world.get("/rekor/api/v1/nothing");
    assert_eq!(nothing.json(), json!({"code": 404, "message": "path /api/v1/nothing was not found"}));
    let method = world.post_json("/rekor/api/v1/log", &json!({}));
    let message = "method POST is not allowed, but [GET] are";
    assert_eq!((method.status, method.json()), (405, json!({"code": 405, "message": message})));
    assert_eq!(method.headers["allow"], "GET");
    let proof = |query: &str| world.get(&format!("/rekor/api/v1/log/proof?{query}")).json()["message"].clone();
    assert_eq!(proof("firstSize=9&lastSize=3"), "firstSize(9) must be less than lastSize(3)");
    let beyond = "the tree size requested(99) was greater than what is currently observable(1)";
    assert_eq!(proof("lastSize=99"), beyond);
    let spki = world.get("/rekor/api/v1/log/publicKey");
    let (_, der) = der::pem::decode_vec(&spki.body).unwrap();
    assert_eq!(VerifyingKey::from_spki_der(&der).unwrap(), world.trusted_root().transparency_logs[0].key);
}

#[test]
fn every_tree_extends_the_earlier_ones() {
    let world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let mut heads = Vec::new();
    for round in 0..9_u8 {
        let info = world.get("/rekor/api/v1/log").json();
        let root = Sha256Digest::from_hex(info["rootHash"].as_str().unwrap()).unwrap();
        heads.push((info["treeSize"].as_u64().unwrap(), root));
        assert_eq!(world.post(&entries(""), "application/json", &proposal(&[round], &key, &leaf)).status, 201);
    }
    for first in &heads {
        for last in heads.iter().filter(|last| last.0 >= first.0) {
            let query = format!("firstSize={}&lastSize={}", first.0, last.0);
            let proof = world.get(&format!("/rekor/api/v1/log/proof?{query}")).json();
            assert_eq!(proof["rootHash"], last.1.to_string());
            let hashes: Vec<_> = proof["hashes"].as_array().unwrap().iter().collect();
            let hashes: Vec<_> =
                hashes.iter().map(|hash| Sha256Digest::from_hex(hash.as_str().unwrap()).unwrap()).collect();
            assert_eq!(merkle::verify_consistency(*first, *last, &hashes), Ok(()), "{query}");
        }
    }
}

#[test]
fn entries_are_found_by_all_that_they_say() {
    let mut world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let post = |world: &World, proposed: &[u8]| {
        let answer = world.post(&entries(""), "application/json", proposed);
        assert_eq!(answer.status, 201, "{}", answer.text());
        rekor_json::read(&answer.body).unwrap().0.to_string()
    };
    let certificate = STANDARD.encode(pem(Verifier::Certificate(leaf.der())).trim_end());
    let first = proposal(b"one", &key, &leaf);
    let one = post(&world, &first);
    let two = post(&world, &proposal(b"two", &key, &leaf));
    let message = crate::tlog::dsse::pre_authentication_encoding("text/plain", b"hi");
    let envelope = json!({
        "payloadType": "text/plain",
        "payload": "aGk=",
        "signatures": [{ "sig": STANDARD.encode(key.sign(&message)) }],
    })
    .to_string();
    let content = json!({ "envelope": envelope, "verifiers": [certificate] });
    let dsse = json!({ "kind": "dsse", "apiVersion": "0.0.1", "spec": { "proposedContent": content } });
    let three = post(&world, dsse.to_string().as_bytes());
    let inner = |text: &str| STANDARD.encode(text);
    let signature = json!({ "publicKey": certificate, "sig": inner(&STANDARD.encode(key.sign(&message))) });
    let hash = json!({ "algorithm": "sha256", "value": "0".repeat(64) });
    let content = json!({
        "envelope": { "payloadType": "text/plain", "payload": inner("aGk="), "signatures": [signature] },
        "hash": hash,
    });
    let intoto = json!({ "kind": "intoto", "apiVersion": "0.0.2", "spec": { "content": content } });
    let four = post(&world, intoto.to_string().as_bytes());

    let sorted = |mut ids: Vec<&String>| {
        ids.sort();
        json!(ids)
    };
    let all = sorted(vec![&one, &two, &three, &four]);
    let public_key = json!({ "format": "x509", "content": certificate });
    for _ in 0..2 {
        let search = |query: Value| {
            let answer = world.post_json("/rekor/api/v1/index/retrieve", &query);
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.json()
        };
        assert_eq!(search(json!({})), json!([]));
        assert_eq!(search(json!({ "email": "nobody@example.test" })), json!([]));
        assert_eq!(search(json!({ "email": "Alice@Example.ORG" })), all);
        assert_eq!(search(json!({ "subject": "alice@example.org" })), all);
        assert_eq!(search(json!({ "publicKey": public_key })), all);
        let hash = format!("sha256:{}", Sha256Digest::of(b"one"));
        assert_eq!(search(json!({ "hash": hash })), json!([one]));
        assert_eq!(search(json!({ "hash": hash, "publicKey": public_key, "operator": "and" })), json!([one]));
        assert_eq!(search(json!({ "hash": hash, "publicKey": public_key, "operator": "or" })), all);
        assert_eq!(search(json!({ "hash": hash, "email": "x@y", "operator": "and" })), json!([]));
        let payload = Sha256Digest::of(b"hi").to_string();
        assert_eq!(search(json!({ "hash": payload })), sorted(vec![&three, &four]));
        assert_eq!(search(json!({ "hash": Sha256Digest::of(envelope.as_bytes()).to_string() })), json!([three]));

        let retrieve = |query: Value| {
            let answer = world.post_json(&entries("/retrieve/"), &query);
            assert_eq!(answer.status, 200, "{}", answer.text());
            let ids: Vec<_> = answer
                .json()
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry.as_object().unwrap().keys().next().unwrap().clone())
                .collect();
            ids
        };
        let proposed: Value = serde_json::from_slice(&first).unwrap();
        assert_eq!(retrieve(json!({ "entries": [proposed] })), std::slice::from_ref(&one));
        assert_eq!(retrieve(json!({ "entries": [dsse] })), std::slice::from_ref(&three));
        let query =
            json!({ "logIndexes": [1, 999], "entryUUIDs": [two[16..], format!("{:064}", 1)], "entries": [dsse] });
        assert_eq!(retrieve(query), [two.clone(), three.clone(), one.clone()]);
        assert!(retrieve(json!({})).is_empty());
        // The index is thrown away, and follows from the entries.
        let World { folder, stack, now } = world;
        drop(stack);
        std::fs::remove_file(folder.path().join("rekor-v1/index.redb")).unwrap();
        world = World { stack: open(&folder, now).unwrap(), folder, now };
    }
    world.assert_consistent();
}

#[test]
fn searches_that_are_wrong() {
    let world = World::new();
    let fault = |path: &str, body: &str| {
        let answer = world.post(&format!("/rekor/api/v1/{path}"), "application/json", body.as_bytes());
        (answer.status, answer.json()["code"].as_u64().unwrap())
    };
    assert_eq!(fault("index/retrieve", "{"), (400, 400));
    assert_eq!(fault("index/retrieve", ""), (422, 602));
    assert_eq!(fault("index/retrieve", r#"{"hash":"zz"}"#), (422, 605));
    assert_eq!(fault("index/retrieve", r#"{"operator":"xor"}"#), (422, 606));
    assert_eq!(fault("index/retrieve", r#"{"email":"x"}"#), (422, 601));
    assert_eq!(fault("index/retrieve", r#"{"publicKey":{"format":"ssh"}}"#), (400, 400));
    assert_eq!(fault("index/retrieve", r#"{"publicKey":{"format":"x509","content":"AAAA"}}"#), (400, 400));
    assert_eq!(fault("log/entries/retrieve", "{"), (400, 400));
    assert_eq!(fault("log/entries/retrieve", r#"{"entryUUIDs":[]}"#), (422, 612));
    let eleven = json!({ "logIndexes": vec![1; 11] }).to_string();
    assert_eq!(fault("log/entries/retrieve", &eleven), (422, 611));
    let eleven = json!({ "logIndexes": vec![1; 6], "entryUUIDs": vec!["0".repeat(64); 5] }).to_string();
    assert_eq!(fault("log/entries/retrieve", &eleven), (422, 422));
    assert_eq!(fault("log/entries/retrieve", r#"{"entries":[{"kind":"nope"}]}"#), (422, 422));
    assert_eq!(fault("log/entries/retrieve", r#"{"entries":[{"kind":"dsse","apiVersion":"9","spec":1}]}"#), (400, 400));
    let plain = world.post("/rekor/api/v1/index/retrieve", "text/plain", b"{}");
    assert_eq!(plain.status, 415);
}
