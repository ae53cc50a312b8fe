//! `waxseal who`: who signed a history, by what is proven and nothing else.

use serde_json::Value;

use super::sandbox::{ALICE, BOB, Ran, Sandbox};

fn lines(ran: &Ran) -> Vec<Value> {
    ran.json_lines()
}

#[test]
fn by_identity_and_only_what_is_verified() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "another"]).success();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "unsigned"]).success();

    // Unsigned is an answer, too; and so is a signer whom nobody allows.
    let who = sandbox.waxseal(["who"]).success();
    let today = sandbox.sh("date -u +%Y-%m-%d").line();
    assert_eq!(
        sandbox.masked(&who.out()).replace(&today, "DAY"),
        "        2   66.6 %  alice@example.org  via STACK/oidc at home  DAY .. DAY\n        \
         1   33.3 %  bob@example.org    via STACK/oidc at home  DAY .. DAY  1 not allowed\n\
         verified signatures: 3 of 4 objects\n\
         not verified, so nobody's: 1 object, unsigned 1\n"
    );

    // What is tampered with or cannot be decided claims to be Alice's, and does not count as hers.
    let arguments = ["who", "--json", &gallery.tampered, &gallery.online, &gallery.by_bob];
    let all = lines(&sandbox.waxseal(arguments).code(3));
    let signers: Vec<_> = all.iter().filter(|line| line["type"] == "signer").collect();
    assert_eq!(signers.len(), 1);
    assert_eq!(
        (&signers[0]["identity"], &signers[0]["identity_kind"], &signers[0]["count"], &signers[0]["not_allowed"]),
        (&Value::from(BOB), &Value::from("email"), &Value::from(1), &Value::from(1))
    );
    assert_eq!(signers[0]["first"], signers[0]["last"]);
    let footer = all.last().unwrap();
    assert_eq!(footer["unverified"], serde_json::json!({ "log-entry-absent": 1, "payload-mismatch": 1 }));
    assert_eq!((&footer["counted"], &footer["exit"]), (&Value::from(1), &Value::from(3)));
}

#[test]
fn a_time_is_taken_whole_or_not_at_all() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "unsigned"]).success();
    for moment in ["2026-03-31", "2026-03-31T12:00:00Z", "2026-03-31T12:00:00+02:00", "2026-03-31T12:00:00+25:30"] {
        sandbox.waxseal(["who", "--after", moment]).success();
    }
    // Without an offset the hour is anybody's guess, and must not be dropped.
    for none in ["2026-03-31T12:00:00", "2026-03-31 12:00", "2026-03-31T12:00:00+26:00", "2026-03-31[Europe/Berlin]"] {
        let ran = sandbox.waxseal(["who", "--after", none]).code(2);
        assert!(ran.err().contains(&format!("--after \"{none}\" is no time")), "{}", ran.err());
    }
}

#[test]
fn what_an_identity_signed_since() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    let listed = sandbox.waxseal(["who", "--identity", BOB]).success();
    assert!(
        listed.out().starts_with(&format!("NOT ALLOWED  {}  bob@example.org ", &gallery.by_bob[..10])),
        "{}",
        listed.out()
    );
    assert!(listed.out().contains("\nverified signatures: 1 of 2 objects\n"), "{}", listed.out());

    let objects = |more: &[&str]| {
        let arguments = ["who", "--json", "--identity", ALICE].into_iter().chain(more.iter().copied());
        let all = lines(&sandbox.waxseal(arguments).success());
        all.iter().filter(|line| line["type"] == "object").map(|line| line["oid"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(objects(&[]), [gallery.by_alice.as_str()]);
    assert_eq!(objects(&["--after", "2020-01-01", "--before", "2999-01-01T00:00:00Z"]).len(), 1);
    assert!(objects(&["--after", "2999-01-01"]).is_empty());
    assert!(objects(&["--before", "2020-01-01T00:00:00Z"]).is_empty());
    let nobody = sandbox.waxseal(["who", "--identity", "carol@example.org\n"]).success();
    assert!(
        nobody.out().starts_with("nothing that is asked for is signed by carol@example.org%0A\n"),
        "{}",
        nobody.out()
    );
}
