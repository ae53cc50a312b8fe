//! RFC 3161 tokens of other authorities than the stack's: every kind of key, with and without certificates, fractions of
//! a second, attributes in any order. The authority is added to the stack's trusted root.

use jiff::{SignedDuration, Timestamp};
use waxseal::crypto::{DigestAlgorithm, KeyKind, ServiceKey, ServiceKeyKind};
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::signature;
use waxseal::tlog::TransparencyLogEntry;
use waxseal::trusted_root::{CertificateAuthority, TimeRange, TrustedRoot};

use super::sandbox::made::{
    CertificateParts, INTEGER, Made, OCTET_STRING, SET, Signer, attribute, extension, imprint, issuing, name, oid,
    payload, sequence, sha256, signature_algorithm, time, tlv,
};
use super::sandbox::{ALICE, Sandbox};

#[test]
fn a_bare_token_of_every_kind_of_signer_with_and_without_certificates() {
    let bench = Bench::new();
    for kind in [ServiceKeyKind::EcdsaP256, ServiceKeyKind::EcdsaP384, ServiceKeyKind::Rsa2048] {
        let authority = Authority::new(kind, bench.made.leaf.not_before());
        for certificates in [Certificates::None, Certificates::Signer, Certificates::Chain] {
            let token = Token { certificates, ..Token::right(&bench) };
            assert_eq!(bench.verdict(&authority, &token), "verified timestamp", "{kind:?} {certificates:?}");
        }
        // Somebody else's certificate that came along makes it another token than the authority's.
        let token = Token { certificates: Certificates::Stranger, ..Token::right(&bench) };
        assert_eq!(bench.verdict(&authority, &token), "rejected timestamp-token", "{kind:?}");
        let token = Token { wrong_signature: true, ..Token::right(&bench) };
        assert_eq!(bench.verdict(&authority, &token), "rejected timestamp-token", "{kind:?}");
    }
}

#[test]
fn what_is_stored_is_the_token_and_not_the_response_around_it() {
    let bench = Bench::new();
    let authority = Authority::new(ServiceKeyKind::EcdsaP256, bench.made.leaf.not_before());
    let token = authority.stamp(&Token::right(&bench), &bench.made.signature);
    assert_eq!(bench.verdict_of(&authority, &token), "verified timestamp");
    let response = sequence(&[sequence(&[tlv(INTEGER, &[0])]), token]);
    assert_eq!(bench.verdict_of(&authority, &response), "rejected timestamp-token");
}

#[test]
fn a_time_with_a_fraction_is_read_to_the_last_digit() {
    let bench = Bench::new();
    let authority = Authority::new(ServiceKeyKind::EcdsaP256, bench.made.leaf.not_before());
    let whole = Token::right(&bench).gen_time;
    for (fraction, nanoseconds) in [(".5", 500_000_000), (".25", 250_000_000), (".123456789", 123_456_789)] {
        let token = Token { fraction, ..Token::right(&bench) };
        let token = authority.stamp(&token, &bench.made.signature);
        assert_eq!(bench.verdict_of(&authority, &token), "verified timestamp", "{fraction}");
        assert_eq!(bench.time(&authority, &token), whole + SignedDuration::from_nanos(nanoseconds));
    }
    // DER has one form for each time.
    for fraction in [".", ".50", ".0", ",5", ".x"] {
        let token = Token { fraction, ..Token::right(&bench) };
        assert_eq!(bench.verdict(&authority, &token), "rejected timestamp-token", "{fraction}");
    }
    // The fraction counts: a moment after the certificate ended is after it.
    let last = bench.made.leaf.not_after();
    let token = Token { gen_time: last, ..Token::right(&bench) };
    let verdict = bench.verdict(&authority, &token);
    assert_eq!(verdict, "undecided clock", "ten minutes from now: not wrong in itself");
    let before = bench.made.leaf.not_before() - SignedDuration::from_secs(1);
    let token = Token { gen_time: before, fraction: ".999999999", ..Token::right(&bench) };
    assert_eq!(bench.verdict(&authority, &token), "rejected authority-outside-validity");
}

#[test]
fn attributes_in_any_order_signed_in_either() {
    let bench = Bench::new();
    for kind in [ServiceKeyKind::EcdsaP256, ServiceKeyKind::Rsa2048] {
        let authority = Authority::new(kind, bench.made.leaf.not_before());
        for (order, signed_as_sent) in
            [(Order::Sorted, false), (Order::Reversed, false), (Order::Reversed, true), (Order::SigstoresOwn, true)]
        {
            let token = Token { order, signed_as_sent, ..Token::right(&bench) };
            assert_eq!(bench.verdict(&authority, &token), "verified timestamp", "{kind:?} {order:?} {signed_as_sent}");
        }
    }
}

#[test]
fn a_signer_may_be_named_by_its_key() {
    let bench = Bench::new();
    let authority = Authority::new(ServiceKeyKind::EcdsaP256, bench.made.leaf.not_before());
    let token = Token { by_key_identifier: true, ..Token::right(&bench) };
    assert_eq!(bench.verdict(&authority, &token), "verified timestamp");
}

/// A signature of Alice's in Rekor v2, which gives no time.
struct Bench {
    sandbox: Sandbox,
    payload: Vec<u8>,
    made: Made,
    entry: TransparencyLogEntry,
}

impl Bench {
    fn new() -> Self {
        let sandbox = Sandbox::with_stack();
        let payload = payload("stamped");
        let (made, entry) = {
            let signer = Signer::certified(&sandbox, ServiceKeyKind::EcdsaP256);
            let made = signer.sign(&payload);
            let entry = signer.log_in_v2(&made);
            (made, entry)
        };
        Self { sandbox, payload, made, entry }
    }

    fn verdict(&self, authority: &Authority, token: &Token) -> String {
        self.verdict_of(authority, &authority.stamp(token, &self.made.signature))
    }

    /// The verdict, and its reason or the source of its time.
    fn verdict_of(&self, authority: &Authority, token: &[u8]) -> String {
        let object = self.json(authority, token);
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let what = if object["verdict"] == "verified" { &object["time"]["source"] } else { &object["reason"] };
        format!("{} {}", word(&object["verdict"]), word(what))
    }

    fn time(&self, authority: &Authority, token: &[u8]) -> Timestamp {
        self.json(authority, token)["time"]["value"].as_str().unwrap().parse().unwrap()
    }

    fn json(&self, authority: &Authority, token: &[u8]) -> serde_json::Value {
        let commit = self.made.clone().with_entry(&self.entry).with_token(token).commit(&self.payload);
        // What is stored is what comes out again.
        let object = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, &commit);
        let opened = signature::git::open(&object.payload, &object.signatures[0]).unwrap();
        assert_eq!(opened.material.timestamps, [token]);
        let id = self.sandbox.hash_object("commit", &commit);
        let file = self.sandbox.path("home/.local/share/waxseal/instances/home/trusted_root.json");
        let mut root = TrustedRoot::parse(&std::fs::read(file).unwrap()).unwrap();
        root.timestamp_authorities.push(authority.trusted());
        let file = self.sandbox.write("root.json", root.to_json());
        let ran = self.sandbox.waxseal([
            "verify",
            "--json",
            "--trusted-root",
            file.to_str().unwrap(),
            "--certificate-identity",
            ALICE,
            "--certificate-oidc-issuer",
            &self.sandbox.issuer(),
            &id,
        ]);
        let line = ran.out().lines().nth(1).unwrap_or_else(|| panic!("{}", ran.err())).to_owned();
        serde_json::from_str(&line).unwrap()
    }
}

/// A timestamp authority with keys of one kind: its signer, and a root above it.
struct Authority {
    signer: ServiceKey,
    certificate: Vec<u8>,
    root: Vec<u8>,
    stranger: Vec<u8>,
    start: Timestamp,
}

impl Authority {
    fn new(kind: ServiceKeyKind, start: Timestamp) -> Self {
        let [signer, root, stranger] = [(); 3].map(|()| ServiceKey::generate(kind).unwrap());
        let purpose = extension("2.5.29.37", &sequence(&[oid("1.3.6.1.5.5.7.3.8")]));
        let identifier = sequence(&[oid("2.5.29.14"), tlv(OCTET_STRING, &tlv(OCTET_STRING, KEY_IDENTIFIER))]);
        let extensions = [extension("2.5.29.15", &[3, 2, 7, 0x80]), purpose, identifier];
        let leaf = |key| CertificateParts {
            subject: "a timestamp authority",
            issuer: "its root",
            key,
            signed_by: &root,
            extensions: &extensions,
            start,
        };
        let above = CertificateParts { subject: "its root", key: &root, extensions: &issuing(), ..leaf(&root) };
        let (certificate, stranger) = (leaf(&signer).der(), leaf(&stranger).der());
        Self { root: above.der(), certificate, stranger, signer, start }
    }

    fn trusted(&self) -> CertificateAuthority {
        CertificateAuthority {
            organization: String::new(),
            common_name: "its root".to_owned(),
            uri: "https://tsa.example.org".to_owned(),
            chain: vec![self.certificate.clone(), self.root.clone()],
            valid_for: TimeRange { start: self.start, end: None },
        }
    }

    /// The token over `signature`.
    fn stamp(&self, token: &Token, signature: &[u8]) -> Vec<u8> {
        let digest = match self.signer.verifying_key().kind() {
            KeyKind::EcdsaP384 => DigestAlgorithm::Sha384,
            _ => DigestAlgorithm::Sha256,
        };
        let digest_algorithm = match digest {
            DigestAlgorithm::Sha384 => sequence(&[oid("2.16.840.1.101.3.4.2.2")]),
            _ => sha256(),
        };
        let mut gen_time = time(token.gen_time, 0x18, "%Y%m%d%H%M%S").split_off(2);
        gen_time.extend_from_slice(token.fraction.as_bytes());
        gen_time.push(b'Z');
        let info = sequence(&[
            tlv(INTEGER, &[1]),
            oid("1.3.6.1.4.1.57264.2"),
            imprint(signature),
            tlv(INTEGER, &[9]),
            tlv(0x18, &gen_time),
        ]);
        let hash = tlv(OCTET_STRING, &DigestAlgorithm::Sha256.digest(&self.certificate));
        let mut attributes = [
            attribute("1.2.840.113549.1.9.3", &oid(TST_INFO)),
            attribute("1.2.840.113549.1.9.5", &time(token.gen_time, 0x17, "%y%m%d%H%M%SZ")),
            attribute("1.2.840.113549.1.9.4", &tlv(OCTET_STRING, &digest.digest(&info))),
            attribute("1.2.840.113549.1.9.16.2.47", &sequence(&[sequence(&[sequence(&[hash])])])),
        ];
        let sorted = {
            let mut sorted = attributes.clone();
            sorted.sort();
            sorted.concat()
        };
        match token.order {
            Order::Reversed => {
                attributes.sort();
                attributes.reverse();
            }
            Order::SigstoresOwn => {}
            Order::Sorted => attributes.sort(),
        }
        let sent = attributes.concat();
        let mut signature = self.signer.sign(&tlv(SET, if token.signed_as_sent { &sent } else { &sorted })).unwrap();
        if token.wrong_signature {
            let last = signature.len() - 1;
            signature[last] ^= 1;
        }
        let (version, identifier) = if token.by_key_identifier {
            (3, tlv(0x80, KEY_IDENTIFIER))
        } else {
            (1, sequence(&[name("its root"), tlv(INTEGER, &[7])]))
        };
        let signer = sequence(&[
            tlv(INTEGER, &[version]),
            identifier,
            digest_algorithm.clone(),
            tlv(0xa0, &sent),
            signature_algorithm(&self.signer),
            tlv(OCTET_STRING, &signature),
        ]);
        let mut certificates = match token.certificates {
            Certificates::Chain => vec![self.certificate.clone(), self.root.clone()],
            Certificates::None => vec![],
            Certificates::Signer => vec![self.certificate.clone()],
            Certificates::Stranger => vec![self.stranger.clone()],
        };
        certificates.sort();
        let certificates = if certificates.is_empty() { vec![] } else { tlv(0xa0, &certificates.concat()) };
        let signed_data = sequence(&[
            tlv(INTEGER, &[3]),
            tlv(SET, &digest_algorithm),
            sequence(&[oid(TST_INFO), tlv(0xa0, &tlv(OCTET_STRING, &info))]),
            certificates,
            tlv(SET, &signer),
        ]);
        sequence(&[oid("1.2.840.113549.1.7.2"), tlv(0xa0, &signed_data)])
    }
}

/// Right as it comes from [`Token::right`]; a test changes one member.
struct Token {
    gen_time: Timestamp,
    fraction: &'static str,
    certificates: Certificates,
    order: Order,
    signed_as_sent: bool,
    by_key_identifier: bool,
    wrong_signature: bool,
}

impl Token {
    fn right(bench: &Bench) -> Self {
        Self {
            gen_time: bench.made.leaf.not_before() + SignedDuration::from_secs(1),
            fraction: "",
            certificates: Certificates::Signer,
            order: Order::Sorted,
            signed_as_sent: false,
            by_key_identifier: false,
            wrong_signature: false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Certificates {
    Chain,
    None,
    Signer,
    Stranger,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Reversed,
    /// contentType, signingTime, messageDigest, signingCertificateV2: as Sigstore's authority lists them.
    SigstoresOwn,
    Sorted,
}

const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const KEY_IDENTIFIER: &[u8] = b"the key of this authority";
