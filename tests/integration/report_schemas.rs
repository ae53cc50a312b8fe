//! What CI systems are handed is what their formats say, whatever stands in a commit: SARIF 2.1.0 by the properties that its
//! schema demands and allows, JUnit as an XML parser reads it.

use serde_json::Value;
use waxseal::git::HashKind;

use super::sandbox::Sandbox;
use super::sandbox::ssh::{SshSigner, unsigned};

/// What would end an element, a section, a link or a placeholder.
const SUBJECT: &str = "a ]]></failure> <b x=\"'\"> & {0} [c](http://d) \u{1b}[2K \u{202e}e \u{fffe} %0A";

/// A run with every standing that an object can have; its reports in JUnit and SARIF.
fn reports() -> (Vec<String>, String, Value) {
    let sandbox = Sandbox::new();
    let (carol, mallory) = (SshSigner::new(1), SshSigner::new(2));
    let good = carol.commit(&sandbox, "By Carol", &[]);
    let nobodys = sandbox.hash_object("commit", &unsigned(&sandbox, SUBJECT, &[]));
    let tampered = carol.signed(&sandbox, HashKind::Sha1, &unsigned(&sandbox, SUBJECT, &[]), b"something else");
    let strangers = mallory.commit(&sandbox, SUBJECT, &[]);
    let exempt = sandbox.hash_object("commit", &unsigned(&sandbox, "exempt", &[]));
    let missing = "1".repeat(40);
    let policy = format!(
        "version = 1\n[[exempt]]\nobject = '{exempt}'\nreason = '<before> & \"now\"'\n\
         [[rule]]\nname = 'carol'\nssh = ['{}']\nunbounded = true\n",
        carol.public()
    );
    let policy = sandbox.write("policy.toml", policy);
    let all = vec![good, nobodys, tampered, strangers, exempt, missing];
    let flags = ["verify", "--junit", "j.xml", "--sarif", "s.sarif", "--policy", policy.to_str().unwrap()];
    sandbox.waxseal(flags.into_iter().chain(all.iter().map(String::as_str))).code(1);
    let read = |name: &str| std::fs::read_to_string(sandbox.path("repository").join(name)).unwrap();
    (all, read("j.xml"), serde_json::from_str(&read("s.sarif")).unwrap())
}

#[test]
fn junit_is_xml_and_its_sums_are_those_of_its_cases() {
    let (all, text, _) = reports();
    let document = roxmltree::Document::parse(&text).unwrap();
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    let suites: Vec<_> = root.children().filter(roxmltree::Node::is_element).collect();
    let [suite] = suites[..] else { panic!("{text}") };
    assert_eq!(suite.tag_name().name(), "testsuite");
    let timestamp = suite.attribute("timestamp").unwrap();
    assert!(timestamp.parse::<jiff::civil::DateTime>().is_ok(), "{timestamp}");
    let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
    let outcome = |case: &roxmltree::Node<'_, '_>| {
        let outcomes = ["failure", "error", "skipped"];
        let names: Vec<_> = case.children().map(|node| node.tag_name().name().to_owned()).collect();
        let names: Vec<_> = names.into_iter().filter(|name| outcomes.contains(&name.as_str())).collect();
        assert!(names.len() <= 1, "{names:?}");
        names.concat()
    };
    let outcomes: Vec<String> = cases.iter().map(outcome).collect();
    assert_eq!(outcomes, ["", "failure", "failure", "failure", "skipped", "error"]);
    for node in [root, suite] {
        for (name, count) in [("tests", "6"), ("failures", "3"), ("errors", "1"), ("skipped", "1")] {
            assert_eq!(node.attribute(name), Some(count), "{name}");
        }
        assert!(node.attribute("name").is_some() && node.attribute("time").is_some());
    }
    for (case, id) in cases.iter().zip(&all) {
        let name = case.attribute("name").unwrap();
        assert!(name.starts_with(&id[..10]), "{name}");
        assert!(case.attribute("classname").unwrap().starts_with("waxseal."));
        assert!(case.attribute("time").is_some());
    }
    // The text comes out as it went in, but for what no XML has and nobody sees.
    let name = cases[1].attribute("name").unwrap();
    assert!(name.contains("a ]]></failure> <b x=\"'\"> & {0} [c](http://d) "), "{name}");
    assert!(!name.contains(['\u{1b}', '\u{202e}', '\u{fffe}']), "{name}");
    let skipped = cases[4].children().find(|node| node.has_tag_name("skipped")).unwrap();
    assert_eq!(skipped.attribute("message"), Some("exempt: <before> & \"now\""));
    let types: Vec<_> =
        cases.iter().flat_map(roxmltree::Node::children).filter_map(|node| node.attribute("type")).collect();
    assert_eq!(types, ["unsigned", "bad-signature", "ssh-signature", "object-missing"]);
}

#[test]
fn sarif_has_what_its_schema_demands_and_nothing_else() {
    let (all, _, document) = reports();
    assert_eq!(document["version"], "2.1.0");
    is_a("sarifLog", &document);
    let run = &document["runs"][0];
    // What code scanning makes of it: each result is of a rule, an error or a warning, and of a file.
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<_> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len());
    for rule in rules {
        for key in ["shortDescription", "fullDescription", "help"] {
            let text = rule[key]["text"].as_str().unwrap();
            assert!(!text.is_empty() && text.chars().count() <= 1024, "{key}: {text}");
        }
    }
    let results = run["results"].as_array().unwrap();
    let of: Vec<_> = results.iter().map(|result| result["properties"]["oid"].as_str().unwrap()).collect();
    assert_eq!(of, [&all[1], &all[2], &all[3], &all[5]]);
    for result in results {
        assert!(ids.contains(&result["ruleId"].as_str().unwrap()), "{result}");
        let [location] = &result["locations"].as_array().unwrap()[..] else { panic!("{result}") };
        let uri = location["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.bytes().all(|byte| byte.is_ascii_graphic()), "{uri}");
        let text = result["message"]["text"].as_str().unwrap();
        // A message's own marks: a placeholder, a link.
        assert!(!text.contains('{') && !text.contains("]("), "{text}");
        assert!(result["partialFingerprints"].as_object().unwrap().values().all(Value::is_string));
    }
}

/// Whether a value is an object of this definition of the schema, and all in it of theirs.
#[track_caller]
fn is_a(definition: &str, value: &Value) {
    let (_, required, optional) = SCHEMA.iter().find(|(name, ..)| *name == definition).unwrap();
    let object = value.as_object().unwrap_or_else(|| panic!("{definition}: {value}"));
    for name in *required {
        assert!(object.contains_key(*name), "{definition} has no {name}: {value}");
    }
    for (name, value) in object {
        let kind = optional.iter().find_map(|(known, kind)| (known == name).then_some(*kind));
        match kind.unwrap_or_else(|| panic!("{definition} has no {name}")) {
            "string" => assert!(value.is_string(), "{definition}.{name}: {value}"),
            "boolean" => assert!(value.is_boolean(), "{definition}.{name}: {value}"),
            "integer" => assert!(value.is_i64(), "{definition}.{name}: {value}"),
            "positive" => assert!(value.as_i64().is_some_and(|number| number > 0), "{definition}.{name}: {value}"),
            "level" => assert!(["none", "note", "warning", "error"].contains(&value.as_str().unwrap()), "{value}"),
            "bag" => assert!(value.is_object(), "{definition}.{name}: {value}"),
            many if many.ends_with("[]") => {
                value.as_array().unwrap().iter().for_each(|value| is_a(many.trim_end_matches("[]"), value));
            }
            other => is_a(other, value),
        }
    }
}

/// A definition, what it demands, and what it has, of those properties that are written here.
type Definition = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

/// sarif-schema-2.1.0.json, in which every object is closed.
const SCHEMA: [Definition; 15] = [
    ("sarifLog", &["version", "runs"], &[("$schema", "string"), ("version", "string"), ("runs", "run[]")]),
    (
        "run",
        &["tool"],
        &[
            ("tool", "tool"),
            ("automationDetails", "runAutomationDetails"),
            ("invocations", "invocation[]"),
            ("results", "result[]"),
            ("properties", "bag"),
        ],
    ),
    ("tool", &["driver"], &[("driver", "toolComponent")]),
    (
        "toolComponent",
        &["name"],
        &[("name", "string"), ("semanticVersion", "string"), ("rules", "reportingDescriptor[]")],
    ),
    (
        "reportingDescriptor",
        &["id"],
        &[
            ("id", "string"),
            ("name", "string"),
            ("shortDescription", "multiformatMessageString"),
            ("fullDescription", "multiformatMessageString"),
            ("help", "multiformatMessageString"),
            ("properties", "bag"),
        ],
    ),
    ("multiformatMessageString", &["text"], &[("text", "string"), ("markdown", "string")]),
    ("runAutomationDetails", &[], &[("id", "string")]),
    (
        "invocation",
        &["executionSuccessful"],
        &[
            ("executionSuccessful", "boolean"),
            ("exitCode", "integer"),
            ("toolExecutionNotifications", "notification[]"),
        ],
    ),
    ("notification", &["message"], &[("level", "level"), ("message", "message")]),
    (
        "result",
        &["message"],
        &[
            ("ruleId", "string"),
            ("level", "level"),
            ("message", "message"),
            ("locations", "location[]"),
            ("partialFingerprints", "bag"),
            ("properties", "bag"),
        ],
    ),
    // It has a text or an id.
    ("message", &["text"], &[("text", "string")]),
    ("location", &[], &[("physicalLocation", "physicalLocation")]),
    ("physicalLocation", &["artifactLocation"], &[("artifactLocation", "artifactLocation"), ("region", "region")]),
    ("artifactLocation", &[], &[("uri", "string"), ("uriBaseId", "string")]),
    ("region", &[], &[("startLine", "positive")]),
];
