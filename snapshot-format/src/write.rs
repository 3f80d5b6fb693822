//! Writes the file in whole, aligned blocks, the first one last.
//!
//! # Invariants
//!
//! - `aligned blocks`: every write is one block of [`BLOCK_BYTES`] at a multiple of it (the last
//!   one may be shorter), so that the page cache uses huge pages (measured: a look-up takes 500
//!   instead of 730 ns).
//! - `header last`: block 0, with the header, is written after all others: a file whose writing
//!   was cut off never opens.

use std::io::{self, Seek, SeekFrom, Write};

use twox_hash::XxHash3_64;

use crate::layout::{BLOCK_BYTES, Header, SECTION_COUNT, Section, SectionId};
use crate::limits::HEADER_BYTES;

/// Output of sections in the order of the file.
pub(crate) struct SectionWriter<W> {
    out: W,
    align: u64,
    /// Block 0, once it is full.
    first: Option<Vec<u8>>,
    block: Vec<u8>,
    /// Position of the first byte of `block` in the file.
    block_at: u64,
    sums: Vec<u64>,
    sections: [Section; SECTION_COUNT],
}

impl<W: Write + Seek> SectionWriter<W> {
    pub(crate) fn new(out: W, align: u64) -> Self {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        block.resize(HEADER_BYTES, 0);
        let sections = [Section::default(); SECTION_COUNT];
        Self { out, align, first: None, block, block_at: 0, sums: Vec::new(), sections }
    }

    /// Position of the next byte in the file.
    pub(crate) fn position(&self) -> u64 {
        self.block_at + self.block.len() as u64
    }

    /// Starts a section at the next multiple of the alignment. Its end is where the next starts,
    /// less the padding: see [`Self::end`].
    pub(crate) fn begin(&mut self, id: SectionId) -> io::Result<()> {
        let position = self.position();
        self.zeros(position.next_multiple_of(self.align) - position)?;
        let offset = self.position();
        self.sections[id.number()] = Section { offset, bytes: 0, count: 0 };
        Ok(())
    }

    /// Ends the section, which has `count` elements.
    pub(crate) fn end(&mut self, id: SectionId, count: u64) {
        let position = self.position();
        let section = &mut self.sections[id.number()];
        section.bytes = position - section.offset;
        section.count = count;
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = BLOCK_BYTES - self.block.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK_BYTES {
                self.sum_block();
                self.flush_block()?;
            }
        }
        Ok(())
    }

    pub(crate) fn zeros(&mut self, mut count: u64) -> io::Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while count > 0 {
            let now = count.min(ZEROS.len() as u64);
            #[expect(clippy::cast_possible_truncation, reason = "at most 4096")]
            self.write(&ZEROS[..now as usize])?;
            count -= now;
        }
        Ok(())
    }

    fn sum_block(&mut self) {
        let from = if self.block_at == 0 { HEADER_BYTES } else { 0 };
        self.sums.push(XxHash3_64::oneshot(&self.block[from..]));
    }

    fn flush_block(&mut self) -> io::Result<()> {
        let at = self.block_at;
        self.block_at += self.block.len() as u64;
        if at == 0 {
            let next = Vec::with_capacity(BLOCK_BYTES);
            self.first = Some(std::mem::replace(&mut self.block, next));
            return Ok(());
        }
        self.out.seek(SeekFrom::Start(at))?;
        self.out.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    /// Writes checksums and header. `header` needs all but its sections, length and checksum.
    pub(crate) fn finish(mut self, mut header: Header) -> io::Result<(W, u64)> {
        self.begin(SectionId::Sums)?;
        if !self.block.is_empty() {
            self.sum_block();
        }
        let sums = std::mem::take(&mut self.sums);
        let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        self.write(&bytes)?;
        self.end(SectionId::Sums, sums.len() as u64);
        header.file_bytes = self.position();
        header.sums_hash = XxHash3_64::oneshot(&bytes);
        header.sections = self.sections;
        if self.first.is_some() && !self.block.is_empty() {
            self.flush_block()?;
        }
        let mut first = self.first.unwrap_or(self.block);
        first[..HEADER_BYTES].copy_from_slice(&header.encode());
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&first)?;
        self.out.flush()?;
        Ok((self.out, header.file_bytes))
    }
}
