//! The program from end to end: the real binary, the real Git, and the embedded Sigstore on a port of its own. One file
//! a promise.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, says what it skips, and writes files that nobody else reads"
)]

use sandbox::der;

#[expect(dead_code, reason = "the strict reading's tests make other signatures, too")]
#[path = "../strict/forge.rs"]
mod forge;
#[path = "../../examples/histories/pack.rs"]
mod pack;

mod agent;
mod agent_secrets;
mod agent_waits;
mod ambient;
mod callers;
mod ci;
mod ci_templates;
mod committer;
mod damaged_policy;
mod device;
mod disk_faults;
mod doctor;
mod durability;
mod evidence_notes;
mod exit_codes;
mod expectations;
mod explain;
mod fifos;
mod forge_law;
mod forge_merge_objects;
mod forge_merges;
mod formats;
mod forward;
mod from_gitsign;
mod git_sign;
mod history;
mod history_shapes;
mod history_truth;
mod hook_law;
mod hook_scripts;
mod hook_vouching;
mod hooks;
mod identity_policy;
mod issuers;
mod key_ring;
mod large_objects;
mod listening;
mod login;
mod mixed;
mod monitoring;
mod network;
mod offline;
mod online_evidence;
mod openpgp;
mod outage;
mod policy_file;
mod progress;
mod quoted;
mod rekor_v2;
mod report_schemas;
mod reports;
mod rotation;
mod sandbox;
mod seen_checkpoints;
mod server_crowd;
mod server_limits;
mod setup;
mod shallow_keys;
mod show;
mod squash_strangers;
mod squashes;
mod stack;
mod status_fd;
mod terminal;
mod time_tokens;
mod trust_age;
mod trust_import;
mod trust_refresh;
mod verify_tag;
mod who;
mod whole_history;
mod workbench;
mod workbench_keys;
