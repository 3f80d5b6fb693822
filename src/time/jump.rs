//! Notices a wall clock that jumps, by the steady one beside it.

/// How far the wall clock was ahead of the steady one when it was looked at last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct JumpWatch {
    ahead_ms: Option<i64>,
}

impl JumpWatch {
    /// By how much the wall clock has jumped since the look before, ms; 0 at the first look.
    pub(crate) fn look(&mut self, wall_ms: i64, steady_ms: i64) -> i64 {
        let ahead_ms = wall_ms.saturating_sub(steady_ms);
        let before_ms = self.ahead_ms.replace(ahead_ms).unwrap_or(ahead_ms);
        ahead_ms.saturating_sub(before_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_what_the_wall_clock_moved_beyond_the_steady_one() {
        let mut watch = JumpWatch::default();
        assert_eq!(watch.look(1_000_000, 50), 0);
        assert_eq!(watch.look(1_005_000, 5_050), 0);
        assert_eq!(watch.look(1_000_000, 6_050), -6_000);
        assert_eq!(watch.look(1_001_000, 7_050), 0);
        assert_eq!(watch.look(i64::MAX, i64::MIN), i64::MAX - (1_001_000 - 7_050));
    }
}
