//! waxseal signs Git commits and tags without keys to keep, and verifies what it, gitsign and others signed there with
//! Sigstore.
//!
//! A commit goes in as bytes, leaves as a signature that Git can store, and is believed again only after [`verify`] has
//! tied it to a certificate, a time and a log entry.
//!
//! # The map
//! Three zones, told apart by what they may import (`tests/layering` holds them to it):
//!
//! - **pure**: bytes, trust, policy and time in, values out. [`signature`] opens the CMS envelope that Git stores into a
//!   message and its verification material; [`verify`] runs the pipeline over them, [`policy`] says who may sign, and [`report`]
//!   what a run found; [`x509`], [`tlog`], [`cms`], [`ssh`], [`openpgp`], [`crypto`], [`trusted_root`] know one standard each. Nothing here reads a clock, a file or
//!   a socket.
//! - **edge**: [`services`], [`oidc`] and [`credential`] talk to an instance; [`agent`] keeps a login for the next
//!   signature, [`key_ring`] for the next agent; [`sign`] turns a signature into verification material; [`settings`], [`trust_store`] and [`git::repository`] read what the user has,
//!   and [`finding_cache`] what earlier runs found; [`gpg`] and [`merge_tree`] ask the two
//!   programs that verifying may need, each a [`child_process`] with a budget.
//! - **stack**: [`stack`], a Sigstore of one's own for `waxseal serve`. It shares the pure zone with the client and
//!   nothing else: between them is HTTP.
//!
//! # Trust boundaries
//! Trusted: the user's instances on disk and the one that is compiled in, Git's configuration as far as Git trusts it, the
//! local clock as a guard against the future. Not trusted: payloads, signatures, certificates, log entries, the work tree,
//! and whatever a service answers until it was verified under the trusted root.

// pure
pub mod address;
pub mod causes;
pub mod clock;
pub mod cms;
pub mod crypto;
pub mod encoding;
pub mod escape;
pub mod evidence;
pub mod git;
pub mod identity_token;
pub mod instance;
pub mod openpgp;
pub mod policy;
pub mod report;
pub mod signature;
pub mod signing_config;
pub mod ssh;
pub mod timestamp;
pub mod tlog;
pub mod trust_age;
pub mod trust_digest;
pub mod trusted_root;
pub mod verify;
pub mod x509;

// edge
pub mod agent;
pub mod child_process;
pub mod credential;
pub mod files;
pub mod finding_cache;
pub mod git_version;
pub mod gpg;
pub mod key_ring;
pub mod merge_tree;
pub mod oidc;
pub mod seen_checkpoints;
pub mod services;
pub mod settings;
pub mod sign;
pub mod terminal;
pub mod trust_store;

// stack
pub mod stack;

// commands
pub mod cli;
pub mod command_error;
pub mod commands;
