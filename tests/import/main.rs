//! Imports: the RFC's samples, every rule with the deposit that triggers it, hostile bytes.
#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![allow(clippy::cast_possible_truncation, reason = "numbers below 256")]

mod attributes;
mod changes;
mod command;
mod csv_model;
mod diff_findings;
mod forms;
mod hostile;
mod idn;
mod refusals;
mod registry;
mod rules;
mod samples;
mod schemas;
mod standing;
mod support;
mod tlds;
mod unread;
