//! Nameservers that domains name, gathered before nameservers are written: those without an object
//! of their own get a record that has their name alone.
//!
//! # Invariants
//!
//! - Memory is bounded: names lie in a sorter, and a fixed table keeps the commonest ones from
//!   going there again and again.
//!
//! # Does not
//!
//! Know which nameservers have objects: the builder does, once they come.

use std::io::{self, Seek, Write};
use std::rc::Rc;

use super::{Builder, ordinal_value};
use crate::archive::check_key;
use crate::error::BuildError;
use crate::key;
use crate::layout::Kind;
use crate::record;
use crate::sort::{Scratch, Sorted, Sorter};

/// Names that are remembered, by a slot of their hash: 512 KiB.
const RECENT_COUNT: usize = 1 << 16;

/// Names of nameservers, in any order, as often as they come.
pub struct NamedHosts {
    seed: u64,
    recent: Vec<u64>,
    sorter: Sorter,
}

impl NamedHosts {
    /// None yet. `seed` is random: registrants choose names, and a name whose hash is taken for
    /// that of another one would be left out.
    #[must_use]
    pub fn new(seed: u64, scratch: Rc<dyn Scratch>, memory_bytes: usize) -> Self {
        Self { seed, recent: vec![0; RECENT_COUNT], sorter: Sorter::new(scratch, memory_bytes) }
    }

    /// Takes a name that a domain has among its nameservers. A name that is not a key is passed
    /// over: no record can have it.
    ///
    /// # Errors
    ///
    /// The scratch file.
    pub fn push(&mut self, name: &str) -> io::Result<()> {
        let hash = key::hash(self.seed, name.as_bytes());
        let slot = usize::try_from(hash).unwrap_or(usize::MAX) % RECENT_COUNT;
        match self.recent.get_mut(slot) {
            Some(recent) if *recent == hash => return Ok(()),
            Some(recent) => *recent = hash,
            None => {}
        }
        if check_key(Kind::Nameserver, name).is_err() {
            return Ok(());
        }
        self.sorter.push(name.as_bytes(), &[])
    }
}

/// Names that are to come, in order.
pub(super) struct Names {
    sorted: Sorted,
    next: Option<String>,
}

impl Names {
    fn advance(&mut self) -> io::Result<()> {
        while let Some((name, _)) = self.sorted.next()? {
            if self.next.as_ref().is_none_or(|last| last.as_bytes() != name) {
                self.next = std::str::from_utf8(name).ok().map(str::to_owned);
                return Ok(());
            }
        }
        self.next = None;
        Ok(())
    }
}

/// Ordinals as bits: an eighth of a byte for each up to the greatest one.
#[derive(Default)]
pub(crate) struct Ordinals {
    words: Vec<u64>,
    pub(super) count: u32,
}

impl Ordinals {
    pub(crate) fn insert(&mut self, ordinal: u32) {
        let at = (ordinal / u64::BITS) as usize;
        if self.words.len() <= at {
            self.words.resize(at + 1, 0);
        }
        if let Some(word) = self.words.get_mut(at) {
            let bit = 1 << (ordinal % u64::BITS);
            self.count += u32::from(*word & bit == 0);
            *word |= bit;
        }
    }

    pub(crate) fn has(&self, ordinal: u32) -> bool {
        let word = self.words.get((ordinal / u64::BITS) as usize);
        word.is_some_and(|word| word >> (ordinal % u64::BITS) & 1 == 1)
    }
}

impl<W: Write + Seek> Builder<W> {
    /// Gives the names that domains will have among their nameservers, before the first nameserver:
    /// a nameserver without an object is then shown by its name; without this call it is left out.
    ///
    /// # Errors
    ///
    /// The scratch file.
    pub fn with_named(mut self, named: NamedHosts) -> Result<Self, BuildError> {
        let mut names = Names { sorted: named.sorter.finish()?, next: None };
        names.advance()?;
        self.names = Some(names);
        Ok(self)
    }

    /// Writes what is named and has no object, up to the nameserver `end`, which has one; all that
    /// is left if there is none.
    pub(super) fn named_before(&mut self, end: Option<&str>) -> Result<(), BuildError> {
        while let Some(names) = &mut self.names {
            let Some(name) = names.next.take_if(|next| end.is_none_or(|end| &**next <= end)) else {
                break;
            };
            // The name has to stay known until the next one is read, to tell it from a repetition.
            names.next = Some(name.clone());
            names.advance()?;
            if end.is_none_or(|end| name != end) {
                self.place(Kind::Nameserver, &name, name.as_bytes())?;
                self.named_host(&name)?;
            }
        }
        Ok(())
    }

    /// Writes the record of a nameserver of which nothing but the name is known.
    pub(super) fn named_host(&mut self, name: &str) -> Result<(), BuildError> {
        let record = record::Nameserver::named(name);
        let (ordinal, _) = self.write_record(Kind::Nameserver, name, &record)?;
        self.resolver.add_named(name, ordinal)?;
        self.add_key(self.hash(name.as_bytes()), ordinal_value(ordinal))
    }
}
