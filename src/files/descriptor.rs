//! What the descriptors that a caller gave are open for.

#[cfg(unix)]
pub use unix::{is_null_for_reading_and_writing, is_read_only};

#[cfg(unix)]
mod unix {
    use std::fs::{self, File, Metadata};
    use std::io;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::{OFlags, fcntl_getfl};

    fn mode(descriptor: impl AsFd) -> Option<OFlags> {
        fcntl_getfl(descriptor).ok().map(|flags| flags & OFlags::ACCMODE)
    }

    /// Whether nothing can be written there.
    pub fn is_read_only(descriptor: impl AsFd) -> bool {
        mode(descriptor) == Some(OFlags::RDONLY)
    }

    /// Whether it leads to `/dev/null` for both, as what the runtime puts in place of a closed one.
    pub fn is_null_for_reading_and_writing(descriptor: impl AsFd) -> bool {
        let device = |metadata: io::Result<Metadata>| metadata.ok().map(|metadata| metadata.rdev());
        let Ok(own) = descriptor.as_fd().try_clone_to_owned() else { return true };
        let null = device(fs::metadata("/dev/null"));
        mode(&own) == Some(OFlags::RDWR) && null.is_some() && device(File::from(own).metadata()) == null
    }
}

/// Nothing is known of it elsewhere.
#[cfg(not(unix))]
pub fn is_read_only<T>(_descriptor: T) -> bool {
    false
}

/// Nothing is known of it elsewhere.
#[cfg(not(unix))]
pub fn is_null_for_reading_and_writing<T>(_descriptor: T) -> bool {
    false
}

/// Whether nothing can be written to the descriptor with this number. Linux opens anew what `/dev/fd` names, for writing too,
/// if the file's owner asks; elsewhere it gives what the caller gave.
#[cfg(target_os = "linux")]
#[must_use]
pub fn is_inherited_read_only(number: u32) -> bool {
    use rustix::fs::OFlags;

    let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
    let flags = about.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    flags.is_some_and(|flags| OFlags::from_bits_retain(flags) & OFlags::ACCMODE == OFlags::RDONLY)
}

/// The system sees to it.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn is_inherited_read_only(_number: u32) -> bool {
    false
}
