//! A state of the index, as searches read it.
//!
//! # Invariants
//!
//! - `in order`: what several segments have comes out in the order of the keys, or of the texts.
//!
//! # Does not
//!
//! Know what a term means, or who may see it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, io};

use tantivy::columnar::BytesColumn;
use tantivy::index::InvertedIndexReader;
use tantivy::postings::SegmentPostings;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Searcher, SegmentReader, TERMINATED, TantivyError};
use whoisd::query::search::{
    CONTACT_KEY_HEAD, Index, IndexError, Reference, Wanted, contact_key, domain_key,
};

use super::schema::{Fields, KEY};

/// A segment with what searches need of it open.
struct Segment {
    reader: SegmentReader,
    keys: BytesColumn,
    references: Arc<InvertedIndexReader>,
    texts: Arc<InvertedIndexReader>,
}

/// A state of the index.
pub(crate) struct Reading {
    segments: Vec<Segment>,
    /// Becomes true when something does not read.
    broken: Arc<AtomicBool>,
    /// Keeps the files.
    _searcher: Searcher,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("segments", &self.segments.len()).finish_non_exhaustive()
    }
}

impl Reading {
    /// Opens a state; notes in `broken` what does not read later on.
    pub(super) fn open(
        searcher: Searcher,
        fields: Fields,
        broken: Arc<AtomicBool>,
    ) -> tantivy::Result<Self> {
        let open = |reader: &SegmentReader| {
            let keys = reader
                .fast_fields()
                .bytes(KEY)?
                .ok_or_else(|| TantivyError::InternalError("a segment has no keys".to_owned()))?;
            let references = reader.inverted_index(fields.reference)?;
            let texts = reader.inverted_index(fields.text)?;
            Ok(Segment { reader: reader.clone(), keys, references, texts })
        };
        let segments = searcher.segment_readers().iter().map(open);
        Ok(Self {
            segments: segments.collect::<tantivy::Result<_>>()?,
            broken,
            _searcher: searcher,
        })
    }

    /// Has the index built again.
    pub(super) fn note_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn failed(&self, error: &io::Error) -> IndexError {
        self.note_broken();
        tracing::error!(%error, "cannot read the search index");
        IndexError::Failed
    }

    fn walk_domains(
        &self,
        references: &[Reference],
        is_meant: &dyn Fn(Reference, &str) -> bool,
        after: &str,
        visit: &mut dyn FnMut(&str) -> bool,
    ) -> io::Result<()> {
        let after = domain_key(after);
        let mut runs = Vec::new();
        for segment in &self.segments {
            let start = segment.start_after(&after)?;
            let mut postings = Vec::new();
            for reference in references {
                segment.postings_of(*reference, is_meant, &mut postings)?;
            }
            runs.push(Run::new(segment, postings, start)?);
        }
        walk(runs, &mut |key| match key.get(1..).map(std::str::from_utf8) {
            Some(Ok(name)) => Ok(visit(name)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a key is no name")),
        })?;
        Ok(())
    }

    fn walk_contacts(
        &self,
        wanted: &Wanted<'_>,
        after: Option<(&str, u32)>,
        visit: &mut dyn FnMut(&str, u32) -> bool,
    ) -> io::Result<()> {
        let from = after.map_or(wanted.text, |(text, _)| text.max(wanted.text));
        let mut streams = Vec::new();
        for segment in &self.segments {
            for head in wanted.heads {
                let first = [head, from.as_bytes()].concat();
                let prefix = [head, wanted.text.as_bytes()].concat();
                let end = if wanted.exact { [&prefix[..], &[0]].concat() } else { above(&prefix) };
                let range = segment.texts.terms().range().ge(first).lt(end);
                let mut stream = range.into_stream()?;
                if stream.advance() {
                    streams.push((segment, stream));
                }
            }
        }
        // The texts of all streams, the least first; streams with the same text go together.
        loop {
            let text_of = |key: &[u8]| key.get(3..).unwrap_or_default().to_vec();
            let Some(least) = streams.iter().map(|(_, stream)| text_of(stream.key())).min() else {
                return Ok(());
            };
            let start = match after {
                Some((text, ordinal)) if text.as_bytes() == least => contact_key(ordinal),
                _ => vec![CONTACT_KEY_HEAD],
            };
            let mut runs = Vec::new();
            for (segment, stream) in &mut streams {
                if text_of(stream.key()) == least {
                    let info = stream.value();
                    let basic = IndexRecordOption::Basic;
                    let postings = segment.texts.read_postings_from_terminfo(info, basic)?;
                    runs.push(Run::new(segment, vec![postings], segment.start_after(&start)?)?);
                }
            }
            let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
            let text = std::str::from_utf8(&least).map_err(|_| invalid("a text is not UTF-8"))?;
            let goes_on = walk(runs, &mut |key| {
                let ordinal = key.get(1..).and_then(|key| key.try_into().ok());
                let ordinal = ordinal.map(u32::from_be_bytes);
                Ok(visit(text, ordinal.ok_or_else(|| invalid("a key is no ordinal"))?))
            })?;
            if !goes_on {
                return Ok(());
            }
            streams.retain_mut(|(_, stream)| text_of(stream.key()) != least || stream.advance());
        }
    }
}

/// The least bytes above all that begin with `prefix`.
fn above(prefix: &[u8]) -> Vec<u8> {
    let mut above = prefix.to_vec();
    while let Some(last) = above.pop() {
        if last < u8::MAX {
            above.push(last.wrapping_add(1));
            break;
        }
    }
    above
}

impl Segment {
    /// The first document whose key comes after `key`: documents lie in the order of their keys.
    fn start_after(&self, key: &[u8]) -> io::Result<DocId> {
        use tantivy_sstable::TermOrdHit;
        let place = match self.keys.dictionary().term_ord_or_next(key)? {
            TermOrdHit::Exact(place) => place.saturating_add(1),
            TermOrdHit::Next(place) => place,
        };
        let docs: Range<DocId> = 0..self.reader.max_doc();
        let (mut low, mut high) = (docs.start, docs.end);
        while low < high {
            let middle = low.midpoint(high);
            if self.keys.ords().first(middle).is_some_and(|of| of < place) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Adds the lists of the documents that have a reference.
    fn postings_of(
        &self,
        reference: Reference,
        is_meant: &dyn Fn(Reference, &str) -> bool,
        postings: &mut Vec<SegmentPostings>,
    ) -> io::Result<()> {
        let (terms, basic) = (self.references.terms(), IndexRecordOption::Basic);
        let term = reference.term();
        if !reference.has_suffixes() {
            if let Some(info) = terms.get(term)?
                && is_meant(reference, "")
            {
                postings.push(self.references.read_postings_from_terminfo(&info, basic)?);
            }
            return Ok(());
        }
        let mut stream = terms.range().ge(term).lt(above(&term)).into_stream()?;
        while stream.advance() {
            let suffix = stream.key().get(term.len()..).map(std::str::from_utf8);
            if let Some(Ok(suffix)) = suffix
                && is_meant(reference, suffix)
            {
                postings.push(self.references.read_postings_from_terminfo(stream.value(), basic)?);
            }
        }
        Ok(())
    }
}

/// The documents of a segment that are in one of several lists, in order.
struct Run<'s> {
    segment: &'s Segment,
    postings: Vec<SegmentPostings>,
    /// The next document of each list.
    next: BinaryHeap<Reverse<(DocId, usize)>>,
    /// The key of the present document.
    key: Vec<u8>,
}

impl<'s> Run<'s> {
    fn new(
        segment: &'s Segment,
        mut postings: Vec<SegmentPostings>,
        start: DocId,
    ) -> io::Result<Self> {
        let mut next = BinaryHeap::new();
        for (place, list) in postings.iter_mut().enumerate() {
            let doc = if list.doc() < start { list.seek(start) } else { list.doc() };
            if doc != TERMINATED {
                next.push(Reverse((doc, place)));
            }
        }
        let mut run = Self { segment, postings, next, key: Vec::new() };
        run.advance()?;
        Ok(run)
    }

    /// Goes to the next document that is not deleted; the key is empty if there is none.
    fn advance(&mut self) -> io::Result<()> {
        self.key.clear();
        while let Some(Reverse((doc, place))) = self.next.pop() {
            let following = self.postings.get_mut(place).map_or(TERMINATED, DocSet::advance);
            if following != TERMINATED {
                self.next.push(Reverse((following, place)));
            }
            // Several lists may have it.
            let is_next = |next: &Reverse<(DocId, usize)>| next.0.0 == doc;
            if self.segment.reader.is_deleted(doc) || self.next.peek().is_some_and(is_next) {
                continue;
            }
            if let Some(ordinal) = self.segment.keys.ords().first(doc) {
                self.segment.keys.ord_to_bytes(ordinal, &mut self.key)?;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Visits the keys of all runs in order, each once; whether the visitor wants more.
fn walk(
    mut runs: Vec<Run<'_>>,
    visit: &mut dyn FnMut(&[u8]) -> io::Result<bool>,
) -> io::Result<bool> {
    runs.retain(|run| !run.key.is_empty());
    let mut last = Vec::new();
    while let Some(run) = runs.iter_mut().min_by(|a, b| a.key.cmp(&b.key)) {
        if run.key != last {
            last.clone_from(&run.key);
            if !visit(&last)? {
                return Ok(false);
            }
        }
        run.advance()?;
        if run.key.is_empty() {
            runs.retain(|run| !run.key.is_empty());
        }
    }
    Ok(true)
}

impl Index for Reading {
    fn domains_of(
        &self,
        references: &[Reference],
        is_meant: &dyn Fn(Reference, &str) -> bool,
        after: &str,
        visit: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(), IndexError> {
        let walked = self.walk_domains(references, is_meant, after, visit);
        walked.map_err(|error| self.failed(&error))
    }

    fn contacts(
        &self,
        wanted: &Wanted<'_>,
        after: Option<(&str, u32)>,
        visit: &mut dyn FnMut(&str, u32) -> bool,
    ) -> Result<(), IndexError> {
        self.walk_contacts(wanted, after, visit).map_err(|error| self.failed(&error))
    }
}
