//! What each invocation does.

pub mod follow_login;
pub mod git_sign;
pub mod git_verify;
pub mod identity_policy;
pub mod open_browser;
mod status_fd;
