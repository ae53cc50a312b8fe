//! `waxseal man DIR`: writes the manual pages.

use std::io::Write as _;

use crate::cli::Manual;
use crate::command_error::CommandError;

/// Writes every page, each whole or not at all.
///
/// # Errors
/// [`CommandError`] names the file.
pub fn run(manual: &Manual) -> Result<(), CommandError> {
    let folder = &manual.folder;
    let unwritten = |what: &std::path::Path, error: std::io::Error| {
        CommandError::failed(format_args!("{} cannot be written: {error}", what.display()))
            .hint("name a folder in which you may write; it is made if it is not there")
    };
    std::fs::create_dir_all(folder).map_err(|error| unwritten(folder, error))?;
    for (name, page) in &manual.pages {
        let path = folder.join(name);
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(page.as_bytes())?;
            everybody_may_read(file.as_file())?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| unwritten(&path, error))?;
    }
    Ok(())
}

/// Manual pages are often installed for others; a temporary file is private.
#[cfg(unix)]
fn everybody_may_read(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn everybody_may_read(_file: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_take_the_place_of_older_ones() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("share/man1");
        for text in ["old", "new"] {
            let pages = vec![("waxseal.1".to_owned(), text.to_owned())];
            run(&Manual { folder: folder.clone(), pages }).unwrap();
        }
        assert_eq!(std::fs::read_to_string(folder.join("waxseal.1")).unwrap(), "new");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        let inside_a_file = Manual { folder: folder.join("waxseal.1/more"), pages: Vec::new() };
        assert!(run(&inside_a_file).unwrap_err().message().contains("cannot be written"));
    }
}
