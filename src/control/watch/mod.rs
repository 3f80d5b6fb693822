//! Files of lists: found, read when they have changed, put together, swapped in.
//!
//! # Invariants
//!
//! - `keeps the old`: a file with an error keeps the entries that it gave before; where the files
//!   contradict each other, all of them do. Each error is in the log once, and in the figures until
//!   it is mended.
//! - `settled`: a change is taken once the file looks the same twice, so that a file which is being
//!   written is not read half, unless a reload asks for it now.
//!
//! # Does not
//!
//! Read a clock, or run by itself: the caller of [`ListWatcher::look`] decides when.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::patterns::find;
use crate::policy::lists::{Entry, LIST_BYTES_MAX, ListError, Lists, parse};

/// How long files that contradict each other are left alone, ms.
const RETRY_PAUSE_MS: i64 = 60_000;

/// Whether there is a tier of a name.
pub type HasTier = Box<dyn Fn(&str) -> bool + Send>;

/// Figures of the lists, for metrics.
#[derive(Debug, Default)]
pub struct Figures {
    failing: AtomicBool,
    file_count: AtomicU64,
    entry_count: AtomicU64,
    expired_count: AtomicU64,
    loaded_ms: AtomicU64,
}

impl Figures {
    /// Name, help and value of each gauge.
    #[must_use]
    pub fn gauges(&self) -> [(&'static str, &'static str, u64); 5] {
        let value = |value: &AtomicU64| value.load(Ordering::Relaxed);
        [
            (
                "whoisd_lists_failing",
                "Whether a file of lists has an error: entries read from it before stay in force.",
                u64::from(self.failing.load(Ordering::Relaxed)),
            ),
            ("whoisd_lists_files", "Files of lists.", value(&self.file_count)),
            ("whoisd_lists_entries", "Prefixes of lists in force.", value(&self.entry_count)),
            ("whoisd_lists_expired", "Prefixes of lists expired.", value(&self.expired_count)),
            (
                "whoisd_lists_loaded_timestamp_seconds",
                "When the lists were last swapped in.",
                value(&self.loaded_ms) / 1000,
            ),
        ]
    }
}

/// What a look has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// Whether other lists are in force now.
    pub changed: bool,
    /// What is wrong, one line each.
    pub errors: Vec<String>,
    /// Files that were found.
    pub file_count: usize,
    /// Prefixes in force.
    pub entry_count: usize,
    /// Prefixes that have expired.
    pub expired_count: usize,
}

/// Looks after the files of lists.
pub struct ListWatcher {
    patterns: Vec<PathBuf>,
    held: Vec<Held>,
    shown: Arc<ArcSwap<Lists>>,
    has_tier: HasTier,
    figures: Arc<Figures>,
    said: Vec<String>,
    /// Why the files cannot be used together.
    conflict: Option<String>,
    /// When that is looked at again although no file has changed: an entry may have expired.
    retry_ms: i64,
}

/// One file.
struct Held {
    path: PathBuf,
    /// As it was when it was read.
    stamp: Option<Stamp>,
    /// As it was at the last look, if that is another.
    next: Option<Stamp>,
    entries: Arc<[Entry]>,
    error: Option<String>,
    /// Whether no pattern named it any more at the last look.
    is_gone: bool,
}

/// By what a changed file is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    mtime: (i64, i64),
}

impl Stamp {
    fn of(meta: &fs::Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
        }
    }
}

impl ListWatcher {
    /// Looks after files that `patterns` name, and shows them in `shown`. Nothing is read yet.
    #[must_use]
    pub fn new(patterns: Vec<PathBuf>, shown: Arc<ArcSwap<Lists>>, has_tier: HasTier) -> Self {
        Self {
            patterns,
            held: Vec::new(),
            shown,
            has_tier,
            figures: Arc::default(),
            said: Vec::new(),
            conflict: None,
            retry_ms: 0,
        }
    }

    /// Figures that follow what is looked at.
    #[must_use]
    pub fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Looks after other files from the next look on.
    pub fn name(&mut self, patterns: &[PathBuf]) {
        self.patterns = patterns.to_vec();
    }

    /// Takes over what has changed and has settled; with `now`, all that has changed, and looks
    /// again at what was wrong.
    pub fn look(&mut self, now_ms: i64, now: bool) -> Looked {
        let (paths, mut errors) = find(&self.patterns);
        let complete = errors.is_empty();
        let mut changed = self.conflict.is_some() && (now || now_ms >= self.retry_ms);
        if complete {
            let before = self.held.len();
            // A file counts as gone at the second look: a folder may be being swapped.
            self.held.retain_mut(|held| {
                let is_named = paths.contains(&held.path);
                let was_gone = std::mem::replace(&mut held.is_gone, !is_named);
                is_named || !(now || was_gone)
            });
            changed |= self.held.len() != before;
        }
        for path in &paths {
            let at = match self.held.iter().position(|held| held.path == *path) {
                Some(at) => at,
                None => {
                    self.held.push(Held::new(path));
                    self.held.len() - 1
                }
            };
            if let Some(held) = self.held.get_mut(at) {
                changed |= held.look(now);
            }
        }
        // In the order of the names, whenever each file came.
        self.held.sort_by_key(|held| paths.iter().position(|path| *path == held.path));
        errors.extend(self.held.iter().filter_map(|held| held.error.clone()));
        let swapped = (changed || now || self.is_due(now_ms)) && self.show(now_ms);
        errors.extend(self.conflict.clone());
        self.tell(errors, swapped && changed, now_ms)
    }

    /// Whether something has expired, or was left out by a clock that was ahead.
    fn is_due(&self, now_ms: i64) -> bool {
        // With a conflict the files are put together again in a while, and not at each look.
        let was_ahead = self.conflict.is_none() && now_ms < self.shown.load().made_ms();
        was_ahead || self.has_expired(now_ms)
    }

    fn has_expired(&self, now_ms: i64) -> bool {
        let next = self.shown.load().next_expiry_ms();
        next.is_some_and(|next| next <= now_ms)
    }

    /// Whether the files that `patterns` name can be put together also where there are the tiers
    /// that `has_tier` knows. Other errors of the files do not count here.
    ///
    /// # Errors
    ///
    /// Which tier is missing, and where it is named.
    pub fn fits(
        &self,
        patterns: &[PathBuf],
        has_tier: &dyn Fn(&str) -> bool,
        now_ms: i64,
    ) -> Result<(), ListError> {
        let held = |path: &PathBuf| self.held.iter().find(|held| held.path == *path);
        let entries = |path: &PathBuf| {
            let stamp = fs::metadata(path).ok().map(|meta| Stamp::of(&meta));
            let fresh = stamp.and_then(|stamp| read(path, stamp).ok().flatten());
            fresh.or_else(|| held(path).map(|held| Arc::clone(&held.entries)))
        };
        let files: Vec<_> = find(patterns).0.iter().filter_map(entries).collect();
        match Lists::new(files.clone(), has_tier, now_ms) {
            Err(error) if Lists::new(files, &self.has_tier, now_ms).is_ok() => Err(error),
            _ => Ok(()),
        }
    }

    /// Puts the files together and swaps the table; false if they contradict each other.
    fn show(&mut self, now_ms: i64) -> bool {
        let files = self.held.iter().map(|held| Arc::clone(&held.entries)).collect();
        match Lists::new(files, &self.has_tier, now_ms) {
            Ok(lists) => {
                self.conflict = None;
                self.shown.store(Arc::new(lists));
                true
            }
            Err(error) => {
                self.conflict = Some(error.to_string());
                self.retry_ms = now_ms.saturating_add(RETRY_PAUSE_MS);
                if self.has_expired(now_ms) {
                    self.shown.store(Arc::new(self.shown.load().at(now_ms)));
                }
                false
            }
        }
    }

    /// Says what is new in log and figures.
    fn tell(&mut self, errors: Vec<String>, changed: bool, now_ms: i64) -> Looked {
        let lists = self.shown.load();
        let looked = Looked {
            changed,
            file_count: self.held.len(),
            entry_count: lists.count(),
            expired_count: lists.expired_count(),
            errors,
        };
        let Looked { file_count, entry_count, expired_count, .. } = looked;
        for error in looked.errors.iter().filter(|error| !self.said.contains(error)) {
            tracing::error!(error, "list refused; entries read from it before stay in force");
        }
        if !self.said.is_empty() && looked.errors.is_empty() {
            tracing::info!("every list is good again");
        }
        if changed {
            tracing::info!(file_count, entry_count, expired_count, "lists are in force");
            let now_ms = u64::try_from(now_ms).unwrap_or(0);
            self.figures.loaded_ms.store(now_ms, Ordering::Relaxed);
        }
        self.said.clone_from(&looked.errors);
        let figures = &self.figures;
        figures.failing.store(!looked.errors.is_empty(), Ordering::Relaxed);
        figures.file_count.store(file_count as u64, Ordering::Relaxed);
        figures.entry_count.store(entry_count as u64, Ordering::Relaxed);
        figures.expired_count.store(expired_count as u64, Ordering::Relaxed);
        looked
    }
}

impl Held {
    fn new(path: &Path) -> Self {
        let path = path.to_owned();
        let entries = Arc::from([]);
        Self { path, stamp: None, next: None, entries, error: None, is_gone: false }
    }

    /// Reads the file if it has changed; whether it gives other entries now.
    fn look(&mut self, now: bool) -> bool {
        let stamp = match fs::metadata(&self.path) {
            Ok(meta) => Stamp::of(&meta),
            Err(error) => {
                self.error = Some(format!("{}: {error}", self.path.display()));
                // When it is back, it is read, whatever it looks like.
                self.stamp = None;
                return false;
            }
        };
        if self.stamp == Some(stamp) && !(now && self.error.is_some()) {
            self.next = None;
            return false;
        }
        if !now && self.next != Some(stamp) {
            self.next = Some(stamp);
            return false;
        }
        match read(&self.path, stamp) {
            Ok(None) => {
                self.next = None;
                return false;
            }
            Ok(Some(entries)) => {
                self.error = None;
                self.entries = entries;
            }
            Err(wrong) => {
                // A file that could not be read is tried again: permissions and descriptors leave
                // no trace in a stamp.
                let is_content = !matches!(wrong, Wrong::Unread { .. });
                self.stamp = is_content.then_some(stamp);
                self.error = Some(wrong.to_string());
                return false;
            }
        }
        self.stamp = Some(stamp);
        true
    }
}

/// Why a file gives no entries.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Unread { path: PathBuf, source: std::io::Error },
    /// It is not text.
    #[error("{}:{line}: no UTF-8", path.display())]
    NoText { path: PathBuf, line: usize },
    /// It is not a list.
    #[error(transparent)]
    NoList(#[from] ListError),
}

/// Reads a file; `None` if somebody changes it meanwhile.
fn read(path: &Path, stamp: Stamp) -> Result<Option<Arc<[Entry]>>, Wrong> {
    let failed = |source| Wrong::Unread { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One more than allowed, for the reader to refuse.
    file.by_ref().take(LIST_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if Stamp::of(&file.metadata().map_err(failed)?) != stamp {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count();
        Wrong::NoText { path: path.to_owned(), line: line.saturating_add(1) }
    })?;
    Ok(Some(parse(&path.to_string_lossy(), &text)?))
}

#[cfg(test)]
mod tests;
