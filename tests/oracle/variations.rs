//! Signatures with one thing changed, right and wrong, and what both verifiers say of them.

use jiff::SignedDuration;
use waxseal::crypto::Sha256Digest;
use waxseal::trusted_root::LogId;

use super::der::{OCTET_STRING, SEQUENCE, UTF8_STRING, oid, tlv};
use super::forge::{
    Change, ECDSA_SHA384, EntryAbout, MESSAGE_DIGEST, PAYLOAD, Recipe, Rekor, SAN, Sct, Token, attribute, extension,
    san,
};

/// A signature with one thing changed.
pub(crate) struct Variation {
    pub(crate) name: &'static str,
    pub(crate) change: Change<Recipe>,
    /// What both say, or what each says and why they differ.
    verdict: Agreement,
}

enum Agreement {
    BothVerify,
    BothReject,
    /// waxseal's reason to be stricter.
    OnlyTheOracle(&'static str),
}

impl Variation {
    /// Whether waxseal and whether the oracle verify it. That waxseal alone does is no choice.
    pub(crate) fn expected(&self) -> (bool, bool) {
        match self.verdict {
            Agreement::BothVerify => (true, true),
            Agreement::BothReject => (false, false),
            Agreement::OnlyTheOracle(why) => {
                assert!(!why.is_empty());
                (false, true)
            }
        }
    }
}

/// The kinds of signature that are verified offline.
pub(crate) const KINDS: [fn(&mut Recipe); 4] = [
    |_| {},
    |recipe| recipe.tokens = vec![recipe.token()],
    |recipe| recipe.log_on_v2(Rekor::V2),
    |recipe| recipe.log_on_v2(Rekor::V2Labelled001),
];

pub(crate) fn all() -> Vec<Variation> {
    use Agreement::{BothReject, BothVerify, OnlyTheOracle};
    let mut all = Vec::new();
    let mut add =
        |name, verdict, change: fn(&mut Recipe)| all.push(Variation { name, change: Box::new(change), verdict });
    add("right", BothVerify, |_| {});
    add("on Rekor v2", BothVerify, |recipe| recipe.log_on_v2(Rekor::V2));
    add("on Rekor v2, as gitsign labels it", BothVerify, |recipe| recipe.log_on_v2(Rekor::V2Labelled001));
    add("with a token", BothVerify, |recipe| recipe.tokens = vec![recipe.token()]);
    add("with two tokens", BothVerify, |recipe| {
        let later = Token { gen_time: recipe.integrated_time + SignedDuration::from_secs(1), ..recipe.token() };
        recipe.tokens = vec![recipe.token(), later];
    });
    add("with a token without certificates", BothVerify, |recipe| {
        recipe.tokens = vec![Token { certificates: false, ..recipe.token() }];
    });
    add("an SCT with extensions", BothVerify, |recipe| recipe.sct = Sct::WithExtensions);
    add("without signing time", BothVerify, |recipe| drop(recipe.signed_attributes.remove(1)));
    add("at the certificate's first second", BothVerify, |recipe| recipe.integrated_time = recipe.not_before);
    add("at the certificate's last second", BothVerify, |recipe| {
        recipe.integrated_time = recipe.not_before + SignedDuration::from_secs(600);
    });
    add("a URI", BothVerify, |recipe| names(recipe, &[tlv(0x86, b"https://ci.example/workflow")]));
    add("an extension that nobody knows", BothVerify, |recipe| {
        recipe.extensions.push(extension("1.2.3.4", false, &[5, 0]))
    });
    add("for code signing and something else", BothVerify, |recipe| {
        let purposes = [oid("1.3.6.1.5.5.7.3.3"), oid("1.3.6.1.5.5.7.3.2")].concat();
        recipe.replace_extension("2.5.29.37", Some(extension("2.5.29.37", false, &tlv(SEQUENCE, &purposes))));
    });

    add("another payload", BothReject, |recipe| recipe.payload = [PAYLOAD, b"more"].concat());
    add("another key's signature", BothReject, |recipe| recipe.other_key_signs = true);
    add("a stranger's certificate authority", BothReject, |recipe| recipe.foreign_ca = true);
    add("an authority of another name", BothReject, |recipe| recipe.ca_name = "stranger");
    add("no SCT", BothReject, |recipe| recipe.sct = Sct::Absent);
    add("a wrong SCT", BothReject, |recipe| recipe.sct = Sct::WrongSignature);
    add("a stranger's SCT", BothReject, |recipe| recipe.sct = Sct::OfStranger);
    add("for logging in", BothReject, |recipe| {
        let purpose = tlv(SEQUENCE, &oid("1.3.6.1.5.5.7.3.2"));
        recipe.replace_extension("2.5.29.37", Some(extension("2.5.29.37", false, &purpose)));
    });
    add("critical and unknown", BothReject, |recipe| recipe.extensions.push(extension("1.2.3.4", true, &[5, 0])));
    add("logged before the certificate was valid", BothReject, |recipe| {
        recipe.integrated_time = recipe.not_before - SignedDuration::from_secs(1);
    });
    add("logged after the certificate had expired", BothReject, |recipe| {
        recipe.integrated_time = recipe.not_before + SignedDuration::from_secs(601);
    });
    add("a token from after the certificate had expired", BothReject, |recipe| {
        let late = Token { gen_time: recipe.not_before + SignedDuration::from_secs(601), ..recipe.token() };
        recipe.tokens = vec![recipe.token(), late];
    });
    add("a token for another signature", BothReject, |recipe| {
        recipe.tokens = vec![Token { of_another_signature: true, ..recipe.token() }];
    });
    add("a stranger's token", BothReject, |recipe| recipe.tokens = vec![Token { by_stranger: true, ..recipe.token() }]);
    add("no entry", BothReject, |recipe| recipe.entry = None);
    add("another signature's entry", BothReject, |recipe| recipe.entry_about = EntryAbout::AnotherSignature);
    add("no promise", BothReject, |recipe| recipe.entry = Some(Box::new(|entry| entry.inclusion_promise = None)));
    add("another time than promised", BothReject, |recipe| {
        recipe.entry = Some(Box::new(|entry| entry.integrated_time += 1));
    });
    add("another index than promised", BothReject, |recipe| {
        recipe.entry = Some(Box::new(|entry| entry.log_index += 1))
    });
    add("an unknown log", BothReject, |recipe| recipe.entry = Some(Box::new(|entry| entry.log_id = LogId([7; 32]))));
    add("no proof", BothReject, |recipe| recipe.entry = Some(Box::new(|entry| entry.inclusion_proof = None)));
    add("no checkpoint", BothReject, |recipe| {
        recipe.entry = Some(Box::new(|entry| entry.inclusion_proof.as_mut().unwrap().checkpoint.clear()));
    });
    add("a wrong proof", BothReject, |recipe| {
        recipe.entry = Some(Box::new(|entry| entry.inclusion_proof.as_mut().unwrap().hashes[0].0[0] ^= 1));
    });
    add("a proof of another length", BothReject, |recipe| {
        recipe.entry = Some(Box::new(|entry| entry.inclusion_proof.as_mut().unwrap().hashes.truncate(1)));
    });
    add("a proof of another leaf", BothReject, |recipe| {
        recipe.entry = Some(Box::new(|entry| entry.inclusion_proof.as_mut().unwrap().leaf_index = 0));
    });
    add("v2 without time", BothReject, |recipe| {
        recipe.log_on_v2(Rekor::V2);
        recipe.tokens.clear();
    });

    add(
        "a proof in another tree",
        OnlyTheOracle("what the proof says of its tree is what the checkpoint says"),
        |recipe| {
            recipe.entry = Some(Box::new(|entry| entry.inclusion_proof.as_mut().unwrap().tree_size = 4));
        },
    );
    add("two names", OnlyTheOracle("a certificate names one signer"), |recipe| {
        names(recipe, &[tlv(0x81, SAN.as_bytes()), tlv(0x81, b"bob@example.org")]);
    });
    add(
        "issuers that disagree",
        OnlyTheOracle("whoever reads .1 reads another issuer than whoever reads .8"),
        |recipe| {
            let other = extension("1.3.6.1.4.1.57264.1.8", false, &tlv(UTF8_STRING, b"https://other.example"));
            recipe.replace_extension("1.3.6.1.4.1.57264.1.8", Some(other));
        },
    );
    add("a CMS of version 3", OnlyTheOracle("a bundle has no CMS"), |recipe| recipe.cms_version = 3);
    add("a CMS with its content", OnlyTheOracle("a bundle has no CMS"), |recipe| {
        recipe.content = Some(PAYLOAD.to_vec())
    });
    add("two digests", OnlyTheOracle("a bundle has no signed attributes"), |recipe| {
        let digests = [tlv(OCTET_STRING, &[0; 32]), tlv(OCTET_STRING, Sha256Digest::of(PAYLOAD).as_ref())];
        recipe.signed_attributes[2] = attribute(MESSAGE_DIGEST, &digests);
    });
    add("a signature algorithm that is not the one", BothReject, |recipe| {
        recipe.signature_algorithm = ECDSA_SHA384;
    });
    all
}

fn names(recipe: &mut Recipe, names: &[Vec<u8>]) {
    recipe.replace_extension("2.5.29.17", Some(san(names)));
}
