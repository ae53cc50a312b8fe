//! A person who is asked now and then, by a program that goes on meanwhile.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};

use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{ANSWER_TIME, Answer, MAX_ANSWER_BYTES, Terminal};
use crate::escape;

/// Whoever sits at the terminal where a program runs in the foreground. One thread reads it for as long as that runs: a
/// question that nobody waits for any more takes no other one's answer.
#[derive(Debug)]
pub struct Attendant {
    terminal: Terminal,
    input: File,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Attendant {
    /// At `terminal`; `None`: nobody is there.
    #[must_use]
    pub fn new(terminal: Terminal) -> Option<Self> {
        let input = terminal.lines.as_ref()?.0.try_clone().ok()?;
        let mut read = BufReader::new(input.try_clone().ok()?);
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            loop {
                let mut line = Vec::new();
                let length = read.by_ref().take(MAX_ANSWER_BYTES).read_until(b'\n', &mut line);
                let goes_on = length.is_ok_and(|length| length > 0);
                if !goes_on || sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Some(Self { terminal, input, lines })
    }

    /// Shows one line, escaped.
    pub fn news(&self, line: impl Display) {
        self.terminal.news(line);
    }

    /// How many columns a line of [`Self::show`] has; `None`: the terminal does not say.
    #[must_use]
    pub fn columns(&self) -> Option<usize> {
        Some(self.terminal.columns()?.saturating_sub(INDENTATION.len()))
    }

    /// Shows lines that are escaped already.
    pub fn show(&self, lines: &[String]) {
        self.terminal.write(&lines.iter().map(|line| format!("{INDENTATION}{line}\n")).collect::<String>());
    }

    /// Asks a question that is answered with yes or no; anything but a plain yes is a no. Not for ever. What was typed
    /// before the question is no answer to it.
    pub async fn ask(&mut self, question: impl Display) -> Answer {
        drop_typed(&self.input);
        while self.lines.try_recv().is_ok() {}
        self.terminal.write(&format!("waxseal: {} [y/N] ", escape::terminal(question.to_string())));
        match timeout(ANSWER_TIME, self.lines.recv()).await {
            Ok(Some(line)) => Answer::of_line(&line),
            Ok(None) => Answer::NobodyThere,
            Err(_) => {
                self.terminal.write("\n");
                self.news(format_args!("nobody answered within {} s", ANSWER_TIME.as_secs()));
                Answer::NobodyThere
            }
        }
    }
}

const INDENTATION: &str = "waxseal:   ";

/// Drops what was typed and not yet read. Not every terminal has such a queue to be emptied.
pub(super) fn drop_typed(input: &File) {
    let _best_effort = tcflush(input, QueueSelector::IFlush);
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_was_typed_before_the_question_is_no_answer() {
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(b"y\ny\n").unwrap();
        std::io::Seek::rewind(&mut input).unwrap();
        let terminal = Terminal::of_files(input, tempfile::tempfile().unwrap());
        let mut attendant = Attendant::new(terminal).unwrap();
        // The end of the file has been read when the channel is closed.
        while !attendant.lines.is_closed() {
            std::thread::yield_now();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        assert_eq!(runtime.block_on(attendant.ask("sure?")), Answer::NobodyThere);
        assert!(Attendant::new(Terminal::none()).is_none());
    }
}
