//! What gpg says on its status file descriptor (GnuPG `doc/DETAILS`) of files that each hold one signature.

use super::BadOpenPgpSignature;

/// What gpg says of one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The key made it over this content. Whether the key has expired is not asked: nobody proves when it signed.
    Good {
        /// The fingerprint of the primary key, in upper-case hexadecimal.
        primary: String,
        /// That of the key that signed: the primary one or a subkey.
        signer: String,
        /// What is said of the key.
        standing: Standing,
    },
    /// Something is wrong with it.
    Bad(BadOpenPgpSignature),
    /// There is no key for it among those that gpg was given.
    NoKey,
}

/// What gpg says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has expired; gpg does not say then whether it was taken back besides.
    Expired,
    /// Nothing is wrong with it.
    Good,
    /// The owner, or who may, took it back.
    Revoked,
}

/// What is said of each file, in their order, and of no more than were given. A file of which nothing is said that can be
/// relied upon, and those after it, are not there: gpg ends behind a bad signature.
#[must_use]
pub fn sections(status: &str) -> Vec<Said> {
    let mut sections = Vec::new();
    let mut section: Option<Vec<&str>> = None;
    for line in status.lines() {
        let Some(line) = line.strip_prefix("[GNUPG:] ") else { continue };
        match (line.split(' ').next().unwrap_or_default(), &mut section) {
            ("FILE_START", open) => {
                if let Some(lines) = open.replace(Vec::new()) {
                    // Not ended before the next one.
                    match said(&lines) {
                        Some(said) => sections.push(said),
                        None => return sections,
                    }
                }
            }
            ("FILE_DONE" | "FILE_ERROR", open) => match open.take().as_deref().and_then(said) {
                Some(said) => sections.push(said),
                None => return sections,
            },
            (_, Some(lines)) => lines.push(line),
            (_, None) => {}
        }
    }
    // Of a bad one, or one that is over, gpg does not say that it is done.
    let last = section.as_deref().and_then(said);
    let ends = |said: &Said| matches!(said, Said::Bad(BadOpenPgpSignature::Signature | BadOpenPgpSignature::Expires));
    sections.extend(last.filter(ends));
    sections
}

/// Exactly one signature, of which exactly one thing is said.
fn said(lines: &[&str]) -> Option<Said> {
    let words = lines.iter().map(|line| line.split(' ').collect::<Vec<_>>());
    let words: Vec<_> = words.filter(|words| words.first().is_some_and(|keyword| TELLING.contains(keyword))).collect();
    let unknown = |why: &str| Some(Said::Bad(BadOpenPgpSignature::Unknown(why.to_owned())));
    match words.iter().map(Vec::as_slice).collect::<Vec<_>>().as_slice() {
        [["NEWSIG", ..], [good @ ("GOODSIG" | "EXPKEYSIG" | "REVKEYSIG"), ..], ["VALIDSIG", valid @ ..]] => {
            // Fingerprint, date, time, expiry, version, reserved, two algorithms, class, primary fingerprint.
            let [signer, _, _, expires, _, _, _, digest, class, primary] = valid else { return unknown("VALIDSIG") };
            if *expires != "0" {
                return Some(Said::Bad(BadOpenPgpSignature::Expires));
            }
            if *class != "00"
                || !["8", "9", "10", "11"].contains(digest)
                || ![signer, primary].iter().all(|print| is_fingerprint(print))
            {
                return unknown("VALIDSIG");
            }
            let standing = match *good {
                "EXPKEYSIG" => Standing::Expired,
                "REVKEYSIG" => Standing::Revoked,
                _ => Standing::Good,
            };
            Some(Said::Good { primary: (*primary).to_owned(), signer: (*signer).to_owned(), standing })
        }
        [["NEWSIG", ..], ["EXPSIG", ..], ..] => Some(Said::Bad(BadOpenPgpSignature::Expires)),
        [["NEWSIG", ..], ["BADSIG", ..]] => Some(Said::Bad(BadOpenPgpSignature::Signature)),
        // Key ID, two algorithms, class, time, code, fingerprint.
        [["NEWSIG", ..], ["ERRSIG", _, _, _, _, _, code, ..], rest @ ..] => match (*code, rest) {
            ("9", [] | [["NO_PUBKEY", ..]]) => Some(Said::NoKey),
            ("4", []) => Some(Said::Bad(BadOpenPgpSignature::Algorithm)),
            (code, _) => unknown(&format!("ERRSIG {}", code.chars().take(8).collect::<String>())),
        },
        // It ended before it came to it, or says what no gpg says.
        _ => None,
    }
}

fn is_fingerprint(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

/// What decides. Others tell of keys, or what people are to be told.
const TELLING: [&str; 9] =
    ["BADSIG", "ERRSIG", "EXPKEYSIG", "EXPSIG", "GOODSIG", "NEWSIG", "NO_PUBKEY", "REVKEYSIG", "VALIDSIG"];

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = "9DAF2A393AD54BE4FB5F3B5641E43C0F71D90980";

    fn of(lines: &str) -> Vec<Said> {
        let status: String =
            lines.split('|').map(|line| format!("[GNUPG:] {}\n", line.replace('P', PRIMARY))).collect();
        sections(&status.replace(&format!("{PRIMARY}UBKEY"), "PUBKEY").replace(&format!("EX{PRIMARY}"), "EXP"))
    }

    fn good(standing: Standing) -> Said {
        Said::Good { primary: PRIMARY.to_owned(), signer: PRIMARY.to_owned(), standing }
    }

    #[test]
    fn each_file_has_its_answer() {
        let valid = "VALIDSIG P 2026-11-26 1795707788 0 4 0 22 8 00 P";
        let file = |lines: &str| format!("FILE_START 1 f|{lines}|FILE_DONE");
        for (lines, expected) in [
            (
                file(&format!("NEWSIG d@x|KEY_CONSIDERED P 0|SIG_ID x 2026-11-26 1|GOODSIG 1 D <d@x>|{valid}")),
                good(Standing::Good),
            ),
            (file(&format!("NEWSIG|EXPKEYSIG 1 D|{valid}")), good(Standing::Expired)),
            (file(&format!("NEWSIG|REVKEYSIG 1 D|{valid}")), good(Standing::Revoked)),
            (file("NEWSIG|ERRSIG 1 22 8 00 1 9 P|NO_PUBKEY 1"), Said::NoKey),
            (file("NEWSIG|ERRSIG 1 22 8 00 1 4 P"), Said::Bad(BadOpenPgpSignature::Algorithm)),
            (file("NEWSIG|ERRSIG 1 22 8 00 1 1 P"), Said::Bad(BadOpenPgpSignature::Unknown("ERRSIG 1".to_owned()))),
            (
                file(&format!("NEWSIG|GOODSIG 1 D|{}", valid.replace("1795707788 0", "1795707788 1795707789"))),
                Said::Bad(BadOpenPgpSignature::Expires),
            ),
            (
                file(&format!("NEWSIG|GOODSIG 1 D|{}", valid.replace("22 8", "22 2"))),
                Said::Bad(BadOpenPgpSignature::Unknown("VALIDSIG".to_owned())),
            ),
            // It ends behind a bad one.
            (
                "FILE_START 1 f|NEWSIG|BADSIG 1 D|FAILURE gpg-exit 33554433".to_owned(),
                Said::Bad(BadOpenPgpSignature::Signature),
            ),
        ] {
            assert_eq!(of(&lines), std::slice::from_ref(&expected), "{lines}");
            let both = format!("{}|{lines}", file(&format!("NEWSIG|GOODSIG 1 D|{valid}")));
            assert_eq!(of(&both), [good(Standing::Good), expected], "{both}");
        }
    }

    #[test]
    fn what_cannot_be_relied_upon_is_not_there() {
        let valid = "VALIDSIG P 2026-11-26 1795707788 0 4 0 22 8 00 P";
        for lines in [
            "FILE_START 1 f|FILE_DONE".to_owned(),
            "FILE_START 1 f|NODATA 4|FILE_DONE".to_owned(),
            "FILE_START 1 f|NEWSIG|GOODSIG 1 D|FILE_DONE".to_owned(),
            format!("FILE_START 1 f|GOODSIG 1 D|{valid}|FILE_DONE"),
            format!("FILE_START 1 f|NEWSIG|NEWSIG|GOODSIG 1 D|{valid}|FILE_DONE"),
            format!("FILE_START 1 f|NEWSIG|BADSIG 1 D|GOODSIG 1 D|{valid}|FILE_DONE"),
            format!("FILE_START 1 f|NEWSIG|GOODSIG 1 D|{valid}|{valid}|FILE_DONE"),
            format!("NEWSIG|GOODSIG 1 D|{valid}"),
        ] {
            assert_eq!(of(&lines), [], "{lines}");
        }
    }
}
