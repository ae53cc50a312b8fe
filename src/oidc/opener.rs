//! Starting the browser.
//!
//! Always as a child whose standard streams are null: stdin was the payload, and what a text browser writes to stdout
//! would become part of the signature. The `webbrowser` crate runs text browsers with our streams, in the foreground,
//! so it is called in a process of its own: this program again, with the hidden command `open-browser`, as that child.
//!
//! The child gets a process group of its own: Ctrl-C at the prompt ends the login, not the user's browser.

use std::fmt;
use std::io;
use std::process::{Command, Stdio};

use tokio::sync::oneshot;
use url::Url;

use super::template::{BadTemplate, words};

/// How a browser is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opener {
    /// `$BROWSER`, else what the desktop has.
    Desktop,
    /// A program and its arguments, `{url}` not yet replaced.
    Template(Vec<String>),
}

impl Opener {
    /// Reads `waxseal.browser`; `{url}` in any word stands for the address, and without one it comes last.
    ///
    /// # Errors
    /// [`BadTemplate`]
    pub fn parse(template: &str) -> Result<Self, BadTemplate> {
        words(template, PLACEHOLDER).map(Self::Template)
    }

    /// Starts the browser. The receiver hears how that ended; nothing, while the browser runs on.
    pub(super) fn open(&self, address: &Url) -> oneshot::Receiver<io::Result<()>> {
        let (sender, receiver) = oneshot::channel();
        match self.command(address).and_then(|mut command| command.spawn()) {
            Err(error) => drop(sender.send(Err(error))),
            // A thread, because waiting for a child blocks, and the browser may outlive the login.
            Ok(mut child) => drop(std::thread::spawn(move || {
                let outcome = child.wait().and_then(|status| match status.success() {
                    true => Ok(()),
                    false => Err(io::Error::other(status.to_string())),
                });
                drop(sender.send(outcome));
            })),
        }
        receiver
    }

    fn command(&self, address: &Url) -> io::Result<Command> {
        let mut command = match self {
            Self::Desktop => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args([OPEN_BROWSER, address.as_str()]);
                command
            }
            Self::Template(words) => {
                let mut words = filled_in(words, address).into_iter();
                let mut command = Command::new(words.next().unwrap_or_default());
                command.args(words);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }
}

impl fmt::Display for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Desktop => f.write_str("that of BROWSER or of the desktop"),
            Self::Template(words) => write!(f, "{} of waxseal.browser", words.first().map_or("", String::as_str)),
        }
    }
}

fn filled_in(words: &[String], address: &Url) -> Vec<String> {
    let mut filled: Vec<_> = words.iter().map(|word| word.replace(PLACEHOLDER, address.as_str())).collect();
    if !words.iter().any(|word| word.contains(PLACEHOLDER)) {
        filled.push(address.to_string());
    }
    filled
}

const PLACEHOLDER: &str = "{url}";

/// The hidden command that this program starts itself with; `cli.rs` routes it to `commands/open_browser.rs`.
pub const OPEN_BROWSER: &str = "open-browser";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_replaces_each_placeholder_or_comes_last() {
        let address = Url::parse("https://a.example/?b='c'&d=%20").unwrap();
        let filled = |template: &str| filled_in(&words(template, PLACEHOLDER).unwrap(), &address);
        assert_eq!(filled("x"), ["x", "https://a.example/?b=%27c%27&d=%20"]);
        assert_eq!(filled("x -u={url} y {url}").len(), 4);
        assert_eq!(filled("x -u={url}"), ["x", "-u=https://a.example/?b=%27c%27&d=%20"]);
    }

    #[tokio::test]
    async fn a_browser_that_fails_is_heard_of() {
        let address = Url::parse("https://a.example/").unwrap();
        let outcome = |template| Opener::parse(template).unwrap().open(&address);
        assert_eq!(
            outcome("/nowhere/browser").await.unwrap().map_err(|error| error.kind()),
            Err(io::ErrorKind::NotFound)
        );
        assert_eq!(
            outcome("false").await.unwrap().map_err(|error| error.to_string()),
            Err("exit status: 1".to_owned())
        );
        assert!(outcome("true").await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn the_standard_streams_of_a_browser_are_null() {
        let address = Url::parse("https://a.example/").unwrap();
        let opener = Opener::Template(vec![
            "sh".to_owned(),
            "-c".to_owned(),
            "test -z \"$(cat)\" && test /dev/null -ef /dev/stdout && test /dev/null -ef /dev/stderr".to_owned(),
        ]);
        opener.open(&address).await.unwrap().unwrap();
    }
}
