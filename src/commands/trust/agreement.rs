//! A digest that was demanded, or a yes on the terminal, before documents that nobody signed are believed.

use super::{Run, digest, show};
use crate::command_error::CommandError;
use crate::crypto::Sha256Digest;
use crate::instance::Instance;
use crate::terminal::{Answer, Terminal};
use crate::trust_store::Documents;

impl Run {
    /// `place` is where the documents came from, `command` what would be typed by somebody who knows the digest.
    pub(super) fn agree(
        &self,
        instance: &Instance,
        documents: &Documents,
        place: &str,
        wanted: Option<Sha256Digest>,
        command: impl FnOnce(&Sha256Digest) -> String,
    ) -> Result<(), CommandError> {
        let found = digest(documents);
        if let Some(wanted) = wanted {
            return if wanted == found {
                Ok(())
            } else {
                Err(CommandError::failed(format!("the trust material at {place} has digest {found}, not {wanted}"))
                    .hint("ask its operator which digest is right; nothing was changed"))
            };
        }
        let terminal = Terminal::open_if(self.settings.may_prompt);
        for line in show::summary(instance) {
            terminal.news(line);
        }
        terminal.news(format!("digest {found}; its operator can tell you whether that is right"));
        match terminal.ask(format!("trust {place} as {}?", instance.name)) {
            Answer::Yes => Ok(()),
            Answer::No => Err(CommandError::failed("nothing was changed")),
            Answer::NobodyThere => Err(CommandError::failed(format!(
                "nobody vouches for {place}: --sha256 was not given and nobody can be asked"
            ))
            .hint(format!("if its operator names the same digest: {}", command(&found)))),
        }
    }
}
