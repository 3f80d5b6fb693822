//! `whois-loadgen sweep`: the highest rate that meets a latency objective.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::load::{self, LoadOptions};
use super::outputs::Outputs;
use super::{Failure, output};
use crate::report::{run_text, sweep_html, sweep_text};
use crate::result::{Objective, RESULT_FORMAT, SweepResult};
use crate::run;
use crate::schedule::Shape;
use crate::sweep::Search;

/// Find the highest rate that meets a latency objective, with the curve that leads there
///
/// Rates rise from --low to --high until the objective is missed, then the gap is halved. Each step
/// is a run of --duration seconds with Poisson arrivals.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    whois-loadgen sweep --target 127.0.0.1:4343 --names-from registry --profile thick --cores 1 \
    --low 2000 --high 40000 --objective-us 3000 --duration 10 --html sweep.html\n\n\
    Exit status: 0 a knee was found; 1 failed; 2 wrong usage; 3 no step met the objective.")]
pub(super) struct Options {
    #[command(flatten)]
    load: LoadOptions,
    /// Lowest rate, queries per second
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1000.0)]
    low: f64,
    /// Highest rate, queries per second
    #[arg(long, value_name = "PER_SECOND", default_value_t = 50_000.0)]
    high: f64,
    /// Steps from the lowest to the highest rate, 2 to 100
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    steps: u32,
    /// How exactly the knee is wanted, as a share of the rate, 0.001 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.03)]
    precision: f64,
    /// Percentile that must be met
    #[arg(long, value_name = "PERCENTILE", default_value_t = 99.9)]
    objective_percentile: f64,
    /// Its bound, microseconds from the due time
    #[arg(long, value_name = "US", default_value_t = 3_000)]
    objective_us: u64,
    /// Largest share of queries that may fail
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    error_share_max: f64,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let stop = load::stop_flag()?;
    let objective = Objective {
        percentile: options.objective_percentile,
        latency_us: options.objective_us,
        error_share_max: options.error_share_max,
    };
    let (low, high) = (options.low, options.high);
    let search = Search::new(low, high, options.steps, options.precision, objective);
    let mut search = search.map_err(|error| Failure::Usage(error.to_string()))?;
    let inputs = options.load.inputs();
    let outputs = Outputs::tried(options.json.as_deref(), options.html.as_deref(), &inputs)?;
    let mut settings = options.load.settings(Shape::Poisson { rate_per_s: low })?;
    let mut steps = Vec::new();
    while let Some(rate_per_s) = search.next_rate().filter(|_| !load::stopped(&stop)) {
        settings.shape = Shape::Poisson { rate_per_s };
        let label = format!("{rate_per_s:>8.0}/s ");
        let result = run::run(&settings, &stop, &mut load::progress(&label))?;
        load::progress_ended();
        if load::stopped(&stop) {
            let text = run_text(&result);
            output::print(&format!(
                "Ended early by a signal, in the step at {rate_per_s:.0}/s:\n{text}\n"
            ))?;
            break;
        }
        search.tell(&result);
        steps.push(result);
    }
    let knee_per_s = search.knee_per_s();
    let result = SweepResult { format: RESULT_FORMAT, objective, steps, knee_per_s };
    let written = outputs.write(&result, || sweep_html(&result));
    output::print(&sweep_text(&result))?;
    if let Some(note) = search.note() {
        output::print(&format!("{note}\n"))?;
    }
    written?;
    Ok(if knee_per_s.is_some() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}
