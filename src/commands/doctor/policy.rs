//! Who may sign, as `waxseal.allow` or `waxseal.policy` says it: what would keep everything from being judged.

use super::Finding;
use crate::commands::policy_source::LoadedPolicy;
use crate::commands::{configured, identity_policy};
use crate::policy::IdentityPolicy;
use crate::report::plural;
use crate::settings::Settings;

pub(super) fn finding(settings: &Settings) -> Finding {
    let default = match identity_policy::default_instance(settings) {
        Ok(default) => default,
        Err(error) => return Finding::of_error(CHECK, error),
    };
    if let Some(source) = &settings.policy {
        // A file outside needs no repository, and one inside says that there is none.
        let repository = configured::repository(&settings.repository).ok();
        return match LoadedPolicy::read(source, repository.as_ref(), &default) {
            Ok(loaded) => {
                let rules = rules(loaded.file.rules().len());
                Finding::ok(CHECK, format!("waxseal.policy = {}, {rules}", loaded.source))
            }
            Err(error) => Finding::of_error(CHECK, error),
        };
    }
    match identity_policy::from_settings(settings, &default) {
        Ok(IdentityPolicy::OneOf(admitted)) => Finding::ok(CHECK, format!("waxseal.allow, {}", rules(admitted.len()))),
        Ok(_) => Finding::warning(
            CHECK,
            "neither waxseal.policy nor waxseal.allow says who may sign: signatures are good, and nobody is allowed",
            "\"waxseal verify\" says which line of waxseal.allow would admit whom it finds; docs/policy.md",
        ),
        Err(error) => Finding::of_error(CHECK, error),
    }
}

fn rules(count: usize) -> String {
    format!("{count} rule{}", plural(count))
}

const CHECK: &str = "policy";
