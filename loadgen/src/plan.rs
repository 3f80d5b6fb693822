//! How many servers a registry needs: the peak that its size leads to, by the rate that one server
//! was measured at.
//!
//! ```text
//! domains x 30 a month x 6 % on the peak day x 5 % in its peak 5 minutes / 300 s = peak per second
//! 20,000,000 x 30 x 0.06 x 0.05 / 300 = 6,000
//! ```
//!
//! # Invariants
//!
//! - Percentages are multiplied as percentages and divided by 100 at the end, so that round figures
//!   come out round.
//! - Servers are rounded up, per site, before spares are added.
//!
//! # Does not
//!
//! Know whether the factors hold for a registry: they are a rule of thumb of the field, and a query
//! log is better than any of them.

use serde::Serialize;

use crate::LoadgenError;
use crate::report::units::{count, decimal, plain};
use crate::result::SweepResult;
use crate::sweep::{knee_index, objective_text, steps_by_rate};

/// What is asked of the service.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Demand {
    /// Domains under management.
    pub domain_count: u64,
    /// Queries for each domain in a month.
    pub queries_per_domain_month: f64,
    /// Share of a month's queries on its busiest day, percent.
    pub peak_day_percent: f64,
    /// Share of that day's queries in its busiest window, percent.
    pub peak_window_percent: f64,
    /// Length of the window, seconds.
    pub window_s: f64,
}

impl Demand {
    /// Mean rate in the busiest window, queries per second.
    #[must_use]
    pub fn peak_per_s(&self) -> f64 {
        self.domain_count as f64
            * self.queries_per_domain_month
            * self.peak_day_percent
            * self.peak_window_percent
            / (100.0 * 100.0 * self.window_s)
    }

    /// The demand as a table for a terminal, without servers.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = table(self.rows());
        text.push_str(&format!(
            "\nServers: name the rate of one with --rate-per-server, or a sweep with --sweep.\n\
             {FACTORS}"
        ));
        text
    }

    fn rows(&self) -> Vec<Row> {
        vec![
            ("Demand", String::new(), ""),
            ("domains", count(self.domain_count), ""),
            ("queries", decimal(self.queries_per_domain_month), "a domain and month"),
            ("on the busiest day", decimal(self.peak_day_percent), "% of the month"),
            ("in its busiest window", decimal(self.peak_window_percent), "% of the day"),
            ("length of the window", decimal(self.window_s), "s"),
            ("mean of the month", decimal(self.mean_per_s()), "per second"),
            ("peak", decimal(self.peak_per_s()), "per second"),
        ]
    }

    /// Mean rate over a month of 30 days, queries per second.
    #[must_use]
    pub fn mean_per_s(&self) -> f64 {
        self.domain_count as f64 * self.queries_per_domain_month / (30.0 * 86_400.0)
    }
}

/// Name, value, unit; without a value, a heading.
type Row = (&'static str, String, &'static str);

const FACTORS: &str =
    "The factors of the demand are a rule of thumb; your own query log is better.\n";

fn table(rows: Vec<Row>) -> String {
    let mut text = String::new();
    for (name, value, unit) in rows {
        if value.is_empty() {
            text.push_str(&format!("{name}\n"));
        } else {
            let row = format!("  {name:<40} {value:>14} {unit}");
            text.push_str(row.trim_end());
            text.push('\n');
        }
    }
    text
}

/// What servers can do, and what is kept back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Supply {
    /// Highest rate of one server that meets the objective, queries per second.
    pub rate_per_server_per_s: f64,
    /// Share of that rate that stays free at the peak, percent.
    pub head_room_percent: f64,
    /// Servers more than the peak needs, at each site.
    pub spare_count: u32,
    /// Sites that share the load equally.
    pub site_count: u32,
    /// Sites that may be lost while the others carry the peak.
    pub lost_site_count: u32,
}

/// The measurement that a rate per server comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// What was measured, where, against which objective.
    pub text: String,
    /// Mean answer, bytes; `None` if nothing was measured.
    pub answer_bytes: Option<f64>,
    /// What to know before trusting the rate.
    pub warnings: Vec<String>,
}

/// The servers that a demand needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// As given.
    pub demand: Demand,
    /// As given.
    pub supply: Supply,
    /// As given.
    pub source: Source,
    /// Rate of the busiest window, per second, all sites.
    pub peak_per_s: f64,
    /// Mean rate of a month, per second, all sites.
    pub mean_per_s: f64,
    /// Rate that a site must carry when as many sites as allowed are lost, per second.
    pub peak_per_site_per_s: f64,
    /// Rate that is planned for one server, per second.
    pub planned_per_server_per_s: f64,
    /// Servers of a site that the peak needs.
    pub needed_per_site_count: u64,
    /// With spares.
    pub servers_per_site_count: u64,
    /// Over all sites.
    pub servers_count: u64,
    /// Load of a server at the peak with everything up, percent of its measured rate.
    pub load_all_up_percent: f64,
    /// Load when the spares and the sites that may be lost are gone, percent.
    pub load_worst_percent: f64,
    /// Answers leaving a site at its peak, megabit per second; `None` if their size is not known.
    pub answers_per_site_mbit_per_s: Option<f64>,
}

impl Source {
    /// A rate that an operator names.
    #[must_use]
    pub fn named() -> Self {
        let text = "given with --rate-per-server, not measured here".to_owned();
        Self { text, answer_bytes: None, warnings: Vec::new() }
    }

    /// The knee of a sweep, queries per second, and where it was measured.
    ///
    /// # Errors
    ///
    /// The sweep has no knee.
    pub fn of_sweep(sweep: &SweepResult) -> Result<(f64, Self), LoadgenError> {
        let Some(knee) = sweep.knee_per_s.filter(|rate| *rate > 0.0) else {
            return Err(LoadgenError::NoKnee);
        };
        let steps = steps_by_rate(sweep);
        let index = knee_index(sweep);
        let step = index.and_then(|index| steps.get(index));
        let mut warnings = Vec::new();
        if sweep.steps.iter().any(|step| step.invalid.is_some()) {
            warnings.push(
                "some steps of the sweep were invalid: the generator may have been the limit, and \
                 the server faster"
                    .to_owned(),
            );
        }
        if index.is_none_or(|index| index + 1 == steps.len()) {
            warnings.push(
                "the highest rate of the sweep met the objective: the server may be faster"
                    .to_owned(),
            );
        }
        let place = step.map_or_else(String::new, |step| {
            let method = &step.method;
            format!(", on {} x {}, {}", method.processor_count, method.processor, method.kernel)
        });
        let text = format!("a sweep: {}{place}", objective_text(&sweep.objective));
        let answer_bytes = step
            .filter(|step| step.answered_count > 0)
            .map(|step| step.received_bytes as f64 / step.answered_count as f64);
        Ok((knee, Self { text, answer_bytes, warnings }))
    }
}

impl Plan {
    /// Plans servers for `demand`.
    ///
    /// # Errors
    ///
    /// No site is left, or no rate; with the value.
    pub fn new(demand: Demand, supply: Supply, source: Source) -> Result<Self, LoadgenError> {
        let left = supply.site_count.saturating_sub(supply.lost_site_count);
        if left == 0 {
            let (lost, all) = (supply.lost_site_count, supply.site_count);
            return Err(LoadgenError::NoSite { lost, all });
        }
        let planned = supply.rate_per_server_per_s * (100.0 - supply.head_room_percent) / 100.0;
        if !(planned > 0.0 && planned.is_finite()) {
            return Err(LoadgenError::NoRate { planned_per_s: planned });
        }
        let peak_per_s = demand.peak_per_s();
        let peak_per_site_per_s = peak_per_s / f64::from(left);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and saturates"
        )]
        let needed = (peak_per_site_per_s / planned).ceil() as u64;
        let needed = needed.max(1);
        let servers = needed.saturating_add(u64::from(supply.spare_count));
        let sites = f64::from(supply.site_count);
        let load =
            |rate: f64, servers: u64| rate / servers as f64 / supply.rate_per_server_per_s * 100.0;
        Ok(Self {
            peak_per_s,
            mean_per_s: demand.mean_per_s(),
            peak_per_site_per_s,
            planned_per_server_per_s: planned,
            needed_per_site_count: needed,
            servers_per_site_count: servers,
            servers_count: servers.saturating_mul(u64::from(supply.site_count)),
            load_all_up_percent: load(peak_per_s / sites, servers),
            load_worst_percent: load(peak_per_site_per_s, needed),
            answers_per_site_mbit_per_s: source
                .answer_bytes
                .map(|bytes| bytes * peak_per_site_per_s * 8.0 / 1e6),
            demand,
            supply,
            source,
        })
    }

    /// The plan as a table for a terminal: every factor, every result, what to beware of.
    #[must_use]
    pub fn text(&self) -> String {
        let mut rows = self.demand.rows();
        rows.extend(self.supply_rows());
        let mut text = table(rows);
        text.push_str(&format!("\nRate per server: {}\n", plain(&self.source.text)));
        for warning in &self.source.warnings {
            text.push_str(&format!("Note: {warning}\n"));
        }
        text.push_str(FACTORS);
        text.push_str(
            "The rate in the window is taken as even: bursts within it use the head room.\n",
        );
        text
    }

    fn supply_rows(&self) -> Vec<Row> {
        let supply = &self.supply;
        let mut rows = vec![
            ("Supply", String::new(), ""),
            ("one server", decimal(supply.rate_per_server_per_s), "per second"),
            ("head room", decimal(supply.head_room_percent), "%"),
            ("planned for one server", decimal(self.planned_per_server_per_s), "per second"),
            ("sites", count(supply.site_count.into()), ""),
            ("sites that may be lost", count(supply.lost_site_count.into()), ""),
            ("peak of a site then", decimal(self.peak_per_site_per_s), "per second"),
            ("Servers", String::new(), ""),
            ("needed at a site", count(self.needed_per_site_count), ""),
            ("spare at a site", count(supply.spare_count.into()), ""),
            ("at a site", count(self.servers_per_site_count), ""),
            ("in all", count(self.servers_count), ""),
            ("load at the peak, everything up", decimal(self.load_all_up_percent), "%"),
            ("load at the peak, spares and sites lost", decimal(self.load_worst_percent), "%"),
        ];
        if let Some(rate) = self.answers_per_site_mbit_per_s {
            rows.push(("answers leaving a site then", decimal(rate), "Mbit/s"));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMAND: Demand = Demand {
        domain_count: 20_000_000,
        queries_per_domain_month: 30.0,
        peak_day_percent: 6.0,
        peak_window_percent: 5.0,
        window_s: 300.0,
    };
    const SUPPLY: Supply = Supply {
        rate_per_server_per_s: 10_000.0,
        head_room_percent: 30.0,
        spare_count: 1,
        site_count: 2,
        lost_site_count: 1,
    };

    fn plan(supply: Supply) -> Plan {
        Plan::new(DEMAND, supply, Source::named()).unwrap()
    }

    #[test]
    fn twenty_million_domains_lead_to_a_peak_of_exactly_6_000_per_second() {
        assert_eq!(DEMAND.peak_per_s(), 6_000.0);
        let one = Demand { domain_count: 1_000_000, ..DEMAND };
        assert_eq!(one.peak_per_s(), 300.0);
        assert_eq!(Demand { domain_count: 0, ..DEMAND }.peak_per_s(), 0.0);
    }

    #[test]
    fn servers_are_rounded_up_per_site_before_spares_are_added() {
        let Plan { needed_per_site_count, servers_per_site_count, servers_count, .. } =
            plan(SUPPLY);
        assert_eq!((needed_per_site_count, servers_per_site_count, servers_count), (1, 2, 4));
        let slow = plan(Supply { rate_per_server_per_s: 2_000.0, ..SUPPLY });
        // 6,000 / 1,400 = 4.3.
        assert_eq!((slow.needed_per_site_count, slow.servers_count), (5, 12));
        assert!((slow.load_worst_percent - 60.0).abs() < 1e-9);
        assert!((slow.load_all_up_percent - 25.0).abs() < 1e-9);
        let exact =
            plan(Supply { rate_per_server_per_s: 6_000.0, head_room_percent: 0.0, ..SUPPLY });
        assert_eq!(exact.needed_per_site_count, 1);
    }

    #[test]
    fn a_plan_without_a_site_or_a_rate_is_refused() {
        let refused = |supply| Plan::new(DEMAND, supply, Source::named()).unwrap_err().to_string();
        assert!(refused(Supply { lost_site_count: 2, ..SUPPLY }).contains("one must stay"));
        assert!(refused(Supply { head_room_percent: 100.0, ..SUPPLY }).contains("above 0"));
        assert!(refused(Supply { rate_per_server_per_s: f64::NAN, ..SUPPLY }).contains("above 0"));
    }

    #[test]
    fn the_table_names_every_factor_and_every_result() {
        let text = plan(SUPPLY).text();
        for part in ["20,000,000", "a domain and month", "% of the month", "6,000 per second"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("rule of thumb"), "{text}");
    }
}
