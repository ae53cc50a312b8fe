//! The CT log as monitors and other authorities see it.

use super::*;
use crate::crypto::{DigestAlgorithm, SignatureAlgorithm};
use crate::x509::sct::{LoggedCertificate, timestamped_entry};

fn get(world: &World, query: &str) -> Value {
    let answer = world.get(&format!("/ct/v1/{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    let other = world.get(&format!("/ct/ct/v1/{query}"));
    assert_eq!(other.status, 200);
    answer.json()
}

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn hashes(value: &Value) -> Vec<Sha256Digest> {
    value.as_array().unwrap().iter().map(|hash| Sha256Digest(decoded(hash).try_into().unwrap())).collect()
}

/// The log's signature in TLS form, without its head.
fn verify(world: &World, message: &[u8], signature: &Value) {
    let signature = decoded(signature);
    let (head, signature) = signature.split_at(4);
    assert_eq!(head[..2], [4, 3]);
    assert_eq!(usize::from(u16::from_be_bytes([head[2], head[3]])), signature.len());
    let key = &world.trusted_root().ct_logs[0].key;
    key.verify_with(SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256), message, signature).unwrap();
}

fn tree_head(world: &World) -> (u64, Sha256Digest) {
    let head = get(world, "get-sth");
    let (size, root) = (head["tree_size"].as_u64().unwrap(), decoded(&head["sha256_root_hash"]));
    let timestamp = head["timestamp"].as_u64().unwrap();
    let message = [&[0, 1][..], &timestamp.to_be_bytes(), &size.to_be_bytes(), &root].concat();
    verify(world, &message, &head["tree_head_signature"]);
    (size, Sha256Digest(root.try_into().unwrap()))
}

fn length(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
}

#[test]
fn every_certificate_can_be_read_and_proved() {
    let world = World::new();
    let mut heads = vec![tree_head(&world)];
    let mut leaves = Vec::new();
    for _ in 0..5 {
        leaves.push(world.certificate_for(&SigningKey::generate()));
        heads.push(tree_head(&world));
    }
    let (size, root) = *heads.last().unwrap();
    let entries = get(&world, "get-entries?start=0&end=1000")["entries"].as_array().unwrap().clone();
    assert_eq!((size, entries.len()), (5, 5));
    for (index, (entry, chain)) in (0_u64..).zip(entries.iter().zip(&leaves)) {
        let [leaf, intermediate, anchor] = chain.as_slice() else { panic!() };
        let input = decoded(&entry["leaf_input"]);
        let tbs = tbs_without_scts(leaf).unwrap();
        let timestamp = u64::from_be_bytes(input[2..10].try_into().unwrap());
        let issuer_key_hash = intermediate.public_key().unwrap().spki_sha256();
        let precertificate = LoggedCertificate::Precertificate { issuer_key_hash, tbs: &tbs };
        assert_eq!(timestamped_entry(timestamp, precertificate, &[]).unwrap(), input);
        // RFC 6962 §3.1 PrecertChainEntry: the precertificate is the certificate to be, with poison, and signed.
        let extra = decoded(&entry["extra_data"]);
        let end = 3 + length(&extra[..3]);
        let precertificate = Certificate::from_der(&extra[3..end]).unwrap();
        assert_eq!(crate::x509::sct::tbs_without_poison(&precertificate).unwrap(), tbs);
        crate::x509::path::chain::signed_by(&precertificate, &intermediate.public_key().unwrap()).unwrap();
        let certificates = &extra[end + 3..];
        assert_eq!(length(&extra[end..end + 3]), certificates.len());
        assert_eq!(certificates[3..3 + length(&certificates[..3])], *intermediate.der());
        assert!(certificates.ends_with(anchor.der()));

        let leaf_hash = merkle::leaf_hash(&input);
        let hash = form(&[("hash", &STANDARD.encode(leaf_hash)), ("tree_size", "5")]);
        let proof = get(&world, &format!("get-proof-by-hash?{hash}"));
        assert_eq!(proof["leaf_index"], index);
        let path = hashes(&proof["audit_path"]);
        assert_eq!(merkle::root_from_inclusion(leaf_hash, index, size, &path), Ok(root));
        let both = get(&world, &format!("get-entry-and-proof?leaf_index={index}&tree_size=5"));
        assert_eq!((&both["leaf_input"], &both["audit_path"]), (&entry["leaf_input"], &proof["audit_path"]));
    }
    for first in &heads[1..] {
        for second in heads.iter().filter(|second| second.0 >= first.0) {
            let query = format!("get-sth-consistency?first={}&second={}", first.0, second.0);
            let proof = hashes(&get(&world, &query)["consistency"]);
            assert_eq!(merkle::verify_consistency(*first, *second, &proof), Ok(()), "{query}");
        }
    }
    let roots = get(&world, "get-roots");
    assert_eq!(roots["certificates"], json!([STANDARD.encode(leaves[0][2].der())]));
    world.assert_consistent();
}

#[test]
fn chains_of_its_own_authority_are_taken_once() {
    let mut world = World::new();
    let chain = world.certificate_for(&SigningKey::generate());
    let encoded: Vec<_> = chain.iter().map(|certificate| STANDARD.encode(certificate.der())).collect();
    let extra = decoded(&get(&world, "get-entries?start=0&end=0")["entries"][0]["extra_data"]);
    let precertificate = STANDARD.encode(&extra[3..3 + length(&extra[..3])]);
    let post = |world: &World, name: &str, chain: &[&String]| {
        let answer = world.post_json(&format!("/ct/v1/{name}"), &json!({ "chain": chain }));
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap_or_default())
    };
    let timestamp = u64::try_from(world.now.as_millisecond()).unwrap();
    world.now += SignedDuration::from_secs(10);
    // The precertificate is in the log: the promise is for the time at which it came in.
    let (status, sct) = post(&world, "add-pre-chain", &[&precertificate, &encoded[1], &encoded[2]]);
    assert_eq!((status, &sct["timestamp"], &sct["sct_version"]), (200, &json!(timestamp), &json!(0)));
    assert_eq!(decoded(&sct["id"]), world.trusted_root().ct_logs[0].log_id.0);
    assert_eq!(tree_head(&world).0, 1);
    // The certificate is not. Its root, or all that is above it, may be left out.
    let mut first = None;
    for chain in [&[&encoded[0], &encoded[1]][..], &[&encoded[0]], &[&encoded[0], &encoded[1], &encoded[2]]] {
        let (status, sct) = post(&world, "add-chain", chain);
        assert_eq!(status, 200);
        assert_eq!(*first.get_or_insert(sct["timestamp"].clone()), sct["timestamp"]);
        let entry = LoggedCertificate::Certificate(&decoded(&json!(encoded[0])));
        let message = timestamped_entry(sct["timestamp"].as_u64().unwrap(), entry, &[]).unwrap();
        verify(&world, &message, &sct["signature"]);
        world.now += SignedDuration::from_secs(10);
    }
    assert_eq!(tree_head(&world).0, 2);
    // Others are refused, and so is the one for the other.
    assert_eq!(post(&world, "add-chain", &[&precertificate]).0, 400);
    assert_eq!(post(&world, "add-pre-chain", &[&encoded[0]]).0, 400);
    assert_eq!(post(&world, "add-chain", &[&encoded[1], &encoded[2]]).0, 400);
    assert_eq!(post(&world, "add-chain", &[&encoded[0], &encoded[2]]).0, 400);
    assert_eq!(post(&world, "add-chain", &[]).0, 400);
    assert_eq!(post(&world, "add-chain", &[&"AAAA".to_owned()]).0, 400);
    let stranger = World::new().certificate_for(&SigningKey::generate());
    assert_eq!(post(&world, "add-chain", &[&STANDARD.encode(stranger[0].der())]).0, 400);
    assert_eq!(world.post("/ct/v1/add-chain", "application/json", b"{").status, 400);
    world.assert_consistent();
    let world = world.restart();
    assert_eq!(post(&world, "add-chain", &[&encoded[0]]).1["timestamp"], first.unwrap());
}

#[test]
fn what_is_not_there() {
    let world = World::new();
    world.certificate_for(&SigningKey::generate());
    let status = |query: &str| world.get(&format!("/ct/v1/{query}")).status;
    for query in [
        "get-entries?start=1&end=1",
        "get-entries?start=1",
        "get-entries?start=x&end=1",
        "get-entry-and-proof?leaf_index=1&tree_size=2",
        "get-sth-consistency?first=1&second=2",
        "get-proof-by-hash?hash=AAAA&tree_size=1",
    ] {
        assert_eq!(status(query), 400, "{query}");
    }
    let hash = form(&[("hash", &STANDARD.encode([0; 32])), ("tree_size", "1")]);
    assert_eq!(status(&format!("get-proof-by-hash?{hash}")), 404);
    assert_eq!((status("get-nothing"), status("add-chain")), (404, 405));
    assert_eq!(world.post_json("/ct/v1/get-sth", &json!({})).status, 405);
}
