//! Imports: the RFC's samples, every rule with the deposit that triggers it, hostile bytes.
#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![allow(clippy::cast_possible_truncation, reason = "numbers below 256")]

mod changes;
mod command;
mod csv_model;
mod hostile;
mod refusals;
mod rules;
mod samples;
mod standing;
mod support;
