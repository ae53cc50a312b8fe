//! The embedded Sigstore as a process.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::NamedTempFile;

/// A running `waxseal serve`, killed when it is dropped.
pub(crate) struct Stack {
    child: Child,
    url: String,
    digest: String,
    stderr: NamedTempFile,
}

impl Stack {
    pub(crate) fn start(mut serve: Command) -> Self {
        let stderr = NamedTempFile::new().unwrap();
        serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr.reopen().unwrap());
        let mut child = serve.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            drop(child.kill());
            drop(child.wait());
            panic!("the stack did not start: {line}{}", std::fs::read_to_string(stderr.path()).unwrap());
        };
        let member = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self { url: member("url"), digest: member("trust_sha256"), child, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// Waits until it has said this on stderr.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) {
        let start = Instant::now();
        loop {
            let said = std::fs::read_to_string(self.stderr.path()).unwrap();
            if said.contains(words) {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "{said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGTERM, after which it ends well.
    pub(crate) fn stop(mut self) {
        self.signal("-TERM");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap().success());
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that nobody has, for now: for an address that is fixed before there is a socket.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
