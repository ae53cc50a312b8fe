//! The hidden command that waxseal starts itself with to open a browser (`oidc/opener.rs` says why).

use webbrowser::{Browser, BrowserOptions};

use crate::cli::OpenBrowser;
use crate::command_error::CommandError;

/// Opens the address with `$BROWSER`, else with what the desktop has.
///
/// # Errors
/// [`CommandError`] when there is no browser.
pub fn run(open: &OpenBrowser) -> Result<(), CommandError> {
    let mut options = BrowserOptions::new();
    options.with_suppress_output(true);
    webbrowser::open_browser_with_options(Browser::Default, &open.url, &options).map_err(CommandError::failed)
}
