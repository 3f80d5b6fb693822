//! Results for people: a table for a terminal, and one self-contained HTML file.
//!
//! [`units`] writes figures; `text` makes tables of them; `axis` and `plot` draw; `page` is the
//! frame of HTML; `html` and `sweep_html` fill it.
//!
//! # Invariants
//!
//! - The same result gives the same report, byte by byte: no clock, no randomness.
//! - Every value from a result is escaped: a file from elsewhere can play neither with a terminal
//!   nor with a browser.
//! - The HTML needs nothing from outside: no script, no font, no request.
//!
//! # Does not
//!
//! Compute anything that a result does not say, or write files.

mod axis;
mod html;
mod page;
mod plot;
mod sweep_html;
mod text;
pub mod units;

pub use self::html::run_html;
pub use self::sweep_html::sweep_html;
pub use self::text::{run_text, sweep_text};
