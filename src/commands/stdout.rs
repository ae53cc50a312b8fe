//! Standard output: whether it is there, and whole texts on it.

use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write};
use std::time::{Duration, Instant};

use crate::command_error::{CommandError, ErrorKind};
use crate::files::descriptor;

/// Writes all of `text`.
///
/// # Errors
/// [`CommandError`] when it does not get there.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    write(text).map_err(|error| unwritten(&error))
}

/// Writes `text` for a person, who may have seen enough: that is no failure to be told. The exit code.
///
/// # Errors
/// [`CommandError`] when it does not get there for another reason.
pub(super) fn print_to_reader(text: &str) -> Result<u8, CommandError> {
    match write(text) {
        Ok(()) => Ok(0),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(OF_SIGPIPE),
        Err(error) => Err(unwritten(&error)),
    }
}

fn write(text: &str) -> io::Result<()> {
    check_writable()?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn unwritten(error: &io::Error) -> CommandError {
    CommandError::failed(format!("the output could not be written: {error}"))
}

/// How writing ended, as an exit code: that of `failure` when the output could not be written, which leaves a verdict
/// undecided and is the failure of anything else.
///
/// # Errors
/// One of that kind.
pub(super) fn written(done: io::Result<u8>, failure: ErrorKind) -> Result<u8, CommandError> {
    match done {
        Ok(exit_code) => Ok(exit_code),
        // Whoever closed the pipe does not want to hear of it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(failure.exit_code()),
        Err(error) => Err(CommandError::new(failure, format!("the output could not be written: {error}"))),
    }
}

/// Standard output for many lines: written at once where it is a terminal, else in blocks, so that a line costs no call
/// of the system's, and every second, so that nobody who reads along waits.
pub(super) struct Output {
    inner: BufWriter<StdoutLock<'static>>,
    flushed: Instant,
}

impl Output {
    pub(super) fn stdout() -> Self {
        let capacity = if io::stdout().is_terminal() { 0 } else { BLOCK };
        Self { inner: BufWriter::with_capacity(capacity, io::stdout().lock()), flushed: Instant::now() }
    }

    /// Lets nothing wait for longer than a second.
    pub(super) fn flush_now_and_then(&mut self) -> io::Result<()> {
        if self.flushed.elapsed() < Duration::from_secs(1) {
            return Ok(());
        }
        self.flush()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        self.inner.flush()
    }
}

/// What a pipe holds.
const BLOCK: usize = 1 << 16;

/// What a shell says of a program that SIGPIPE ended, as it ends Git.
const OF_SIGPIPE: u8 = 128 + 13;

/// What a write would say, did the standard library not take what is written to a descriptor that is open for reading only for
/// written. One that was closed leads to `/dev/null` by now, and cannot be told from one that the caller sent there.
///
/// # Errors
/// One that says so.
pub(super) fn check_writable() -> io::Result<()> {
    if descriptor::is_read_only(io::stdout()) {
        return Err(io::Error::other("standard output is not open for writing"));
    }
    Ok(())
}

/// Whether what is written there is lost. Rust's runtime opens `/dev/null`, for reading and writing, in place of a closed
/// descriptor, and so do some callers for output that they do not want; a shell's `>/dev/null` is not readable.
pub(super) fn leads_nowhere() -> bool {
    check_writable().is_err() || descriptor::is_null_for_reading_and_writing(io::stdout())
}
