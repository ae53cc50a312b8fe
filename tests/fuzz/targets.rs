//! What is fuzzed: every parser of a request to the stack, through the stack itself, and every decoder. A target fails by
//! panicking. `tests/fuzz` and `fuzz/` run the same functions.

use std::sync::LazyLock;

use http::Method;
use serde_json::Value;
use waxseal::cms::{SignedData, armor};
use waxseal::crypto::Sha256Digest;
use waxseal::escape;
use waxseal::evidence;
use waxseal::git::status_fd::{Reader, answer};
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::identity_token::{IdentityToken, JsonWebKeySet, verify_rs256};
use waxseal::instance::InstanceName;
use waxseal::policy::{Allowed, PolicyFile, Start};
use waxseal::signature;
use waxseal::signature::payload;
use waxseal::signing_config::SigningConfig;
use waxseal::stack::accounts::AccountFile;
use waxseal::stack::external_issuers::ExternalIssuer;
use waxseal::stack::rekor_v2::StaticPath;
use waxseal::timestamp::{TimeStampReq, TimeStampResp, TimestampAuthorities};
use waxseal::tlog::checkpoint::Checkpoint;
use waxseal::tlog::note::SignedNote;
use waxseal::tlog::{proto, proto_json, rekor_json};
use waxseal::trusted_root::TrustedRoot;
use waxseal::x509::sct::{SignedCertificateTimestamp, tbs_without_poison, tbs_without_scts};
use waxseal::x509::{Certificate, SigningCertificate};

use super::der::{UTF8_STRING, context, explicit, oid, tlv};
use super::forge::{Forge, Recipe, extension, san};
use super::seeds;
use super::served::{FORM, JSON, SERVED, bearer, now, target};

pub(crate) type Target = fn(&[u8]);

/// Names are those of `tests/fuzz/seeds/` and of `cargo fuzz run`.
pub(crate) const TARGETS: [(&str, Target); 37] = [
    ("accounts", accounts),
    ("armor", armored),
    ("certificate", certificate),
    ("checkpoint", checkpoint),
    ("cms", cms),
    ("ct_add_chain", ct_add_chain),
    ("ct_query", ct_query),
    ("entry_json", entry_json),
    ("entry_protobuf", entry_protobuf),
    ("escape", escaped),
    ("evidence_note", evidence_note),
    ("fulcio_v1", fulcio_v1),
    ("fulcio_v2", fulcio_v2),
    ("git_object", git_object),
    ("git_signature", git_signature),
    ("identity_token", identity_token),
    ("issuers", issuers),
    ("jwks", jwks),
    ("note", note),
    ("oidc_authorize", oidc_authorize),
    ("oidc_device", oidc_device),
    ("oidc_token", oidc_token),
    ("path", path),
    ("policy", policy),
    ("rekor_v1_entry", rekor_v1_entry),
    ("rekor_v1_query", rekor_v1_query),
    ("rekor_v1_retrieve", rekor_v1_retrieve),
    ("rekor_v1_search", rekor_v1_search),
    ("rekor_v2_entry", rekor_v2_entry),
    ("signing_config", signing_config),
    ("signing_request", signing_request),
    ("status_lines", status_lines),
    ("tile_path", tile_path),
    ("timestamp_json", timestamp_json),
    ("timestamp_request", timestamp_request),
    ("timestamp_token", timestamp_token),
    ("trusted_root", trusted_root),
];

fn accounts(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = tempfile::Builder::new().rand_bytes(0).tempfile_in(folder.path());
    // 0600, as the stack demands.
    let mut file = file.unwrap().persist(folder.path().join("accounts.json")).unwrap();
    std::io::Write::write_all(&mut file, data).unwrap();
    let accounts = AccountFile::in_folder(folder.path());
    if let Ok(read) = accounts.read() {
        for account in read.iter() {
            assert!(read.find(&account.email).is_some());
        }
    }
}

fn armored(data: &[u8]) {
    if let Ok(der) = armor::decode(data) {
        assert_eq!(armor::decode(armor::encode(&der).as_bytes()), Ok(der));
    }
}

fn certificate(data: &[u8]) {
    drop(Certificate::from_pem(&String::from_utf8_lossy(data)));
    let Ok(certificate) = Certificate::from_der(data) else { return };
    assert_eq!(certificate.der(), data);
    drop(SignedCertificateTimestamp::embedded_in(&certificate));
    drop(tbs_without_scts(&certificate));
    drop(tbs_without_poison(&certificate));
    drop(certificate.public_key());
    drop(SigningCertificate::read(certificate));
}

fn checkpoint(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(checkpoint) = Checkpoint::parse(&text) {
        assert_eq!(checkpoint.text(), text);
    }
    for log in &seeds::trusted_root().transparency_logs {
        drop(Checkpoint::verify(&text, log));
    }
}

fn cms(data: &[u8]) {
    if let Ok(signed) = SignedData::from_der(data) {
        let _ = signed.strict();
    }
}

/// The first byte: a certificate's chain or a precertificate's.
fn ct_add_chain(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let path = if first.is_multiple_of(2) { "/ct/v1/add-chain" } else { "/ct/v1/add-pre-chain" };
    SERVED.post(path, JSON, &SERVED.fill_in(body));
}

fn ct_query(data: &[u8]) {
    drop(SERVED.send(Method::GET, &format!("/ct/v1/{}", target(data)), "", &[], b""));
}

fn entry_json(data: &[u8]) {
    drop(proto_json::read(data));
    if let Ok((id, entry)) = rekor_json::read(data) {
        let again = rekor_json::answer(&id, &entry).to_string();
        assert_eq!(rekor_json::read(again.as_bytes()), Ok((id, entry)));
    }
}

fn entry_protobuf(data: &[u8]) {
    if let Ok(entry) = proto::decode(data) {
        assert_eq!(proto::decode(&proto::encode(&entry)), Ok(entry));
    }
}

fn escaped(data: &[u8]) {
    for line in [escape::terminal(data), escape::status_line(data)] {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    drop(serde_json::to_string(&escape::json(data)).unwrap());
}

/// What is read of a note is not added to it a second time, and what is added is read again.
fn evidence_note(data: &[u8]) {
    let entries = evidence::note::read(data);
    assert_eq!(evidence::note::with(data, &entries), None);
    if let Some(written) = evidence::note::with(b"", &entries) {
        let again = evidence::note::read(&written);
        assert!(entries.iter().all(|entry| again.contains(entry)));
    }
}

fn fulcio_v1(data: &[u8]) {
    let [(name, token)] = bearer(&SERVED.token);
    drop(SERVED.send(Method::POST, "/api/v1/signingCert", JSON, &[(name, &token)], data));
}

fn fulcio_v2(data: &[u8]) {
    SERVED.post("/api/v2/signingCert", JSON, &SERVED.fill_in(data));
}

fn git_object(data: &[u8]) {
    for kind in [ObjectKind::Commit, ObjectKind::Tag] {
        for hash in [HashKind::Sha1, HashKind::Sha256] {
            let object = SignedObject::parse(kind, hash, data);
            if object.signatures.is_empty() {
                continue;
            }
            drop(object.to_bytes());
            drop(payload::subject(&object.payload).to_vec());
            let _ = payload::has_ordered_headers(&object.payload);
        }
    }
}

fn git_signature(data: &[u8]) {
    if let Ok(signature) = signature::git::open(seeds::PAYLOAD, data) {
        let der = armor::decode(data).unwrap();
        let signed = SignedData::from_der(&der).unwrap();
        assert_eq!(signature.message, signed.message);
        // Where nothing was sorted, the message stands there, but for its tag (RFC 5652 §5.4).
        let content = &signature.message[1..];
        assert!(signed.strict().is_err() || der.windows(content.len()).any(|window| window == content));
    }
}

/// As a token, and as the claims of one that the stack's issuer signed.
fn identity_token(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let keys = JsonWebKeySet::parse(seeds::jwks()).unwrap();
    drop(verify_rs256(&text, &keys, "http://127.0.0.1:4711/oidc", "sigstore", now()));
    drop(IdentityToken::parse(text));
    let Ok(claims) = serde_json::from_slice::<Value>(data) else { return };
    let [(name, token)] = bearer(&SERVED.sign(&claims));
    let body = seeds::certificate_request();
    drop(SERVED.send(Method::POST, "/api/v2/signingCert", JSON, &[(name, &token)], body.as_bytes()));
}

fn issuers(data: &[u8]) {
    drop(ExternalIssuer::read_list(&String::from_utf8_lossy(data)));
}

fn jwks(data: &[u8]) {
    drop(JsonWebKeySet::parse(data));
}

fn note(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(note) = SignedNote::parse(&text) {
        assert!(text.starts_with(note.text));
    }
}

/// The first byte: the query of an authorization, or the form of the page.
fn oidc_authorize(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    match first % 2 {
        0 => drop(SERVED.send(Method::GET, &format!("/oidc/auth?{}", target(rest)), "", &[], b"")),
        _ => SERVED.post("/oidc/auth/login", FORM, rest),
    }
}

/// The first byte: which of the device flow's steps.
fn oidc_device(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    match first % 4 {
        0 => SERVED.post("/oidc/device/code", FORM, rest),
        1 => SERVED.post("/oidc/device/auth/verify_code", FORM, rest),
        2 => SERVED.post("/oidc/device/confirm", FORM, rest),
        _ => drop(SERVED.send(Method::GET, &format!("/oidc/device?{}", target(rest)), "", &[], b"")),
    }
}

/// A form, also with what it might say in a header.
fn oidc_token(data: &[u8]) {
    SERVED.post("/oidc/token", FORM, data);
    SERVED.post("/oidc/revoke", FORM, data);
    let basic = String::from_utf8_lossy(data).replace(|other: char| !other.is_ascii_graphic(), "");
    drop(SERVED.send(Method::POST, "/oidc/token", FORM, &[("authorization", &format!("Basic {basic}"))], data));
}

/// Any path at all, by each method.
fn path(data: &[u8]) {
    let path = format!("/{}", target(data));
    for method in [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS, Method::DELETE] {
        drop(SERVED.send(method, &path, JSON, &[], b"{}"));
    }
}

fn policy(data: &[u8]) {
    match PolicyFile::read(data, &InstanceName::public_good()) {
        Ok(file) => {
            assert!(file.sha256() == Sha256Digest::of(data) && !file.rules().is_empty());
            for exempt in file.exemptions() {
                assert!(file.exemption(&exempt.object, Start::Judged).is_some());
            }
            drop(file.check(now(), &[InstanceName::public_good()]));
        }
        Err(error) => drop(error.to_string()),
    }
}

fn rekor_v1_entry(data: &[u8]) {
    SERVED.post("/rekor/api/v1/log/entries", JSON, &SERVED.fill_in(data));
}

fn rekor_v1_query(data: &[u8]) {
    drop(SERVED.send(Method::GET, &format!("/rekor/api/v1/log/{}", target(data)), "", &[], b""));
}

fn rekor_v1_retrieve(data: &[u8]) {
    SERVED.post("/rekor/api/v1/log/entries/retrieve", JSON, data);
}

fn rekor_v1_search(data: &[u8]) {
    SERVED.post("/rekor/api/v1/index/retrieve", JSON, data);
}

fn rekor_v2_entry(data: &[u8]) {
    SERVED.post("/rekor2/api/v2/log/entries", JSON, &SERVED.fill_in(data));
}

fn signing_config(data: &[u8]) {
    if let Ok(config) = SigningConfig::parse(data) {
        assert_eq!(SigningConfig::parse(&config.to_json()).unwrap(), config);
    }
}

fn signing_request(data: &[u8]) {
    SERVED.post("/api/v2/signingCert", JSON, &SERVED.fill_in(seeds::with_signing_request(data).as_bytes()));
}

/// A name and an issuer, apart by the first line feed: whatever they are, Git reads one verdict, and not theirs.
fn status_lines(data: &[u8]) {
    static FORGE: LazyLock<Forge> = LazyLock::new(Forge::new);
    let text = String::from_utf8_lossy(data);
    let (name, issuer) = text.split_once('\n').unwrap_or((&text, "https://issuer.example"));
    let mut recipe = Recipe::right(&FORGE);
    let other_name = [oid("1.3.6.1.4.1.57264.1.7"), explicit(0, &tlv(UTF8_STRING, name.as_bytes()))].concat();
    recipe.replace_extension("2.5.29.17", Some(san(&[tlv(context(0), &other_name)])));
    recipe.replace_extension("1.3.6.1.4.1.57264.1.1", None);
    let issuer = extension("1.3.6.1.4.1.57264.1.8", false, &tlv(UTF8_STRING, issuer.as_bytes()));
    recipe.replace_extension("1.3.6.1.4.1.57264.1.8", Some(issuer));
    let verdict = FORGE.verdict(&recipe);
    for allowed in [Allowed::AnyIdentity, Allowed::NobodyAsked, Allowed::No(None)] {
        let status = answer(&verdict, &allowed, Reader::Careful).status;
        let words: Vec<_> = status.lines().map(|line| line.strip_prefix("[GNUPG:] ").unwrap()).collect();
        let starts = |with: &str| words.iter().filter(|line| line.starts_with(with)).count();
        assert_eq!((starts("NEWSIG"), starts("TRUST_")), (1, 1), "{status:?}");
        assert_eq!(starts("GOODSIG ") + starts("BADSIG ") + starts("ERRSIG "), 1, "{status:?}");
        assert!(words.len() <= 5 && !status.contains(|c: char| c.is_control() && c != '\n'), "{status:?}");
    }
}

fn tile_path(data: &[u8]) {
    let _ = StaticPath::parse(&String::from_utf8_lossy(data));
    drop(SERVED.send(Method::GET, &format!("/rekor2/{}", target(data)), "", &[], b""));
}

fn timestamp_json(data: &[u8]) {
    SERVED.post("/tsa/api/v1/timestamp", JSON, data);
}

fn timestamp_request(data: &[u8]) {
    if let Ok(request) = TimeStampReq::from_der(data) {
        assert_eq!(TimeStampReq::from_der(&request.to_der().unwrap()), Ok(request));
    }
    SERVED.post("/tsa/api/v1/timestamp", "application/timestamp-query", data);
}

fn timestamp_token(data: &[u8]) {
    drop(TimeStampResp::from_der(data));
    let authorities = TimestampAuthorities::new(seeds::trusted_root()).unwrap();
    drop(authorities.verify(data, seeds::MESSAGE));
    drop(TimeStampReq::for_message(seeds::MESSAGE, [7; 16]).unwrap().is_answered_by(data));
}

fn trusted_root(data: &[u8]) {
    if let Ok(root) = TrustedRoot::parse(data) {
        assert_eq!(TrustedRoot::parse(&root.to_json()).unwrap().to_json(), root.to_json());
        drop(TimestampAuthorities::new(&root));
    }
}
