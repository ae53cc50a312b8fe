//! The other machine's end.

use std::time::Duration;

use tokio::net::UnixStream;

use super::{ForwardedRequest, Wanted};
use crate::agent::client::{AgentError, broken, unexpected};
use crate::agent::frame::{self, FrameError};
use crate::agent::message::{Answer, Failure, Hello, PROTOCOL, Signed};
use crate::agent::place::{FORWARDED, Place};
use crate::settings::Folders;

/// A connection to a terminal where `waxseal agent --forward` runs.
#[derive(Debug)]
pub struct Forwarded {
    stream: UnixStream,
}

impl Forwarded {
    /// Connects, where SSH has left a socket and somebody is behind it.
    ///
    /// # Errors
    /// [`AgentError`]
    pub async fn connect(folders: &Folders) -> Result<Option<Self>, AgentError> {
        for place in Place::all_of_user(folders) {
            // What is left of an SSH connection that is over is nobody.
            let Ok(folder) = place.open() else { continue };
            let Ok(mut stream) = folder.connect(FORWARDED).await else { continue };
            if frame::write(&mut stream, &Hello::own()).await.is_err() {
                continue;
            }
            match frame::read::<Hello>(&mut stream, FIRST_ANSWER).await {
                Ok(hello) if hello.protocol == PROTOCOL => return Ok(Some(Self { stream })),
                Ok(hello) => return Err(AgentError::OtherEnd(hello.version)),
                // SSH is there, and finds nobody at its other end.
                Err(FrameError::Closed | FrameError::Io(_)) => {}
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(None)
    }

    /// Has `payload` signed, if somebody there says yes; `None`: nobody is logged in for that.
    ///
    /// # Errors
    /// [`AgentError`]
    pub async fn sign(mut self, wanted: Wanted, payload: &[u8]) -> Result<Option<Signed>, AgentError> {
        let request = ForwardedRequest::Sign { wanted: Box::new(wanted) };
        frame::write(&mut self.stream, &request).await.map_err(broken)?;
        frame::write_bytes(&mut self.stream, payload).await.map_err(broken)?;
        // Somebody may have been asked, and may have meant no.
        let unanswered = |error| AgentError::Failed(Failure::NotConfirmed(format!("no answer came: {error}")));
        match frame::read(&mut self.stream, SOMEBODY_THINKS).await.map_err(unanswered)? {
            Answer::Signed { signed } => Ok(Some(signed)),
            Answer::Missing => Ok(None),
            other => Err(unexpected(other)),
        }
    }
}

const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// Another question may have to be answered before, each within 120 s, and a certificate be got.
const SOMEBODY_THINKS: Duration = Duration::from_secs(300);
