//! Open-loop load generator and capacity planner for WHOIS servers.
//!
//! [`schedule`] says when each query is due, whatever the server does, [`workload`] what it asks;
//! an [`engine`] a core carries the queries out on its [`ring`] in a [`protocol`] ([`http`] has
//! sessions of its own), perhaps behind a [`proxy`] header; [`check`] looks at the answers,
//! [`stats`] counts; [`run`] puts the cores together, with the [`clock`], the server's [`usage`]
//! and the [`machine`], and `monitor` gathers the seconds. [`result`] is what came of it,
//! [`saved`] reads it again, `advice` says what an operator does about errors. On results work
//! [`sweep`] (the highest rate that meets an objective), [`plan`] (how many servers a registry
//! needs), [`compare`] (what changed beyond the noise) and [`report`] (text and HTML). [`command`]
//! holds the subcommands. [`LoadgenError`] says why a run, a plan or a result cannot be had.

mod error;
mod random;
pub mod schedule;
pub mod workload;

pub mod engine;
pub mod http;
pub mod protocol;
pub mod proxy;
pub mod ring;
mod sockaddr;

mod advice;
pub mod check;
pub mod clock;
pub mod machine;
mod monitor;
pub mod run;
mod snapshot;
pub mod stats;
pub mod usage;

pub mod compare;
pub mod plan;
pub mod report;
pub mod result;
pub mod saved;
pub mod sweep;

pub mod command;

pub use error::LoadgenError;
pub use snapshot::SnapshotError;
