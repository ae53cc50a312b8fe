//! The user's terminal. Git owns stdin and stdout while it signs and shows stderr only when signing failed, so news and
//! questions go to the controlling terminal itself.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};

use url::Url;

use crate::escape;

/// The controlling terminal, or the lack of one.
#[derive(Debug)]
pub struct Terminal {
    lines: Option<(File, File)>,
}

impl Terminal {
    /// Opens the controlling terminal if there is one.
    #[must_use]
    pub fn open() -> Self {
        let input = OpenOptions::new().read(true).open(INPUT);
        let output = OpenOptions::new().write(true).open(OUTPUT);
        Self { lines: input.ok().zip(output.ok()) }
    }

    /// No terminal: news are dropped, and there is nobody to ask.
    #[must_use]
    pub fn none() -> Self {
        Self { lines: None }
    }

    /// Whether anybody may be there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.lines.is_some()
    }

    /// Shows one line, escaped. A terminal that went away is nobody's fault.
    pub fn news(&self, line: impl Display) {
        self.write(&format!("waxseal: {}\n", escape::terminal(line.to_string())));
    }

    /// Shows an address on a line of its own, ready to be opened or copied. What the `url` crate writes is visible ASCII
    /// and stays as it is: escaping its percent signs would change the address.
    pub fn address(&self, address: &Url) {
        self.write(&format!("\n    {address}\n\n"));
    }

    /// Asks a question that is answered with yes or no; anything but a plain yes is a no.
    #[must_use]
    pub fn ask(&self, question: impl Display) -> Answer {
        let Some((input, _)) = &self.lines else { return Answer::NobodyThere };
        self.write(&format!("waxseal: {} [y/N] ", escape::terminal(question.to_string())));
        let mut line = String::new();
        match BufReader::new(input).take(MAX_ANSWER_BYTES).read_line(&mut line) {
            Ok(0) | Err(_) => Answer::NobodyThere,
            Ok(_) if ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str()) => Answer::Yes,
            Ok(_) => Answer::No,
        }
    }

    fn write(&self, text: &str) {
        if let Some((_, output)) = &self.lines {
            let mut output: &File = output;
            // One write a line, so that lines of several programs do not mix.
            ignore(output.write_all(text.as_bytes()));
        }
    }
}

/// What a question got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Anything else.
    No,
    /// No terminal, or it was closed.
    NobodyThere,
    /// `y` or `yes`.
    Yes,
}

fn ignore(_unread: io::Result<()>) {}

#[cfg(not(windows))]
const INPUT: &str = "/dev/tty";
#[cfg(not(windows))]
const OUTPUT: &str = "/dev/tty";
#[cfg(windows)]
const INPUT: &str = "CONIN$";
#[cfg(windows)]
const OUTPUT: &str = "CONOUT$";

/// Far more than "yes" takes.
const MAX_ANSWER_BYTES: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_is_nobody_to_ask() {
        let terminal = Terminal::none();
        terminal.news("nobody reads this");
        assert_eq!(terminal.ask("sure?"), Answer::NobodyThere);
        assert!(!terminal.is_there());
    }

    #[test]
    fn only_a_plain_yes_is_a_yes() {
        for (typed, answer) in [
            ("y\n", Answer::Yes),
            (" YES \r\n", Answer::Yes),
            ("yes please\n", Answer::No),
            ("\n", Answer::No),
            ("n\n", Answer::No),
            ("", Answer::NobodyThere),
        ] {
            let mut input = tempfile::tempfile().unwrap();
            input.write_all(typed.as_bytes()).unwrap();
            io::Seek::rewind(&mut input).unwrap();
            let output = tempfile::tempfile().unwrap();
            let terminal = Terminal { lines: Some((input, output)) };
            assert_eq!(terminal.ask("sure?"), answer, "{typed:?}");
        }
    }

    #[test]
    fn news_are_escaped_and_addresses_stay_as_they_are() {
        let mut output = tempfile::tempfile().unwrap();
        let terminal = Terminal { lines: Some((tempfile::tempfile().unwrap(), output.try_clone().unwrap())) };
        terminal.news("signed as \u{1b}[2Keve\nx");
        terminal.address(&Url::parse("https://a.example/?redirect_uri=http%3A%2F%2Flocalhost").unwrap());
        let mut text = String::new();
        io::Seek::rewind(&mut output).unwrap();
        output.read_to_string(&mut text).unwrap();
        assert_eq!(
            text,
            "waxseal: signed as %1B[2Keve%0Ax\n\n    https://a.example/?redirect_uri=http%3A%2F%2Flocalhost\n\n"
        );
    }
}
