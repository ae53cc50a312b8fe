//! OpenPGP signatures are verified by gpg under the keys that a policy names, and under no others.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use waxseal::git::{HashKind, ObjectKind, signed_bytes};

use super::sandbox::{Ran, Sandbox, WAXSEAL, program};

pub(super) const PAYLOAD: &[u8] = include_bytes!("openpgp/payload");
pub(super) const DAVE: &str = "52C5D7DA37815705548CE5BE7C6B836D4D2BC027";
/// Her key has expired in 2020, whatever the claimed date of the signature.
const EVE: &str = "941D671DD484FCEC9EB641660D18F8FA196181D4";
const RITA: &str = "CBC7DC5CCF847F45C5F7A53E4B99092111EE6C20";
/// Has expired, and was revoked besides.
const ED: &str = "8DD7D3E3538DD2425EFF8C28D5968179CEEB235F";
/// Signs with a subkey.
const SUE: &str = "82405F2837C04DD7F8756C60AE701A3242F81D67";
/// Made by GnuPG 2.2.40 over `payload`, and the keys that it exports.
pub(super) const DAVES: &str = include_str!("openpgp/dave.sig");
const EVES: &str = include_str!("openpgp/eve.sig");
const RITAS: &str = include_str!("openpgp/rita.sig");
const EDS: &str = include_str!("openpgp/ed.sig");
const SUES: &str = include_str!("openpgp/sue.sig");
pub(super) const MALLORYS: &str = include_str!("openpgp/mallory.sig");
const SHA_1: &str = include_str!("openpgp/dave-sha1.sig");
const EXPIRES: &str = include_str!("openpgp/dave-expires.sig");
pub(super) const KEYS: [(&str, &str); 9] = [
    ("dave.asc", include_str!("openpgp/dave.asc")),
    ("eve.asc", include_str!("openpgp/eve.asc")),
    ("rita.asc", include_str!("openpgp/rita.asc")),
    ("rita-revoked.asc", include_str!("openpgp/rita-revoked.asc")),
    ("sue.asc", include_str!("openpgp/sue.asc")),
    ("sue-subkey-revoked.asc", include_str!("openpgp/sue-subkey-revoked.asc")),
    ("ed.asc", include_str!("openpgp/ed.asc")),
    ("ed-revoked.asc", include_str!("openpgp/ed-revoked.asc")),
    ("mallory.asc", include_str!("openpgp/mallory.asc")),
];

pub(super) fn commit(sandbox: &Sandbox, payload: &[u8], armor: &str) -> String {
    let raw = signed_bytes(ObjectKind::Commit, HashKind::Sha1, payload, armor.as_bytes()).unwrap();
    sandbox.hash_object("commit", &raw)
}

/// A rule for one key in a file that has more.
pub(super) fn rule(key: &str, file: &str, more: &str) -> String {
    format!("[[rule]]\nname = '{file}'\nopenpgp = ['{key}']\nkey_files = ['{file}', 'mallory.asc']\n{more}\n")
}

fn verify(sandbox: &Sandbox, rules: &str, arguments: &[&str]) -> Ran {
    for (name, key) in KEYS {
        sandbox.write(name, key);
    }
    let file = sandbox.write("policy.toml", format!("version = 1\n{rules}"));
    sandbox.waxseal(["verify", "--policy", file.to_str().unwrap(), "--json"].iter().chain(arguments))
}

/// Verdict, allowed and reason of each object.
fn judged(ran: &Ran) -> Vec<String> {
    let objects = ran.objects();
    let objects = objects.iter().map(|object| {
        let reason = object["reason"].as_str().unwrap_or("-");
        format!("{} {} {reason}", object["verdict"].as_str().unwrap(), object["allowed"])
    });
    objects.collect()
}

/// Whether this machine can run the rest of a test.
pub(super) fn has_gpg() -> bool {
    let has = program("gpg").is_some();
    if !has {
        println!("skipped: there is no gpg");
    }
    has
}

#[test]
fn an_openpgp_key_is_believed_where_a_rule_names_it() {
    let sandbox = Sandbox::new();
    if !has_gpg() {
        return;
    }
    let of = |armor: &str| commit(&sandbox, PAYLOAD, armor);
    let by_dave = of(DAVES);
    let dave = rule(DAVE, "dave.asc", "unbounded = true");
    let ran = verify(&sandbox, &dave, &[&by_dave]).success();
    let object = ran.object();
    for (key, value) in [
        ("verdict", "verified"),
        ("rule", "dave.asc"),
        ("identity", DAVE),
        ("identity_kind", "openpgp-key"),
        ("key", DAVE),
        ("signature", "openpgp"),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
    assert_eq!((&object["time"], &object["issuer"]), (&Value::Null, &Value::Null));
    let tampered = String::from_utf8_lossy(PAYLOAD).replace("By a key", "By the key");
    let long = format!("{DAVES}\n{DAVES}");
    let inline = DAVES.replace("PGP SIGNATURE", "PGP MESSAGE");
    let cases = [
        (by_dave.clone(), "verified true -"),
        (commit(&sandbox, tampered.as_bytes(), DAVES), "rejected null bad-signature"),
        // gpg ends behind a bad one; the others are asked about all the same.
        (by_dave.clone(), "verified true -"),
        // In the file, and named by no rule.
        (of(MALLORYS), "other false openpgp-signature"),
        (of(SHA_1), "rejected null unsupported-algorithm"),
        (of(EXPIRES), "rejected null signature-form"),
        (of(&long), "rejected null malformed-signature"),
        (of(&inline), "rejected null malformed-signature"),
        (of(&DAVES.replace("\n\n", "\n")), "rejected null malformed-signature"),
        // As a forge writes it, with a line more.
        (of(&format!("{DAVES}\n")), "verified true -"),
        (by_dave, "verified true -"),
    ];
    let ids: Vec<&str> = cases.iter().map(|(id, _)| id.as_str()).collect();
    let ran = verify(&sandbox, &dave, &ids).code(1);
    assert_eq!(judged(&ran), cases.each_ref().map(|(_, expected)| (*expected).to_owned()), "{}", ran.out());
    // Nothing of it stays, and nothing of the user's is touched.
    assert_eq!(std::fs::read_dir(sandbox.path("tmp")).unwrap().count(), 0);
    assert!(!sandbox.path("home/.gnupg").exists());
    // No rule, no word.
    sandbox.waxseal(["verify", "--any-identity", ids[0]]).code(3);
}

#[test]
fn expired_and_revoked_keys_are_a_matter_of_commits() {
    let sandbox = Sandbox::new();
    if !has_gpg() {
        return;
    }
    let (eve, rita) = (commit(&sandbox, PAYLOAD, EVES), commit(&sandbox, PAYLOAD, RITAS));
    let one = |rules: &str, id: &str| judged(&verify(&sandbox, rules, &[id])).concat();
    assert_eq!(one(&rule(EVE, "eve.asc", "unbounded = true"), &eve), "verified true -");
    assert_eq!(one(&rule(RITA, "rita.asc", "unbounded = true"), &rita), "verified true -");
    assert_eq!(one(&rule(RITA, "rita-revoked.asc", "unbounded = true"), &rita), "verified false identity-not-allowed");
    // gpg says of a key that has expired and was revoked that it has expired.
    let ed = commit(&sandbox, PAYLOAD, EDS);
    assert_eq!(one(&rule(ED, "ed.asc", "unbounded = true"), &ed), "verified true -");
    assert_eq!(one(&rule(ED, "ed-revoked.asc", "unbounded = true"), &ed), "verified false identity-not-allowed");
    assert_eq!(one(&rule(ED, "ed-revoked.asc", &format!("until_commit = '{ed}'")), &ed), "verified true -");
    let until = format!("until_commit = '{rita}'");
    assert_eq!(one(&rule(RITA, "rita-revoked.asc", &until), &rita), "verified true -");
}

#[test]
fn a_key_is_revoked_if_any_copy_of_it_says_so() {
    let sandbox = Sandbox::new();
    if !has_gpg() {
        return;
    }
    let (rita, sue) = (commit(&sandbox, PAYLOAD, RITAS), commit(&sandbox, PAYLOAD, SUES));
    for (key, id, earlier, later) in
        [(RITA, &rita, "rita.asc", "rita-revoked.asc"), (SUE, &sue, "sue.asc", "sue-subkey-revoked.asc")]
    {
        let text = |name: &str| KEYS.iter().find(|(other, _)| *other == name).unwrap().1;
        sandbox.write("both.asc", [text(earlier), text(later)].concat());
        sandbox.write("reversed.asc", [text(later), text(earlier)].concat());
        let rule = |name: &str, files: &[&str], more: &str| {
            format!("[[rule]]\nname = '{name}'\nopenpgp = ['{key}']\nkey_files = {files:?}\n{more}\n")
        };
        let of = |files: &[&str]| rule("one", files, "unbounded = true");
        let other = |file: &str| rule("two", &[file], "unbounded = true\nrefs = ['refs/heads/other']");
        // Of the file of another rule it is enough that it has the key.
        let daves = format!(
            "[[rule]]\nname = 'three'\nopenpgp = ['{DAVE}']\nkey_files = ['dave.asc', '{later}']\nunbounded = true\n"
        );
        for (rules, expected) in [
            (of(&[earlier]), "true -"),
            (of(&[earlier, later]), "false identity-not-allowed"),
            (of(&[later, earlier]), "false identity-not-allowed"),
            (of(&["both.asc"]), "false identity-not-allowed"),
            (of(&["reversed.asc"]), "false identity-not-allowed"),
            (of(&[earlier]) + &other(later), "false identity-not-allowed"),
            (other(later) + &of(&[earlier]), "false identity-not-allowed"),
            (of(&[earlier]) + &daves, "false identity-not-allowed"),
            (rule("one", &[earlier, later], &format!("until_commit = '{id}'")), "true -"),
        ] {
            let ran = verify(&sandbox, &rules, &[id]);
            assert_eq!(judged(&ran), [format!("verified {expected}")], "{rules}");
        }
    }
}

#[test]
fn a_history_of_openpgp_signatures_is_read_in_order() {
    let sandbox = Sandbox::new();
    if !has_gpg() {
        return;
    }
    let (good, bad) = (
        commit(&sandbox, PAYLOAD, DAVES),
        commit(
            &sandbox,
            b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 1 +0000\n\nx\n",
            DAVES,
        ),
    );
    let ids: Vec<&str> = (0..100).map(|place| if place % 7 == 3 { bad.as_str() } else { good.as_str() }).collect();
    let found = judged(&verify(&sandbox, &rule(DAVE, "dave.asc", "unbounded = true"), &ids).code(1));
    let expected: Vec<_> =
        ids.iter().map(|id| if *id == good { "verified true -" } else { "rejected null bad-signature" }).collect();
    assert_eq!(found, expected);
}

/// What is in the armor of a signature.
fn packet(armor: &str) -> Vec<u8> {
    let (_, base64) = armor.split_once("\n\n").unwrap();
    let (base64, _checksum) = base64.split_once("\n=").unwrap();
    STANDARD.decode(base64.replace('\n', "")).unwrap()
}

fn armored(packet: &[u8]) -> String {
    format!("-----BEGIN PGP SIGNATURE-----\n\n{}\n-----END PGP SIGNATURE-----\n", STANDARD.encode(packet))
}

/// Where a signature of version 4 has what nobody signed and gpg is lenient about: the subpackets that are not hashed, the
/// digest's first octets, and the second octet of how many bits a number has.
fn unsigned_places(packet: &[u8]) -> Vec<usize> {
    let at = |place: usize| usize::from(u16::from_be_bytes([packet[place], packet[place + 1]]));
    let header = 1 + (1 << (packet[0] & 3));
    let others = header + 6 + at(header + 4);
    let mut rest = others + 2 + at(others) + 2;
    let mut places: Vec<usize> = (others + 2..rest).collect();
    while rest < packet.len() {
        places.push(rest + 1);
        rest += 2 + at(rest).div_ceil(8);
    }
    places
}

#[test]
fn a_signature_with_another_octet_is_rejected() {
    let sandbox = Sandbox::new();
    if !has_gpg() {
        return;
    }
    let mut changed = Vec::new();
    for (armor, masks) in [(DAVES, &[1, 0x80, 0xFF][..]), (RITAS, &[0x80])] {
        let packet = packet(armor);
        let unsigned = unsigned_places(&packet);
        for place in 0..packet.len() {
            for mask in masks {
                let mut packet = packet.clone();
                packet[place] ^= mask;
                let id = commit(&sandbox, PAYLOAD, &armored(&packet));
                changed.push((id, unsigned.contains(&place), format!("octet {place} is {:#x}", packet[place])));
            }
        }
    }
    let rules = rule(DAVE, "dave.asc", "unbounded = true") + &rule(RITA, "rita.asc", "unbounded = true");
    let ids: Vec<&str> = changed.iter().map(|(id, ..)| id.as_str()).collect();
    let found = judged(&verify(&sandbox, &rules, &ids).code(1));
    assert_eq!(found.len(), changed.len());
    for (found, (_, is_unsigned, what)) in found.iter().zip(&changed) {
        let is_rejected = found.starts_with("rejected null ");
        assert!(is_rejected || *is_unsigned && found == "verified true -", "{what}: {found}");
    }
    let good = |found: &&String| *found == "verified true -";
    assert!(found.iter().filter(good).count() > 20, "{found:?}");
    // A number of so many bits is not there, and gpg ends without a status line on it.
    let mut longer = packet(RITAS);
    let place = unsigned_places(&longer).last().unwrap() - 1;
    longer[place] = 0xFF;
    let ran = verify(&sandbox, &rules, &[&commit(&sandbox, PAYLOAD, &armored(&longer))]).code(1);
    assert_eq!(judged(&ran), ["rejected null malformed-signature"]);
    assert!(ran.out().contains("the OpenPGP signature: its numbers do not fill the packet"), "{}", ran.out());
}

#[test]
fn what_gpg_has_no_answer_for_is_undecided_and_no_other() {
    let sandbox = Sandbox::new();
    if !has_gpg() {
        return;
    }
    // Of version 3, which is left to gpg, with a number of more bits than it reads.
    let body = [&[3, 5, 0, 0, 0, 0, 1][..], &[7; 8], &[1, 8, 0xAB, 0xCD, 0xFF, 0xFF, 1, 2, 3]].concat();
    let packet = [&[0x88, u8::try_from(body.len()).unwrap()][..], &body].concat();
    let (broken, good) = (commit(&sandbox, PAYLOAD, &armored(&packet)), commit(&sandbox, PAYLOAD, DAVES));
    let dave = rule(DAVE, "dave.asc", "unbounded = true");
    let ran = verify(&sandbox, &dave, &[&good, &broken, &good]).code(3);
    assert_eq!(judged(&ran), ["verified true -", "undecided null gpg-no-answer", "verified true -"]);
    assert_eq!(ran.objects()[1]["signature"], "openpgp");
    assert!(
        ran.out().contains("gave no answer that can be relied upon, and said: gpg: mpi too large"),
        "{}",
        ran.out()
    );
    assert!(!ran.err().contains("install GnuPG"), "{}", ran.err());
}

#[test]
fn a_revoked_key_in_a_policy_is_found_before_anybody_signs() {
    let sandbox = Sandbox::new();
    for (name, key) in KEYS {
        sandbox.write(name, key);
    }
    let check = |rules: &str| {
        let file = sandbox.write("policy.toml", format!("version = 1\n{rules}"));
        sandbox.waxseal(["policy", "check", file.to_str().unwrap()])
    };
    let unbounded = |key: &str, file: &str| rule(key, file, "unbounded = true");
    let commit = "1".repeat(40);
    let of_a_copy = unbounded(RITA, "rita.asc") + &unbounded(DAVE, "dave.asc").replace("mallory", "rita-revoked");
    for (rules, key) in [
        (unbounded(RITA, "rita-revoked.asc"), Some(RITA)),
        (rule(RITA, "rita-revoked.asc", &format!("from_commit = '{commit}'")), Some(RITA)),
        (unbounded(ED, "ed-revoked.asc"), Some(ED)),
        // Whichever rule names the file that says so.
        (of_a_copy, Some(RITA)),
        // What was signed before stands; so does what another key than the revoked one signs.
        (rule(RITA, "rita-revoked.asc", &format!("until_commit = '{commit}'")), None),
        (unbounded(DAVE, "dave.asc").replace("mallory", "rita-revoked"), None),
        (unbounded(SUE, "sue-subkey-revoked.asc"), None),
        (unbounded(RITA, "rita.asc"), None),
        // Nobody proves when it signed, so nothing depends on the date.
        (unbounded(EVE, "eve.asc"), None),
    ] {
        let ran = check(&rules).code(i32::from(key.is_some()));
        let finding = key.map(|key| format!("a file says that the key {key} is revoked: without until_commit"));
        assert_eq!(ran.out().lines().count(), if key.is_some() { 2 } else { 1 }, "{}", ran.out());
        assert!(ran.out().contains(finding.as_deref().unwrap_or("0 findings")), "{}", ran.out());
    }
    let line = check(&unbounded(RITA, "rita-revoked.asc")).out();
    assert!(line.starts_with("revoked-key        rule \"rita-revoked.asc\": a file"), "{line}");
}

#[test]
fn without_gpg_nobody_can_tell() {
    let sandbox = Sandbox::new();
    for (name, key) in KEYS {
        sandbox.write(name, key);
    }
    let id = commit(&sandbox, PAYLOAD, DAVES);
    let file = sandbox.write("policy.toml", format!("version = 1\n{}", rule(DAVE, "dave.asc", "unbounded = true")));
    let mut command = sandbox.command(WAXSEAL);
    command.args(["verify", "--policy", file.to_str().unwrap(), &id]).env("PATH", sandbox.path("home"));
    let ran = Ran::of(&mut command, b"").code(3);
    assert!(ran.out().contains("could not be asked: there is no program gpg in PATH"), "{}", ran.out());
    assert!(
        ran.err().contains("hint: gpg-unavailable: install GnuPG, so that \"gpg\" is in \"PATH\""),
        "{}",
        ran.err()
    );
    // One that says what it likes decides nothing.
    let fake = sandbox.write("home/gpg", "#!/bin/sh\necho '[GNUPG:] GOODSIG 1 x'\n");
    std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    command.env("PATH", std::env::join_paths([sandbox.path("home"), "/usr/bin".into(), "/bin".into()]).unwrap());
    let ran = Ran::of(&mut command, b"").code(3);
    assert!(ran.out().contains("gave no answer that can be relied upon, and said: nothing"), "{}", ran.out());
    assert!(ran.err().contains("hint: gpg-no-answer: see what gpg said"), "{}", ran.err());
}

#[test]
fn a_gpg_that_hangs_takes_no_longer_than_a_push_may() {
    let sandbox = Sandbox::new();
    for (name, key) in KEYS {
        sandbox.write(name, key);
    }
    let id = commit(&sandbox, PAYLOAD, DAVES);
    let file = sandbox.write("policy.toml", format!("version = 1\n{}", rule(DAVE, "dave.asc", "unbounded = true")));
    let fake = sandbox.write("home/gpg", "#!/bin/sh\nexec sleep 100\n");
    std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = sandbox.command(WAXSEAL);
    command.args(["hook", "pre-receive", "--max-time", "2s", "--policy", file.to_str().unwrap()]);
    command.env("PATH", std::env::join_paths([sandbox.path("home"), "/usr/bin".into(), "/bin".into()]).unwrap());
    let begun = Instant::now();
    let ran = Ran::of(&mut command, format!("{} {id} refs/heads/main\n", "0".repeat(40)).as_bytes()).code(3);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(ran.err().contains("gpg-unavailable: gpg, which a policy's OpenPGP keys need"), "{}", ran.err());
    assert!(ran.err().contains("could not be asked: there was no time left for gpg"), "{}", ran.err());
}
