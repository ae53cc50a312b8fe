//! `waxseal completions SHELL`: what a shell must know to complete waxseal's commands and flags.

use clap::{Args, Command};
use clap_complete::Shell;

/// `waxseal completions`
#[derive(Args)]
pub(super) struct CompletionsFlags {
    /// The shell
    shell: Shell,
}

impl CompletionsFlags {
    /// The shell's script for `commands`.
    pub(super) fn script(&self, mut commands: Command) -> String {
        let mut script = Vec::new();
        let name = commands.get_name().to_owned();
        clap_complete::generate(self.shell, &mut commands, name, &mut script);
        String::from_utf8_lossy(&script).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_completes_commands_that_people_call_and_no_others() {
        for shell in Shell::value_variants() {
            let script = CompletionsFlags { shell: *shell }.script(crate::cli::public_commands());
            for word in ["verify-tag", "certificate-oidc-issuer", "refresh"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
            for hidden in ["follow-login", "open-browser"] {
                assert!(!script.contains(hidden), "{shell}: {hidden}");
            }
        }
    }
}
