//! The CSV model of RFC 9022: files whose columns the deposit's XML declares.
//!
//! # Invariants
//!
//! - A row becomes an object or a part of one; parts join their object in the sorted order, so
//!   memory does not depend on the order or size of files.
//!
//! # Does not
//!
//! Know where files are: it is handed readers.

pub(super) mod column;
pub(super) mod definition;
mod deletes;
mod file;
mod row;
mod rows;

pub(super) use file::read;
pub(super) use row::GURID_MARK;
