//! Signatures for other machines: `ssh -R` brings their requests to a socket of its own, which does nothing but sign, and
//! only after somebody at the terminal here has said yes to what the payload itself says.
//!
//! ```text
//! other machine                    ssh   this terminal                              agent
//! hello, sign (whose, claims)       →    who would sign?                         →  found
//! payload                                shows what the payload says, asks: y/N
//!                                        sign                                    →  time, signature, certificate
//! signed attributes' time, …        ←
//! ```
//! One signature a connection. What the other machine says of itself is shown as its claim and decides nothing; nor does it
//! choose the network that is used here, and it learns of no login but the one that signed.

mod client;
mod question;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::LocalSet;

use super::client::{AgentError, Connection};
use super::connection::is_gone;
use super::frame::{self, FrameError, MAX_PAYLOAD_BYTES};
use super::message::{Answer, Asked, Failure, Hello, PROTOCOL, Query};
use super::place::{FORWARD, Place};
use super::server::{ServeError, signals};
use super::session::is_signable;
use crate::terminal::{self, Attendant};

pub use client::Forwarded;
use question::Layout;

/// What another machine may ask for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
enum ForwardedRequest {
    /// Sign the payload in the next frame: [`Answer::Signed`], or [`Answer::Missing`] where nobody is logged in for that.
    Sign { wanted: Box<Wanted> },
}

/// Whose signature is wanted, and what is said of where it is needed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What a login would be asked for.
    pub asked: Asked,
    /// The name that must stand in the certificate, if one is demanded.
    pub signer: Option<String>,
    /// For people.
    pub claims: Claims,
}

/// What the other machine says of itself. Nothing proves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Its name.
    pub host: Option<String>,
    /// The folder of the repository.
    pub repository: Option<String>,
    /// The working directory of the signer.
    pub folder: Option<String>,
}

/// Serves other machines' requests until it is told to end, or its socket is gone. `ready` is called when it listens, and
/// what it says is given back.
///
/// # Errors
/// [`ServeError`]
pub async fn forward<T>(place: &Place, attendant: Attendant, ready: impl FnOnce() -> T) -> Result<T, ServeError> {
    let tasks = LocalSet::new();
    let place = place.clone();
    tasks.run_until(serve_among(&tasks, place, attendant, ready)).await
}

async fn serve_among<T>(
    tasks: &LocalSet,
    place: Place,
    attendant: Attendant,
    ready: impl FnOnce() -> T,
) -> Result<T, ServeError> {
    let mut told_to_end = signals().map_err(ServeError::Signals)?;
    let socket = place.make()?.listen(FORWARD, None).map_err(ServeError::Socket)?.ok_or(ServeError::AlreadyThere)?;
    let said = ready();
    let desk = Rc::new(Desk { place, attendant: Mutex::new(attendant) });
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            accepted = async {
                let permit = Arc::clone(&connections).acquire_owned().await;
                (permit, socket.accept().await)
            } => match accepted {
                (permit, Ok(stream)) => {
                    let desk = Rc::clone(&desk);
                    tasks.spawn_local(async move {
                        let _until_the_end = permit;
                        // Whoever breaks the rules is not told.
                        drop(desk.serve(stream).await);
                    });
                }
                // Out of descriptors, perhaps: those who are here will go.
                (_, Err(_)) => tokio::time::sleep(LOOK_EVERY).await,
            },
            _ = looks.tick() => if !socket.is_there() { break },
            _ = told_to_end.recv() => break,
        }
    }
    Ok(said)
}

/// Where one question after the other is put.
struct Desk {
    place: Place,
    attendant: Mutex<Attendant>,
}

impl Desk {
    async fn serve(&self, mut stream: UnixStream) -> Result<(), FrameError> {
        let hello: Hello = frame::read(&mut stream, FIRST_WORD).await?;
        frame::write(&mut stream, &Hello::own()).await?;
        let request = match frame::read(&mut stream, FIRST_WORD).await {
            Err(FrameError::Malformed) => Err("nothing but signatures is to be had through a forwarded socket"),
            request => Ok(request?),
        };
        let answer = match request {
            _ if hello.protocol != PROTOCOL => refused("it speaks another protocol"),
            Err(why) => refused(why),
            Ok(ForwardedRequest::Sign { wanted }) => {
                let payload = frame::read_bytes(&mut stream, MAX_PAYLOAD_BYTES, FIRST_WORD).await?;
                let is_asking = Cell::new(false);
                let answer = tokio::select! {
                    answer = self.sign(&wanted, &payload, &is_asking) => Some(answer),
                    () = is_gone(&stream) => None,
                };
                let Some(answer) = answer else {
                    if is_asking.get() {
                        self.attendant.lock().await.news("never mind: the other side has gone");
                    }
                    return Ok(());
                };
                answer.unwrap_or_else(|failure| Answer::Failed { failure })
            }
        };
        frame::write(&mut stream, &answer).await
    }

    async fn sign(&self, wanted: &Wanted, payload: &[u8], is_asking: &Cell<bool>) -> Result<Answer, Failure> {
        if !is_signable(payload) {
            return Err(Failure::Refused("it signs commits, tags and push certificates only".to_owned()));
        }
        // One question at a time. What the other machine says of its network is not for this one.
        let mut attendant = self.attendant.lock().await;
        let query = Query { asked: wanted.asked.clone(), signer: wanted.signer.clone(), network: None };
        let Some(mut agent) = Connection::to_running(&self.place).await.map_err(of_agent)? else {
            return Ok(Answer::Missing);
        };
        let Some(found) = agent.find(query, |wait| attendant.news(wait)).await.map_err(of_agent)? else {
            return Ok(Answer::Missing);
        };
        let Some(layout) = Layout::of(attendant.columns()) else {
            return Err(Failure::NotConfirmed("the terminal there is too narrow for the question".to_owned()));
        };
        let wanted_by_whom = [&found.identity, &found.issuer, &wanted.asked.instance];
        attendant.news("another machine wants a signature; what is to be signed says:");
        attendant.show(&layout.proved(payload));
        attendant.news("it would be made with this login:");
        attendant.show(&layout.login(wanted_by_whom));
        attendant.news("the other machine says of itself, and nothing proves it:");
        attendant.show(&layout.claimed(&wanted.claims));
        is_asking.set(true);
        let answer = attendant.ask("sign that?").await;
        is_asking.set(false);
        match answer {
            terminal::Answer::Yes => {}
            terminal::Answer::No => return Err(Failure::NotConfirmed("the answer was no".to_owned())),
            terminal::Answer::NobodyThere => return Err(Failure::NotConfirmed("nobody answered".to_owned())),
        }
        match agent.sign(found.session, payload).await.map_err(of_agent)? {
            Some(signed) => Ok(Answer::Signed { signed }),
            None => Ok(Answer::Missing),
        }
    }
}

fn of_agent(error: AgentError) -> Failure {
    match error {
        AgentError::Failed(failure) => failure,
        other => Failure::Refused(other.to_string()),
    }
}

fn refused(why: &str) -> Answer {
    Answer::Failed { failure: Failure::Refused(why.to_owned()) }
}

/// Others wait in the socket's queue.
const MAX_CONNECTIONS: usize = 8;
/// A client says at once what it wants; there may be an ocean in between.
const FIRST_WORD: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_secs(5);
