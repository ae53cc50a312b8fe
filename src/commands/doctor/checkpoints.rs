//! What logs said of themselves: whether it can still be held against what they say next.

use super::Finding;
use crate::instance::Instance;
use crate::seen_checkpoints::SeenCheckpoints;
use crate::settings::Settings;
use crate::trust_store::TrustStore;

pub(super) fn findings(settings: &Settings) -> Vec<Finding> {
    let store = TrustStore::new(&settings.folders);
    // What cannot be read among the instances has a finding of its own.
    let names = store.names().unwrap_or_default();
    let instances: Vec<Instance> = names.iter().filter_map(|name| store.load(name).ok()).collect();
    let logs: Vec<_> = instances.iter().flat_map(|instance| &instance.trusted_root.transparency_logs).collect();
    let (kept, wrong) = SeenCheckpoints::new(&settings.folders).examine(&logs);
    if wrong.is_empty() {
        let what = match kept {
            0 => "none is kept".to_owned(),
            1 => "that of one log is kept".to_owned(),
            kept => format!("those of {kept} logs are kept"),
        };
        return vec![Finding::ok(CHECK, what)];
    }
    wrong.iter().map(|error| Finding::problem(CHECK, error.to_string(), error.next_step())).collect()
}

const CHECK: &str = "checkpoints";
