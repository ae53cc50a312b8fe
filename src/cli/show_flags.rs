//! `waxseal show`.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

/// `waxseal show`
#[derive(Debug, PartialEq, Eq)]
pub struct Show {
    /// A commit or tag as it was typed; `None`: HEAD.
    pub object: Option<OsString>,
    /// For whom.
    pub format: ShowFormat,
    /// The remote whose address names the repository in a statement.
    pub remote: String,
}

/// For whom claims are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// Lines for people
    Text,
    /// One line of JSON
    Json,
    /// An in-toto statement with gitsign's predicate
    InToto,
}

#[derive(Args)]
pub(super) struct ShowFlags {
    /// A commit or tag; HEAD when none is given. An annotated tag is the tag object itself
    #[arg(value_name = "OBJECT")]
    object: Option<OsString>,
    /// How to print it
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text", conflicts_with = "json")]
    format: ShowFormat,
    /// The same as --format=json
    #[arg(long)]
    json: bool,
    /// For in-toto: the remote whose first URL names the repository
    #[arg(short, long, value_name = "NAME", default_value = "origin")]
    remote: String,
}

impl ShowFlags {
    pub(super) fn resolve(self) -> Show {
        let format = if self.json { ShowFormat::Json } else { self.format };
        Show { object: self.object, format, remote: self.remote }
    }
}
