//! Compares the files of an index with their checksums, which its library does not do when it opens
//! them: a changed byte may read as another posting, and a search would leave something out.
//!
//! # Does not
//!
//! Repair anything.

use std::path::PathBuf;

use tantivy::Index;
use tantivy::directory::Directory;

/// The first file that is not as it was written. Reads the whole index, as long as `go_on` says so.
pub(super) fn damaged(index: &Index, go_on: &dyn Fn() -> bool) -> tantivy::Result<Option<PathBuf>> {
    let directory = index.directory();
    let segments = index.searchable_segment_ids()?;
    let heads: Vec<_> = segments.iter().map(|segment| segment.uuid_string()).collect();
    // Files of segments that were merged may be left over.
    let is_read = |path: &PathBuf| {
        path.to_str().is_some_and(|name| heads.iter().any(|head| name.starts_with(head)))
    };
    for path in directory.list_managed_files().into_iter().filter(is_read) {
        if !go_on() {
            break;
        }
        if directory.exists(&path)? && !directory.validate_checksum(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
