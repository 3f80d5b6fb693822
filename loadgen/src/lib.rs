//! Open-loop load generator and capacity planner for WHOIS servers.
//!
//! [`schedule`] says when each query is due, whatever the server does, [`workload`] what it asks,
//! [`check`] whether its answer is right; [`result`] is what a run came to, [`saved`] reads it
//! again. On results work [`sweep`] (the highest rate that meets an objective), [`plan`] (how many
//! servers a registry needs), [`compare`] (what changed beyond the noise) and [`report`] (text and
//! HTML). [`command`] holds the subcommands.

pub mod check;
pub mod command;
pub mod compare;
pub mod plan;
mod random;
pub mod report;
pub mod result;
pub mod saved;
pub mod schedule;
mod snapshot;
pub mod sweep;
pub mod workload;
