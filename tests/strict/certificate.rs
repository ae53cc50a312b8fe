//! Who signed: the leaf, the authority that it leads to, and the log that it stands in.

use waxseal::cms::armor;
use waxseal::instance::InstanceBounds;
use waxseal::policy::{Allowed, CertificateIdentity, IdentityPolicy, Pattern};
use waxseal::trusted_root::TrustedRoot;
use waxseal::verify::{SctRequirement, Verdict, Verifier};

use super::der::{BOOLEAN, SEQUENCE, UTF8_STRING, oid, tlv};
use super::forge::{Change, Forge, ISSUER, PAYLOAD, Recipe, SAN, Sct, extension, san};
use super::{verdict_of, word};

#[test]
fn the_leaf_is_for_code_signing_has_one_name_and_never_issues() {
    let without = |dotted: &'static str| move |recipe: &mut Recipe| recipe.replace_extension(dotted, None);
    let with = |dotted: &'static str, extension: Vec<u8>| {
        move |recipe: &mut Recipe| recipe.replace_extension(dotted, Some(extension.clone()))
    };
    let email = |name: &str| tlv(0x81, name.as_bytes());
    let client_auth = extension("2.5.29.37", false, &tlv(SEQUENCE, &oid("1.3.6.1.5.5.7.3.2")));
    let issuing = extension("2.5.29.19", true, &tlv(SEQUENCE, &tlv(BOOLEAN, &[0xff])));
    let other_issuer = extension("1.3.6.1.4.1.57264.1.8", false, &tlv(UTF8_STRING, b"https://other.example"));
    let cases: [(&str, Change<Recipe>); 13] = [
        ("no EKU", Box::new(without("2.5.29.37"))),
        ("EKU for something else", Box::new(with("2.5.29.37", client_auth))),
        ("no name", Box::new(without("2.5.29.17"))),
        ("two names", Box::new(with("2.5.29.17", san(&[email(SAN), email("bob@example.org")])))),
        ("an empty name", Box::new(with("2.5.29.17", san(&[email("")])))),
        ("an address", Box::new(with("2.5.29.17", san(&[tlv(0x87, &[127, 0, 0, 1])])))),
        ("unknown and critical", Box::new(with("1.2.3.4", extension("1.2.3.4", true, &[5, 0])))),
        ("poison", Box::new(with("1.3.6.1.4.1.11129.2.4.3", extension("1.3.6.1.4.1.11129.2.4.3", true, &[5, 0])))),
        ("issuers disagree", Box::new(with("1.3.6.1.4.1.57264.1.8", other_issuer))),
        ("CA:TRUE", Box::new(with("2.5.29.19", issuing))),
        ("keyCertSign", Box::new(with("2.5.29.15", extension("2.5.29.15", true, &[3, 2, 2, 0x84])))),
        ("key usage without signing", Box::new(with("2.5.29.15", extension("2.5.29.15", true, &[3, 2, 5, 0x20])))),
        (
            "no issuer",
            Box::new(|recipe: &mut Recipe| {
                recipe.replace_extension("1.3.6.1.4.1.57264.1.1", None);
                recipe.replace_extension("1.3.6.1.4.1.57264.1.8", None);
            }),
        ),
    ];
    for (what, change) in cases {
        assert_eq!(verdict_of(change), "rejected certificate-form", "{what}");
    }
    let unknown = |recipe: &mut Recipe| recipe.extensions.push(extension("1.2.3.4", false, &[5, 0]));
    assert_eq!(verdict_of(unknown), "verified", "what is unknown and not critical does not matter");
    let twice = |recipe: &mut Recipe| recipe.extensions.push(extension("1.3.6.1.4.1.57264.1.1", false, b"x"));
    assert_eq!(verdict_of(twice), "rejected malformed-signature");
}

#[test]
fn the_certificate_leads_to_a_trusted_authority() {
    assert_eq!(verdict_of(|recipe| recipe.ca_name = "stranger"), "rejected unknown-ca");
    assert_eq!(verdict_of(|recipe| recipe.foreign_ca = true), "rejected certificate-signature");
    let forge = Forge::new();
    let mut closed = forge.instance(|root| {
        root.certificate_authorities[0].valid_for.end = Some(root.certificate_authorities[0].valid_for.start);
    });
    let armor = armor::encode(&forge.sign(&Recipe::right(&forge)));
    let verdict = |instance| {
        let verifier = Verifier::new(vec![instance], forge.now(), SctRequirement::default()).unwrap();
        word(&verifier.verdict(PAYLOAD, armor.as_bytes()))
    };
    assert_eq!(verdict(closed.clone()), "rejected authority-outside-validity");
    let mut reopened = closed.clone();
    let mut again = reopened.trusted_root.certificate_authorities[0].clone();
    again.valid_for.end = None;
    reopened.trusted_root.certificate_authorities.push(again);
    assert_eq!(verdict(reopened), "verified", "the same authority, trusted at other times too");
    closed.trusted_root.certificate_authorities[0].valid_for.end = None;
    closed.bounds = InstanceBounds { oidc_issuers: Some(vec!["https://other.example".to_owned()]), audience: None };
    assert_eq!(verdict(closed), "rejected issuer-not-admitted");
}

#[test]
fn a_second_instance_with_the_same_authority_hides_nothing() {
    let forge = Forge::new();
    let named = |name: &str, change: fn(&mut TrustedRoot)| {
        let mut instance = forge.instance(change);
        instance.name = name.parse().unwrap();
        instance
    };
    let armor = armor::encode(&forge.sign(&Recipe::right(&forge)));
    let judge = |instances, rule: &str| {
        let verifier = Verifier::new(instances, forge.now(), SctRequirement::default()).unwrap();
        let Verdict::Verified(mut signature) = verifier.verdict(PAYLOAD, armor.as_bytes()) else { panic!() };
        let policy = IdentityPolicy::OneOf(vec![CertificateIdentity {
            name: "rule".to_owned(),
            san: Pattern::Exact(SAN.to_owned()),
            issuer: Pattern::Exact(ISSUER.to_owned()),
            instance: rule.parse().unwrap(),
        }]);
        let allowed = policy.judge(&mut signature, &waxseal::policy::Circumstances::default());
        (allowed, signature.instance().to_string())
    };
    let yes = Allowed::Yes("rule".to_owned());
    for name in ["a", "b"] {
        let both = vec![named("a", |_| {}), named("b", |_| {})];
        assert_eq!(judge(both, name), (yes.clone(), name.to_owned()));
    }
    // A copy with other logs verifies nothing, and takes nothing away.
    let other_logs = |root: &mut TrustedRoot| root.transparency_logs.clear();
    assert_eq!(judge(vec![named("a", other_logs), named("b", |_| {})], "b"), (yes, "b".to_owned()));
    assert_eq!(judge(vec![named("a", other_logs), named("b", |_| {})], "a").0, Allowed::No(None));
}

#[test]
fn certificate_timestamps_are_demanded_and_checked() {
    assert_eq!(verdict_of(|recipe| recipe.sct = Sct::Absent), "undecided sct-absent");
    assert_eq!(verdict_of(|recipe| recipe.sct = Sct::WrongSignature), "rejected sct");
    assert_eq!(verdict_of(|recipe| recipe.sct = Sct::OfStranger), "rejected unknown-log");
    let forge = Forge::new();
    let mut recipe = Recipe::right(&forge);
    recipe.sct = Sct::Absent;
    let armor = armor::encode(&forge.sign(&recipe));
    let verdict = |change: fn(&mut TrustedRoot), scts| {
        let verifier = Verifier::new(vec![forge.instance(change)], forge.now(), scts).unwrap();
        verifier.verdict(PAYLOAD, armor.as_bytes())
    };
    assert_eq!(word(&verdict(|root| root.ct_logs.clear(), SctRequirement::default())), "verified", "no CT log, no SCT");
    let Verdict::Verified(signature) = verdict(|_| {}, SctRequirement::InsecureIgnore) else { panic!() };
    assert!(signature.scts_ignored());
}
