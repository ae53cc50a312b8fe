//! What the agent does to its own process: it leaves its parent behind, and keeps others out of its memory.

use std::io;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid};

/// Leaves the session of whoever started it, so that no Ctrl-C and no closed terminal reaches it, and lets go of what it
/// inherited: Git waits until every copy of its pipes is closed. To be called before anything is opened.
///
/// # Errors
/// What the system says.
pub fn detach() -> io::Result<()> {
    close_inherited()?;
    // It is the leader of its session already where it was started as one.
    let _already = setsid();
    std::env::set_current_dir("/")
}

/// Keeps secrets out of core dumps, and other processes of the user from reading the memory of this one. Best effort: what
/// fails is left.
pub fn keep_out_of_dumps() {
    #[cfg(target_os = "linux")]
    let _best_effort = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// The same for a process that starts no others, and secrets are kept out of swap where the system allows that without
/// limit: under one, memory that is asked for later would be refused when it is reached, and the agent would end.
pub(super) fn keep_secrets() {
    keep_out_of_dumps();
    let _best_effort = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    if getrlimit(Resource::Memlock).current.is_none() {
        let _best_effort = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT);
    }
}

/// Closes every descriptor but the standard three.
fn close_inherited() -> io::Result<()> {
    let entries = std::fs::read_dir(DESCRIPTORS)?;
    let numbers: Vec<i32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // One of them was the folder's own.
        let _closed = nix::unistd::close(number);
    }
    Ok(())
}

/// What this machine is called, by itself.
#[must_use]
pub fn host_name() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().map(ToOwned::to_owned)
}

const DESCRIPTORS: &str = "/dev/fd";
