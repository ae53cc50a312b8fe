//! The same once more by Go's code for transparency logs, if somebody built it: `WAXSEAL_LOGCHECK` is the path of
//! `scripts/test-peers.d/go`, built.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use tlog_tiles::tlog::record_hash;

use super::client::{Acknowledged, Log};
use super::witness::spki_pem;
use crate::sandbox::{Ran, Sandbox};

/// Remembers every tree head that it saw, one folder a log.
pub(super) struct LogCheck {
    program: OsString,
}

impl LogCheck {
    pub(super) fn find() -> Option<Self> {
        let program = std::env::var_os("WAXSEAL_LOGCHECK")?;
        Some(Self { program })
    }

    /// Every tile and entry on disk, every entry of `acknowledged`, every head that was seen before.
    pub(super) fn check(&self, sandbox: &Sandbox, log: Log, acknowledged: &[Acknowledged]) {
        let key = sandbox.write(&format!("{}.pem", log.folder()), spki_pem(sandbox, log));
        let mut lines = String::new();
        for entry in acknowledged {
            let index = entry.proof.as_ref().unwrap().index;
            writeln!(lines, "{index} {}", hex::encode(record_hash(&entry.leaf).0)).unwrap();
        }
        let list = sandbox.write(&format!("{}.acknowledged", log.folder()), lines);
        let folder = sandbox.path("sigstore").join(log.folder());
        let mut tiles = self.command("tiles", self.seen(sandbox, log, "tiles"));
        Ran::of(tiles.arg(folder).arg(&key).arg(list), b"").success();
        if log == Log::Ct {
            let mut api = self.command("ct", self.seen(sandbox, log, "api"));
            Ran::of(api.arg(format!("{}/ct", sandbox.url())).arg(&key), b"").success();
        }
    }

    fn command(&self, what: &str, seen: PathBuf) -> Command {
        let mut command = Command::new(&self.program);
        command.args([what, "-seen"]).arg(seen).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command
    }

    fn seen(&self, sandbox: &Sandbox, log: Log, what: &str) -> PathBuf {
        let folder = sandbox.path(&format!("seen-{}-{what}", log.folder()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }
}
