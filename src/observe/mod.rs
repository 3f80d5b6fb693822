//! What the server tells about itself: clock readings, counters, logs.

pub mod clock;
pub mod counters;
pub mod log;
pub mod readout;
