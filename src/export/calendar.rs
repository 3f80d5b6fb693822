//! Days and civil dates: terms of registrations are whole years of the calendar.
//!
//! # Invariants
//!
//! - Proleptic Gregorian calendar, UTC, no leap seconds.
//!
//! # Does not
//!
//! Read a clock or parse text.

use snapshot_format::dump::civil_from_days;

/// Seconds of a day.
pub(crate) const DAY_S: i64 = 86_400;

/// Year, month (1 to 12) and day (1 to 31) of a day number since 1970-01-01.
pub(crate) const fn civil_of_day(day: i64) -> (i64, i64, i64) {
    civil_from_days(day)
}

/// The day number of a civil date.
pub(crate) const fn day_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The same time of day `years` later; 29 February becomes the 28th where there is none.
pub(crate) const fn add_years(time_s: i64, years: i64) -> i64 {
    let (year, month, day) = civil_of_day(time_s.div_euclid(DAY_S));
    let later = year + years;
    let leap = later % 4 == 0 && (later % 100 != 0 || later % 400 == 0);
    let day = if month == 2 && day == 29 && !leap { 28 } else { day };
    day_of_civil(later, month, day) * DAY_S + time_s.rem_euclid(DAY_S)
}

/// The first whole-year anniversary of `from_s` that is after `now_s`, in years (at least 1).
pub(crate) const fn years_past(from_s: i64, now_s: i64) -> i64 {
    let mut years =
        civil_of_day(now_s.div_euclid(DAY_S)).0 - civil_of_day(from_s.div_euclid(DAY_S)).0;
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
    fn days_and_dates_are_each_others_inverse() {
        assert_eq!(civil_of_day(0), (1970, 1, 1));
        assert_eq!(day_of_civil(2026, 1, 1), 20_454);
        for day in (-200_000..200_000).step_by(97) {
            let (year, month, date) = civil_of_day(day);
            assert_eq!(day_of_civil(year, month, date), day);
        }
    }

    #[test]
    fn a_year_from_a_leap_day_is_the_28th() {
        let leap = day_of_civil(2024, 2, 29) * DAY_S + 5;
        assert_eq!(add_years(leap, 1), day_of_civil(2025, 2, 28) * DAY_S + 5);
        assert_eq!(add_years(leap, 4), day_of_civil(2028, 2, 29) * DAY_S + 5);
    }

    #[test]
    fn the_next_anniversary_is_after_now_and_less_than_a_year_away() {
        let now = day_of_civil(2026, 1, 1) * DAY_S;
        for days in 1..4000 {
            let from = now - days * DAY_S;
            let next = add_years(from, years_past(from, now));
            assert!(next > now && next <= now + 366 * DAY_S, "{days}");
        }
    }
}
