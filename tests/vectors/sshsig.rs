//! SSH signatures (PROTOCOL.sshsig), as Git has them made.

use waxseal::ssh::{BadSshSignature, SshKey, SshSignature};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Vector, files, variants};

pub(crate) fn outcome(vector: &Vector) -> String {
    let key = SshKey::parse(vector.header("key")).unwrap();
    let verify = || {
        let signature = SshSignature::open(vector.body.as_bytes())?;
        signature.verify(vector.header("payload").as_bytes())?;
        // The key that came along is the one that made it.
        assert_eq!(signature.fingerprint(), key.fingerprint());
        Ok::<_, BadSshSignature>("ok".to_owned())
    };
    verify().unwrap_or_else(|error| variants(&error))
}

/// Anybody could add to a signature what nobody signed, and so have another object with it.
#[test]
fn a_signature_has_nothing_else_in_it() {
    let mut tried = 0;
    for file in files("vectors/sshsig/*") {
        let mut vector = Vector::read(&file);
        if vector.header("expect") != "ok" {
            continue;
        }
        let armor = vector.body.clone();
        let (begin, end) = ("-----BEGIN SSH SIGNATURE-----\n", "\n-----END SSH SIGNATURE-----");
        let base64 = armor.strip_prefix(begin).unwrap().split_once(end).unwrap().0.replace('\n', "");
        let bytes = STANDARD.decode(base64).unwrap();
        let strings = strings(&bytes[MAGIC_AND_VERSION..]);
        let [key, namespace, reserved, hash, signature] = strings.as_slice() else { panic!("{}", file.display()) };
        let (of_signature, rest) = first(signature);
        let (inner, trailer) = first(rest);
        let longer = |bytes: &[u8]| [bytes, b"more"].concat();
        let of = |inner: &[u8]| [string(of_signature), string(inner), trailer.to_vec()].concat();
        for (place, changed) in [
            ("key", [&longer(key), *namespace, reserved, hash, signature]),
            ("reserved", [key, namespace, &longer(reserved), hash, signature]),
            ("signature", [key, namespace, reserved, hash, &longer(signature)]),
            ("inner signature", [key, namespace, reserved, hash, &of(&longer(inner))]),
        ] {
            let strings: Vec<u8> = changed.into_iter().flat_map(string).collect();
            let changed = [&bytes[..MAGIC_AND_VERSION], &strings].concat();
            vector.body = format!("{begin}{}{end}\n", STANDARD.encode(changed));
            // Of a length that an RSA key has none.
            let expected: &[&str] =
                if place == "inner signature" { &["Malformed", "Signature"] } else { &["Malformed"] };
            assert!(expected.contains(&outcome(&vector).as_str()), "{}: {place}: {}", file.display(), outcome(&vector));
            tried += 1;
        }
    }
    assert!(tried >= 24, "{tried}");
}

const MAGIC_AND_VERSION: usize = 10;

/// RFC 4251 §5, all of them.
fn strings(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut strings = Vec::new();
    while !bytes.is_empty() {
        let (string, rest) = first(bytes);
        strings.push(string);
        bytes = rest;
    }
    strings
}

fn first(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_at(4);
    rest.split_at(u32::from_be_bytes(length.try_into().unwrap()).try_into().unwrap())
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}
