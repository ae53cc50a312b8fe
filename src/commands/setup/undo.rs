//! `waxseal setup --undo`

use super::Run;
use super::record::{Record, RecordedChange};
use crate::command_error::CommandError;
use crate::settings::config_file::{ConfigFile, Scope};

impl Run<'_> {
    pub(super) fn undo(&self, mut file: ConfigFile) -> Result<u8, CommandError> {
        let path = self.record_path()?;
        let record = Record::load(&path, file.path())?;
        if record.is_empty() {
            return Err(self.nothing_to_undo(&file));
        }
        let now = file.bytes();
        // Nobody else changed it: every byte is put back.
        let exact = record.untouched(&now);
        let mut diff = Vec::new();
        for change in record.changes.iter().rev() {
            let RecordedChange { key, before, after } = change;
            let is_there = match before {
                Some(_) => file.value(key)?.flatten().as_ref() == Some(after),
                None => file.values(key)?.contains(after),
            };
            if !is_there && !self.request.force {
                return Err(CommandError::failed(format_args!(
                    "somebody changed {key} in {} since",
                    file.path().display()
                ))
                .hint(format_args!(
                    "it was set to \"{after}\"; --force puts back what was there before all the same"
                )));
            }
            match before {
                Some(before) => {
                    if file.value(key)?.is_some() {
                        file.replace(key, before);
                    } else {
                        file.add(key, before);
                    }
                }
                None => file.remove(key, after),
            }
            diff.extend(is_there.then(|| format!("-{key} = {after}")));
            diff.extend(before.as_ref().map(|before| format!("+{key} = {before}")));
        }
        self.say(&format!("{} ({})", file.path().display(), self.scope.name()), &diff, &[])?;
        if self.request.dry_run {
            return Ok(0);
        }
        self.agreed("shall this be put back?")?;
        match exact {
            Some(before) => file.write_bytes(before.as_deref())?,
            None if record.made_the_file() && file.bytes().is_empty() => file.write_bytes(None)?,
            None => file.write()?,
        }
        std::fs::remove_file(&path).map_err(|error| {
            CommandError::failed(format_args!("put back, but {} cannot be removed: {error}", path.display()))
                .hint("remove it: otherwise the next --undo finds this run again")
        })?;
        if let (Scope::Local | Scope::Worktree, Some(folder)) = (self.scope, path.parent()) {
            // In a repository's Git folder it is ours; what is not empty stays.
            let _stays = std::fs::remove_dir(folder);
        }
        self.say("put back", &[], &[])?;
        Ok(0)
    }

    fn nothing_to_undo(&self, file: &ConfigFile) -> CommandError {
        let error =
            CommandError::failed(format_args!("waxseal setup has changed nothing in {}", file.path().display()));
        match self.scope {
            Scope::Global => error.hint("--local is for the configuration of this repository"),
            Scope::Local | Scope::Worktree => error.hint("--global is for your own configuration"),
        }
    }
}
