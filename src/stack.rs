//! skeleton
pub mod data_folder;
pub mod log_store;
