//! Deposits that come through a pipe: kept in a scratch file, since a deposit is read twice, once
//! for its kind and once for its objects.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use snapshot_format::sort::Scratch;

use super::{Shared, invalid};

/// Most bytes of a pipe: a thousand times the largest registry's deposit.
const PIPE_BYTES_MAX: u64 = 1 << 40;

/// What came through pipes, by their names. Clones share it.
#[derive(Clone, Default)]
pub struct Pipes(Rc<RefCell<Vec<(PathBuf, Shared, u64)>>>);

impl Pipes {
    /// What a pipe holds, and its length: read now, or before.
    pub(super) fn read(&self, path: &Path, scratch: &Rc<dyn Scratch>) -> io::Result<(Shared, u64)> {
        if let Some((_, file, bytes)) = self.0.borrow().iter().find(|known| known.0 == path) {
            return Ok((Rc::clone(file), *bytes));
        }
        let mut file = scratch.create()?;
        let mut from = File::open(path)?.take(PIPE_BYTES_MAX.saturating_add(1));
        let bytes = io::copy(&mut from, &mut file)?;
        if bytes > PIPE_BYTES_MAX {
            return Err(invalid("more than 1 TiB through a pipe"));
        }
        let file: Shared = Rc::new(RefCell::new(Box::new(file)));
        self.0.borrow_mut().push((path.to_owned(), Rc::clone(&file), bytes));
        Ok((file, bytes))
    }
}

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.borrow().iter().map(|(path, _, _)| path)).finish()
    }
}
