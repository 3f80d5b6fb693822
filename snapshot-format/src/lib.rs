//! The snapshot file of whoisd.
pub mod limits;
pub mod object;
pub mod record;
pub mod sort;
pub mod status;
