//! One client: what it asks, and what it is answered.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::frame::{self, FrameError, MAX_PAYLOAD_BYTES};
use super::message::{Answer, Failure, Hello, PROTOCOL, Query, Request};
use super::other_end::OtherEnd;
use super::session::Session;
use super::sessions::{LONGEST_TURN, Sessions, Turn};

/// Serves one client until it goes, or says something that makes no sense.
pub(super) async fn serve(
    mut stream: UnixStream,
    sessions: &Sessions,
    stop: &Notify,
    clock: fn() -> Timestamp,
) -> Result<(), FrameError> {
    let hello: Hello = frame::read(&mut stream, FIRST_WORD).await?;
    frame::write(&mut stream, &Hello::own()).await?;
    let mut turn = None;
    let mut idle = FIRST_WORD;
    loop {
        let request: Request = match frame::read(&mut stream, idle).await {
            Err(FrameError::Closed) => return Ok(()),
            request => request?,
        };
        let answer = match request {
            Request::Stop => {
                frame::write(&mut stream, &Answer::Stopping).await?;
                stop.notify_one();
                return Ok(());
            }
            _ if hello.protocol != PROTOCOL => refused("it speaks another protocol"),
            Request::Sign { session } => {
                let payload = frame::read_bytes(&mut stream, MAX_PAYLOAD_BYTES, FIRST_WORD).await?;
                sign(sessions, session, &payload, clock).await
            }
            Request::Find { query } => {
                // Whoever asks again has had it.
                drop(turn.take());
                let process = OtherEnd::of(&stream).process;
                let mut finding = pin!(find(sessions, &query, process, clock));
                let (answer, mine) = match timeout(SOON, &mut finding).await {
                    Ok(found) => found,
                    Err(_elapsed) => {
                        let waiting = Answer::Waiting { process: sessions.whose_turn(&query) };
                        frame::write(&mut stream, &waiting).await?;
                        tokio::select! {
                            found = finding => found,
                            // Nobody waits in the queue for whoever has gone.
                            () = is_gone(&stream) => return Ok(()),
                        }
                    }
                };
                turn = mine;
                answer
            }
            other => answer(other, sessions, &mut turn, clock).await,
        };
        frame::write(&mut stream, &answer).await?;
        // From now on there may be a person who thinks.
        idle = LONGEST_SILENCE;
    }
}

async fn answer(request: Request, sessions: &Sessions, turn: &mut Option<Turn>, clock: fn() -> Timestamp) -> Answer {
    match request {
        Request::Admit { admission } => {
            let admitted = sessions.admit(&admission, clock()).await;
            *turn = None;
            admitted.map_or_else(failed, |session| Answer::Found { found: session.found() })
        }
        Request::Forget { instance } => {
            let gone = sessions.forget(instance.as_deref());
            let sessions = gone.len();
            Answer::Forgotten { sessions, unrevoked: end_all(gone).await }
        }
        Request::Status => Answer::Sessions { sessions: sessions.statuses(clock()) },
        // These have more to do with the connection.
        Request::Find { .. } | Request::Sign { .. } | Request::Stop => refused("not now"),
    }
}

async fn find(
    sessions: &Sessions,
    query: &Query,
    process: Option<i32>,
    clock: fn() -> Timestamp,
) -> (Answer, Option<Turn>) {
    match sessions.find(query, process, LONGEST_TURN, clock).await {
        Ok(session) => {
            let moved = match &query.network {
                Some(network) => session.move_to(network).await,
                None => Ok(()),
            };
            (moved.map_or_else(failed, |()| Answer::Found { found: session.found() }), None)
        }
        Err(mine) => (Answer::Missing, mine),
    }
}

/// Ends when the other end goes, or says something though it is not its turn.
pub(super) async fn is_gone(stream: &UnixStream) {
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

async fn sign(sessions: &Sessions, session: u64, payload: &[u8], clock: fn() -> Timestamp) -> Answer {
    let Some(session) = sessions.by_id(session) else { return Answer::Missing };
    match session.sign(payload, clock).await {
        Ok(Some(signed)) => Answer::Signed { signed },
        Ok(None) => Answer::Missing,
        Err(failure) => failed(failure),
    }
}

/// All at once: issuers that are down are waited for together.
async fn end_all(sessions: Vec<Arc<Session>>) -> Vec<String> {
    let mut ends = JoinSet::new();
    for session in sessions {
        ends.spawn_local(async move { session.end().await });
    }
    ends.join_all().await.into_iter().flatten().collect()
}

fn failed(failure: Failure) -> Answer {
    Answer::Failed { failure }
}

fn refused(why: &str) -> Answer {
    failed(Failure::Refused(why.to_owned()))
}

/// A client says at once what it wants.
const FIRST_WORD: Duration = Duration::from_secs(5);
/// Who waits for longer is told for what.
const SOON: Duration = Duration::from_secs(1);
/// A person logs in, or answers a question.
const LONGEST_SILENCE: Duration = Duration::from_secs(600);
