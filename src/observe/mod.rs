//! What the server tells about itself: clock readings, counters, histograms, logs.

mod certificates;
pub mod clock;
pub mod counters;
pub mod figures;
pub mod histogram;
mod index;
pub mod log;
pub mod printable;
pub mod readout;

pub use certificates::{CertificateEnd, CertificateFigures};
pub use figures::ShardFigures;
pub use index::IndexFigures;
