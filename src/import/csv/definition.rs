//! `rdeCsv:csv` (RFC 9022 section 4.6.2.1): which table, which columns, which files.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::vet::element::Space;
use crate::vet::findings::Place;

/// One field of a definition.
#[derive(Debug, Clone)]
pub(in crate::import) struct FieldDefinition {
    /// Namespace of its element.
    pub(in crate::import) space: Space,
    /// Local name of its element.
    pub(in crate::import) local: String,
    /// `isRequired`.
    pub(in crate::import) required: Option<bool>,
    /// `isLoc`.
    pub(in crate::import) localised: Option<bool>,
    /// `index`.
    pub(in crate::import) index: Option<u8>,
    /// `name` of a custom field.
    pub(in crate::import) custom: String,
}

/// One file of a definition; absent attributes are empty.
#[derive(Debug, Clone)]
pub(in crate::import) struct FileReference {
    /// File name.
    pub(in crate::import) name: String,
    /// `compression`.
    pub(in crate::import) compression: String,
    /// `encoding`.
    pub(in crate::import) encoding: String,
    /// `cksum`.
    pub(in crate::import) checksum: String,
    /// `cksumAlg`.
    pub(in crate::import) algorithm: String,
    /// Where it is in the XML.
    pub(in crate::import) place: Place,
}

/// One `rdeCsv:csv`.
#[derive(Debug, Clone, Default)]
pub(in crate::import) struct Definition {
    /// `name`: which table.
    pub(in crate::import) name: String,
    /// Whether its rows are objects that were deleted, and not objects that are there.
    pub(in crate::import) deletes: bool,
    /// `sep`.
    pub(in crate::import) separator: String,
    /// Columns, in order.
    pub(in crate::import) fields: Vec<FieldDefinition>,
    /// Files.
    pub(in crate::import) files: Vec<FileReference>,
    /// Where it is in the XML.
    pub(in crate::import) place: Place,
}

impl Definition {
    /// The separator as a byte: one ASCII character that is neither quote nor line end.
    pub(in crate::import) fn separator_byte(&self) -> Option<u8> {
        match self.separator.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Some(*byte),
            _ => None,
        }
    }
}
