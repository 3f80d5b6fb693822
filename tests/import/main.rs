//! Imports: the RFC's samples, every rule with the deposit that triggers it, hostile bytes.

mod csv_model;
mod hostile;
mod refusals;
mod rules;
mod samples;
mod support;
