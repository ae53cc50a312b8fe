//! The user's terminal. Git owns stdin and stdout while it signs and shows stderr only when signing failed, so news and
//! questions go to the controlling terminal itself.

use std::fmt::{self, Display};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fd::AsFd;
use rustix::termios::tcgetwinsize;
use tokio::sync::oneshot;
use tokio::time::timeout;
use url::Url;

use crate::escape;

mod attendant;

pub use attendant::Attendant;

/// The controlling terminal, or the lack of one.
#[derive(Debug)]
pub struct Terminal {
    lines: Option<(File, File)>,
    is_forbidden: bool,
    says_why: bool,
}

impl Terminal {
    /// Opens the controlling terminal if there is one.
    #[must_use]
    pub fn open() -> Self {
        let input = OpenOptions::new().read(true).open(INPUT);
        let output = OpenOptions::new().write(true).open(OUTPUT);
        Self { lines: input.ok().zip(output.ok()), is_forbidden: false, says_why: false }
    }

    /// Opens it where the user may be asked, and otherwise has none.
    #[must_use]
    pub fn open_if(may_prompt: bool) -> Self {
        if may_prompt { Self::open() } else { Self { is_forbidden: true, ..Self::none() } }
    }

    /// No terminal: news are dropped, and there is nobody to ask.
    #[must_use]
    pub fn none() -> Self {
        Self { lines: None, is_forbidden: false, says_why: false }
    }

    /// The same, saying why things are done as they are, or not.
    #[must_use]
    pub fn that_says_why(self, says_why: bool) -> Self {
        Self { says_why, ..self }
    }

    /// Whether anybody may be there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.lines.is_some()
    }

    /// Why nobody can be there, if that is so.
    #[must_use]
    pub fn absence(&self) -> Option<NoTerminal> {
        match (&self.lines, self.is_forbidden) {
            (Some(_), _) => None,
            (None, true) => Some(NoTerminal::Forbidden),
            (None, false) => Some(NoTerminal::NotThere),
        }
    }

    /// Shows one line, escaped. A terminal that went away is nobody's fault.
    pub fn news(&self, line: impl Display) {
        self.write(&format!("waxseal: {}\n", escape::terminal(line.to_string())));
    }

    /// Says why something is done as it is, to those who asked for that; on stderr where there is no terminal.
    pub fn detail(&self, why: impl Display) {
        match (self.says_why, self.is_there()) {
            (false, _) => {}
            (true, true) => self.news(why),
            (true, false) => ignore(writeln!(io::stderr(), "waxseal: {}", escape::terminal(why.to_string()))),
        }
    }

    /// Shows what is drawn with block elements, in black and white whatever the terminal's colours are.
    pub fn drawing(&self, lines: &[String]) {
        let line = |line: &String| format!("    {BLACK_ON_WHITE}{line}{RESET}\n");
        self.write(&lines.iter().map(line).collect::<String>());
    }

    /// Shows an address on a line of its own, ready to be opened or copied. What the `url` crate writes is visible ASCII
    /// and stays as it is: escaping its percent signs would change the address.
    pub fn address(&self, address: &Url) {
        self.write(&format!("\n    {address}\n\n"));
    }

    /// Shows what an address is for, and the address; on stderr where there is no terminal. A graphical Git shows that when
    /// signing failed, other programs at once.
    pub fn announce(&self, what: impl Display, address: &Url) {
        let text = format!("waxseal: {}\n\n    {address}\n\n", escape::terminal(what.to_string()));
        if self.is_there() {
            self.write(&text);
        } else {
            ignore(io::stderr().write_all(text.as_bytes()));
        }
    }

    /// How many columns it has, if it says.
    #[must_use]
    pub fn columns(&self) -> Option<usize> {
        let (_, output) = self.lines.as_ref()?;
        columns(output)
    }

    /// Asks a question that is answered with yes or no; anything but a plain yes is a no. Not for ever. What was typed
    /// before the question is no answer to it.
    #[must_use]
    pub fn ask(&self, question: impl Display) -> Answer {
        let (sender, receiver) = mpsc::channel();
        if !self.put(question, move |line| drop(sender.send(line))) {
            return Answer::NobodyThere;
        }
        self.answer(receiver.recv_timeout(ANSWER_TIME).ok())
    }

    /// [`Self::ask`] for whoever has an event loop, where other tasks go on.
    pub async fn ask_meanwhile(&self, question: impl Display) -> Answer {
        let (sender, receiver) = oneshot::channel();
        if !self.put(question, move |line| drop(sender.send(line))) {
            return Answer::NobodyThere;
        }
        let line = timeout(ANSWER_TIME, receiver).await;
        self.answer(line.ok().map(|line| line.ok().flatten()))
    }

    /// Whether the question could be put to somebody.
    fn put(&self, question: impl Display, tell: impl FnOnce(Option<String>) + Send + 'static) -> bool {
        let Some((input, _)) = &self.lines else { return false };
        attendant::drop_typed(input);
        self.write(&format!("waxseal: {} [y/N] ", escape::terminal(question.to_string())));
        self.read_line(MAX_ANSWER_BYTES, tell);
        true
    }

    /// What a line means; `None`: none came in time.
    fn answer(&self, line: Option<Option<String>>) -> Answer {
        match line {
            Some(Some(line)) => Answer::of_line(&line),
            Some(None) => Answer::NobodyThere,
            None => {
                self.write("\n");
                self.news(format_args!("nobody answered within {} s", ANSWER_TIME.as_secs()));
                Answer::NobodyThere
            }
        }
    }

    /// Asks for a line, which is shown as it is typed: a code that is good once. `None` when nobody can type one.
    pub async fn line(&self, question: impl Display) -> Option<String> {
        self.write(&format!("waxseal: {} ", escape::terminal(question.to_string())));
        let (sender, receiver) = oneshot::channel();
        self.read_line(MAX_LINE_BYTES, move |line| drop(sender.send(line)));
        receiver.await.ok().flatten()
    }

    /// In a thread, because nothing else can stop waiting for a terminal. Its settings are never changed, so that there is
    /// nothing to restore when Ctrl-C ends the program.
    fn read_line(&self, limit: u64, tell: impl FnOnce(Option<String>) + Send + 'static) {
        let Some(Ok(input)) = self.lines.as_ref().map(|(input, _)| input.try_clone()) else { return tell(None) };
        std::thread::spawn(move || {
            let mut line = Vec::new();
            let read = BufReader::new(input).take(limit).read_until(b'\n', &mut line);
            // What is not text is an answer that means nothing, not nobody's.
            tell(read.is_ok_and(|read| read > 0).then(|| String::from_utf8_lossy(&line).into_owned()));
        });
    }

    /// What is typed is read from `input`.
    #[cfg(test)]
    pub(crate) fn of_files(input: File, output: File) -> Self {
        Self { lines: Some((input, output)), ..Self::none() }
    }

    fn write(&self, text: &str) {
        if let Some((_, output)) = &self.lines {
            let mut output: &File = output;
            // One write a line, so that lines of several programs do not mix.
            ignore(output.write_all(text.as_bytes()));
        }
    }
}

/// Why nobody can be shown or asked anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTerminal {
    /// `GIT_TERMINAL_PROMPT` is false.
    Forbidden,
    /// Git runs without one.
    NotThere,
}

impl Display for NoTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forbidden => "GIT_TERMINAL_PROMPT keeps waxseal from the terminal",
            Self::NotThere => "there is no terminal",
        })
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

impl Answer {
    fn of_line(line: &str) -> Self {
        if ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str()) { Self::Yes } else { Self::No }
    }
}

/// How many columns the terminal has that `output` is, if it is one and says.
#[must_use]
pub fn columns(output: impl AsFd) -> Option<usize> {
    tcgetwinsize(output).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
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

/// How long a person may think: as long as a login may take.
const ANSWER_TIME: Duration = Duration::from_secs(120);
/// More than a terminal hands over at once.
const MAX_LINE_BYTES: u64 = 16 << 10;
/// Select Graphic Rendition of ECMA-48 §8.3.117.
const BLACK_ON_WHITE: &str = "\u{1b}[0;30;107m";
const RESET: &str = "\u{1b}[0m";
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
            ("\u{fffd}y\n", Answer::No),
            ("", Answer::NobodyThere),
        ] {
            let mut input = tempfile::tempfile().unwrap();
            input.write_all(typed.as_bytes()).unwrap();
            io::Seek::rewind(&mut input).unwrap();
            let output = tempfile::tempfile().unwrap();
            let terminal = Terminal::of_files(input, output);
            assert_eq!(terminal.ask("sure?"), answer, "{typed:?}");
        }
    }

    #[test]
    fn news_are_escaped_and_addresses_stay_as_they_are() {
        let mut output = tempfile::tempfile().unwrap();
        let terminal = Terminal::of_files(tempfile::tempfile().unwrap(), output.try_clone().unwrap());
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
