//! What gix, looking for a repository, opens in a folder and in those above it. A FIFO there would be waited for without end.

use std::ffi::OsString;
use std::path::Path;

use gix::bstr::ByteSlice as _;

use super::MAX_LINK_BYTES;
use crate::files;
use crate::settings::SettingsError;

/// Looks at all of it.
pub(super) fn check(directory: &Path, git_dir: Option<OsString>) -> Result<(), SettingsError> {
    if let Some(named) = git_dir {
        return check_repository(&directory.join(named));
    }
    for folder in directory.ancestors() {
        let git_dir = folder.join(".git");
        check_repository(&git_dir)?;
        // It may itself be a bare one.
        check_repository(folder)?;
        if gix::discover::is_git(&git_dir).is_ok() {
            break;
        }
    }
    Ok(())
}

/// Looks at what may be a git directory, or a file that leads to one.
fn check_repository(place: &Path) -> Result<(), SettingsError> {
    let led = files::read(place, MAX_LINK_BYTES).ok().and_then(|link| {
        let link = link.strip_prefix(b"gitdir:")?.trim().to_path().ok()?.to_owned();
        Some(place.parent()?.join(link))
    });
    let git_dir = led.as_deref().unwrap_or(place);
    let special = FILES.iter().map(|name| git_dir.join(name)).find(|path| files::is_special(path));
    special.map_or(Ok(()), |path| Err(SettingsError::Special(path)))
}

const FILES: [&str; 3] = ["HEAD", "commondir", "gitdir"];
