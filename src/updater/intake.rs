//! Serials of a batch: what is new in it, and whether something is missing.
//!
//! # Does not
//!
//! Apply.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::feed::{ApplyError, ChangeRecord};

/// What a batch's serials say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serials {
    /// Position of the first record that is new; the length of the batch if none is.
    pub first_new: usize,
}

/// Holds the serials of a batch against the last one that is on the disk. A directory without a
/// serial, such as one from a deposit, takes a feed up where it begins.
///
/// # Errors
///
/// [`ApplyError::Gap`], [`ApplyError::Disorder`].
pub fn check_serials(have: u64, records: &[ChangeRecord]) -> Result<Serials, ApplyError> {
    for (before, record) in records.iter().zip(records.iter().skip(1)) {
        if record.serial != before.serial.saturating_add(1) {
            return Err(ApplyError::Disorder { before: before.serial, got: record.serial });
        }
    }
    let first_new = records.iter().take_while(|record| record.serial <= have).count();
    if let Some(first) = records.get(first_new).filter(|_| first_new == 0)
        && have > 0
        && first.serial != have.saturating_add(1)
    {
        return Err(ApplyError::Gap { have, got: first.serial });
    }
    Ok(Serials { first_new })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Body;

    fn batch(serials: &[u64]) -> Vec<ChangeRecord> {
        let record = |&serial| ChangeRecord {
            serial,
            committed_ms: 0,
            transaction: String::new(),
            body: Body::Heartbeat,
        };
        serials.iter().map(record).collect()
    }

    #[test]
    fn what_is_there_is_skipped_and_what_is_missing_is_noticed() {
        let check = |have, serials: &[u64]| check_serials(have, &batch(serials));
        assert_eq!(check(7, &[8, 9]), Ok(Serials { first_new: 0 }));
        assert_eq!(check(8, &[7, 8, 9]), Ok(Serials { first_new: 2 }));
        assert_eq!(check(9, &[7, 8, 9]), Ok(Serials { first_new: 3 }));
        assert_eq!(check(0, &[70, 71]), Ok(Serials { first_new: 0 }));
        assert_eq!(check(7, &[]), Ok(Serials { first_new: 0 }));
        assert_eq!(check(7, &[9]), Err(ApplyError::Gap { have: 7, got: 9 }));
        assert_eq!(check(7, &[8, 10]), Err(ApplyError::Disorder { before: 8, got: 10 }));
        assert_eq!(check(7, &[9, 8]), Err(ApplyError::Disorder { before: 9, got: 8 }));
        assert_eq!(check(7, &[8, 8]), Err(ApplyError::Disorder { before: 8, got: 8 }));
    }
}
