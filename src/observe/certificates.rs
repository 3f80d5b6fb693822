//! Figures of the certificates of `whoisd-web`.
//!
//! # Does not
//!
//! Read certificates.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// Until when the certificates hold that are served.
#[derive(Debug, Default)]
pub struct CertificateFigures(ArcSwap<Vec<CertificateEnd>>);

/// The end of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEnd {
    /// The file of its chain.
    pub file: String,
    /// Its last second, seconds since the epoch.
    pub end_s: i64,
}

impl CertificateFigures {
    /// These are served from now on. A file counts once: two series of one name end a scrape.
    pub fn set(&self, mut ends: Vec<CertificateEnd>) {
        ends.sort_by(|a, b| a.file.cmp(&b.file));
        ends.dedup_by(|a, b| a.file == b.file);
        self.0.store(Arc::new(ends));
    }

    /// Those that are served, by file.
    #[must_use]
    pub fn ends(&self) -> Arc<Vec<CertificateEnd>> {
        self.0.load_full()
    }
}
