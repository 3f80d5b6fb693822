//! A line of the log that is written once in a while, however often its cause comes.

/// Lets one line through for each stretch of time.
#[derive(Debug, Clone, Copy)]
pub struct Seldom {
    every_ms: i64,
    said_ms: Option<i64>,
    unsaid_count: u64,
}

impl Seldom {
    /// At most one line every so many milliseconds.
    #[must_use]
    pub const fn new(every_ms: i64) -> Self {
        Self { every_ms, said_ms: None, unsaid_count: 0 }
    }

    /// Whether a line may be written now; with how many there were not since the last one. A clock
    /// that went back lets it through.
    pub fn due(&mut self, now_ms: i64) -> Option<u64> {
        let is_quiet = |said_ms: i64| (0..self.every_ms).contains(&now_ms.saturating_sub(said_ms));
        if self.said_ms.is_some_and(is_quiet) {
            self.unsaid_count = self.unsaid_count.saturating_add(1);
            return None;
        }
        self.said_ms = Some(now_ms);
        Some(std::mem::take(&mut self.unsaid_count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_many_it_stands_for_and_a_clock_that_went_back_silences_nothing() {
        let mut line = Seldom::new(1_000);
        assert_eq!(line.due(5_000), Some(0));
        assert_eq!((line.due(5_001), line.due(5_999)), (None, None));
        assert_eq!(line.due(6_000), Some(2));
        assert_eq!(line.due(2_000), Some(0));
        assert_eq!(line.due(2_999), None);
    }
}
