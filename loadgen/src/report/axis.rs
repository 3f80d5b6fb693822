//! Axes: from a value to a place, with ticks at round values.
//!
//! # Invariants
//!
//! - The ends of an axis are finite and apart, whatever the data are.
//!
//! # Does not
//!
//! Draw.

use super::units::{decimal, time_of};

/// One axis of a plot.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// What is on it, with its unit.
    pub(super) label: String,
    log: bool,
    min: f64,
    max: f64,
    /// Places in data units, and their labels.
    pub(super) ticks: Vec<(f64, String)>,
}

/// Ticks that an axis aims for.
const TICKS_WANTED: f64 = 5.0;
/// Decades on a logarithmic axis from which on only powers of ten have ticks.
const DECADES_SPARSE: f64 = 2.0;

impl Axis {
    /// From 0 to a round value at or above all `values`.
    pub(super) fn from_zero(
        label: impl Into<String>,
        values: impl IntoIterator<Item = f64>,
        name: fn(f64) -> String,
    ) -> Self {
        let most = values.into_iter().filter(|value| value.is_finite()).fold(0.0, f64::max);
        let most = if most > 0.0 { most } else { 1.0 };
        let step = round_step(most / TICKS_WANTED);
        let count = (most / step - 1e-9).ceil().max(1.0);
        let mut ticks = Vec::new();
        let mut index = 0.0;
        while index <= count {
            ticks.push((step * index, name(step * index)));
            index += 1.0;
        }
        Self { label: label.into(), log: false, min: 0.0, max: step * count, ticks }
    }

    /// Logarithmic, between round values around all `values` above 0.
    pub(super) fn log(
        label: impl Into<String>,
        values: impl IntoIterator<Item = f64>,
        name: fn(f64) -> String,
    ) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.into_iter().filter(|value| *value > 0.0 && value.is_finite()) {
            (least, most) = (least.min(value), most.max(value));
        }
        if most <= 0.0 {
            (least, most) = (1.0, 10.0);
        }
        let (from, to) = (least.log10().floor(), (most * (1.0 - 1e-9)).log10().ceil());
        let to = if to > from { to } else { from + 1.0 };
        let within: &[f64] = if to - from > DECADES_SPARSE { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let mut places = Vec::new();
        let mut decade = from;
        while decade <= to {
            places.extend(within.iter().map(|digit| digit * 10_f64.powf(decade)));
            decade += 1.0;
        }
        // The tightest round values around the data.
        let min = last(&places, |place| place <= least * (1.0 + 1e-9)).unwrap_or(least);
        let max = first(&places, |place| place >= most * (1.0 - 1e-9)).unwrap_or(most);
        let max = if max > min { max } else { min * 10.0 };
        places.retain(|place| (min..=max).contains(place));
        let ticks = places.into_iter().map(|place| (place, name(place))).collect();
        Self { label: label.into(), log: true, min, max, ticks }
    }

    /// Logarithmic time in nanoseconds.
    pub(super) fn time(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        Self::log(label, values, |value| time_of(value).replace("us", "µs"))
    }

    /// Rates: linear from 0, or logarithmic if they lie more than a factor of 20 apart.
    pub(super) fn rate(label: &str, values: &[f64]) -> Self {
        let most = values.iter().copied().fold(0.0, f64::max);
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        if most > 20.0 * least {
            return Self::log(format!("{label} (logarithmic)"), values.iter().copied(), decimal);
        }
        Self::from_zero(label, values.iter().copied(), decimal)
    }

    /// Percentiles by their distance from 100 %: 90, 99 and 99.9 lie equally far apart. Places are
    /// given by [`percentile_place`].
    pub(super) fn percentiles(places: impl IntoIterator<Item = f64>) -> Self {
        let max = places.into_iter().filter(|place| place.is_finite()).fold(2.0, f64::max);
        let mut ticks = vec![(percentile_place(50.0, 1), "50".to_owned())];
        for (place, name) in NINES {
            if *place <= max + 1e-9 {
                ticks.push((*place, (*name).to_owned()));
            }
        }
        let label = "Percentile, % (90, 99, 99.9 … equally far apart)".to_owned();
        Self { label, log: false, min: 0.0, max, ticks }
    }

    /// Where `value` lies between the ends, 0 to 1; `None` where it cannot be shown.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        if !value.is_finite() || (self.log && value <= 0.0) {
            return None;
        }
        let of = |value: f64| if self.log { value.log10() } else { value };
        let place = (of(value) - of(self.min)) / (of(self.max) - of(self.min));
        Some(place.clamp(0.0, 1.0))
    }
}

/// Place of a percentile (0 to 100) of `count` values: log10 of 1 / (1 - q). The last value lies
/// where one of `count` is: 100 % would be endlessly far away.
pub(super) fn percentile_place(percentile: f64, count: u64) -> f64 {
    let end = (count.max(1) as f64).log10();
    let rest = 1.0 - percentile / 100.0;
    if rest <= 0.0 { end } else { (-rest.log10()).max(0.0) }
}

fn round_step(least: f64) -> f64 {
    let unit = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .iter()
        .map(|digit| digit * unit)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * unit)
}

fn first(places: &[f64], fits: impl Fn(f64) -> bool) -> Option<f64> {
    places.iter().copied().find(|place| fits(*place))
}

fn last(places: &[f64], fits: impl Fn(f64) -> bool) -> Option<f64> {
    places.iter().copied().rev().find(|place| fits(*place))
}

const NINES: &[(f64, &str)] = &[
    (1.0, "90"),
    (2.0, "99"),
    (3.0, "99.9"),
    (4.0, "99.99"),
    (5.0, "99.999"),
    (6.0, "99.9999"),
    (7.0, "99.99999"),
    (8.0, "99.999999"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_reach_the_data() {
        let axis = Axis::from_zero("x", [1.0, 4_321.0], decimal);
        assert_eq!(labels(&axis), ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]);
        assert_eq!(axis.place(5_000.0), Some(1.0));
        assert_eq!(labels(&Axis::from_zero("x", [10.0], decimal)), ["0", "2", "4", "6", "8", "10"]);
        let small = Axis::from_zero("x", [0.03], decimal);
        assert_eq!(labels(&small), ["0", "0.01", "0.02", "0.03"]);
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten_or_1_2_5() {
        let wide = Axis::time("x", [150e3, 2.5e9]);
        assert_eq!(labels(&wide), ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        let narrow = Axis::time("x", [120e3, 900e3]);
        assert_eq!(labels(&narrow), ["100 µs", "200 µs", "500 µs", "1 ms"]);
        assert_eq!(narrow.place(0.0), None);
    }

    #[test]
    fn axes_of_nothing_of_one_value_and_of_no_numbers_have_two_ends() {
        for values in [vec![], vec![0.0], vec![1.0], vec![f64::NAN, f64::INFINITY], vec![5e9]] {
            for axis in [
                Axis::from_zero("x", values.clone(), decimal),
                Axis::log("x", values.clone(), decimal),
                Axis::rate("x", &values),
                Axis::percentiles(values.clone()),
            ] {
                assert!(axis.max > axis.min && axis.max.is_finite(), "{axis:?}");
                assert!(!axis.ticks.is_empty() && axis.ticks.len() < 20, "{axis:?}");
            }
        }
    }

    #[test]
    fn percentiles_lie_by_their_nines() {
        assert!((percentile_place(99.9, 10) - 3.0).abs() < 1e-9);
        assert!((percentile_place(100.0, 1_000) - 3.0).abs() < 1e-9);
        assert_eq!(percentile_place(0.0, 10), 0.0);
        assert_eq!(labels(&Axis::percentiles([3.4])), ["50", "90", "99", "99.9"]);
    }
}
