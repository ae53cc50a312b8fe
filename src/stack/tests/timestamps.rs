//! The timestamp authority as its clients see it.

use super::*;
use crate::crypto::DigestAlgorithm;
use crate::timestamp::{MessageImprint, TimeStampReq, TimeStampResp, TimestampAuthorities};

const MESSAGE: &[u8] = b"a signature";
const STAMP: &str = "/tsa/api/v1/timestamp";

impl World {
    fn stamp(&self, request: &[u8]) -> Answer {
        self.post(STAMP, "application/timestamp-query", request)
    }

    fn verify(&self, answer: &Answer) -> Timestamp {
        assert_eq!(answer.status, 200, "{:?}", std::str::from_utf8(&answer.body));
        assert_eq!(answer.headers[CONTENT_TYPE], "application/timestamp-reply");
        let response = TimeStampResp::from_der(&answer.body).unwrap();
        assert_eq!(response.status, 0);
        let authorities = TimestampAuthorities::new(&self.trusted_root()).unwrap();
        authorities.verify(&response.token.unwrap(), MESSAGE).unwrap().gen_time()
    }
}

fn assert_refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.json(), json!({"code": status, "message": message}));
}

fn request() -> TimeStampReq {
    TimeStampReq::for_message(MESSAGE, [7; 16]).unwrap()
}

#[test]
fn a_token_verifies_under_the_trusted_root() {
    let world = World::new();
    let seconds = world.now.as_second();
    assert_eq!(world.verify(&world.stamp(&request().to_der().unwrap())).as_second(), seconds);
    let bare = TimeStampReq { nonce: None, certificates: false, ..request() };
    assert_eq!(world.verify(&world.stamp(&bare.to_der().unwrap())).as_second(), seconds);
    let long = DigestAlgorithm::Sha512;
    let message_imprint = MessageImprint::new(long, &long.digest(MESSAGE)).unwrap();
    world.verify(&world.stamp(&TimeStampReq { message_imprint, ..request() }.to_der().unwrap()));
    let unprefixed = world.post("/api/v1/timestamp", "application/timestamp-query", &request().to_der().unwrap());
    world.verify(&unprefixed);
    assert_eq!(world.get("/tsa/ping").text(), ".\n");
}

#[test]
fn sigstore_js_asks_in_json() {
    let world = World::new();
    let hash = STANDARD.encode(Sha256Digest::of(MESSAGE));
    let minimal = json!({ "artifactHash": hash, "hashAlgorithm": "sha256" });
    let whole = json!({
        "artifactHash": hash, "hashAlgorithm": "sha256", "certificates": true, "nonce": 1234,
        "tsaPolicyOID": "1.3.6.1.4.1.57264.2",
    });
    for body in [minimal, whole] {
        world.verify(&world.post_json(STAMP, &body));
    }
    let bad = "Error generating timestamp response";
    for body in [
        json!({ "artifactHash": hash, "hashAlgorithm": "md5" }),
        json!({ "artifactHash": "!", "hashAlgorithm": "sha256" }),
        json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "nonce": "x" }),
        json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "tsaPolicyOID": "x" }),
        json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "filler": "x".repeat(1024) }),
        json!([]),
    ] {
        assert_refused(&world.post_json(STAMP, &body), 400, bad);
    }
    let short = json!({ "artifactHash": "AAAA", "hashAlgorithm": "sha256" });
    let wrong_length = "Message digest has incorrect length for specified algorithm";
    assert_refused(&world.post_json(STAMP, &short), 400, wrong_length);
}

#[test]
fn timestamp_authoritys_errors() {
    let world = World::new();
    assert_refused(&world.stamp(b"garbage"), 400, "Error generating timestamp response");
    let other = TimeStampReq { policy: Some("1.2.3".parse().unwrap()), ..request() };
    let unaccepted = "unaccepted policy: requested TSA policy is not supported by the TSA";
    assert_refused(&world.stamp(&other.to_der().unwrap()), 400, unaccepted);
    let mut weak = request().to_der().unwrap();
    // 2.16.840.1.101.3.4.2.1 becomes 2.16.840.1.101.3.4.2.9, which is no member of SHA-2.
    let oid = weak.windows(3).position(|bytes| bytes == [4, 2, 1]).unwrap();
    weak[oid + 2] = 9;
    assert_refused(&world.stamp(&weak), 400, "Weak hash algorithm in timestamp request");
    let short = MessageImprint::new(DigestAlgorithm::Sha512, &[0; 32]).unwrap();
    let short = TimeStampReq { message_imprint: short, ..request() };
    let wrong_length = "Message digest has incorrect length for specified algorithm";
    assert_refused(&world.stamp(&short.to_der().unwrap()), 400, wrong_length);
    let media_type = "unsupported media type \"text/plain\", \
        only [application/timestamp-query application/json] are allowed";
    assert_refused(&world.post(STAMP, "text/plain", b"x"), 415, media_type);
    assert_eq!(world.get(STAMP).status, 405);
    assert_eq!(world.get("/tsa/x").status, 404);
}

#[test]
fn the_chain_ends_in_a_root_of_its_own() {
    let world = World::new();
    let answer = world.get("/tsa/api/v1/timestamp/certchain");
    assert_eq!(answer.headers[CONTENT_TYPE], "application/pem-certificate-chain");
    let chain = &world.trusted_root().timestamp_authorities[0].chain;
    let expected: String = chain.iter().map(|der| pem(Verifier::Certificate(der))).collect();
    assert_eq!(answer.text(), expected);
    let [signer, root] = [&chain[0], &chain[1]].map(|der| Certificate::from_der(der).unwrap());
    assert_eq!((root.issuer(), signer.issuer()), (root.subject(), root.subject()));
}

/// The clock stepping back a little must not put a token before the certificate that signed.
#[test]
fn no_token_precedes_the_certificate_before_it() {
    let mut world = World::new();
    let leaf = world.certificate_for(&SigningKey::generate()).remove(0);
    world.now -= SignedDuration::from_secs(4);
    let stamped = world.verify(&world.stamp(&request().to_der().unwrap()));
    assert!(leaf.not_before() <= stamped, "{stamped}");
    world.now -= SignedDuration::from_secs(2);
    let request = Request::post(STAMP).header(HOST, HERE).header(CONTENT_TYPE, "application/timestamp-query");
    let answer = world.stack.handle(&request.body(self::request().to_der().unwrap()).unwrap(), world.now);
    assert_eq!(answer.status(), 503);
    assert!(answer.extensions().get::<Fault>().is_some());
}

/// Whoever made an entry and has it stamped must not be told that it was made later than it was stamped; and a stack whose
/// logs do not believe the clock has an authority that does not, also after it was started again.
#[test]
fn no_token_precedes_an_entry_before_it() {
    let mut world = World::new();
    let stamp = |world: &World| {
        let post = Request::post(STAMP).header(HOST, HERE).header(CONTENT_TYPE, "application/timestamp-query");
        let answer = world.stack.handle(&post.body(request().to_der().unwrap()).unwrap(), world.now);
        (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())
    };
    let refused = (503, "{\"code\":503,\"message\":\"the clock went back\"}\n".to_owned());
    // The first entry of each log is as old as the stack.
    let start = world.now;
    world.now = start + SignedDuration::from_mins(2);
    world.certificate_for(&SigningKey::generate());
    for _ in 0..2 {
        world.now = start + SignedDuration::from_mins(1);
        assert_eq!(stamp(&world), refused);
        world.now = start + SignedDuration::from_secs(117);
        let stamped = world.verify(&world.stamp(&request().to_der().unwrap()));
        assert_eq!(stamped.as_second(), (start + SignedDuration::from_mins(2)).as_second());
        let World { folder, stack, .. } = world;
        drop(stack);
        world = World { stack: open(&folder, start).unwrap(), folder, now: start };
    }
    world.now = start + SignedDuration::from_mins(1);
    assert_eq!(stamp(&world), refused);
    maintenance::accept_clock(world.folder.path(), world.now).unwrap();
    world.verify(&world.stamp(&request().to_der().unwrap()));
    world.certificate_for(&SigningKey::generate());
    world.now += SignedDuration::from_secs(1);
    let stamped = world.verify(&world.stamp(&request().to_der().unwrap()));
    assert_eq!(stamped.as_second(), world.now.as_second());
}
