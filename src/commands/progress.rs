//! How far a long run is, on a terminal and from the second second on.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::report::grouped;
use crate::settings::Surroundings;
use crate::terminal;

/// A line on standard error that is written over, and gone at the end.
#[derive(Debug)]
pub(super) struct Progress {
    begun: Instant,
    next: Duration,
    done: u64,
    /// How many characters stand there now.
    width: usize,
    is_wanted: bool,
}

impl Progress {
    /// Of a run that begins. `is_busy`: standard output has a line for every object, which is progress enough where it is
    /// a terminal.
    pub(super) fn begin(is_busy: bool, surroundings: &Surroundings) -> Self {
        let is_wanted = io::stderr().is_terminal() && !(is_busy && io::stdout().is_terminal());
        let is_wanted = is_wanted && !surroundings.dumb_terminal;
        Self { begun: Instant::now(), next: DELAY, done: 0, width: 0, is_wanted }
    }

    /// One object more.
    pub(super) fn count(&mut self) {
        self.done += 1;
        if !self.is_wanted {
            return;
        }
        let elapsed = self.begun.elapsed();
        if elapsed >= self.next {
            self.next = elapsed.saturating_add(PAUSE);
            self.write(&line(self.done, elapsed, columns()));
        }
    }

    /// Takes the line away, before something else is written to the terminal.
    pub(super) fn clear(&mut self) {
        if self.width > 0 {
            self.write("");
        }
    }

    /// Since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn write(&mut self, line: &str) {
        let mut stderr = io::stderr().lock();
        // Not everything that is a terminal can clear a line; all can write over it. One that is gone shows nothing.
        // What would not fit would go on in the next row, and stay there.
        let blank = " ".repeat(self.width.min(columns()).saturating_sub(line.len()));
        let end = if line.is_empty() { "\r" } else { "" };
        let written = write!(stderr, "\r{line}{blank}{end}").and_then(|()| stderr.flush());
        self.is_wanted = written.is_ok();
        self.width = line.len();
    }
}

/// What ends early leaves no line behind.
impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// As much as a row has room for. How many there will be nobody knows before the walk is over.
fn line(done: u64, elapsed: Duration, columns: usize) -> String {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = done.saturating_mul(1_000) / milliseconds;
    let number = grouped(done);
    // Whatever came of it: most of them may be unsigned.
    let checked = format!("{number} object{} checked", if done == 1 { "" } else { "s" });
    let all = format!("{checked}, {} a second", grouped(rate));
    [all, checked, number].into_iter().find(|line| line.len() <= columns).unwrap_or_default()
}

/// How many characters a row takes, without the last column: some terminals go on to the next row there.
fn columns() -> usize {
    terminal::columns(io::stderr()).unwrap_or(USUAL_COLUMNS) - 1
}

/// Of a terminal that does not say.
const USUAL_COLUMNS: usize = 80;
/// Who waits for less needs no comfort.
const DELAY: Duration = Duration::from_secs(1);
/// A person reads no faster.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_and_how_fast() {
        assert_eq!(line(12_345, Duration::from_secs(2), 79), "12,345 objects checked, 6,172 a second");
        assert_eq!(line(0, Duration::ZERO, 79), "0 objects checked, 0 a second");
        assert_eq!(line(1, Duration::from_secs(1), 79), "1 object checked, 1 a second");
    }

    #[test]
    fn no_more_than_a_row() {
        for (columns, expected) in [
            (38, "12,345 objects checked, 6,172 a second"),
            (37, "12,345 objects checked"),
            (22, "12,345 objects checked"),
            (9, "12,345"),
            (5, ""),
            (0, ""),
        ] {
            assert_eq!(line(12_345, Duration::from_secs(2), columns), expected, "{columns}");
        }
    }
}
