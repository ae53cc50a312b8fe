//! Where the signature goes. If it does not get there whole, there is none: Git would make an unsigned commit of an
//! empty one and report success.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

use crate::command_error::CommandError;
use crate::commands::stdout;

pub(super) enum Output {
    File(PathBuf),
    Stdout,
}

impl Output {
    /// Fails early, before anything becomes public, where stdout leads nowhere or there is no such folder.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, CommandError> {
        match path {
            Some(path) if !folder(path).is_dir() => {
                Err(CommandError::failed(format_args!("there is no folder {}", folder(path).display()))
                    .hint("--output names a file in a folder that is there"))
            }
            Some(path) => Ok(Self::File(path.to_owned())),
            None if stdout::leads_nowhere() => Err(CommandError::failed("standard output is closed, or leads nowhere")
                .hint("the signature is written there; --output FILE writes it to a file")),
            None => Ok(Self::Stdout),
        }
    }

    pub(super) fn write(&self, signature: &[u8]) -> Result<(), CommandError> {
        match self {
            Self::File(path) => write_beside(path, signature).map_err(|error| {
                CommandError::failed(format_args!("the signature cannot be written to {}: {error}", path.display()))
                    .hint("whoever runs waxseal must be able to write in its folder, and it must be no folder itself")
            }),
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(signature).and_then(|()| stdout.flush());
                written.map_err(|error| {
                    CommandError::failed(format_args!("the signature cannot be written: {error}")).hint(
                        "whoever reads it must read to the end, and where it goes to a file the disk must have room",
                    )
                })
            }
        }
    }
}

/// Ends when stdout is a pipe whose other end was closed. A file is read whenever somebody wants to.
pub(super) async fn nobody_reads() {
    // Only watched, so it may stay blocking, which it is for whoever else has it.
    let watched = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    match watched {
        Ok(stdout) if stdout.ready(Interest::ERROR).await.is_ok() => {}
        // Neither a pipe nor a terminal.
        _ => std::future::pending().await,
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file has its whole content or is not there.
fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder(path))?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
