//! What answers show: the keys of the configuration that say it, and what was compiled of them.

mod answers;
mod block;
mod error;
pub mod settings;
pub mod tier;

pub use answers::Answers;
