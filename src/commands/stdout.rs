//! Standard output: whether it is there, and whole texts on it.

use std::io::{self, Write as _};

use crate::command_error::CommandError;

/// Writes all of `text`.
///
/// # Errors
/// [`CommandError`] when it does not get there.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    if was_closed() {
        return Err(unwritten(&closed()));
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| unwritten(&error))
}

/// Writes `text` for a person, who may have seen enough: that is no failure to be told. The exit code.
///
/// # Errors
/// [`CommandError`] when it does not get there for another reason.
pub(super) fn print_to_reader(text: &str) -> Result<u8, CommandError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(OF_SIGPIPE),
        Ok(()) if !was_closed() => Ok(0),
        Ok(()) => Err(unwritten(&closed())),
        Err(error) => Err(unwritten(&error)),
    }
}

fn unwritten(error: &io::Error) -> CommandError {
    CommandError::failed(format!("the output could not be written: {error}"))
}

/// What a shell says of a program that SIGPIPE ended, as it ends Git.
const OF_SIGPIPE: u8 = 128 + 13;

/// What a write would say, had Rust's runtime left the descriptor closed.
pub(super) fn closed() -> io::Error {
    io::Error::other("standard output is closed")
}

/// Rust's runtime opens `/dev/null`, for reading and writing, in place of a closed descriptor, and all that is written
/// there succeeds. A shell's `>/dev/null` is not readable.
#[cfg(unix)]
pub(super) fn was_closed() -> bool {
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;

    let Ok(stdout) = io::stdout().as_fd().try_clone_to_owned() else { return true };
    let mut stdout = std::fs::File::from(stdout);
    let device = |metadata: io::Result<std::fs::Metadata>| metadata.ok().map(|metadata| metadata.rdev());
    let null = device(std::fs::metadata("/dev/null"));
    null.is_some() && device(stdout.metadata()) == null && stdout.read(&mut [0]).is_ok()
}

#[cfg(not(unix))]
pub(super) fn was_closed() -> bool {
    false
}
