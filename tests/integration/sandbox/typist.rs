//! A person at a terminal: reads what is shown, and types.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use regex::Regex;

use super::{Ran, Sandbox, WAXSEAL, program};

/// `script` of util-linux, which runs a shell command on a terminal of its own.
pub(crate) struct Typist {
    script: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Typist {
    /// Runs `command`, if this machine has terminals to give.
    pub(crate) fn at(sandbox: &Sandbox, command: &str, variables: &[(&str, &str)]) -> Option<Self> {
        if program("script").is_none() {
            println!("skipped: there is no script(1) here that runs a command on a terminal");
            return None;
        }
        let mut script = sandbox.command("script");
        script.args(["--quiet", "--return", "--flush", "--command", command, "/dev/null"]);
        script.env_remove("GIT_TERMINAL_PROMPT").env("WAXSEAL", WAXSEAL).env("SHELL", "/bin/sh");
        script.envs(variables.iter().copied());
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (keys, mut screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        let shown = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut chunk) {
                sink.lock().unwrap().extend(chunk[..read].iter().filter(|byte| **byte != b'\r'));
            }
        });
        Some(Self { script, keys, shown })
    }

    /// What is on the screen.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Waits until this is shown, and gives its first group.
    #[track_caller]
    pub(crate) fn sees(&self, pattern: &str) -> String {
        let pattern = Regex::new(pattern).unwrap();
        let began = Instant::now();
        loop {
            let shown = self.shown();
            if let Some(found) = pattern.captures(&shown) {
                return found.get(1).map_or_else(String::new, |group| group.as_str().to_owned());
            }
            assert!(began.elapsed() < PATIENCE, "{pattern} was not shown:\n{shown}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Answers the question that is asked, waits for the end, and gives all that was shown as its stdout.
    #[track_caller]
    pub(crate) fn answers(mut self, answer: &str) -> Ran {
        if !answer.is_empty() {
            self.sees(r"\[y/N\] ");
            self.types(answer);
        }
        let command = "script".to_owned();
        let (code, shown) = self.leaves();
        Ran { command, code: Some(code), stdout: shown.into_bytes(), stderr: Vec::new() }
    }

    /// Waits for the end; gives the exit code, and what was shown.
    #[track_caller]
    pub(crate) fn leaves(mut self) -> (i32, String) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.script.try_wait().unwrap() {
                // The reader may be a moment behind.
                std::thread::sleep(Duration::from_millis(50));
                return (status.code().unwrap(), self.shown());
            }
            assert!(began.elapsed() < PATIENCE, "it goes on:\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        // It has ended, or the test has failed.
        drop(self.script.kill());
        drop(self.script.wait());
    }
}

const PATIENCE: Duration = Duration::from_secs(40);
