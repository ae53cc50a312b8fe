//! `waxseal serve init`: a stack whose root's key is taken away before anything is signed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;

use crate::cli::ServeInit;
use crate::command_error::CommandError;
use crate::commands::stdout;
use crate::escape;
use crate::stack::Stack;
use crate::stack::data_folder::is_inside;
use crate::stack::public_url::PublicUrl;

/// Writes the root's key, then makes the stack under that root.
pub(super) fn run(request: &ServeInit, now: Timestamp) -> Result<(), CommandError> {
    let public_url: PublicUrl = request.public_url.parse()?;
    let out = &request.root_key_out;
    let shown = out.display();
    if is_inside(out, &request.data) {
        return Err(CommandError::usage(format!("\"{shown}\" is inside \"{}\"", request.data.display()))
            .hint("the root's key is to be taken away: name a file elsewhere"));
    }
    let (root_key, pem) = Stack::new_root_key().map_err(CommandError::failed)?;
    write_private(out, pem.as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CommandError::usage(format!("\"{shown}\" is there already")),
        _ => CommandError::failed(format!("\"{shown}\": {error}")),
    })?;
    let stack = Stack::create(&request.data, &public_url, &root_key, now).inspect_err(|_| {
        // A key for nothing.
        let _left_behind = fs::remove_file(out);
    })?;
    let mut stderr = io::stderr().lock();
    let _closed = writeln!(
        stderr,
        "waxseal: \"{}\" is the root's key: take it away; without it there is no new intermediate, with it anyone is anybody",
        escape::terminal(shown.to_string())
    );
    stdout::print(&format!("{}\n", super::identification(&stack)))
}

/// A file of this user's alone, new, and on disk.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
