//! How far a long run is: on a terminal, written over and gone at the end; nowhere else.

use super::sandbox::{Ran, Sandbox, Typist, WAXSEAL};

#[test]
fn a_long_run_says_how_far_it_is_on_a_terminal_and_nowhere_else() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "nobody's"]).success();
    let on_terminal = |arguments: &str| {
        let typist = Typist::at(&sandbox, &format!("\"$WAXSEAL\" verify --stdin {arguments} <ids"), &[])?;
        let (code, shown) = typist.leaves();
        assert_eq!(code, 1, "{shown}");
        Some(shown)
    };
    let line = regex::Regex::new(r"[\d,]+ objects checked, [\d,]+ a second").unwrap();
    // As much as takes longer than a second here.
    let mut count = 8_000;
    let shown = loop {
        sandbox.write("repository/ids", "HEAD\n".repeat(count));
        let Some(shown) = on_terminal("") else { return };
        if line.is_match(&shown) || count > 1_000_000 {
            break shown;
        }
        count *= 4;
    };
    let lines: Vec<_> = line.find_iter(&shown).collect();
    assert!(!lines.is_empty(), "{shown}");
    // What is written over it begins where it began: nothing of it is left, and the answer stands behind it.
    let last = lines[lines.len() - 1];
    let (behind, answer) = shown[last.end()..].split_once(&format!("{} of ", grouped(count))).unwrap();
    assert_eq!(behind.trim_matches(' '), "", "{shown:?}");
    assert!(answer.contains("commits fail"), "{answer}");

    // JSON goes elsewhere, and the person is still told; in a list every line is progress enough.
    let shown = on_terminal("--json >out.json").unwrap();
    assert!(line.is_match(&shown), "{shown}");
    let json = std::fs::read_to_string(sandbox.path("repository/out.json")).unwrap();
    assert!(json.lines().count() == count + 2 && !line.is_match(&json));
    assert!(!line.is_match(&on_terminal("--list").unwrap()));
    // Of a narrow terminal it takes one row, and one that cannot write over a row is spared it.
    let before_answer = |before: &str| {
        let typist = Typist::at(&sandbox, &format!("{before} \"$WAXSEAL\" verify --stdin <ids"), &[]).unwrap();
        let (code, shown) = typist.leaves();
        assert_eq!(code, 1, "{shown}");
        shown.split_once(&format!("{0} of {0} commits fail", grouped(count))).unwrap().0.to_owned()
    };
    let shown = before_answer("stty cols 25;");
    assert!(shown.contains(" objects checked") && !shown.contains("second"), "{shown:?}");
    let shown = before_answer("stty cols 10;");
    assert!(!shown.trim().is_empty() && !shown.contains("checked"), "{shown:?}");
    assert_eq!(before_answer("TERM=dumb"), "");
    // No terminal, no word.
    let ids = "HEAD\n".repeat(count);
    let ran = Ran::of(sandbox.command(WAXSEAL).args(["verify", "--stdin"]), ids.as_bytes()).code(1);
    assert!(!line.is_match(&(ran.out() + &ran.err())), "{}", ran.err());
}

fn grouped(number: usize) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}
