//! `waxseal man`: the help pages as manual pages.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;

/// `waxseal man`
#[derive(Args)]
pub(super) struct ManFlags {
    /// Write one page a command into this folder, which is made if it is not there; without it the first page is printed
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Manual pages to write.
#[derive(Debug, PartialEq, Eq)]
pub struct Manual {
    /// Into this folder.
    pub folder: PathBuf,
    /// Each with the name of its file, `waxseal-verify.1` say.
    pub pages: Vec<(String, String)>,
}

/// What was asked for.
pub(super) enum Pages {
    /// The page of `waxseal` itself.
    First(String),
    /// All of them.
    Manual(Manual),
}

impl ManFlags {
    /// The pages of `commands`.
    pub(super) fn pages(self, commands: Command) -> Pages {
        let mut commands = commands.disable_help_subcommand(true);
        commands.build();
        match self.folder {
            None => Pages::First(page(&Man::new(commands))),
            Some(folder) => {
                let mut pages = Vec::new();
                collect(&commands, &mut pages);
                Pages::Manual(Manual { folder, pages })
            }
        }
    }
}

fn collect(command: &Command, pages: &mut Vec<(String, String)>) {
    let man = Man::new(command.clone());
    pages.push((man.get_filename(), page(&man)));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        collect(sub, pages);
    }
}

fn page(man: &Man) -> String {
    let mut page = Vec::new();
    // A vector takes everything.
    man.render(&mut page).unwrap_or_default();
    String::from_utf8_lossy(&page).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let all = ManFlags { folder: Some("man".into()) }.pages(crate::cli::public_commands());
        let Pages::Manual(manual) = all else { panic!("all were asked for") };
        for (file, text) in &manual.pages {
            assert!(file.starts_with("waxseal") && file.ends_with(".1"), "{file}");
            assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{file}");
            assert!(!text.contains("follow\\-login"), "{file}");
        }
        let files: Vec<_> = manual.pages.iter().map(|(file, _)| file.as_str()).collect();
        for file in ["waxseal.1", "waxseal-trust.1", "waxseal-trust-add.1", "waxseal-serve-user-add.1"] {
            assert!(files.contains(&file), "{files:?}");
        }
        assert!(!files.iter().any(|file| file.contains("help") || file.contains("open-browser")), "{files:?}");
        let Pages::First(first) = ManFlags { folder: None }.pages(crate::cli::public_commands()) else { panic!() };
        assert_eq!(manual.pages.first().map(|(_, text)| text), Some(&first));
    }
}
