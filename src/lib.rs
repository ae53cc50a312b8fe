//! skeleton
pub mod cli;
pub mod cms;
pub mod command_error;
pub mod crypto;
pub mod escape;
pub mod identity_token;
pub mod instance;
pub mod services;
pub mod settings;
pub mod signing_config;
pub mod terminal;
pub mod tlog;
pub mod trusted_root;
pub mod x509;
