//! A bare repository that somebody pushes to.

use std::os::unix::fs::PermissionsExt as _;

use super::{ALICE, BOB, Ran, Sandbox, WAXSEAL};

/// A sandbox with the bare repository `server`, which is the remote `origin`.
pub(crate) struct Server {
    pub(crate) sandbox: Sandbox,
    pub(crate) alice: String,
    pub(crate) bob: String,
}

impl Server {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::with_stack();
        sandbox.run_in(".", "git", ["init", "--quiet", "--bare", "server"]).success();
        sandbox.git(["remote", "add", "origin", "../server"]).success();
        let (alice, bob) = (sandbox.token(ALICE), sandbox.token(BOB));
        Self { sandbox, alice, bob }
    }

    /// Makes a hook of `folder` call waxseal with these arguments.
    pub(crate) fn hook(&self, folder: &str, name: &str, arguments: &str) {
        self.script(folder, name, &format!("exec '{WAXSEAL}' hook {name} {arguments} \"$@\""));
    }

    /// Makes a hook of `folder` run a shell's command.
    pub(crate) fn script(&self, folder: &str, name: &str, command: &str) {
        let path = self.sandbox.write(&format!("{folder}/hooks/{name}"), format!("#!/bin/sh\n{command}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn no_hook(&self, name: &str) {
        std::fs::remove_file(self.sandbox.path(&format!("server/hooks/{name}"))).unwrap();
    }

    /// A signed commit on what is checked out.
    pub(crate) fn commit(&self, token: &str, message: &str) -> String {
        self.git_as(token, &["commit", "-q", "--allow-empty", "-S", "-m", message]).success();
        self.id("HEAD")
    }

    pub(crate) fn git_as(&self, token: &str, arguments: &[&str]) -> Ran {
        Ran::of(self.sandbox.command("git").args(arguments).env("WAXSEAL_ID_TOKEN", token), b"")
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> Ran {
        self.sandbox.git(arguments)
    }

    pub(crate) fn id(&self, revision: &str) -> String {
        self.git(&["rev-parse", revision]).success().line()
    }

    pub(crate) fn push(&self, arguments: &[&str]) -> Ran {
        self.git(&[&["push", "-q", "origin"], arguments].concat())
    }

    /// What the pusher reads of waxseal.
    pub(crate) fn said(&self, ran: &Ran) -> String {
        let lines: Vec<String> = ran
            .err()
            .lines()
            .filter_map(|line| line.strip_prefix("remote: ").unwrap_or(line).strip_prefix("waxseal: "))
            .map(|line| self.sandbox.masked(line.trim_end()))
            .collect();
        lines.join("\n")
    }
}

/// A rule for one person, with more conditions.
pub(crate) fn rule(sandbox: &Sandbox, name: &str, email: &str, more: &str) -> String {
    let issuer = sandbox.issuer();
    format!("[[rule]]\nname = \"{name}\"\nissuer = \"{issuer}\"\ninstance = \"home\"\nemail = [\"{email}\"]\n{more}\n")
}
