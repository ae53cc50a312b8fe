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
    let seen = SeenCheckpoints::new(&settings.folders);
    let (kept, wrong) = seen.examine(&logs);
    let alarms = seen.alarms();
    if wrong.is_empty() && alarms.is_empty() {
        let what = match kept {
            0 => "none is kept".to_owned(),
            1 => "that of one log is kept".to_owned(),
            kept => format!("those of {kept} logs are kept"),
        };
        return vec![Finding::ok(CHECK, what)];
    }
    let wrong = wrong.iter().map(|error| Finding::problem(CHECK, error.to_string(), error.next_step()));
    let alarms = alarms.iter().map(|path| {
        let what = format!("a log contradicted what it said before: {}", path.display());
        Finding::problem(CHECK, what, ALARM)
    });
    wrong.chain(alarms).collect()
}

const ALARM: &str = "a log only ever grows: ask its operator, and show them this file and the one that it contradicts; remove it when \
                     that is settled";
const CHECK: &str = "checkpoints";
