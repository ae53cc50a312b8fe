//! The agent: whether it runs, and who is logged in there. It is not started.

use super::Finding;
use crate::agent::{Connection, Place};
use crate::commands::agent_error::agent_error;
use crate::settings::Settings;

pub(super) async fn finding(settings: &Settings) -> Finding {
    let place = match Place::of_user(&settings.folders) {
        Ok(place) => place,
        Err(error) => return Finding::of_error(CHECK, agent_error(error.into())),
    };
    let sessions = async {
        match Connection::to_running(&place).await? {
            Some(mut connection) => connection.sessions().await.map(Some),
            None => Ok(None),
        }
    };
    match sessions.await {
        Err(error) => Finding::of_error(CHECK, agent_error(error)),
        Ok(None) => Finding::ok(CHECK, "it does not run; the first signature starts it"),
        Ok(Some(sessions)) => {
            let who = sessions.iter().map(|session| format!("{} at {}", session.identity, session.instance));
            match who.collect::<Vec<_>>().join(", ") {
                nobody if nobody.is_empty() => Finding::ok(CHECK, "it runs, and nobody is logged in"),
                who => Finding::ok(CHECK, format!("it runs; logged in: {who}")),
            }
        }
    }
}

const CHECK: &str = "agent";
