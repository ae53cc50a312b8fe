//! What is verified besides the revisions that are named.

use clap::{ArgAction, Args};

#[derive(Args)]
pub(super) struct SelectionFlags {
    /// Every commit that a ref leads to; the tags themselves are for --tags
    #[arg(long)]
    pub(super) all: bool,
    /// The tags whose names match, as 'v*'; several may be given
    #[arg(long, value_name = "GLOB", action = ArgAction::Append)]
    pub(super) tags: Vec<String>,
    /// Read more revisions from standard input, one a line
    #[arg(long)]
    pub(super) stdin: bool,
}
