//! What a client and this stack say to each other: where the fuzzer begins. What is new for each stack (tokens,
//! certificates) is named in capitals, and filled in by `served`.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::asn1::{BitString, SetOfVec};
use der::{Decode as _, Encode as _};
use http::Method;
use serde_json::{Value, json};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use waxseal::cms::armor;
use waxseal::cms::attributes::SignedAttributes;
use waxseal::crypto::{Sha256Digest, SigningKey};
use waxseal::signature;
use waxseal::timestamp::{TimeStampReq, TimeStampResp};
use waxseal::tlog::dsse::pre_authentication_encoding;
use waxseal::tlog::{TransparencyLogEntry, proto, rekor_json};
use waxseal::trusted_root::TrustedRoot;
use x509_cert::request::{CertReq, CertReqInfo, Version};

use super::served::{EMAIL, FORM, JSON, REDIRECT, SERVED, form, now};

pub(crate) const CODE_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const MESSAGE: &[u8] = b"a message";
pub(crate) const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
    author Alice <alice@example.org> 1795000000 +0000\n\
    committer Alice <alice@example.org> 1795000000 +0000\n\nSay hello\n";

static KEY: LazyLock<SigningKey> = LazyLock::new(SigningKey::generate);

pub(crate) fn certificate_request() -> String {
    json!({
        "credentials": { "oidcIdentityToken": "TOKEN" },
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": public_key() },
            "proofOfPossession": STANDARD.encode(KEY.sign(EMAIL.as_bytes())),
        },
    })
    .to_string()
}

/// A request for a certificate with this CSR, DER.
pub(crate) fn with_signing_request(der: &[u8]) -> String {
    let pem = der::pem::encode_string("CERTIFICATE REQUEST", der::pem::LineEnding::LF, der).unwrap_or_default();
    json!({ "credentials": { "oidcIdentityToken": "TOKEN" }, "certificateSigningRequest": STANDARD.encode(pem) })
        .to_string()
}

/// An entry's line, and one that is nobody's.
fn evidence_note(entry: &TransparencyLogEntry) -> Vec<u8> {
    waxseal::evidence::note::with(b"verified: yes\n", std::slice::from_ref(entry)).unwrap()
}

pub(crate) fn trusted_root() -> &'static TrustedRoot {
    static ROOT: LazyLock<TrustedRoot> =
        LazyLock::new(|| TrustedRoot::parse(&get("/trust/trusted_root.json")).unwrap());
    &ROOT
}

pub(crate) fn jwks() -> &'static [u8] {
    static KEYS: LazyLock<Vec<u8>> = LazyLock::new(|| get("/oidc/keys"));
    &KEYS
}

/// Target, name, bytes.
pub(crate) fn all() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let text = |target, name, text: &str| (target, name, text.as_bytes().to_vec());
    let value = |target, name, value: Value| (target, name, value.to_string().into_bytes());
    let answer = post("/rekor/api/v1/log/entries", JSON, hashed_rekord().to_string().as_bytes());
    let (_, entry) = rekor_json::read(&answer).unwrap();
    let answer_v2 = post("/rekor2/api/v2/log/entries", JSON, rekor_v2().to_string().as_bytes());
    let stamp_request = TimeStampReq::for_message(MESSAGE, [7; 16]).unwrap().to_der().unwrap();
    let stamp = post("/tsa/api/v1/timestamp", "application/timestamp-query", &stamp_request);
    let token = TimeStampResp::from_der(&stamp).unwrap().token.unwrap();
    let attributes = SignedAttributes::for_payload(PAYLOAD, now()).unwrap();
    let signed = KEY.sign(attributes.message());
    let [online, offline] = [None, Some(&entry)].map(|entry| {
        signature::git::seal(&attributes, &SERVED.chain[0], &signed, entry, std::slice::from_ref(&token)).unwrap()
    });
    let armored = armor::encode(&offline);
    let payload = std::str::from_utf8(PAYLOAD).unwrap();
    let header = format!("\ngpgsig {}\n\n", armored.trim_end().replace('\n', "\n "));
    let claims = json!({
        "iss": "http://127.0.0.1:4711/oidc", "sub": "CgVhbGljZQ", "aud": "sigstore", "exp": 1_795_000_300, "iat": 1_795_000_000,
        "nbf": 1_795_000_000, "email": EMAIL, "email_verified": true, "federated_claims": { "connector_id": "https://x.example" },
    });
    let key_hash = "0".repeat(64);
    vec![
        text("accounts", "two", ACCOUNTS),
        text("armor", "signature", &armored),
        ("certificate", "leaf", SERVED.chain[0].der().to_vec()),
        ("certificate", "intermediate", SERVED.chain[1].der().to_vec()),
        text(
            "certificate",
            "pem",
            &der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, SERVED.chain[0].der()).unwrap(),
        ),
        text("checkpoint", "v1", &entry.inclusion_proof.as_ref().unwrap().checkpoint),
        ("checkpoint", "v2", get("/rekor2/checkpoint")),
        text("checkpoint", "text", "log.example\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"),
        ("cms", "offline", offline),
        ("cms", "online", online),
        text("ct_add_chain", "chain", "0{\"chain\":[\"LEAF\",\"INTERMEDIATE\",\"ROOT\"]}"),
        text("ct_add_chain", "short", "0{\"chain\":[\"LEAF\",\"INTERMEDIATE\"]}"),
        text("ct_add_chain", "precertificate", "1{\"chain\":[\"LEAF\",\"INTERMEDIATE\",\"ROOT\"]}"),
        text("ct_query", "entries", "get-entries?start=0&end=3"),
        text("ct_query", "entry_and_proof", "get-entry-and-proof?leaf_index=0&tree_size=1"),
        text(
            "ct_query",
            "proof_by_hash",
            "get-proof-by-hash?hash=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D&tree_size=1",
        ),
        text("ct_query", "consistency", "get-sth-consistency?first=1&second=1"),
        text("ct_query", "roots", "get-roots"),
        ("entry_json", "v1", answer),
        ("entry_json", "v2", answer_v2),
        ("entry_protobuf", "v1", proto::encode(&entry)),
        ("evidence_note", "two", evidence_note(&entry)),
        text("escape", "forged", "name\n[GNUPG:] GOODSIG %0a\u{1b}[2J\u{202e}\u{0}é"),
        value(
            "fulcio_v1",
            "key",
            json!({
                "publicKey": { "content": STANDARD.encode(KEY.public_key_der()), "algorithm": "ecdsa" },
                "signedEmailAddress": STANDARD.encode(KEY.sign(EMAIL.as_bytes())),
            }),
        ),
        text("fulcio_v2", "key", &certificate_request()),
        text("fulcio_v2", "signing_request", &with_signing_request(&signing_request())),
        text("git_object", "commit", &payload.replacen("\n\n", &header, 1)),
        text(
            "git_object",
            "tag",
            &format!(
                "object {}\ntype commit\ntag v1\ntagger Alice <a@example.org> 1 +0000\n\nv1\n{armored}",
                "0".repeat(40)
            ),
        ),
        text("git_signature", "offline", &armored),
        text("identity_token", "signed", &SERVED.sign(&claims)),
        value("identity_token", "claims", claims),
        text("issuers", "kinds", ISSUERS),
        ("jwks", "own", jwks().to_vec()),
        text("jwks", "kinds", JWKS),
        ("note", "v2", get("/rekor2/checkpoint")),
        text("note", "two", "text\n\n\u{2014} one AAAAAA==\n\u{2014} two AAAAAA==\n"),
        text("oidc_authorize", "query", &format!("0{}", authorization())),
        text(
            "oidc_authorize",
            "form",
            &format!("1{}", form(&[("form", "AAAA"), ("email", EMAIL), ("password", "secret")])),
        ),
        text(
            "oidc_device",
            "code",
            "0client_id=sigstore&scope=openid+email&code_challenge=AAAA&code_challenge_method=S256",
        ),
        text("oidc_device", "verify", "1user_code=BCDF-GHJK"),
        text("oidc_device", "confirm", "2form=AAAA&email=alice%40example.org&password=secret"),
        text("oidc_device", "page", "3user_code=BCDF-GHJK"),
        text(
            "oidc_token",
            "code",
            &form(&[
                ("grant_type", "authorization_code"),
                ("code", "AAAA"),
                ("redirect_uri", REDIRECT),
                ("client_id", "sigstore"),
                ("code_verifier", CODE_VERIFIER),
            ]),
        ),
        text("oidc_token", "refresh", "grant_type=refresh_token&refresh_token=AAAA&client_id=sigstore&scope=openid"),
        text(
            "oidc_token",
            "device",
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=AAAA&client_id=sigstore",
        ),
        text("path", "discovery", "oidc/.well-known/openid-configuration"),
        text("path", "tuf", "tuf/1.root.json"),
        text("path", "trust_bundle", "api/v2/trustBundle?x=%2F..%2F"),
        text("path", "certificate_chain", "tsa/api/v1/timestamp/certchain"),
        text("policy", "whole", POLICY),
        text("policy", "short", SHORT_POLICY),
        value("rekor_v1_entry", "hashedrekord", hashed_rekord()),
        value(
            "rekor_v1_entry",
            "dsse",
            json!({ "kind": "dsse", "apiVersion": "0.0.1", "spec": { "proposedContent": {
                "envelope": envelope().to_string(), "verifiers": [STANDARD.encode(public_key())],
            }}}),
        ),
        value(
            "rekor_v1_entry",
            "intoto",
            json!({ "kind": "intoto", "apiVersion": "0.0.2", "spec": { "content": {
                "envelope": {
                    "payloadType": "text/plain", "payload": STANDARD.encode("aGk="),
                    "signatures": [{
                        "keyid": "", "publicKey": STANDARD.encode(public_key().trim_end()),
                        "sig": STANDARD.encode(envelope()["signatures"][0]["sig"].as_str().unwrap()),
                    }],
                },
                "hash": { "algorithm": "sha256", "value": key_hash },
                "payloadHash": { "algorithm": "sha256", "value": key_hash },
            }}}),
        ),
        text("rekor_v1_query", "index", "entries?logIndex=1"),
        text("rekor_v1_query", "id", &format!("entries/{key_hash}")),
        text("rekor_v1_query", "long_id", &format!("entries/{}{key_hash}", "0".repeat(16))),
        text("rekor_v1_query", "proof", "proof?firstSize=1&lastSize=2&treeID=1"),
        text("rekor_v1_query", "key", "publicKey?treeID=1"),
        value(
            "rekor_v1_retrieve",
            "all",
            json!({ "entryUUIDs": [key_hash], "logIndexes": [0, 1], "entries": [hashed_rekord()] }),
        ),
        value("rekor_v1_search", "hash", json!({ "hash": format!("sha256:{key_hash}") })),
        value(
            "rekor_v1_search",
            "both",
            json!({
                "email": EMAIL, "operator": "and", "publicKey": { "format": "x509", "content": STANDARD.encode(public_key()) },
            }),
        ),
        value("rekor_v2_entry", "hashedrekord", rekor_v2()),
        value(
            "rekor_v2_entry",
            "dsse",
            json!({ "dsseRequestV002": { "envelope": envelope(), "verifiers": [verifier()] } }),
        ),
        ("signing_config", "own", get("/trust/signing_config.v0.2.json")),
        ("signing_request", "p256", signing_request()),
        text("status_lines", "plain", "alice!example.org\nhttps://issuer.example"),
        text("status_lines", "forged", "a\u{1b}[2K\u{202e}\n[GNUPG:] TRUST_FULLY 0 shell"),
        text("tile_path", "tile", "tile/0/000.p/1"),
        text("tile_path", "entries", "tile/entries/x001/x234/067.p/255"),
        value(
            "timestamp_json",
            "whole",
            json!({
                "artifactHash": STANDARD.encode(Sha256Digest::of(MESSAGE)), "hashAlgorithm": "sha256", "certificates": true, "nonce": 1234,
                "tsaPolicyOID": "1.3.6.1.4.1.57264.2",
            }),
        ),
        ("timestamp_request", "nonce", stamp_request),
        ("timestamp_token", "token", token),
        ("timestamp_token", "response", stamp),
        ("trusted_root", "own", get("/trust/trusted_root.json")),
    ]
}

fn get(path: &str) -> Vec<u8> {
    let answer = SERVED.send(Method::GET, path, "", &[], b"").unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.into_body()
}

fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    assert!(content_type != FORM);
    let answer = SERVED.send(Method::POST, path, content_type, &[], body).unwrap();
    assert!(answer.status().is_success(), "{path}: {}", String::from_utf8_lossy(answer.body()));
    answer.into_body()
}

fn authorization() -> String {
    form(&[
        ("client_id", "sigstore"),
        ("response_type", "code"),
        ("scope", "openid email offline_access"),
        ("redirect_uri", REDIRECT),
        ("state", "STATE"),
        ("nonce", "NONCE"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("login_hint", EMAIL),
    ])
}

fn public_key() -> String {
    let key = STANDARD.encode(KEY.public_key_der());
    format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n")
}

fn hashed_rekord() -> Value {
    json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
        "data": { "hash": { "algorithm": "sha256", "value": Sha256Digest::of(MESSAGE).to_string() } },
        "signature": {
            "content": STANDARD.encode(KEY.sign(MESSAGE)), "publicKey": { "content": STANDARD.encode(public_key()) },
        },
    }})
}

fn rekor_v2() -> Value {
    json!({ "hashedRekordRequestV002": {
        "digest": STANDARD.encode(Sha256Digest::of(MESSAGE)),
        "signature": { "content": STANDARD.encode(KEY.sign(MESSAGE)), "verifier": verifier() },
    }})
}

fn verifier() -> Value {
    json!({ "publicKey": { "rawBytes": STANDARD.encode(KEY.public_key_der()) }, "keyDetails": "PKIX_ECDSA_P256_SHA_256" })
}

fn envelope() -> Value {
    let signature = STANDARD.encode(KEY.sign(&pre_authentication_encoding("text/plain", b"hi")));
    json!({ "payloadType": "text/plain", "payload": "aGk=", "signatures": [{ "sig": signature, "keyid": "" }] })
}

fn signing_request() -> Vec<u8> {
    let info = CertReqInfo {
        version: Version::V1,
        subject: x509_cert::name::Name::default(),
        public_key: SubjectPublicKeyInfoOwned::from_der(&KEY.public_key_der()).unwrap(),
        attributes: SetOfVec::new(),
    };
    let signature = KEY.sign(&info.to_der().unwrap());
    let algorithm = AlgorithmIdentifierOwned { oid: const_oid::db::rfc5912::ECDSA_WITH_SHA_256, parameters: None };
    CertReq { info, algorithm, signature: BitString::from_bytes(&signature).unwrap() }.to_der().unwrap()
}

const ACCOUNTS: &str = r#"{"accounts":[{"email":"alice@example.org","subject":"CgVhbGljZQ",
"password":"$argon2id$v=19$m=19456,t=2,p=1$YWJjZGVmZ2hpamtsbW5vcA$bm90IHRoZSBoYXNoIG9mIGFueXRoaW5nIGF0IGFsbCE",
"created":"2026-11-01T00:00:00Z"}]}"#;

const ISSUERS: &str = r#"[[issuer]]
issuer-url = "https://token.actions.githubusercontent.com"
client-id = "own"
type = "ci-provider"
ci-provider = "github-workflow"

[[issuer]]
issuer-url = "https://ci.example.com"
type = "ci-provider"
ci-provider = "own-ci"
default-template-values = { url = "https://ci.example.com" }

[ci-provider.own-ci]
subject-alternative-name-template = "{{.url}}/{{.project}}"
extension-templates = { source-repository-digest = "commit", build-trigger = "trigger" }

[[issuer]]
issuer-url = "https://id.example.com"
type = "uri"
subject-domain = "https://id.example.com"

[[issuer]]
issuer-url = "https://names.example.com"
type = "username"
subject-domain = "example.com"
issuer-claim = "$.federated_claims.connector_id"
"#;

const JWKS: &str = r#"{"keys":[{"kty":"RSA","alg":"RS256","use":"sig","kid":"a","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","kid":"b","x":"AA","y":"AA"},{"kty":"oct","k":"AA"}]}"#;

const SHORT_POLICY: &str = r#"version = 1
[[rule]]
name = "alice"
issuer = "https://accounts.google.com"
email = ["alice@example.org"]
"#;

const POLICY: &str = r#"version = 1
start = "2f5c1e7b9a3d4c6e8f0a1b2c3d4e5f6071829304"

[[exempt]]
object = "9c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f60718293"
reason = "from before the key ceremony"

[[rule]]
name = "maintainers"
issuer = "https://github.com/login/oauth"
instance = "public-good"
email = ["alice@example.org", "glob:*@maintainers.example.org"]
uri = ["regex:https://example\\.org/[a-z]+"]
username = ["carol!example.org"]
from = 2026-01-01T00:00:00Z
until = 2027-01-01T00:00:00+02:00
require = ["author-match", "log"]
may_change_policy = true

[[rule]]
name = "release workflow"
issuer = "https://token.actions.githubusercontent.com"
refs = ["glob:refs/tags/v*"]
require = ["timestamp"]

[rule.workflow]
repository_id = "123456"
path = ".github/workflows/release.yml"
ref = "refs/heads/main"
trigger = ["push", "workflow_dispatch"]
"#;
