//! Open-loop load generator and capacity planner for WHOIS servers.
//!
//! So far it holds the part that everything else rests on: [`schedule`] says when each query is
//! due, whatever the server does. README.md says what comes next.

pub mod result;
pub mod schedule;
