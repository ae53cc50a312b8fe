//! Programs: this one, and what a name leads to.

use std::path::{Path, PathBuf};

/// This program's file, links resolved.
#[must_use]
pub fn this() -> Option<PathBuf> {
    std::env::current_exe().ok().and_then(|path| path.canonicalize().ok())
}

/// What a shell or git would start under `name`: a path as it is, a plain name by `PATH`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "settings read the environment")]
pub fn find(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 || name.is_absolute() {
        return is_program(name).then(|| name.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// Whether `name` leads to this very program.
#[must_use]
pub fn is_this(name: &Path) -> bool {
    let found = find(name).and_then(|path| path.canonicalize().ok());
    found.is_some() && found == this()
}

/// `waxseal` where that is this program, else its whole path.
#[must_use]
pub fn how_git_finds_us() -> String {
    match this() {
        Some(path) if !is_this(Path::new(NAME)) => path.display().to_string(),
        _ => NAME.to_owned(),
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

const NAME: &str = "waxseal";
