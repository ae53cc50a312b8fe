//! How old the trust material of a run may be: what flags, settings and the policy file demand together.

use jiff::Timestamp;

use crate::command_error::CommandError;
use crate::instance::Instance;
use crate::policy::IdentityPolicy;
use crate::settings::Settings;
use crate::trust_age::MaxTrustAge;
use crate::trust_store::TrustStore;

/// What the user demands, and what a policy file does: both must hold.
pub(super) fn strictest(user: Option<MaxTrustAge>, policy: Option<&IdentityPolicy>) -> Option<MaxTrustAge> {
    let policy = match policy {
        Some(IdentityPolicy::File(file)) => file.max_trust_age(),
        Some(IdentityPolicy::AnyIdentity | IdentityPolicy::NotGiven | IdentityPolicy::OneOf(_)) | None => None,
    };
    user.into_iter().chain(policy).min()
}

/// Refuses a run whose instances were not all refreshed lately enough. Nothing is asked: a verdict needs no network.
///
/// # Errors
/// [`ErrorKind::TrustMaterial`](crate::command_error::ErrorKind), naming the instance and how old it is.
pub(super) fn demand(
    settings: &Settings,
    instances: &[Instance],
    max: Option<MaxTrustAge>,
    now: Timestamp,
) -> Result<(), CommandError> {
    let Some(max) = max else { return Ok(()) };
    let names = instances.iter().map(|instance| &instance.name);
    Ok(TrustStore::new(&settings.folders).demand_fresh(names, max, now)?)
}
