//! Where status lines go.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use super::stdout;
use crate::cli::StatusFd;
use crate::files::descriptor;

/// An opened status file descriptor, or none.
pub(super) enum StatusOutput {
    Inherited(File),
    Nowhere,
    Stderr,
    Stdout,
}

impl StatusOutput {
    /// Opens `fd`. Descriptors from 3 on are reached through `/dev/fd`, because only unsafe code can adopt one.
    pub(super) fn open(fd: Option<StatusFd>) -> io::Result<Self> {
        Ok(match fd {
            None => Self::Nowhere,
            Some(StatusFd::Inherited(number)) => {
                if descriptor::is_inherited_read_only(number) {
                    return Err(io::Error::other(format!("file descriptor {number} is open for reading only")));
                }
                let file = OpenOptions::new().append(true).open(format!("/dev/fd/{number}"));
                Self::Inherited(file.map_err(|error| io::Error::other(format!("file descriptor {number}: {error}")))?)
            }
            Some(StatusFd::Stderr) if descriptor::is_read_only(io::stderr()) => {
                return Err(io::Error::other("standard error is not open for writing"));
            }
            Some(StatusFd::Stderr) => Self::Stderr,
            Some(StatusFd::Stdout) => {
                stdout::check_writable()?;
                Self::Stdout
            }
        })
    }

    /// Writes whole lines, and sees to it that they arrive.
    pub(super) fn write(&mut self, lines: &str) -> io::Result<()> {
        match self {
            Self::Inherited(file) => write_all(file, lines),
            Self::Nowhere => Ok(()),
            Self::Stderr => write_all(&mut io::stderr().lock(), lines),
            Self::Stdout => write_all(&mut io::stdout().lock(), lines),
        }
    }
}

fn write_all(output: &mut impl Write, lines: &str) -> io::Result<()> {
    output.write_all(lines.as_bytes())?;
    output.flush()
}

/// Where they could not be written.
pub(super) const HINT: &str =
    "--status-fd is the number of a file descriptor that the caller has open and reads, as Git does";
