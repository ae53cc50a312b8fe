//! `waxseal agent`, `login`, `logout`, `whoami`: one login for many signatures.

use clap::Args;
use jiff::SignedDuration;

/// `waxseal agent`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct Agent {
    /// End when nobody has asked and nothing could be signed for this long: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = idle)]
    pub idle: SignedDuration,
    /// Have the agent that runs forget everything and end
    #[arg(long, conflicts_with = "idle")]
    pub stop: bool,
    /// Sign for other machines, to which SSH takes the socket, after a yes at this terminal
    #[arg(long, conflicts_with_all = ["idle", "stop"])]
    pub forward: bool,
    /// Started by a client: nobody waits
    #[arg(long, hide = true)]
    pub detached: bool,
}

/// `waxseal login`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct LogIn {
    /// The instance; without it, the one that signs
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// Say why the login is done as it is
    #[arg(long, short)]
    pub verbose: bool,
}

/// `waxseal logout`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct LogOut {
    /// Of this instance only
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
}

/// `waxseal whoami`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct WhoAmI {
    /// Print JSON, one login a line
    #[arg(long)]
    pub json: bool,
}

fn idle(text: &str) -> Result<SignedDuration, &'static str> {
    let time: SignedDuration = text.parse().map_err(|_| NOT_A_TIME)?;
    if time.as_secs() >= 1 { Ok(time) } else { Err(NOT_A_TIME) }
}

const NOT_A_TIME: &str = "a number of seconds, minutes or hours, such as 90s, 30m or 2h";
