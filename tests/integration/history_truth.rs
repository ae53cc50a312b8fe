//! A history of five thousand objects of every kind, of each of which is known what must be said: whatever stands beside it,
//! in whichever order it comes, found anew or kept from an earlier run.

mod world;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::world::{Made, Truth, World};
use super::sandbox::{Ran, Sandbox};

#[test]
fn every_verdict_of_a_mixed_history_is_the_known_one() {
    let sandbox = Sandbox::new();
    let world = World::make();
    world.store(&sandbox);
    let expected: BTreeMap<String, &Made> = world.made.iter().map(|made| (made.id.to_string(), made)).collect();
    assert_eq!(expected.len(), 5000);
    let kinds: BTreeSet<&str> = world.made.iter().map(|made| made.truth.what).collect();
    assert_eq!(kinds.len(), world::KINDS.len() + 1, "{kinds:?}");

    let verify = || {
        let arguments = ["verify", "--all", "--tags", "*", "--json", "--trusted-root", "trusted_root.json", "--policy"];
        let policy = sandbox.path("policy.toml");
        sandbox.waxseal(arguments.iter().copied().chain([policy.to_str().unwrap()]))
    };
    let cold = verify().code(1);
    compare(&cold, &expected);
    let warm = verify().code(1);
    compare(&warm, &expected);
    // What verified is known now, and nothing else.
    let cached = |object: &Value| object["cached"] == true;
    let verified = |object: &Value| object["verdict"] == "verified";
    assert!(!objects(&cold).iter().any(cached));
    assert!(objects(&warm).iter().all(|object| cached(object) == verified(object)));
    let uncached = |ran: &Ran| ran.out().replace("\"cached\":true", "\"cached\":false");
    assert_eq!(uncached(&cold), uncached(&warm));
}

fn objects(ran: &Ran) -> Vec<Value> {
    let lines = ran.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    assert_eq!(lines.last().unwrap()["type"], "footer");
    lines.into_iter().filter(|line| line["type"] == "object").collect()
}

fn compare(ran: &Ran, expected: &BTreeMap<String, &Made>) {
    let objects = objects(ran);
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for object in &objects {
        let id = object["oid"].as_str().unwrap();
        let made = expected[id];
        assert!(met.insert(id), "{id} came twice");
        let Truth { what, verdict, allowed, rule, reason, .. } = made.truth;
        let said = [&object["verdict"], &object["allowed"], &object["rule"], &object["reason"]];
        let known = [verdict.into(), allowed.into(), rule.into(), Value::from(reason)];
        if said.iter().zip(&known).any(|(said, known)| *said != known) {
            wrong.push(format!("{what} {id}: {said:?} and not {known:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), objects.len(), wrong.join("\n"));
    assert_eq!(met.len(), expected.len());
    // The sums are those of the lines.
    let footer: Value = serde_json::from_str(ran.out().lines().last().unwrap()).unwrap();
    for word in ["verified", "rejected", "undecided", "unsigned", "other"] {
        let count = expected.values().filter(|made| made.truth.verdict == word).count();
        assert_eq!(footer["counts"][word], count, "{word}");
    }
}
