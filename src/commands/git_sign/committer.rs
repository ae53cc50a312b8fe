//! `waxseal.matchCommitter`: whom the certificate names, held against whom the payload names.

use super::payload;
use crate::command_error::CommandError;
use crate::credential::RequestedSigner;
use crate::settings::MatchCommitter;
use crate::x509::SubjectAlternativeName;

/// The payload's committer, tagger or pusher as who must be signing.
pub(super) fn required(payload: &[u8], by_key: Option<&RequestedSigner>) -> Result<RequestedSigner, CommandError> {
    let Some((word, person)) = payload::maker(payload) else {
        return Err(CommandError::failed(
            "waxseal.matchCommitter is \"require\", and what is to be signed has no committer",
        )
        .hint("it is no commit, tag or push certificate; \"warn\" signs it"));
    };
    let Some(wanted) = named(word, person) else {
        let person = String::from_utf8_lossy(person);
        return Err(CommandError::failed(format_args!(
            "waxseal.matchCommitter is \"require\", and the {word} has not one address: \"{person}\""
        ))
        .hint("set user.email; for a signed push, user.signingKey is the pusher"));
    };
    match by_key {
        Some(key) if key.to_string() != wanted.to_string() => Err(CommandError::failed(format_args!(
            "the signature is wanted from {key}, and by waxseal.matchCommitter from the {word} {wanted}"
        ))
        .hint("change user.signingKey or the committer, or set waxseal.matchCommitter to warn")),
        _ => Ok(wanted),
    }
}

/// What to say of a signature by another person than the one that the payload names. A machine is never a committer.
pub(super) fn difference(payload: &[u8], signer: &SubjectAlternativeName, chosen: MatchCommitter) -> Option<String> {
    let (MatchCommitter::Warn, SubjectAlternativeName::Email(address)) = (chosen, signer) else { return None };
    let (word, person) = payload::maker(payload)?;
    let is = match named(word, person) {
        Some(named) if named.is(address) => return None,
        Some(named) => format!("is {named}"),
        // It is whatever names a key.
        None if word == "pusher" => return None,
        None => "has no address that everybody would read the same".to_owned(),
    };
    Some(format!("the signature is by {address}, and the {word} {is}; waxseal.matchCommitter = require refuses that"))
}

/// Whom the header `word` names. Only a pusher may be more than `Name <address>`.
fn named(word: &str, person: &[u8]) -> Option<RequestedSigner> {
    (word == "pusher" || person.contains(&b'<')).then(|| RequestedSigner::of_person(person)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &[u8] = b"tree 1\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 1 +0000\n\nm\n";
    const TAG: &[u8] = b"object 1\ntype commit\ntag v\ntagger C <c@x> 1 +0000\n\ncommitter B <b@x> 1 +0000\n";
    const PUSH: &[u8] = b"certificate version 0.1\npusher C <c@x> 1 +0000\npushee u\n\nx y z\n";

    #[test]
    fn whoever_made_the_payload_is_read_from_it() {
        let email = |address: &str| SubjectAlternativeName::Email(address.to_owned());
        for (payload, word) in [(COMMIT, "committer"), (TAG, "tagger"), (PUSH, "pusher")] {
            let said = |address| difference(payload, &email(address), MatchCommitter::Warn);
            assert_eq!(said("c@x"), None);
            let expected = format!(
                "the signature is by b@x, and the {word} is c@x; waxseal.matchCommitter = require refuses that"
            );
            assert_eq!(said("b@x"), Some(expected));
            assert_eq!(required(payload, None).unwrap().to_string(), "c@x");
        }
        for person in ["A <b@x> <c@x> 1 +0000", "A <> 1 +0000", "c@x 1 +0000", "A <c@x> d 1 +0000"] {
            let payload = format!("tree 1\nauthor A <c@x> 1 +0000\ncommitter {person}\n\nm\n");
            let said = difference(payload.as_bytes(), &email("c@x"), MatchCommitter::Warn).unwrap();
            assert!(said.contains("and the committer has no address that everybody"), "{said}");
            assert!(required(payload.as_bytes(), None).is_err(), "{person}");
        }
        let machine = SubjectAlternativeName::Uri("https://ci/x".to_owned());
        assert_eq!(difference(COMMIT, &machine, MatchCommitter::Warn), None);
        assert_eq!(difference(b"anything", &email("b@x"), MatchCommitter::Warn), None);
    }

    #[test]
    fn what_names_nobody_or_two_is_not_signed_where_it_matters() {
        assert!(required(b"anything", None).is_err());
        assert!(required(b"certificate version 0.1\npusher 0xDEADBEEF 1 +0000\npushee u\n\n", None).is_err());
        let key = RequestedSigner::new(b"b@x", []);
        let error = required(COMMIT, key.as_ref()).unwrap_err();
        assert_eq!(
            error.message(),
            "the signature is wanted from b@x, and by waxseal.matchCommitter from the committer c@x"
        );
        assert!(required(COMMIT, RequestedSigner::new(b"c@x", []).as_ref()).is_ok());
    }
}
