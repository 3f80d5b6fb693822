//! Where threads run: lists of cores, and a place beside the shards for everything else.
//!
//! # Does not
//!
//! Know what the threads do.

pub mod aside;
pub mod cores;
