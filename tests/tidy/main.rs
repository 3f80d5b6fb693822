//! Checks the project's rules as far as a machine can: which module may import which, sizes, heads,
//! names, lints, dependencies with their reason, nothing of one machine in the repository.
//!
//! Function length is clippy's (`too-many-lines-threshold`). Each failure names file and line.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be read fails it")]

// What is read.
mod source;

// What has to hold of it.
mod documents;
mod imports;
mod manifests;
mod safety;
mod shape;
