//! Terms of registrations: whole years of the calendar.
//!
//! # Invariants
//!
//! - Proleptic Gregorian calendar, UTC, no leap seconds.
//!
//! # Does not
//!
//! Read a clock or parse text.

use snapshot_format::calendar::{civil_from_days, days_from_civil};

/// Seconds of a day.
pub(crate) const DAY_S: i64 = 86_400;

/// The same time of day `years` later; 29 February becomes the 28th where there is none.
pub(crate) const fn add_years(time_s: i64, years: i64) -> i64 {
    let (year, month, day) = civil_from_days(time_s.div_euclid(DAY_S));
    let later = year + years;
    let leap = later % 4 == 0 && (later % 100 != 0 || later % 400 == 0);
    let day = if month == 2 && day == 29 && !leap { 28 } else { day };
    days_from_civil(later, month, day) * DAY_S + time_s.rem_euclid(DAY_S)
}

/// The first whole-year anniversary of `from_s` that is after `now_s`, in years (at least 1).
pub(crate) const fn years_past(from_s: i64, now_s: i64) -> i64 {
    let mut years =
        civil_from_days(now_s.div_euclid(DAY_S)).0 - civil_from_days(from_s.div_euclid(DAY_S)).0;
    if years < 1 {
        years = 1;
    }
    if add_years(from_s, years) <= now_s {
        years += 1;
    }
    years
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_from_a_leap_day_is_the_28th() {
        let leap = days_from_civil(2024, 2, 29) * DAY_S + 5;
        assert_eq!(add_years(leap, 1), days_from_civil(2025, 2, 28) * DAY_S + 5);
        assert_eq!(add_years(leap, 4), days_from_civil(2028, 2, 29) * DAY_S + 5);
    }

    #[test]
    fn the_next_anniversary_is_after_now_and_less_than_a_year_away() {
        let now = days_from_civil(2026, 1, 1) * DAY_S;
        for days in 1..4000 {
            let from = now - days * DAY_S;
            let next = add_years(from, years_past(from, now));
            assert!(next > now && next <= now + 366 * DAY_S, "{days}");
        }
    }
}
