//! Starting the agent: this program again, in a process that nobody waits for.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use super::place::{AGENT, Folder};

/// Starts an agent and connects to it, or to the one that another process started meanwhile.
pub(super) async fn start(folder: &Folder) -> io::Result<UnixStream> {
    let mut child = command()?.spawn()?;
    let deadline = Instant::now() + START_TIME;
    loop {
        match folder.connect(AGENT.socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => {}
        }
        // An end before the socket was there: it could not start, or the other one has begun.
        if let Some(status) = child.try_wait()?
            && !status.success()
        {
            return Err(io::Error::other(format!("it ended with {status}")));
        }
        sleep(PAUSE).await;
    }
}

/// It gets nothing but what it needs: no stream, no token, nothing of Git's.
fn command() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["agent", DETACHED]).env_clear().current_dir("/");
    command.envs(std::env::vars_os().filter(|(name, _)| KEPT.iter().any(|kept| name == OsStr::new(kept))));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

/// The flag of an agent that was started by a client.
pub const DETACHED: &str = "--detached";
/// Where its folder and the user's key ring are, and which authorities the system has for TLS.
const KEPT: [&str; 7] =
    ["DBUS_SESSION_BUS_ADDRESS", "HOME", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"];
const START_TIME: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);
