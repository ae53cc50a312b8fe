//! Which process listens, for whoever has to end it by force.

use std::fmt;

use tokio::net::UnixStream;

/// The process at the other end of a socket, as the kernel knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherEnd {
    /// Its number; `None` where the kernel does not say, or it is in a container of its own.
    pub process: Option<i32>,
    /// What it calls itself, which may be anything. A service manager has the socket where it started the agent.
    pub name: Option<String>,
}

impl OtherEnd {
    pub(super) fn of(stream: &UnixStream) -> Self {
        let process = stream.peer_cred().ok().and_then(|peer| peer.pid()).filter(|process| *process > 0);
        let name = process.and_then(|process| std::fs::read_to_string(format!("/proc/{process}/comm")).ok());
        Self { process, name: name.map(|name| name.trim_end().to_owned()) }
    }

    /// How the agent there is ended.
    #[must_use]
    pub fn how_to_end(&self) -> String {
        match self {
            Self { name: Some(name), .. } if name == "systemd" => {
                "\"systemctl --user restart waxseal-agent.service\" starts another one; its logins go with it"
                    .to_owned()
            }
            Self { process: Some(process), .. } => format!(
                "\"kill -KILL {process}\" ends it, and its logins with it; one that was only stopped goes on after \"kill \
                 -CONT {process}\""
            ),
            Self { process: None, .. } => {
                "end the process \"waxseal agent\" by force; its logins go with it".to_owned()
            }
        }
    }
}

/// ` (process 7, waxseal)`, as far as it is known.
impl fmt::Display for OtherEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.process, &self.name) {
            (Some(process), Some(name)) => write!(f, " (process {process}, {})", crate::escape::terminal(name)),
            (Some(process), None) => write!(f, " (process {process})"),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_said() {
        let of = |process, name: Option<&str>| OtherEnd { process, name: name.map(str::to_owned) };
        assert_eq!(of(Some(7), Some("waxseal")).to_string(), " (process 7, waxseal)");
        assert_eq!(of(Some(7), Some("a\x1b[m")).to_string(), " (process 7, a%1B[m)");
        assert_eq!(of(None, None).to_string(), "");
        assert!(of(Some(7), Some("waxseal")).how_to_end().starts_with("\"kill -KILL 7\" "));
        // Not the manager of all of the user's services.
        assert!(!of(Some(7), Some("systemd")).how_to_end().contains("kill"));
    }
}
