//! The flags of `waxseal doctor`.

use clap::Args;

/// `waxseal doctor`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct Doctor {
    /// Print JSON, one finding a line
    #[arg(long)]
    pub json: bool,
    /// Ask no service whether it is there
    #[arg(long)]
    pub offline: bool,
}
