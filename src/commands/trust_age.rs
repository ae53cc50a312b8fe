//! How old the trust material of a run may be: what flags, settings and the policy file demand together.

use crate::policy::IdentityPolicy;
use crate::trust_age::MaxTrustAge;

/// What the user demands, and what a policy file does: both must hold.
pub(super) fn strictest(user: Option<MaxTrustAge>, policy: Option<&IdentityPolicy>) -> Option<MaxTrustAge> {
    let policy = match policy {
        Some(IdentityPolicy::File(file)) => file.max_trust_age(),
        Some(IdentityPolicy::AnyIdentity | IdentityPolicy::NotGiven | IdentityPolicy::OneOf(_)) | None => None,
    };
    user.into_iter().chain(policy).min()
}
