//! What answers show: the keys of the configuration that say it.
//!
//! # Does not
//!
//! Compile them: [`crate::policy::Rules`] does.

mod block;
pub mod settings;
pub mod tier;
