//! stub
pub mod units;
