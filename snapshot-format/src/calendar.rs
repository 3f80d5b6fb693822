//! Days and dates of the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level
//! Date Algorithms"): what files, deposits, lists and logs count days by.
//!
//! # Invariants
//!
//! - `inverse`: [`civil_from_days`] and [`days_from_civil`] undo each other.
//!
//! # Does not
//!
//! Read a clock or parse text. Know leap seconds: UTC days have 86,400 seconds.

/// Seconds of a day.
pub const DAY_S: i64 = 86_400;
/// Days of 400 years, after which the calendar repeats itself.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01, where eras begin, to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// Year, month (1 to 12) and day (1 to 31) of a day number since 1970-01-01: of a number of
/// milliseconds of 64 bits divided by those of a day.
#[must_use]
#[expect(clippy::arithmetic_side_effects, reason = "days are an i64 of ms by 86,400,000")]
pub const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// The day number of a date that the calendar has; years within 32 bits.
#[must_use]
#[expect(clippy::arithmetic_side_effects, reason = "years of 32 bits, months and days below 100")]
pub const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so the leap day is the last one.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_DAYS
}

/// The day number of a date as it was written; `None` if the calendar has no such day, or its year
/// is not one of 0 to 9999.
#[must_use]
pub const fn day_of_date(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if year < 0 || year > 9999 || day < 1 || day > last {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(days_from_civil(2026, 1, 1), 20_454);
        for days in (-2_000_000..2_000_000).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    #[test]
    fn a_day_that_the_calendar_lacks_has_no_number() {
        assert_eq!(day_of_date(2024, 2, 29), Some(days_from_civil(2024, 2, 29)));
        assert_eq!(day_of_date(2000, 2, 29), Some(11_016));
        for (year, month, day) in
            [(2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (2024, 13, 1), (2024, 0, 1), (2024, 1, 0)]
        {
            assert_eq!(day_of_date(year, month, day), None, "{year}-{month}-{day}");
        }
        assert_eq!((day_of_date(-1, 1, 1), day_of_date(10_000, 1, 1)), (None, None));
    }
}
