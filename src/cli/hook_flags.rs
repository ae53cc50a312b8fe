//! `waxseal hook`: the hooks of a push, called as githooks(5) says.

use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::judging_flags::{CacheFlags, JudgingFlags, NetworkFlags, PolicyFlags, TrustFlags};
use super::{UsageError, Verify};

/// `waxseal hook`
#[derive(Debug, PartialEq, Eq)]
pub struct Hook {
    /// Which hook.
    pub event: HookEvent,
    /// What is judged, by whose rules and under which trust; no revisions yet, and never online.
    pub judging: Verify,
    /// What would be refused is said, and not refused.
    pub report_only: bool,
    /// How long it may take.
    pub max_time: Duration,
    /// How many objects are judged.
    pub max_objects: u64,
    /// How many failures are shown.
    pub max_failures: usize,
    /// The push must be signed, too.
    pub require_signed_push: bool,
}

/// Which hook.
#[derive(Debug, PartialEq, Eq)]
pub enum HookEvent {
    /// Before anything leaves: standard input names the refs.
    PrePush {
        /// The remote's name; `None` where the push is to an address.
        remote: Option<OsString>,
    },
    /// Before anything is taken: standard input names the refs.
    PreReceive,
    /// Before one ref is updated.
    Update {
        /// Its full name.
        reference: OsString,
        /// What it points at.
        old: OsString,
        /// What it is to point at.
        new: OsString,
    },
}

#[derive(Subcommand)]
pub(super) enum HookCommand {
    /// Judge a push before it leaves; never changes anything
    PrePush {
        /// The remote's name
        #[arg(value_name = "REMOTE")]
        remote: Option<OsString>,
        /// Its address
        #[arg(value_name = "URL")]
        url: Option<OsString>,
        #[command(flatten)]
        flags: HookFlags,
    },
    /// Judge a whole push on the server: all of it is taken or nothing
    PreReceive {
        #[command(flatten)]
        flags: HookFlags,
        /// The push itself must be signed (git push --signed) by somebody who may sign
        #[arg(long)]
        require_signed_push: bool,
    },
    /// Judge one ref of a push on the server
    Update {
        /// Its full name
        #[arg(value_name = "REF")]
        reference: OsString,
        /// What it points at
        #[arg(value_name = "OLD")]
        old: OsString,
        /// What it is to point at
        #[arg(value_name = "NEW")]
        new: OsString,
        #[command(flatten)]
        flags: HookFlags,
    },
}

#[derive(Args)]
pub(super) struct HookFlags {
    #[command(flatten)]
    policy: PolicyFlags,
    #[command(flatten)]
    trust: TrustFlags,
    /// Say what would be refused, and refuse nothing
    #[arg(long)]
    report_only: bool,
    /// Refuse what is not judged after this time: 30s, 5m
    #[arg(long, value_name = "TIME", default_value = "30s")]
    max_time: MaxTime,
    /// Refuse a push of more objects to judge
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    max_objects: u64,
    /// Show no more failures than these
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    max_failures: usize,
    #[command(flatten)]
    cache: CacheFlags,
}

impl HookCommand {
    pub(super) fn resolve(self) -> Result<Hook, UsageError> {
        let (event, flags, require_signed_push) = match self {
            Self::PrePush { remote, url, flags } => {
                // Of an address Git says the same twice.
                (HookEvent::PrePush { remote: remote.filter(|remote| Some(remote) != url.as_ref()) }, flags, false)
            }
            Self::PreReceive { flags, require_signed_push } => (HookEvent::PreReceive, flags, require_signed_push),
            // Git shows the certificate of a push to pre-receive alone.
            Self::Update { reference, old, new, flags } => (HookEvent::Update { reference, old, new }, flags, false),
        };
        let network = NetworkFlags { online: false, offline: true };
        let judging = JudgingFlags { network, trust: flags.trust, policy: flags.policy, ..JudgingFlags::default() };
        let judging = judging.resolve(Vec::new())?;
        let judging = Verify { no_cache: flags.cache.no_cache, allow_empty: true, ..judging };
        Ok(Hook {
            event,
            judging,
            report_only: flags.report_only,
            max_time: flags.max_time.0,
            max_objects: flags.max_objects,
            max_failures: flags.max_failures,
            require_signed_push,
        })
    }
}

/// A time as `30s` or `5m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxTime(pub Duration);

impl FromStr for MaxTime {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let (number, seconds) = match (text.strip_suffix('s'), text.strip_suffix('m')) {
            (Some(number), _) => (number, 1),
            (None, Some(number)) => (number, 60),
            (None, None) => return Err(BadTime::Form),
        };
        // `parse` alone also reads "+7" and "007".
        let count = number.parse().ok().filter(|count: &u64| *count > 0 && count.to_string() == number);
        let time = count.ok_or(BadTime::Form)?.saturating_mul(seconds);
        if time > MAX_SECONDS {
            return Err(BadTime::TooLong);
        }
        Ok(Self(Duration::from_secs(time)))
    }
}

/// Not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    /// No number, or no unit.
    #[error("a time is a number and a unit, as 30s or 5m")]
    Form,
    /// Nobody waits that long.
    #[error("a push is not judged for longer than a day: {MAX_SECONDS}s")]
    TooLong,
}

/// Nobody waits longer for a push.
const MAX_SECONDS: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!("30s".parse(), Ok(MaxTime(Duration::from_secs(30))));
        assert_eq!("5m".parse(), Ok(MaxTime(Duration::from_secs(300))));
        for bad in ["", "30", "s", "0s", "+3s", "03s", "1h", "99999999999999999999s", "5 m"] {
            assert_eq!(bad.parse::<MaxTime>(), Err(BadTime::Form), "{bad:?}");
        }
        assert_eq!("1440m".parse(), Ok(MaxTime(Duration::from_secs(86_400))));
        for long in ["86401s", "1441m", "18446744073709551615m"] {
            assert_eq!(long.parse::<MaxTime>(), Err(BadTime::TooLong), "{long:?}");
        }
    }
}
