//! `waxseal serve user`: who may log in. Works while the stack runs, which looks at each login anew.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::cli::ServeUser;
use crate::command_error::CommandError;
use crate::commands::stdout;
use crate::escape;
use crate::stack::accounts::{AccountError, AccountFile};

/// Adds, removes or lists.
///
/// # Errors
/// [`CommandError`]: 1 when the accounts cannot be read or changed, 2 when address or password are not good for one.
pub(super) fn run(request: &ServeUser, now: Timestamp) -> Result<(), CommandError> {
    match request {
        ServeUser::Add(user) => {
            let password = read_password()?;
            accounts(&user.data).change(|accounts| accounts.add(&user.email, &password, now))?;
            stdout::print(&format!("{} can log in now\n", escape::terminal(&user.email)))
        }
        ServeUser::List { data } => {
            let accounts = accounts(data).read()?;
            let lines = accounts.iter().map(|account| format!("{}\n", escape::terminal(&account.email)));
            stdout::print(&lines.collect::<String>())
        }
        ServeUser::Remove(user) => {
            let removed = accounts(&user.data).change(|accounts| accounts.remove(&user.email))?;
            stdout::print(&format!(
                "{} can log in no more; identity tokens that are out hold for ten minutes at most\n",
                escape::terminal(&removed.email)
            ))
        }
    }
}

fn accounts(data: &Path) -> AccountFile {
    AccountFile::in_folder(data)
}

/// From the terminal, unseen and twice; or one line of standard input, when that is something else.
fn read_password() -> Result<Zeroizing<String>, CommandError> {
    let unread = |error: io::Error| CommandError::failed(format!("the password cannot be read: {error}"));
    if io::stdin().is_terminal() {
        let ask = |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(unread);
        let password = ask("Password: ")?;
        if *ask("The same again: ")? != *password {
            return Err(CommandError::usage("the two passwords differ"));
        }
        return Ok(password);
    }
    let mut line = Zeroizing::new(String::new());
    let read = io::stdin().lock().take(MAX_LINE_BYTES).read_to_string(&mut line).map_err(unread)?;
    let password = line.strip_suffix('\n').map_or(line.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if read == 0 || password.contains(['\n', '\r']) {
        return Err(CommandError::usage("standard input must hold the password, one line"));
    }
    Ok(Zeroizing::new(password.to_owned()))
}

impl From<AccountError> for CommandError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::File(error) => error.into(),
            AccountError::Hash(_) | AccountError::TooMany => Self::failed(error),
            AccountError::Exists(_) => Self::failed(error)
                .hint("a new password takes \"waxseal serve user remove\" and \"add\": that ends logins too"),
            AccountError::Unknown(_) => Self::failed(error).hint("\"waxseal serve user list\" shows who has one"),
            AccountError::Email(_) | AccountError::LongPassword | AccountError::ShortPassword => Self::usage(error),
        }
    }
}

/// A password of the greatest length, and room to find that it is too long.
const MAX_LINE_BYTES: u64 = 4096;
