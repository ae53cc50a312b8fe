//! What a verifier is made with: instances, their authorities read once, and what is demanded of certificates.

use crate::instance::{Instance, InstanceName};
use crate::timestamp::TimestampAuthorities;
use crate::x509::path::{Authorities, AuthorityError};

/// An instance with its authorities read.
#[derive(Debug)]
pub(super) struct TrustedInstance {
    pub(super) instance: Instance,
    pub(super) authorities: Authorities,
    pub(super) timestamp_authorities: TimestampAuthorities,
}

impl TrustedInstance {
    pub(super) fn new(instance: Instance) -> Result<Self, UnusableInstance> {
        let authorities = Authorities::new(&instance.trusted_root);
        let timestamp_authorities = TimestampAuthorities::new(&instance.trusted_root);
        match (authorities, timestamp_authorities) {
            (Ok(authorities), Ok(timestamp_authorities)) => Ok(Self { instance, authorities, timestamp_authorities }),
            (Err(error), _) | (_, Err(error)) => Err(UnusableInstance { name: instance.name, error }),
        }
    }
}

/// Whether certificates must carry signed certificate timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SctRequirement {
    /// `--insecure-ignore-sct`: not looked at. Shown in every output.
    InsecureIgnore,
    /// Wherever the trusted root lists a CT log that was valid at the leaf's notBefore.
    #[default]
    WhereLogsAreTrusted,
}

/// The certificate or timestamp authorities of an instance cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trusted root of {name} cannot be used: {error}")]
pub struct UnusableInstance {
    name: InstanceName,
    error: AuthorityError,
}
