//! The target that has this binary's name. Bodies and seeds are those of the ordinary tests.
#![no_main]
#![allow(dead_code, reason = "what writes the seeds and what is forged is used by the tests only")]

use std::sync::LazyLock;

#[path = "../../tests/strict/der.rs"]
mod der;
#[path = "../../tests/strict/forge.rs"]
mod forge;
#[path = "../../tests/fuzz/seeds.rs"]
mod seeds;
#[path = "../../tests/fuzz/served.rs"]
mod served;
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

use targets::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let (_, target) = TARGETS.iter().find(|(name, _)| *name == env!("CARGO_BIN_NAME")).unwrap();
    *target
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (*TARGET)(data));
