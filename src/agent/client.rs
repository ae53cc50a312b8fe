//! The client's end of the socket.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::net::UnixStream;

use super::frame::{self, FrameError, MAX_PAYLOAD_BYTES};
use super::kept::Kept;
use super::message::{
    Admission, Answer, Asked, Failure, Found, Hello, Hidden, PROTOCOL, Query, Request, SessionStatus, SharedInstance,
    SharedNetwork, Signed,
};
use super::other_end::OtherEnd;
use super::place::{AGENT, Folder, Place, PlaceError};
use super::session::is_signable;
use super::sessions::LONGEST_TURN;
use super::start::start;
use crate::identity_token::IdentityToken;
use crate::instance::Instance;
use crate::key_ring::KeyRingError;
use crate::oidc::RefreshToken;
use crate::settings::NetworkSettings;

/// A connection to an agent that speaks our protocol.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    other_end: OtherEnd,
}

/// What a login is for, in the terms of its owner.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The instance.
    pub instance: &'a Instance,
    /// Fulcio's base address.
    pub certificate_authority: &'a str,
    /// The OpenID Connect issuer, byte for byte.
    pub issuer: &'a str,
    /// For whom the token is made.
    pub client_id: &'a str,
    /// The identity provider behind the issuer.
    pub connector_id: Option<&'a str>,
    /// The account that is suggested.
    pub login_hint: Option<&'a str>,
    /// The network.
    pub network: &'a NetworkSettings,
    /// The key ring keeps it, too.
    pub in_key_ring: bool,
}

impl Login<'_> {
    /// What it would be asked for.
    #[must_use]
    pub fn asked(&self) -> Asked {
        Asked {
            instance: self.instance.name.to_string(),
            instance_sha256: SharedInstance::digest(self.instance),
            issuer: self.issuer.to_owned(),
            client_id: self.client_id.to_owned(),
            connector_id: self.connector_id.map(ToOwned::to_owned),
            login_hint: self.login_hint.map(ToOwned::to_owned),
        }
    }

    /// The question whether somebody is logged in, as `signer` if that is demanded.
    #[must_use]
    pub fn query(&self, signer: Option<String>) -> Query {
        Query { asked: self.asked(), signer, network: Some(SharedNetwork::new(self.network)) }
    }

    /// What the agent is given after a login.
    #[must_use]
    pub fn admission(&self, token: &IdentityToken, refresh_token: Option<&RefreshToken>) -> Admission {
        Admission {
            asked: self.asked(),
            instance: SharedInstance::new(self.instance),
            certificate_authority: self.certificate_authority.to_owned(),
            network: SharedNetwork::new(self.network),
            token: Hidden::new(token.expose()),
            refresh_token: refresh_token.map(|token| Hidden::new(token.expose())),
            until: None,
            in_key_ring: self.in_key_ring,
        }
    }

    /// What the key ring keeps of an earlier login for the same.
    ///
    /// # Errors
    /// [`KeyRingError`]
    pub async fn kept(&self, now: Timestamp) -> Result<Option<Kept>, KeyRingError> {
        Kept::find(&self.asked(), now).await
    }
}

impl Connection {
    /// Connects to the agent if it runs.
    ///
    /// # Errors
    /// [`AgentError`]; [`AgentError::Older`] for one that can only be asked to end.
    pub async fn to_running(place: &Place) -> Result<Option<Self>, AgentError> {
        let Some(stream) = Self::reach(place).await? else { return Ok(None) };
        match Self::greet(stream).await? {
            Greeted::Ours(connection) => Ok(Some(connection)),
            Greeted::Older { version, .. } => Err(AgentError::Older(version)),
        }
    }

    /// Connects to the agent; starts one where none runs, or an older one that cannot be spoken with.
    ///
    /// # Errors
    /// [`AgentError`]
    pub async fn to_any(place: &Place) -> Result<Self, AgentError> {
        let folder = place.make()?;
        if let Ok(stream) = folder.connect(AGENT.socket).await {
            match Self::greet(stream).await? {
                Greeted::Ours(connection) => return Ok(connection),
                Greeted::Older { mut connection, .. } => connection.stop().await?,
            }
        }
        Self::start(&folder).await
    }

    /// Has the agent that runs end, whatever its protocol; none is as good.
    ///
    /// # Errors
    /// [`AgentError`]
    pub async fn stop_running(place: &Place) -> Result<(), AgentError> {
        let Some(stream) = Self::reach(place).await? else { return Ok(()) };
        let mut connection = Self::new(stream);
        let _any: Hello = connection.hello().await?;
        connection.stop().await
    }

    /// No folder, no socket, nobody who listens: nobody runs. A folder that will not do tells nothing about that.
    async fn reach(place: &Place) -> Result<Option<UnixStream>, AgentError> {
        match place.open_if_there()? {
            Some(folder) => Ok(folder.connect_if_there(AGENT.socket).await?),
            None => Ok(None),
        }
    }

    async fn start(folder: &Folder) -> Result<Self, AgentError> {
        match Self::greet(start(folder).await.map_err(AgentError::Start)?).await? {
            Greeted::Ours(connection) => Ok(connection),
            Greeted::Older { .. } => Err(AgentError::Stays),
        }
    }

    fn new(stream: UnixStream) -> Self {
        let other_end = OtherEnd::of(&stream);
        Self { stream, other_end }
    }

    async fn greet(stream: UnixStream) -> Result<Greeted, AgentError> {
        let mut connection = Self::new(stream);
        let hello = connection.hello().await?;
        match hello.protocol {
            PROTOCOL => Ok(Greeted::Ours(connection)),
            older if older < PROTOCOL => Ok(Greeted::Older { connection, version: hello.version }),
            _ => Err(AgentError::Newer(hello.version)),
        }
    }

    async fn hello(&mut self) -> Result<Hello, AgentError> {
        self.tell(&Hello::own()).await?;
        frame::read(&mut self.stream, AT_ONCE).await.map_err(|error| self.went_wrong(error, AT_ONCE))
    }

    /// Who would sign; `None`: somebody has to log in, and it is our turn until this connection ends. Where another one has
    /// it, `waiting` is told soon, and it is waited for as long as a login takes ([`Waiting`]).
    ///
    /// # Errors
    /// [`AgentError`]
    pub async fn find(&mut self, query: Query, waiting: impl FnOnce(&Waiting)) -> Result<Option<Found>, AgentError> {
        let answer = match self.ask(&Request::Find { query: Box::new(query) }, AT_ONCE).await? {
            Answer::Waiting { process } => {
                waiting(&Waiting { process });
                self.answer(LONGEST_TURN + AT_ONCE).await?
            }
            answer => answer,
        };
        match answer {
            Answer::Found { found } => Ok(Some(found)),
            Answer::Missing => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    /// Hands a login over.
    ///
    /// # Errors
    /// [`AgentError`]; [`AgentError::Failed`] when the login gets no certificate.
    pub async fn admit(&mut self, admission: Admission) -> Result<Found, AgentError> {
        match self.ask(&Request::Admit { admission: Box::new(admission) }, ASKING_OTHERS).await? {
            Answer::Found { found } => Ok(found),
            other => Err(unexpected(other)),
        }
    }

    /// Has `payload` signed; `None`: the session is over.
    ///
    /// # Errors
    /// [`AgentError`]
    pub async fn sign(&mut self, session: u64, payload: &[u8]) -> Result<Option<Signed>, AgentError> {
        self.tell(&Request::Sign { session }).await?;
        let written = frame::write_bytes(&mut self.stream, payload).await;
        written.map_err(|error| self.went_wrong(error, frame::FRAME_TIME))?;
        match self.answer(ASKING_OTHERS).await? {
            Answer::Signed { signed } => Ok(Some(signed)),
            Answer::Missing => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    /// Who is logged in, the newest first.
    ///
    /// # Errors
    /// [`AgentError`]
    pub async fn sessions(&mut self) -> Result<Vec<SessionStatus>, AgentError> {
        match self.ask(&Request::Status, AT_ONCE).await? {
            Answer::Sessions { sessions } => Ok(sessions),
            other => Err(unexpected(other)),
        }
    }

    /// Logs out of an instance, or of all.
    ///
    /// # Errors
    /// [`AgentError`]
    pub async fn forget(&mut self, instance: Option<&str>) -> Result<Forgotten, AgentError> {
        let request = Request::Forget { instance: instance.map(ToOwned::to_owned) };
        match self.ask(&request, FORGETTING).await? {
            Answer::Forgotten { sessions, unrevoked } => Ok(Forgotten { logins: sessions, unrevoked }),
            other => Err(unexpected(other)),
        }
    }

    async fn stop(&mut self) -> Result<(), AgentError> {
        match self.ask(&Request::Stop, AT_ONCE).await? {
            Answer::Stopping => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Whether it takes such a payload: what Git signs, and not too much of it.
    #[must_use]
    pub fn takes(payload: &[u8]) -> bool {
        payload.len() <= MAX_PAYLOAD_BYTES && is_signable(payload)
    }

    async fn ask(&mut self, request: &Request, patience: Duration) -> Result<Answer, AgentError> {
        self.tell(request).await?;
        self.answer(patience).await
    }

    async fn tell(&mut self, message: &impl Serialize) -> Result<(), AgentError> {
        let written = frame::write(&mut self.stream, message).await;
        written.map_err(|error| self.went_wrong(error, frame::FRAME_TIME))
    }

    async fn answer(&mut self, patience: Duration) -> Result<Answer, AgentError> {
        frame::read(&mut self.stream, patience).await.map_err(|error| self.went_wrong(error, patience))
    }

    fn went_wrong(&self, error: FrameError, patience: Duration) -> AgentError {
        match error {
            FrameError::TooSlow => AgentError::Silent { who: self.other_end.clone(), patience },
            error => broken(error),
        }
    }
}

/// What was forgotten.
#[derive(Debug, Default)]
pub struct Forgotten {
    /// How many logins there were.
    pub logins: usize,
    /// Why refresh tokens could not be revoked.
    pub unrevoked: Vec<String>,
}

/// What is waited for: another program's login for the same, or what the agent does with it.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// The program.
    process: Option<i32>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some(process) => write!(f, "another program (process {process}) is just logging in for the same")?,
            None => f.write_str("the agent is busy with this login")?,
        }
        write!(f, "; waiting for that, at most {} s", LONGEST_TURN.as_secs())
    }
}

enum Greeted {
    Older { connection: Connection, version: String },
    Ours(Connection),
}

/// The agent cannot be used, or did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It went away, or says nothing that makes sense.
    #[error("the agent does not answer as it should: {0}")]
    Broken(String),
    /// It tried.
    #[error(transparent)]
    Failed(Failure),
    /// Of a version that is not ours to end.
    #[error("an agent of waxseal {} runs, which is newer", crate::escape::terminal(.0))]
    Newer(String),
    /// Of a version that does not know what is asked.
    #[error("an agent of waxseal {} runs, which is older", crate::escape::terminal(.0))]
    Older(String),
    /// Where it would be found.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Of another version, at the other end of SSH.
    #[error("signatures are forwarded to waxseal {}, which speaks another language", crate::escape::terminal(.0))]
    OtherEnd(String),
    /// It hangs, or was stopped. Nothing that is said to it helps.
    #[error("the agent{who} has not answered within {} s", .patience.as_secs())]
    Silent {
        /// Its process.
        who: OtherEnd,
        /// How long it was waited for.
        patience: Duration,
    },
    /// It could not be started.
    #[error("the agent cannot be started: {0}")]
    Start(std::io::Error),
    /// An older one was asked to end and did not.
    #[error("an agent of an older version does not end")]
    Stays,
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn broken(error: FrameError) -> AgentError {
    AgentError::Broken(error.to_string())
}

pub(super) fn unexpected(answer: Answer) -> AgentError {
    match answer {
        Answer::Failed { failure } => AgentError::Failed(failure),
        _ => AgentError::Broken("an answer to another question".to_owned()),
    }
}

/// It is on this machine and does nothing else.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Longer than the agent waits for issuers that are down.
const FORGETTING: Duration = Duration::from_secs(15);
/// A certificate authority and an issuer may have to answer first, each within the limits of `services::http`.
const ASKING_OTHERS: Duration = Duration::from_secs(120);
