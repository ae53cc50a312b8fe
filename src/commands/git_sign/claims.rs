//! What this machine says of itself to a person elsewhere, who has no reason to believe it.

use std::path::Path;

use crate::agent::{Claims, host_name};

pub(super) fn of_here() -> Claims {
    let folder = std::env::current_dir().ok();
    let is_repository = |folder: &&Path| folder.join(".git").exists();
    let repository = folder.as_deref().and_then(|folder| folder.ancestors().find(is_repository));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    Claims { host: host_name(), repository: repository.map(text), folder: folder.as_deref().map(text) }
}
