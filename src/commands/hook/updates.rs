//! Which refs a push changes, as Git tells its hooks.

use std::io::Read as _;

use crate::cli::HookEvent;
use crate::command_error::CommandError;
use crate::git::repository::ObjectId;

/// One ref of a push.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Update {
    /// Its full name, where it is pushed to.
    pub(super) reference: String,
    /// What it points at; `None` where it is new.
    pub(super) old: Option<ObjectId>,
    /// What it is to point at; `None` where it is deleted.
    pub(super) new: Option<ObjectId>,
}

/// The refs that the event is about, from its arguments or from standard input.
///
/// # Errors
/// 2 for what Git does not say.
pub(super) fn of(event: &HookEvent) -> Result<Vec<Update>, CommandError> {
    match event {
        HookEvent::Update { reference, old, new } => {
            let text = |word: &std::ffi::OsStr| word.as_encoded_bytes().to_vec();
            Ok(vec![update(&text(reference), &text(old), &text(new))?])
        }
        HookEvent::PreReceive => match lines()?.as_slice() {
            // Git pushes nothing without a ref; whatever read the lines, they are not judged.
            [] => Err(CommandError::usage(
                "standard input names no ref: something before waxseal read it, or closed it",
            )
            .hint("a hook that reads it hands it on: updates=$(cat); …; echo \"$updates\" | waxseal hook pre-receive")),
            lines => lines.iter().map(|line| pre_receive(line)).collect(),
        },
        HookEvent::PrePush { .. } => lines()?.iter().map(|line| pre_push(line)).collect(),
    }
}

/// `OLD NEW REF`, as a push certificate has it, too.
pub(super) fn pre_receive(line: &[u8]) -> Result<Update, CommandError> {
    match line.splitn(3, |byte| *byte == b' ').collect::<Vec<_>>()[..] {
        [old, new, reference] => update(reference, old, new),
        _ => Err(not_from_git()),
    }
}

/// `LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID`; the first may be anything that was typed.
fn pre_push(line: &[u8]) -> Result<Update, CommandError> {
    match line.rsplitn(4, |byte| *byte == b' ').collect::<Vec<_>>()[..] {
        [old, reference, new, _local] => update(reference, old, new),
        _ => Err(not_from_git()),
    }
}

fn update(reference: &[u8], old: &[u8], new: &[u8]) -> Result<Update, CommandError> {
    let id = |hex: &[u8]| ObjectId::from_hex(hex).map_err(|_not_an_id| not_from_git());
    let (old, new) = (id(old)?, id(new)?);
    let reference = std::str::from_utf8(reference).map_err(|_not_text| {
        CommandError::failed("the name of a ref is not UTF-8").hint("push it under a name that every Git can show")
    })?;
    if !reference.starts_with("refs/") {
        return Err(not_from_git());
    }
    let there = |id: ObjectId| (!id.is_null()).then_some(id);
    Ok(Update { reference: reference.to_owned(), old: there(old), new: there(new) })
}

fn lines() -> Result<Vec<Vec<u8>>, CommandError> {
    let mut text = Vec::new();
    let read = std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut text);
    read.map_err(|error| CommandError::usage(format!("standard input cannot be read: {error}")))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(CommandError::failed(format!("the push names more refs than {MAX_BYTES} bytes hold"))
            .hint("push them in parts"));
    }
    Ok(text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect())
}

fn not_from_git() -> CommandError {
    CommandError::usage("this is not what Git tells this hook")
        .hint("Git calls it; docs/hooks.md says how it is installed")
}

/// Some hundred thousand refs.
const MAX_BYTES: u64 = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_error::ErrorKind;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const NONE: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn lines_are_read_as_git_writes_them() {
        let read = pre_receive(format!("{NONE} {ONE} refs/heads/a b").as_bytes()).unwrap();
        assert_eq!((read.reference.as_str(), read.old, read.new), ("refs/heads/a b", None, Some(ONE.parse().unwrap())));
        let read = pre_push(format!("HEAD@{{1 day ago}} {ONE} refs/heads/x {NONE}").as_bytes()).unwrap();
        assert_eq!((read.reference.as_str(), read.old, read.new), ("refs/heads/x", None, Some(ONE.parse().unwrap())));
        let deleted = pre_push(format!("(delete) {NONE} refs/heads/x {ONE}").as_bytes()).unwrap();
        assert_eq!((deleted.old, deleted.new), (Some(ONE.parse().unwrap()), None));
        for bad in ["", ONE, &format!("{ONE} {ONE}"), &format!("x {ONE} refs/heads/x"), &format!("{ONE} {ONE} HEAD")] {
            assert_eq!(pre_receive(bad.as_bytes()).unwrap_err().kind(), ErrorKind::Usage, "{bad:?}");
        }
        let latin = [format!("{ONE} {ONE} refs/heads/").as_bytes(), b"\xe9"].concat();
        assert_eq!(pre_receive(&latin).unwrap_err().kind(), ErrorKind::Failed);
    }
}
