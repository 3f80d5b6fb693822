//! Bounds of the format, each with its unit and reason.

/// Size of the header block, bytes.
pub const HEADER_BYTES: usize = 4096;
/// Unit of record offsets and lengths, bytes: `u32` offsets then reach 32 GiB a heap.
pub const RECORD_UNIT_BYTES: usize = 8;
/// Largest record, bytes: its length in units fits the key index's 12 bits.
pub const RECORD_BYTES_MAX: usize = 4095 * RECORD_UNIT_BYTES;
/// Longest key (name, identifier, ROID), bytes. Domain names have at most 253.
pub const KEY_BYTES_MAX: usize = 1024;
/// Longest single text of an object, bytes: EPP's longest bounded text has 255 characters; this
/// leaves room for four-byte characters and keeps a contact's packed text within `u16`.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Most elements of one list within a record (nameservers, addresses, DS, extras).
pub const LIST_COUNT_MAX: usize = 256;
