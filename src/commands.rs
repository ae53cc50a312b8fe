//! What each invocation does.

pub mod git_verify;
pub mod identity_policy;
mod status_fd;
