//! Where identity tokens come from that nobody has to sign in for.

use crate::settings::Settings;

/// Where such a token may come from.
#[derive(Clone, Copy, Debug)]
pub struct UnattendedSources<'a> {
    /// What the user and the environment say.
    pub settings: &'a Settings,
    /// Whom the token must be made for.
    pub audience: &'a str,
}
