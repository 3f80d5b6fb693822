//! What the server tells about itself: clock readings, counters, logs.

pub mod clock;
