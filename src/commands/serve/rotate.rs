//! `waxseal serve rotate`: a new key in the place of one, while the stack is stopped.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::cli::ServeRotate;
use crate::command_error::CommandError;
use crate::commands::stdout;
use crate::escape;
use crate::stack::{Stack, StackOptions};

/// Rotates, and prints what users pin from now on.
pub(super) fn run(request: &ServeRotate, now: Timestamp) -> Result<(), CommandError> {
    let stack = match request {
        ServeRotate::Intermediate { data, root_key } => intermediate(data, root_key, now)?,
        ServeRotate::Tuf { data } => {
            let stack = Stack::open(data, &Stack::made_for(data)?, StackOptions::default(), now)?;
            stack.rotate_tuf_key(now)?;
            stack
        }
    };
    if stack.trust_changed() {
        super::announce_changed_trust();
    }
    stdout::print(&format!("{}\n", super::identification(&stack)))
}

fn intermediate(data: &Path, root_key: &Path, now: Timestamp) -> Result<Stack, CommandError> {
    let unreadable = |why: &dyn std::fmt::Display| CommandError::failed(format!("\"{}\": {why}", root_key.display()));
    let pem = fs::read_to_string(root_key).map(Zeroizing::new).map_err(|error| unreadable(&error))?;
    let key = Stack::read_root_key(&pem).map_err(|error| unreadable(&error))?;
    let stack = Stack::rotate_intermediate(data, &key, now)?;
    let shown = escape::terminal(root_key.display().to_string());
    let _closed = writeln!(io::stderr().lock(), "waxseal: take \"{shown}\" away again");
    Ok(stack)
}
