//! No circle between files, in any folder.

use std::collections::{BTreeMap, BTreeSet};

use super::source::production;
use super::{module_path, report};

/// A module and its parent may know each other; what lies beside it, or in the folders beside, stands above or below.
#[test]
fn neighbours_stand_in_no_circle() {
    let production = production();
    let modules: Modules = production.iter().map(|(file, source)| (module_path(file), source.given_on())).collect();
    let mut arrows: BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (file, source) in &production {
        let from = module_path(file);
        for path in source.crate_paths(&from) {
            let to = home_of(path, &modules);
            let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
            // Above all folders the table says it.
            if let (1.., Some(one), Some(other)) = (shared, from.get(shared), to.get(shared)) {
                let folder = arrows.entry(from[..shared].to_vec()).or_default();
                folder.entry(one.clone()).or_default().insert(other.clone());
            }
        }
    }
    let mut wrong = BTreeSet::new();
    for (folder, mut arrows) in arrows {
        // Whoever needs nobody that is left is settled.
        let needs = |to: &BTreeSet<String>, left: &BTreeMap<String, _>| -> Vec<String> {
            to.iter().filter(|to| left.contains_key(*to)).cloned().collect()
        };
        while let Some(settled) = arrows.iter().find(|(_, to)| needs(to, &arrows).is_empty()) {
            let settled = settled.0.clone();
            arrows.remove(&settled);
        }
        let left = arrows.iter().map(|(from, to)| (from, needs(to, &arrows).join(", ")));
        wrong.extend(left.map(|(from, to)| format!("{}: {from} needs {to}", folder.join("::"))));
    }
    report(&wrong);
}

/// Each with what it gives on.
type Modules = BTreeMap<Vec<String>, BTreeMap<String, String>>;

/// The module that `path` leads to, through those that give on what their submodules have.
fn home_of(mut path: Vec<String>, modules: &Modules) -> Vec<String> {
    loop {
        let Some(length) = (1..=path.len()).rev().find(|length| modules.contains_key(&path[..*length])) else {
            return Vec::new();
        };
        let (module, rest) = path.split_at(length);
        let submodule = rest.first().and_then(|name| modules[module].get(name).cloned());
        let inner = submodule.map(|submodule| [module, &[submodule]].concat());
        match inner.filter(|inner| modules.contains_key(inner)) {
            Some(inner) => path = [&inner, rest].concat(),
            None => return module.to_vec(),
        }
    }
}
