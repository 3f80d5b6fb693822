//! Bytes that are written now and read back once, in memory up to a bound, in a scratch file
//! beyond.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

use crate::sort::{Scratch, ScratchFile};

/// Bytes that are kept in memory; then they go to the file in one write.
const MEMORY_BYTES_MAX: usize = 4 << 20;

/// See the module.
pub(crate) struct Spool {
    scratch: Rc<dyn Scratch>,
    tail: Vec<u8>,
    file: Option<Box<dyn ScratchFile>>,
}

impl Spool {
    pub(crate) fn new(scratch: Rc<dyn Scratch>) -> Self {
        Self { scratch, tail: Vec::new(), file: None }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() < MEMORY_BYTES_MAX {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(self.scratch.create()?);
        }
        if let Some(file) = &mut self.file {
            file.write_all(&self.tail)?;
            self.tail.clear();
        }
        Ok(())
    }

    /// Hands everything to `out`, in order.
    pub(crate) fn drain(self, out: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if let Some(mut file) = self.file {
            file.seek(SeekFrom::Start(0))?;
            let mut buffer = vec![0; MEMORY_BYTES_MAX];
            loop {
                let got = file.read(&mut buffer)?;
                if got == 0 {
                    break;
                }
                out(&buffer[..got])?;
            }
        }
        out(&self.tail)
    }
}
