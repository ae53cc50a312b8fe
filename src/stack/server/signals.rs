//! What the server is told while it runs.

use std::io;

use tokio::sync::mpsc;

/// What a running server can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// To read its certificate again, and to open its logs again.
    Reload,
    /// To finish what is under way, and to end. The end of the channel means it too.
    Stop,
}

/// SIGHUP, Ctrl-C and, where there is one, SIGTERM, as [`Command`]s. From now on they do not end the process by
/// themselves: to be called before anyone is told that the server is there, and may stop it.
///
/// # Errors
/// When the operating system does not let it.
#[cfg(unix)]
pub fn commands_from_signals() -> io::Result<mpsc::Receiver<Command>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (sender, commands) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let command = tokio::select! {
                _ = interrupt.recv() => Command::Stop,
                _ = terminate.recv() => Command::Stop,
                _ = hangup.recv() => Command::Reload,
            };
            if sender.send(command).await.is_err() {
                return;
            }
        }
    });
    Ok(commands)
}

/// Ctrl-C, as a [`Command`].
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn commands_from_signals() -> io::Result<mpsc::Receiver<Command>> {
    let (sender, commands) = mpsc::channel(4);
    tokio::spawn(async move {
        drop(tokio::signal::ctrl_c().await);
        // The server may be gone.
        drop(sender.send(Command::Stop).await);
    });
    Ok(commands)
}
