//! Open-loop load generator and capacity planner for WHOIS servers.
//!
//! [`schedule`] says when each query is due, whatever the server does; [`result`] is what a run
//! came to. [`sweep`] searches the highest rate that meets an objective.

pub mod result;
pub mod schedule;
pub mod sweep;
