//! Signatures of every form that a Sigstore tool writes, made here with the stack's services: kinds of keys, both logs,
//! layouts, certificates beside the leaf. Real ones are in `tests/corpus`.

use serde_json::{Value, json};
use waxseal::crypto::{ServiceKey, ServiceKeyKind};
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::signature;
use waxseal::timestamp::{TimeStampReq, TimeStampResp};
use waxseal::tlog::checkpoint::Checkpoint;
use waxseal::tlog::{InclusionPromise, InclusionProof, KindVersion, TransparencyLogEntry, hashedrekord, merkle, note};
use waxseal::trusted_root::{TimeRange, TransparencyLogInstance, TrustedRoot};
use waxseal::x509::Certificate;

use super::sandbox::made::sequence;
use super::sandbox::made::{
    INTEGER, Made, OCTET_STRING, PRINTABLE_STRING, Signer, UTF8_STRING, attribute, payload, tlv,
};
use super::sandbox::{ALICE, Ran, Sandbox, Stack, WAXSEAL, http};

#[test]
fn leaf_keys_of_every_kind_that_a_log_takes_verify_on_both_logs() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    for kind in [ServiceKeyKind::EcdsaP256, ServiceKeyKind::EcdsaP384, ServiceKeyKind::Rsa2048] {
        let signer = Signer::certified(&sandbox, kind);
        let payload = payload(&format!("{kind:?}"));
        let made = signer.sign(&payload);
        let (v1, v2) = (signer.log_in_v1(&made), signer.log_in_v2(&made));
        for (made, version, label) in [
            (made.clone().with_entry(&v1), "1", "0.0.1"),
            (made.clone().with_entry(&v2).with_token(&stamp(&sandbox, &made)), "2", "0.0.2"),
        ] {
            let object = verdict(&sandbox, &made, &payload);
            assert_eq!(object["verdict"], "verified", "{kind:?} {version}: {object}");
            assert_eq!((&object["log"]["version"], &object["log"]["labelled"]), (&json!(version), &json!(label)));
            // The same signature is about nothing else.
            let other = [payload.as_slice(), b"more\n"].concat();
            assert_eq!(verdict(&sandbox, &made, &other)["reason"], "payload-mismatch");
        }
    }
}

/// Rekor takes no pure Ed25519 signature, and CMS (RFC 8419) knows no other, so what is signed so is in no log of Rekor's.
/// All the rest of it is verified; and a log that took it would be believed.
#[test]
fn an_ed25519_leaf_key_verifies_wherever_a_log_takes_it() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = Signer::certified(&sandbox, ServiceKeyKind::Ed25519);
    let payload = payload("Ed25519");
    let made = signer.sign(&payload);
    let object = verdict(&sandbox, &made, &payload);
    assert_eq!((&object["verdict"], &object["reason"]), (&json!("undecided"), &json!("log-entry-absent")));
    for step in ["certificate", "path", "sct", "signature", "payload"] {
        assert_eq!(object["findings"]["steps"][step]["outcome"], "held", "{step}: {object}");
    }

    let (root, entry) = own_log(&sandbox, &made);
    let made = made.with_entry(&entry);
    let id = sandbox.hash_object("commit", &made.commit(&payload));
    let file = sandbox.write("root.json", root.to_json());
    let arguments = ["verify", "--any-identity", "--trusted-root", file.to_str().unwrap(), &id];
    sandbox.waxseal(arguments).success();
    let mut forged = made.clone();
    forged.signature[5] ^= 1;
    let id = sandbox.hash_object("commit", &forged.commit(&payload));
    assert!(sandbox.waxseal([&arguments[..4], &[&id]].concat()).code(1).out().starts_with("REJECTED"));
}

#[test]
fn several_certificates_intermediate_first_and_only_the_signers_counts() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = Signer::certified(&sandbox, ServiceKeyKind::EcdsaP256);
    let stranger = Signer::certified(&sandbox, ServiceKeyKind::EcdsaP256);
    let payload = payload("several certificates");
    let mut made = signer.sign(&payload);
    made = made.clone().with_entry(&signer.log_in_v1(&made));
    made.certificates = signer.chain.iter().map(|certificate| certificate.der().to_vec()).collect();
    let mut sorted = made.certificates.clone();
    sorted.sort();
    assert_ne!(sorted[0], made.leaf.der(), "a set has the intermediate first");
    assert_eq!(verdict(&sandbox, &made, &payload)["verdict"], "verified");
    // Somebody else's leaf beside it changes nothing, in its place everything. DER has an order for them, and one that
    // came in another has other bytes for the same meaning.
    for stranger in std::iter::repeat_with(|| Signer::certified(&sandbox, ServiceKeyKind::EcdsaP256)).take(6) {
        made.certificates.push(stranger.chain[0].der().to_vec());
        let object = verdict(&sandbox, &made, &payload);
        assert_eq!(object["verdict"], "verified", "{object}\n{}", made.armor());
    }
    let mut unsorted = made.clone();
    unsorted.sorted = false;
    unsorted.certificates.sort();
    unsorted.certificates.reverse();
    assert_eq!(verdict(&sandbox, &unsorted, &payload)["reason"], "signature-form");
    made.certificates = vec![stranger.chain[0].der().to_vec()];
    assert_eq!(verdict(&sandbox, &made, &payload)["reason"], "malformed-signature");
}

#[test]
fn an_entry_of_rekor_v2_as_gitsign_writes_it_is_proved_and_said_which_it_was() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = Signer::certified(&sandbox, ServiceKeyKind::EcdsaP256);
    let payload = payload("labelled 0.0.1");
    let made = signer.sign(&payload);
    let mut entry = signer.log_in_v2(&made);
    let token = stamp(&sandbox, &made);
    // gitsign 0.17: whatever the log said, 0.0.1 and an empty promise.
    entry.kind_version.version = "0.0.1".to_owned();
    entry.inclusion_promise = Some(InclusionPromise { signed_entry_timestamp: Vec::new() });
    let gitsigns = made.clone().with_entry(&entry).with_token(&token);
    let object = verdict(&sandbox, &gitsigns, &payload);
    assert_eq!(object["verdict"], "verified", "{object}");
    assert_eq!((&object["log"]["version"], &object["log"]["labelled"]), (&json!("2"), &json!("0.0.1")));
    let id = sandbox.hash_object("commit", &gitsigns.commit(&payload));
    let said = "an entry of Rekor v2, labelled 0.0.1";
    let line = sandbox.waxseal(["verify", &id]).success().out();
    assert!(line.contains(said), "{line}");
    let shown = sandbox.git(["verify-commit", &id]).success().err();
    assert!(shown.contains(&format!(" ({said}), allowed")), "{shown}");

    // Without the token nothing says when; what was proved is reported, and which it was.
    let object = verdict(&sandbox, &made.clone().with_entry(&entry), &payload);
    assert_eq!((&object["verdict"], &object["reason"]), (&json!("undecided"), &json!("time-absent")));
    let detail = object["findings"]["steps"]["log_entry"]["detail"].as_str().unwrap();
    assert!(detail.ends_with(said), "{detail}");
    // As waxseal stores it there is nothing to say.
    entry.kind_version.version = "0.0.2".to_owned();
    entry.inclusion_promise = None;
    let own = made.with_entry(&entry).with_token(&token);
    let id = sandbox.hash_object("commit", &own.commit(&payload));
    assert!(!sandbox.waxseal(["verify", &id]).success().out().contains(said));
}

#[test]
fn the_online_mode_leaves_findings_and_no_verdict() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = Signer::certified(&sandbox, ServiceKeyKind::EcdsaP256);
    let payload = payload("online mode");
    let object = verdict(&sandbox, &signer.sign(&payload), &payload);
    assert_eq!((&object["verdict"], &object["reason"]), (&json!("undecided"), &json!("log-entry-absent")));
    let steps = object["findings"]["steps"].as_object().unwrap();
    let outcomes: Vec<_> = steps.iter().map(|(step, found)| format!("{step} {}", found["outcome"])).collect();
    assert_eq!(
        outcomes,
        [
            "certificate \"held\"",
            "issuer \"held\"",
            "log_entry \"missing\"",
            "path \"held\"",
            "payload \"held\"",
            "sct \"held\"",
            "signature \"held\"",
            "time \"missing\"",
        ]
    );
    assert_eq!(object["findings"]["claimed"]["identity"], ALICE);
}

/// The log entry as one attribute a field, which development versions of gitsign wrote, in both numberings that were ever
/// seen.
#[test]
fn the_layout_by_field_is_recognised_in_both_numberings() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = Signer::certified(&sandbox, ServiceKeyKind::EcdsaP256);
    let payload = payload("by field");
    let made = signer.sign(&payload);
    let entry = signer.log_in_v1(&made);
    let fields = fields(&entry);
    for first in [0, 1] {
        let mut by_field = made.clone();
        by_field.unsigned = (first..)
            .zip(&fields)
            .map(|(number, field)| attribute(&format!("1.3.6.1.4.1.57264.3.{number}"), field))
            .collect();
        let object = verdict(&sandbox, &by_field, &payload);
        let reason = (&object["verdict"], &object["reason"]);
        assert_eq!(reason, (&json!("undecided"), &json!("unsupported-evidence")), "from {first} on: {object}");
        assert!(object["detail"].as_str().unwrap().contains("field by field"), "{object}");
        // It excuses nothing: what is wrong is wrong.
        let other = [payload.as_slice(), b"more\n"].concat();
        assert_eq!(verdict(&sandbox, &by_field, &other)["reason"], "payload-mismatch");
    }
    // An entry as every release writes it is checked whatever stands beside it.
    let beside = |entry: &TransparencyLogEntry| {
        let mut made = made.clone().with_entry(entry);
        made.unsigned.push(attribute("1.3.6.1.4.1.57264.3.8", &fields[7]));
        verdict(&sandbox, &made, &payload)
    };
    assert_eq!(beside(&entry)["reason"], "unsupported-evidence");
    let mut wrong = entry.clone();
    wrong.inclusion_proof.as_mut().unwrap().leaf_index ^= 1;
    assert_eq!(beside(&wrong)["verdict"], "rejected");
}

#[test]
fn a_mergetags_signature_is_not_the_commits_own() {
    for format in ["sha1", "sha256"] {
        let sandbox = Sandbox::with_stack();
        sandbox.allow(ALICE);
        let init = ["init", "-q", "--object-format", format, "merging"];
        sandbox.run_in(".", "git", init).success();
        let git = |arguments: &[&str]| sandbox.run_in("merging", "git", arguments);
        let line = |arguments: &[&str]| git(arguments).success().line();
        let waxseal = |id: &str| sandbox.run_in("merging", WAXSEAL, ["verify", id]);
        git(&["commit", "-q", "--allow-empty", "-m", "base"]).success();
        git(&["checkout", "-q", "-b", "topic"]).success();
        git(&["commit", "-q", "--allow-empty", "-S", "-m", "topic"]).success();
        git(&["tag", "-s", "-m", "a signed tag", "v1"]).success();
        git(&["checkout", "-q", "main"]).success();
        git(&["merge", "-q", "--no-ff", "-m", "unsigned merge", "v1"]).success();
        let unsigned = line(&["rev-parse", "HEAD"]);
        let raw = git(&["cat-file", "commit", &unsigned]).success().stdout;
        let text = String::from_utf8(raw).unwrap();
        assert!(text.contains("\nmergetag object ") && text.contains("\n -----BEGIN SIGNED MESSAGE-----\n"), "{text}");
        assert!(waxseal(&unsigned).code(1).out().starts_with("UNSIGNED "), "the tag's signature is the tag's");
        assert_eq!(line(&["log", "-1", "--format=%G?"]), "N");
        git(&["commit", "-q", "--amend", "--no-edit", "-S"]).success();
        let signed = line(&["rev-parse", "HEAD"]);
        assert!(waxseal(&signed).success().out().starts_with("verified "));
        git(&["verify-commit", &signed]).success();
        // The mergetag is part of what was signed.
        let raw = git(&["cat-file", "commit", &signed]).success().stdout;
        let changed = String::from_utf8(raw).unwrap().replacen("\n a signed tag\n", "\n a signed bag\n", 1);
        let mut hash = sandbox.command("git");
        hash.current_dir(sandbox.path("merging")).args(["hash-object", "-w", "-t", "commit", "--literally", "--stdin"]);
        let changed = Ran::of(&mut hash, changed.as_bytes()).success().line();
        let rejected = waxseal(&changed).code(1).out();
        assert!(rejected.starts_with("REJECTED ") && rejected.contains("is not what was signed"), "{rejected}");
        assert_eq!(line(&["log", "-1", "--format=%G?", &changed]), "B");
    }
}

/// What a message may hold is not ours to say; what is around the signature is. waxseal and Git agree on each.
#[test]
fn tags_with_odd_cleanup_get_the_verdict_that_git_gives_them() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "base"]).success();
    let token = sandbox.token(ALICE);
    let base = sandbox.git(["rev-parse", "HEAD"]).line();
    let begin = |kind: &str| format!("-----BEGIN {kind}-----\n");
    for (number, message) in [
        "CRLF\r\nthroughout\r\n".to_owned(),
        "trailing blank lines\n\n\n\n".to_owned(),
        "  leading\tand trailing space  \n".to_owned(),
        "no subject to speak of\n\n# a comment\n".to_owned(),
        format!("{}quoted\n-----END CERTIFICATE-----\n", begin("CERTIFICATE")),
        format!("{}quoted\n", begin("PRIVATE KEY")),
        format!("{}quoted\n-----END PGP SIGNATURE-----\n", begin("PGP SIGNATURE")),
        format!("{}quoted\n", begin("SSH SIGNATURE")),
        format!("{}MIIB\n-----END SIGNED MESSAGE-----\n", begin("SIGNED MESSAGE")),
        "\n".to_owned(),
        "a nul \0 within\n".to_owned(),
        format!("a long line: {}\n", "x".repeat(70_000)),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("odd-{number}");
        let head = format!("object {base}\ntype commit\ntag {name}\ntagger Alice <{ALICE}> 1580608922 +0000\n\n");
        let payload = [head.as_bytes(), message.as_bytes()].concat();
        let signature = sign(&sandbox, &token, &payload).success().stdout;
        let tag = |signature: &[u8]| {
            let id = sandbox.hash_object("tag", &[payload.as_slice(), signature].concat());
            let git = sandbox.git(["verify-tag", &id]).code;
            let waxseal = sandbox.waxseal(["verify", &id]).code;
            (git, waxseal)
        };
        assert_eq!(tag(&signature), (Some(0), Some(0)), "{message:?}");
        // After the signature nothing may stand, whatever it is.
        for after in ["\n", "more\n", &begin("CERTIFICATE"), &begin("SIGNED MESSAGE")] {
            let (git, waxseal) = tag(&[&signature, after.as_bytes()].concat());
            assert!(git != Some(0) && waxseal != Some(0), "{message:?} before {after:?}: {git:?} {waxseal:?}");
        }
        // Another format's block after it makes it another format's tag.
        let other = [&signature, begin("PGP SIGNATURE").as_bytes(), b"AAAA\n-----END PGP SIGNATURE-----\n"].concat();
        let (git, waxseal) = tag(&other);
        assert!(git != Some(0) && waxseal != Some(0), "{message:?}: {git:?} {waxseal:?}");
        // CR before each LF of the text is another text.
        let crlf = String::from_utf8(signature.clone()).unwrap().replace('\n', "\r\n");
        let (git, waxseal) = tag(crlf.as_bytes());
        assert!(git != Some(0) && waxseal != Some(0), "{message:?}: {git:?} {waxseal:?}");
    }
    // Without a final line feed Git glues the signature to the last word, and finds none.
    let head = format!("object {base}\ntype commit\ntag glued\ntagger Alice <{ALICE}> 1580608922 +0000\n\n");
    sign(&sandbox, &token, format!("{head}glued").as_bytes()).code(1);
    let signature = sign(&sandbox, &token, format!("{head}glued\n").as_bytes()).success().out();
    let id = sandbox.hash_object("tag", format!("{head}glued{signature}").as_bytes());
    assert!(sandbox.waxseal(["verify", &id]).code(1).out().starts_with("UNSIGNED "));
    sandbox.git(["verify-tag", &id]).code(1);
}

/// `git push --signed`: the server asks the verifier, and its hook hears the answer.
#[test]
fn a_push_certificate_is_signed_and_verified() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.run_in(".", "git", ["init", "-q", "--bare", "server"]).success();
    let server = sandbox.path("server");
    sandbox.run_in("server", "git", ["config", "receive.certNonceSeed", "seed"]).success();
    let hook = "#!/bin/sh\necho \"$GIT_PUSH_CERT_STATUS $GIT_PUSH_CERT_SIGNER\" >../heard\n\
                git cat-file blob $GIT_PUSH_CERT >../certificate\n";
    let path = sandbox.write("server/hooks/pre-receive", hook);
    sandbox.run_in(".", "chmod", ["+x", path.to_str().unwrap()]).success();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "one"]).success();
    sandbox.git(["push", "-q", "--signed", server.to_str().unwrap(), "main"]).success();
    let heard = || std::fs::read_to_string(sandbox.path("heard")).unwrap();
    assert_eq!(heard(), format!("G {}\n", sandbox.signer(ALICE)));
    let certificate = std::fs::read(sandbox.path("certificate")).unwrap();
    let text = String::from_utf8(certificate).unwrap();
    let begin = text.find("-----BEGIN SIGNED MESSAGE-----").unwrap();
    assert!(text.starts_with("certificate version 0.1\npusher "), "{text}");
    // What was pushed is part of what was signed.
    let changed = text[..begin].replacen("refs/heads/main", "refs/heads/mane", 1);
    let file = sandbox.write("signature", &text[begin..]);
    let verify = |payload: &str| {
        let mut command = sandbox.command(WAXSEAL);
        command.args(["--status-fd=1", "--verify"]).arg(&file).arg("-");
        Ran::of(&mut command, payload.as_bytes())
    };
    assert!(verify(&text[..begin]).success().out().contains("[GNUPG:] GOODSIG "));
    assert!(verify(&changed).code(1).out().contains("[GNUPG:] BADSIG "));
    // Who may not sign is no GOODSIG: the hook sees nothing else.
    sandbox.config("waxseal.allow", "bob@example.org https://accounts.example.org home");
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "two"]).success();
    sandbox.git(["push", "-q", "--signed", server.to_str().unwrap(), "main"]).success();
    assert!(heard().starts_with("E "), "{}", heard());
}

/// Both headers, as `extensions.compatObjectFormat` writes them, are two signatures: whoever reads one reads another
/// object than whoever reads the other.
#[test]
fn the_signature_of_the_other_hash_function_is_nobodys() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    let raw = String::from_utf8(sandbox.git(["cat-file", "commit", "HEAD"]).success().stdout).unwrap();
    let renamed = sandbox.hash_object("commit", raw.replace("\ngpgsig ", "\ngpgsig-sha256 ").as_bytes());
    assert!(sandbox.waxseal(["verify", &renamed]).code(1).out().starts_with("UNSIGNED "));
    assert_eq!(sandbox.git(["log", "-1", "--format=%G?", &renamed]).line(), "N");
    let object = SignedObject::parse(
        ObjectKind::Commit,
        HashKind::Sha256,
        raw.replace("\ngpgsig ", "\ngpgsig-sha256 ").as_bytes(),
    );
    assert_eq!(object.signatures.len(), 1, "in a repository of SHA-256 it is the one that counts");
    let opened = signature::git::open(&object.payload, &object.signatures[0]).unwrap();
    assert_eq!(opened.binding, Ok(()));
}

/// Two operators may call their authorities alike; which of them issued a certificate its key says, and whose SCT it is.
#[test]
fn two_authorities_of_one_name_are_told_apart_by_their_keys() {
    let mut sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    let url = sandbox.url().to_owned();
    let root = || {
        let answer = http("GET", &format!("{url}/trust/trusted_root.json"), "", b"");
        TrustedRoot::parse(&answer.body).unwrap()
    };
    let own = root();
    sandbox.kill_stack();
    // Another stack at the same address, and so of the same name.
    let mut serve = sandbox.command(WAXSEAL);
    serve.args(["serve", "--listen", url.strip_prefix("http://").unwrap(), "--data"]).arg(sandbox.path("other"));
    let _other = Stack::start(serve);
    let other = root();
    assert_ne!(own.certificate_authorities[0].chain, other.certificate_authorities[0].chain);
    let names = |root: &TrustedRoot| {
        let chain = root.certificate_authorities[0].chain.iter();
        chain.map(|der| Certificate::from_der(der).unwrap().subject().clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&own), names(&other));
    let verify = |root: &TrustedRoot| {
        let file = sandbox.write("root.json", root.to_json());
        sandbox.waxseal(["verify", "--any-identity", "--trusted-root", file.to_str().unwrap(), "HEAD"])
    };
    let both = |first: &TrustedRoot, second: &TrustedRoot| {
        let mut both = first.clone();
        both.certificate_authorities.extend(second.certificate_authorities.clone());
        both.ct_logs.extend(second.ct_logs.clone());
        both.transparency_logs.extend(second.transparency_logs.clone());
        both.timestamp_authorities.extend(second.timestamp_authorities.clone());
        both
    };
    verify(&both(&other, &own)).success();
    verify(&both(&own, &other)).success();
    let rejected = verify(&other).code(1).out();
    assert!(rejected.starts_with("REJECTED "), "{rejected}");
}

/// A token of the stack's authority.
pub(super) fn stamp(sandbox: &Sandbox, made: &Made) -> Vec<u8> {
    let request = TimeStampReq::for_message(&made.signature, [5; 16]).unwrap().to_der().unwrap();
    let query = "Content-Type: application/timestamp-query\r\n";
    let answer = http("POST", &format!("{}/tsa/api/v1/timestamp", sandbox.url()), query, &request);
    TimeStampResp::from_der(&answer.body).unwrap().token.unwrap()
}

/// The line that `waxseal verify --json` has for it.
pub(super) fn verdict(sandbox: &Sandbox, made: &Made, payload: &[u8]) -> Value {
    let id = sandbox.hash_object("commit", &made.commit(payload));
    let ran = sandbox.waxseal(["verify", "--json", &id]);
    let object = ran.object();
    // Git's own call agrees.
    let git = sandbox.git(["verify-commit", &id]).code;
    assert_eq!(git == Some(0), object["verdict"] == "verified", "{object}");
    object
}

fn sign(sandbox: &Sandbox, token: &str, payload: &[u8]) -> Ran {
    let mut sign = sandbox.command(WAXSEAL);
    Ran::of(sign.args(["--status-fd=2", "-bsau", ALICE]).env("WAXSEAL_ID_TOKEN", token), payload)
}

/// The stack's trusted root with one more log, and that log's entry for a signature.
fn own_log(sandbox: &Sandbox, made: &Made) -> (TrustedRoot, TransparencyLogEntry) {
    let key = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
    let log_id = note::log_id("log.example.org", key.verifying_key());
    let file = sandbox.path("home/.local/share/waxseal/instances/home/trusted_root.json");
    let mut root = TrustedRoot::parse(&std::fs::read(file).unwrap()).unwrap();
    let at = made.leaf.not_before();
    root.transparency_logs.push(TransparencyLogInstance {
        base_url: "https://log.example.org".to_owned(),
        key: key.verifying_key().clone(),
        log_id,
        valid_for: TimeRange { start: at, end: None },
    });
    let digest = made.digest.digest(&made.message);
    let verifier = hashedrekord::Verifier::Certificate(made.leaf.der());
    let body = hashedrekord::canonical_body_over(made.digest, &digest, &made.signature, verifier);
    let root_hash = merkle::leaf_hash(&body);
    let checkpoint = Checkpoint {
        origin: "log.example.org - 7".to_owned(),
        tree_size: 1,
        root_hash,
        // As Rekor wrote it in 2023.
        extension_lines: vec!["Timestamp: 1685981480000000000".to_owned()],
    };
    let entry = TransparencyLogEntry {
        log_index: 0,
        log_id,
        kind_version: KindVersion { kind: "hashedrekord".to_owned(), version: "0.0.1".to_owned() },
        integrated_time: at.as_second(),
        inclusion_promise: Some(InclusionPromise::make(&body, at.as_second(), &log_id, 0, &key).unwrap()),
        inclusion_proof: Some(InclusionProof {
            leaf_index: 0,
            root_hash,
            tree_size: 1,
            hashes: vec![],
            checkpoint: checkpoint.sign("log.example.org", &key, &log_id).unwrap(),
        }),
        canonicalized_body: vec![],
    };
    (root, entry)
}

/// The nine fields of a log entry, in the order in which development versions of gitsign numbered them.
fn fields(entry: &TransparencyLogEntry) -> [Vec<u8>; 9] {
    let number = |value: u64| {
        let bytes = value.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
        let sign: &[u8] = if bytes[first] < 0x80 { &[] } else { &[0] };
        tlv(INTEGER, &[sign, &bytes[first..]].concat())
    };
    let printable = |text: String| tlv(PRINTABLE_STRING, text.as_bytes());
    let proof = entry.inclusion_proof.as_ref().unwrap();
    let hashes: Vec<Vec<u8>> = proof.hashes.iter().map(|hash| printable(hash.to_string())).collect();
    [
        number(u64::try_from(entry.integrated_time).unwrap()),
        printable(entry.log_id.to_string()),
        number(entry.log_index),
        tlv(OCTET_STRING, &entry.inclusion_promise.as_ref().unwrap().signed_entry_timestamp),
        tlv(UTF8_STRING, proof.checkpoint.as_bytes()),
        sequence(&hashes),
        printable(proof.root_hash.to_string()),
        number(proof.tree_size),
        number(proof.leaf_index),
    ]
}
