//! The agent itself: who connects is served, until nothing is left to sign with.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, Semaphore};
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::connection;
use super::place::{AGENT, Folder, PassedSocket, Place, PlaceError, Socket};
use super::process::keep_secrets;
use super::sessions::Sessions;

/// How long an agent with nothing to sign with waits for somebody who logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle(pub SignedDuration);

impl Default for Idle {
    /// Longer than a certificate lives.
    fn default() -> Self {
        Self(SignedDuration::from_mins(15))
    }
}

/// Runs the agent, on the socket that was `passed` or on one of its own. `ready` is called when it listens, and what it
/// says is given back. It ends when it is told to, when its socket is gone, and when for the time of `idle` nobody
/// connected and nothing was there that could sign. It lives for hours, so it gets the clock.
///
/// # Errors
/// [`ServeError`]
pub async fn serve<T>(
    place: &Place,
    passed: Option<&PassedSocket>,
    idle: Idle,
    clock: fn() -> Timestamp,
    ready: impl FnOnce() -> T,
) -> Result<T, ServeError> {
    keep_secrets();
    let tasks = LocalSet::new();
    tasks.run_until(serve_among(&tasks, place, passed, idle, clock, ready)).await
}

async fn serve_among<T>(
    tasks: &LocalSet,
    place: &Place,
    passed: Option<&PassedSocket>,
    idle: Idle,
    clock: fn() -> Timestamp,
    ready: impl FnOnce() -> T,
) -> Result<T, ServeError> {
    let folder = place.make()?;
    let mut told_to_end = signals().map_err(ServeError::Signals)?;
    let socket = socket(&folder, passed).await?;
    drop(folder);
    let said = ready();
    let sessions = Arc::new(Sessions::default());
    let stop = Arc::new(Notify::new());
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let open = Arc::new(AtomicUsize::new(0));
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut used = clock();
    loop {
        tokio::select! {
            client = async {
                let permit = Arc::clone(&connections).acquire_owned().await;
                Ok::<_, io::Error>((permit, socket.accept().await?))
            } => {
                used = clock();
                let Ok((permit, stream)) = client else {
                    // Out of descriptors, perhaps: those who are here will go.
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                };
                let (sessions, stop, open) = (Arc::clone(&sessions), Arc::clone(&stop), Arc::clone(&open));
                open.fetch_add(1, Ordering::Relaxed);
                let counted = Counted(open);
                // A task of its own: what goes wrong in it ends this connection and no other.
                tasks.spawn_local(async move {
                    let _until_the_end = (permit, counted);
                    // Whoever breaks the rules is not told.
                    drop(connection::serve(stream, &sessions, &stop, clock).await);
                });
            }
            _ = looks.tick() => {
                let now = clock();
                if sessions.sweep(now) || open.load(Ordering::Relaxed) > 0 {
                    used = now;
                }
                if !socket.is_there() || now.duration_since(used) > idle.0 {
                    break;
                }
            }
            () = stop.notified() => break,
            _ = told_to_end.recv() => break,
        }
    }
    // Nobody new; those who are being answered get their answer.
    drop(socket);
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    drop(timeout(LAST_ANSWERS, connections.acquire_many(all)).await);
    Ok(said)
}

/// The socket; another agent that is about to end is waited for.
async fn socket(folder: &Folder, passed: Option<&PassedSocket>) -> Result<Socket, ServeError> {
    for _ in 0..LOCK_TRIES {
        if let Some(socket) = folder.listen(AGENT, passed).map_err(ServeError::Socket)? {
            return Ok(socket);
        }
        // A socket that was passed is ours: an agent that holds the lock has lost its own, and will see that.
        if passed.is_none() && folder.connect(AGENT.socket).await.is_ok() {
            return Err(ServeError::AlreadyThere);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    Err(ServeError::AlreadyThere)
}

/// SIGTERM, Ctrl-C and the end of a terminal.
pub(super) fn signals() -> io::Result<tokio::sync::mpsc::Receiver<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    for kind in [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signal, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            signal.recv().await;
            // The agent may be ending.
            let _ending = sender.send(()).await;
        });
    }
    Ok(receiver)
}

/// An open connection.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The agent did not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another one does.
    #[error("an agent runs already")]
    AlreadyThere,
    /// Where it would be found.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// SIGTERM.
    #[error("signals cannot be listened for: {0}")]
    Signals(io::Error),
    /// The socket.
    #[error("cannot listen: {0}")]
    Socket(io::Error),
}

/// Parallel rebases have a handful. Others wait in the socket's queue.
const MAX_CONNECTIONS: usize = 64;
/// How often it looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// For connections that wait for an answer when the agent ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(50);
