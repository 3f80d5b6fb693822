//! `whois-loadgen plan`: the servers that a registry needs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};

use super::{Failure, output};
use crate::plan::{Demand, Plan, Source, Supply};
use crate::saved::Saved;

/// How many servers a registry needs, from its size and a measured or named rate
///
/// The peak is domains x queries a month x share of the busiest day x share of its busiest window,
/// by the window's length: 6,000 per second at 20,000,000 domains with the defaults. These factors
/// are a rule of thumb; take your own from a query log where you have one. Without --sweep or
/// --rate-per-server that demand is all that is printed.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("rate").args(["sweep", "rate_per_server"]))]
#[command(after_help = "Examples:\n  \
    whois-loadgen plan --domains 5000000\n  \
    whois-loadgen plan --domains 20000000 --sweep sweep.json --sites 2\n  \
    whois-loadgen plan --domains 1000000 --rate-per-server 5000 --json\n\n\
    Exit status: 0 done; 1 a file cannot be read, or has no knee; 2 wrong usage.")]
pub(super) struct Options {
    /// Domains under management, 1 to 10,000,000,000
    #[arg(long, value_name = "COUNT", default_value_t = 20_000_000,
        value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    domains: u64,
    /// Queries for each domain in a month, above 0, up to 100,000
    #[arg(long, value_name = "COUNT", default_value_t = 30.0, value_parser = up_to::<100_000>)]
    queries_per_month: f64,
    /// Share of a month's queries on its busiest day, percent, above 0, up to 100
    #[arg(long, value_name = "PERCENT", default_value_t = 6.0, value_parser = up_to::<100>)]
    peak_day: f64,
    /// Share of that day's queries in its busiest window, percent, above 0, up to 100
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = up_to::<100>)]
    peak_window: f64,
    /// Length of that window, seconds, above 0, up to 86,400
    #[arg(long, value_name = "S", default_value_t = 300.0, value_parser = up_to::<86_400>)]
    window_s: f64,
    /// Result of a sweep: its knee is the rate of one server
    #[arg(long, value_name = "FILE")]
    sweep: Option<PathBuf>,
    /// Rate of one server, queries per second, above 0, up to 1,000,000,000
    #[arg(long, value_name = "PER_S", value_parser = up_to::<1_000_000_000>)]
    rate_per_server: Option<f64>,
    /// Share of a server's rate that stays free at the peak, percent, 0 to 95: bursts, growth, and
    /// a machine that is slower than the measured one
    #[arg(long, value_name = "PERCENT", default_value_t = 30.0, value_parser = head_room,
        requires = "rate")]
    head_room: f64,
    /// Servers more than needed at each site, 0 to 1,000: 1 is N+1
    #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "rate",
        value_parser = clap::value_parser!(u32).range(0..=1_000))]
    spare: u32,
    /// Sites that share the load equally, 1 to 1,000
    #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "rate",
        value_parser = clap::value_parser!(u32).range(1..=1_000))]
    sites: u32,
    /// Sites that may be lost while the others carry the peak; default 1 if there are several
    #[arg(long, value_name = "COUNT", requires = "rate",
        value_parser = clap::value_parser!(u32).range(0..=999))]
    sites_lost: Option<u32>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let demand = Demand {
        domain_count: options.domains,
        queries_per_domain_month: options.queries_per_month,
        peak_day_percent: options.peak_day,
        peak_window_percent: options.peak_window,
        window_s: options.window_s,
    };
    let Some((rate_per_server_per_s, source)) = rate(options)? else {
        return print_demand(&demand, options.json).map_err(Failure::from);
    };
    let supply = Supply {
        rate_per_server_per_s,
        head_room_percent: options.head_room,
        spare_count: options.spare,
        site_count: options.sites,
        lost_site_count: options.sites_lost.unwrap_or_else(|| u32::from(options.sites > 1)),
    };
    if supply.lost_site_count >= supply.site_count {
        let message = format!(
            "--sites-lost: {} of {} sites may be lost: one must stay",
            supply.lost_site_count, supply.site_count
        );
        return Err(Failure::Usage(message));
    }
    let plan = Plan::new(demand, supply, source)?;
    if options.json {
        output::print_json(&plan)?;
    } else {
        output::print(&plan.text())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_demand(demand: &Demand, json: bool) -> Result<ExitCode, String> {
    if json {
        let (peak_per_s, mean_per_s) = (demand.peak_per_s(), demand.mean_per_s());
        let value = serde_json::json!({
            "demand": demand, "peak_per_s": peak_per_s, "mean_per_s": mean_per_s
        });
        output::print_json(&value)?;
    } else {
        output::print(&demand.text())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The rate of one server, if one is given.
fn rate(options: &Options) -> Result<Option<(f64, Source)>, String> {
    if let Some(rate) = options.rate_per_server {
        return Ok(Some((rate, Source::named())));
    }
    let Some(path) = &options.sweep else { return Ok(None) };
    let at = |problem: String| format!("{}: {problem}", path.display());
    match output::read(path)? {
        Saved::Sweep(sweep) => {
            Source::of_sweep(&sweep).map(Some).map_err(|error| at(error.to_string()))
        }
        Saved::Run(_) => Err(at("one run, not a sweep; name its rate with --rate-per-server if \
                                 it met your objective"
            .to_owned())),
    }
}

/// A number above 0, up to `MAX`.
fn up_to<const MAX: u32>(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fits = value > 0.0 && value <= f64::from(MAX);
    if fits { Ok(value) } else { Err(format!("above 0, up to {MAX} is possible")) }
}

fn head_room(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fits = (0.0..=95.0).contains(&value);
    if fits { Ok(value) } else { Err("0 to 95 is possible".to_owned()) }
}
