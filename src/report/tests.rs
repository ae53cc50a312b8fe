//! Every sink over the same rows, texts that want to be something else among them.

use super::*;

/// What would end a line, a cell, an element, a section, a command or a link.
const HOSTILE: &[u8] =
    b"x\n::error::y]]></failure><script>|`#1 @z [a](http://b) \x1b[2K%0A\0\xff\xef\xbf\xbe\xe2\x80\xae##[c]{0}";

pub(super) fn row(number: u32, standing: Standing, reason: Option<&'static str>) -> Row {
    Row {
        oid: format!("{number:040x}"),
        kind: Some("commit"),
        standing,
        verdict: "verified",
        rule: None,
        reason,
        detail: reason.map(|_| "because".to_owned()),
        identity: None,
        identity_kind: None,
        issuer: None,
        instance: None,
        signature: Some("keyless"),
        time: None,
        author: b"Alice <alice@example.org>".to_vec(),
        subject: b"A change".to_vec(),
        head: None,
        changes_policy: false,
        cached: false,
    }
}

pub(super) fn signed(name: &str, issuer: &str, day: i64) -> Row {
    Row {
        identity: Some(name.to_owned()),
        identity_kind: Some("email"),
        issuer: Some(issuer.to_owned()),
        instance: Some("home".to_owned()),
        time: Timestamp::from_second(day * signers::DAY).ok(),
        ..row(1, Standing::Ok, None)
    }
}

fn hostile() -> Row {
    let text = || Some(String::from_utf8_lossy(HOSTILE).into_owned());
    Row {
        detail: text(),
        identity: text(),
        issuer: text(),
        author: HOSTILE.to_vec(),
        subject: HOSTILE.to_vec(),
        ..row(0xbad, Standing::Failed, Some("identity-not-allowed"))
    }
}

fn rows() -> Vec<Row> {
    vec![
        row(1, Standing::Ok, None),
        row(2, Standing::Exempt, Some("exempt")),
        hostile(),
        row(4, Standing::Failed, Some("unsigned")),
        row(5, Standing::Unknown, Some("log-entry-absent")),
    ]
}

#[test]
fn a_key_is_called_a_key() {
    for (signature, said) in [("openpgp", "0123ABCD (OpenPGP key)"), ("ssh", "0123ABCD (SSH key)")] {
        let row = Row { issuer: None, instance: None, signature: Some(signature), ..signed("0123ABCD", "", 1) };
        let row = Row { standing: Standing::Failed, reason: Some("identity-not-allowed"), ..row };
        assert_eq!(row.signer().unwrap(), said);
        assert!(junit::case(&row).contains(&format!("\nsigned by {said}\n")));
    }
    assert_eq!(signed("alice", "issuer", 1).signer().unwrap(), "alice via issuer");
}

fn about() -> About {
    About {
        tool: "waxseal 0",
        range: HOSTILE.to_vec(),
        policy: Some(PolicySource {
            source: String::from_utf8_lossy(HOSTILE).into_owned(),
            sha256: String::new(),
            path: Some("a folder/policy.toml".to_owned()),
        }),
        instances: vec![Trusted { name: "home".to_owned(), newest: Timestamp::from_second(1_700_000_000).ok() }],
        network: false,
        insecure_ignore_sct: true,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn sums(rows: &[Row]) -> (Totals, Failures) {
    let (mut totals, mut failures) = (Totals::default(), Failures::at_most(3));
    for row in rows {
        totals.count_row(row);
        if row.standing.is_failure() {
            failures.add(row);
        }
    }
    (totals, failures)
}

#[test]
fn the_answer_comes_first() {
    let answer = |rows: &[Row]| sums(rows).0.answer();
    let ok = row(1, Standing::Ok, None);
    let unjudged = row(1, Standing::Unjudged, Some("no-policy"));
    assert_eq!(answer(&rows()), "2 of 5 commits fail, 1 cannot be decided");
    assert_eq!(answer(&rows()[4..]), "1 of 1 commit cannot be decided");
    assert_eq!(answer(&[]), "nothing was there to verify");
    assert_eq!(answer(std::slice::from_ref(&ok)), "1 commit is in order");
    assert_eq!(answer(&[ok.clone(), Row { kind: Some("tag"), ..ok.clone() }]), "all 2 objects are in order");
    assert_eq!(answer(&[ok.clone(), unjudged]), "1 of 2 commits is signed, and nobody said who may sign");
    assert_eq!(answer(&vec![ok; 1_000]), "all 1,000 commits are in order");
    assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
}

#[test]
fn sums_say_what_they_are_made_of() {
    let (totals, _) = sums(&[rows(), vec![row(6, Standing::Failed, Some("unsigned"))]].concat());
    assert_eq!(totals.breakdown(Standing::Failed), "unsigned 2 · identity not allowed 1");
    assert_eq!(totals.breakdown(Standing::Ok), "keyless 1");
}

#[test]
fn failures_are_bounded_and_the_worst_come_first() {
    let mut rows = rows();
    rows.rotate_left(4);
    rows.push(row(6, Standing::Failed, Some("unsigned")));
    let (_, failures) = sums(&rows);
    assert_eq!((failures.rows().len(), failures.all()), (3, 4));
    let shown: Vec<_> = failures.first(2).iter().map(|row| row.standing).collect();
    assert_eq!(shown, [Standing::Failed; 2]);
    assert_eq!(failures.first(9).last().unwrap().standing, Standing::Unknown);
}

#[test]
fn junit() {
    let (totals, _) = sums(&rows());
    let cases: String = rows().iter().map(junit::case).collect();
    let text = junit::head(&about(), &totals) + &cases + junit::TAIL;
    assert!(text.contains("tests=\"5\" failures=\"2\" errors=\"1\" skipped=\"1\""), "{text}");
    for (element, count) in [("testcase", 5), ("failure", 2), ("error", 1), ("skipped", 1), ("script", 0)] {
        assert_eq!(text.matches(&format!("<{element}")).count(), count, "{element} in {text}");
    }
    assert!(text.contains("type=\"log-entry-absent\""), "{text}");
    for (mut row, end) in rows().into_iter().zip(["", "/>", "</failure>", "</failure>", "</error>"]) {
        assert!(!junit::case(&row).contains("system-out"));
        row.changes_policy = true;
        let case = junit::case(&row).replace('\n', "");
        let expected = format!("{end}<system-out>changes the policy file</system-out></testcase>");
        assert!(case.ends_with(&expected), "{case}");
    }
    let tag = Row { kind: Some("tag"), ..rows().remove(2) };
    assert!(junit::case(&tag).contains("\ntagger, as claimed: "), "{}", junit::case(&tag));
    assert!(!text.contains("]]>") && text.contains("]]&gt;"), "{text}");
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text}");
    assert!(!text.contains(['\u{fffe}', '\u{202e}']), "{text}");
}

#[test]
fn sarif() {
    let (_, failures) = sums(&[rows(), rows()].concat());
    let document = sarif::document(&about(), &failures, 1).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    let run = &document["runs"][0];
    let rules: Vec<_> = run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    assert_eq!(rules, ["identity-not-allowed", "log-entry-absent", "unsigned"]);
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    let text = results[0]["message"]["text"].as_str().unwrap();
    assert!(!text.contains("](") && !text.contains('{') && !text.contains('\n'), "{text}");
    assert_eq!(results[0]["partialFingerprints"]["waxseal/v1"], format!("{:040x}:identity-not-allowed", 0xbad));
    assert_eq!(results[2]["level"], "warning");
    let location = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(location, "a%20folder/policy.toml");
    let more = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(more.starts_with("3 more objects failed"), "{more}");
}

#[test]
fn markdown() {
    let (totals, failures) = sums(&[rows(), rows()].concat());
    let (about, changes) = (about(), of_changes());
    let report = Report {
        about: &about,
        totals: &totals,
        failures: &failures,
        changes: &changes,
        squashes: &changes,
        exit_code: 1,
    };
    let text = summary::text(&report);
    assert!(text.starts_with("## ❌ waxseal: 4 of 10 commits fail, 2 cannot be decided\n"), "{text}");
    assert!(text.contains("| FAIL | 4 | identity not allowed 2 · unsigned 2 |\n"), "{text}");
    assert!(text.contains("\nand 3 more: `waxseal verify --failed`\n"), "{text}");
    assert!(text.contains("\nwaxseal explain 0000000000\n"), "{text}");
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        assert_eq!(row.matches('|').count(), 4, "{row}");
    }
    assert!(!text.contains("<script") && !text.contains("](http"), "{text}");
    let (totals, failures) = sums(&rows()[..2]);
    let none = Failures::at_most(0);
    let text = summary::text(&Report {
        totals: &totals,
        failures: &failures,
        changes: &none,
        squashes: &none,
        exit_code: 0,
        ..report
    });
    assert!(text.starts_with("## ✅ waxseal: all 2 commits are in order\n"), "{text}");
    assert!(!text.contains("What to do"), "{text}");
}

fn of_changes() -> Failures {
    let mut changes = Failures::at_most(1);
    (0..3).for_each(|_| changes.add(&Row { changes_policy: true, ..hostile() }));
    changes
}

/// The page, and the signers in it.
fn page(rows: &[Row], exit_code: u8) -> String {
    let (totals, _) = sums(rows);
    let mut failures = Failures::at_most(5_000);
    let mut signers = signers::Signers::by_day(1_000);
    for row in rows {
        signers.add(row);
        if row.standing.is_failure() {
            failures.add(row);
        }
    }
    let (about, changes) = (about(), of_changes());
    let mut squashes = Failures::at_most(2);
    rows.iter().filter(|row| row.squash().is_some()).for_each(|row| squashes.add(row));
    let (changes, squashes) = (&changes, &squashes);
    let report = Report { about: &about, totals: &totals, failures: &failures, changes, squashes, exit_code };
    html::page(&report, &signers)
}

#[test]
fn a_page_is_whole_in_itself() {
    let mut rows = rows();
    rows.extend([1, 1, 9].map(|day| signed("alice@example.org", "https://issuer.example", day)));
    let text = page(&rows, 1);
    for element in ["script", "img", "link", "iframe", "object", "form", "meta http-equiv=\"refresh"] {
        assert!(!text.contains(&format!("<{element}")), "{element}");
    }
    for attribute in [" src=", " href=", " style=", " onload=", "url(", "@import"] {
        assert!(!text.contains(attribute), "{attribute}");
    }
    let style = text.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    use base64::Engine as _;
    let digest = crate::crypto::Sha256Digest::of(style.as_bytes());
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    assert!(text.contains(&format!("default-src 'none'; style-src 'sha256-{digest}'")), "{digest}");
    assert!(text.contains("<h1 class=\"verdict\">2 of 8 commits fail, 1 cannot be decided</h1>"), "{text}");
    assert!(text.contains("alice@example.org: 3 signatures, 1970-01-02 to 1970-01-10"), "{text}");
    for element in ["section", "table", "svg", "tr", "td", "th", "div", "ul", "li", "p", "h3", "code", "span", "main"] {
        let opened = text.matches(&format!("<{element} ")).count() + text.matches(&format!("<{element}>")).count();
        assert_eq!(opened, text.matches(&format!("</{element}>")).count(), "{element}");
    }
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text}");
}

/// A commit that the forge squashed from the head at a ref whose name wants to be something else.
fn squashed(proves: bool) -> Row {
    let reference = Some(String::from_utf8_lossy(HOSTILE).into_owned());
    let head = Some(Head { oid: format!("{:040x}", 0xfeed), reference, proves });
    let reason = (!proves).then_some("squash-differs");
    let standing = if proves { Standing::Ok } else { Standing::Failed };
    Row { head, changes_policy: proves, ..row(7, standing, reason) }
}

#[test]
fn every_sink_names_the_head_of_a_squash() {
    let (proven, not) = (squashed(true), squashed(false));
    let id = format!("{:040x}", 0xfeed);
    let short = "0000000000";
    assert!(proven.squash().unwrap().starts_with("squash of x\n::error"), "{:?}", proven.squash());
    assert!(proven.squash().unwrap().ends_with(&format!(" ({short})")), "{:?}", proven.squash());
    assert_eq!(not.squash(), None);
    let unnamed = Some(Head { reference: None, ..proven.head.clone().unwrap() });
    let unnamed = Row { head: unnamed, changes_policy: false, ..proven.clone() };
    assert_eq!(unnamed.squash().unwrap(), format!("squash of {short}"));

    // JUnit: the whole id.
    assert!(junit::case(&unnamed).ends_with(&format!("><system-out>squash of {id}</system-out></testcase>\n")));
    let cases = [&proven, &not].map(junit::case);
    assert!(
        cases[0].contains("<system-out>changes the policy file\nsquash of x%0A::error::y]]&gt;&lt;/failure&gt;"),
        "{}",
        cases[0]
    );
    assert!(cases[1].contains("</failure><system-out>nearest head x%0A::error::y]]&gt;"), "{}", cases[1]);
    for case in &cases {
        assert!(case.contains(&format!(", {id}</system-out>")), "{case}");
        assert_eq!(
            (case.matches("</failure>").count(), case.matches("<script").count()),
            (case.matches("<failure").count(), 0)
        );
    }

    let rows = [proven.clone(), not.clone(), unnamed];
    let (totals, failures) = sums(&rows);
    // SARIF: failures only, and the whole id beside the object's.
    let document = sarif::document(&about(), &failures, 1).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    let head = &document["runs"][0]["results"][0]["properties"]["nearestHead"];
    assert_eq!(head["oid"], id.as_str());
    assert!(head["ref"].as_str().unwrap().starts_with("x%0A::error"), "{head}");
    let others = sarif::document(&about(), &sums(&self::rows()).1, 1).unwrap();
    assert!(!String::from_utf8(others).unwrap().contains("nearestHead"));

    let (about, none) = (about(), Failures::at_most(0));
    let mut squashes = Failures::at_most(1);
    [&proven, &proven].into_iter().for_each(|row| squashes.add(row));
    let report = Report {
        about: &about,
        totals: &totals,
        failures: &none,
        changes: &squashes,
        squashes: &squashes,
        exit_code: 1,
    };
    let text = summary::text(&report);
    let (_, section) = text.split_once("\n### Squashes and the heads that prove them\n").unwrap();
    assert!(section.contains("| `0000000000` | **in order**<br><code>squash of x&#37;0A&#58;&#58;error"), "{section}");
    assert!(section.contains("\nand 1 more: `waxseal verify --list`\n"), "{section}");
    assert!(!text.contains("<script") && !text.contains("](http"), "{text}");
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        assert_eq!(row.matches('|').count(), 4, "{row}");
    }
    let lines = annotations::lines(&report);
    assert!(lines.contains("::not verified; squash of x%250A::error::y]]>"), "{lines}");
    assert_eq!(lines.lines().count(), 2, "{lines}");

    // The page: a few digits, and all of them for whoever points at them.
    let text = page(&[rows.as_slice(), &rows].concat(), 1);
    let (before, section) = text.split_once("<h2>Squashes and the heads that prove them</h2>").unwrap();
    let code = format!(" <code title=\"{id}\">{short}</code>");
    assert!(before.contains("<br>nearest head x%0A::error::y]]&gt;&lt;/failure&gt;&lt;script&gt;"), "{before}");
    assert!(section.contains("squash of x%0A::error::y]]&gt;&lt;/failure&gt;&lt;script&gt;"), "{section}");
    assert!(section.contains(&format!("squash of{code}")), "{section}");
    assert!(section.contains("and 2 more; <code>waxseal verify --list</code> has them"), "{section}");
    assert!(!text.contains("<script"), "{text}");
    assert!(!page(&self::rows(), 1).contains("Squashes"));
}

#[test]
fn a_page_is_bounded() {
    let mut rows: Vec<Row> = (0..5_000).map(|_| hostile()).collect();
    rows.extend((0..3_000).map(|number| signed(&format!("{number}@example.org"), "https://issuer.example", number)));
    let text = page(&rows, 1);
    assert!(text.len() < 1 << 20, "{}", text.len());
    assert!(text.contains("and 4,700 more; <code>waxseal verify --failed</code>"));
    assert!(text.contains("signatures of others; <code>waxseal who</code>"));
    let unjudged: Vec<Row> = (0..50).map(|number| row(number, Standing::Unjudged, Some("no-policy"))).collect();
    assert_eq!(page(&unjudged, 5).matches("<h3 class=\"c-unjudged\">no policy").count(), 1);
    assert_eq!(page(&unjudged, 5).matches("<code title=").count(), 1, "who changes the policy");
    assert!(page(&[], 3).contains("nothing was there to verify"));
}

#[test]
fn annotations_are_few() {
    let (_, failures) = sums(&rows());
    let (about, none) = (about(), Failures::at_most(0));
    let (totals, _) = sums(&rows());
    let report =
        Report { about: &about, totals: &totals, failures: &failures, changes: &none, squashes: &none, exit_code: 1 };
    let lines = annotations::lines(&report);
    assert_eq!(lines.lines().count(), 3);
    assert!(lines.starts_with("::error file=a folder/policy.toml,title=identity not allowed 0000000000::"), "{lines}");
    assert!(lines.lines().all(|line| line.starts_with("::error ") || line.starts_with("::warning ")), "{lines}");
    assert!(!lines.contains("##"), "{lines}");
    let mut many = Failures::at_most(50);
    (0..40).for_each(|_| many.add(&hostile()));
    let lines = annotations::lines(&Report { failures: &many, ..report });
    assert_eq!(lines.lines().count(), annotations::MAX_ANNOTATIONS);
    let unjudged = sums(&[row(1, Standing::Unjudged, Some("no-policy"))]).0;
    assert_eq!(
        annotations::lines(&Report { totals: &unjudged, failures: &none, ..report }),
        "::warning title=waxseal::1 of 1 commit is signed, and nobody said who may sign\n"
    );
    assert!(lines.ends_with("::and 31 more; \"waxseal verify --failed\" lists them\n"), "{lines}");
    let mut changes = Failures::at_most(MAX_CHANGES);
    changes.add(&Row { changes_policy: true, ..signed("alice", "issuer", 1) });
    let notice =
        "::notice file=a folder/policy.toml,title=0000000000 changes the policy file::signed by alice via issuer";
    let lines = annotations::lines(&Report { failures: &none, changes: &changes, ..report });
    assert_eq!(lines, format!("{notice}; subject: A change\n"));
    (0..140).for_each(|_| changes.add(&hostile()));
    let lines = annotations::lines(&Report { failures: &none, changes: &changes, ..report });
    assert_eq!(lines.lines().count(), annotations::MAX_ANNOTATIONS);
    assert!(lines.ends_with("::132 more change the policy file; \"waxseal verify --list\"\n"), "{lines}");
}
