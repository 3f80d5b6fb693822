//! (being written)
pub mod tld;
