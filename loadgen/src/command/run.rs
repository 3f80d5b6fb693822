//! `whois-loadgen run`: one run at one schedule.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::load::{self, LoadOptions};
use super::outputs::Outputs;
use super::{Failure, output};
use crate::report::{run_html, run_text};
use crate::result::RunResult;
use crate::run;
use crate::schedule::Shape;
use crate::workload;

/// How queries arrive.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Arrivals {
    /// At equal distances.
    Constant,
    /// Independently of one another.
    Poisson,
    /// From --rate to --rate-to over the duration.
    Ramp,
    /// At --rate, and at --rate-to for --burst-length seconds every --burst-every.
    Burst,
}

/// Ask at a given rate, whatever the server does, and report latencies from the due times
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whois-loadgen run --target 127.0.0.1:4343 --rate 6000 --names-from registry --cores 1\n  \
    whois-loadgen run --target 127.0.0.1:4343 --replay queries.jsonl --speed 10 --duration 60\n\n\
    Exit status: 0 done; 1 failed; 2 wrong usage; 3 the run is invalid (the generator could not \
    keep up), or queries failed.")]
pub(super) struct Options {
    #[command(flatten)]
    load: LoadOptions,
    /// Queries per second, above 0, up to 1000000000
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1000.0)]
    rate: f64,
    /// How they arrive
    #[arg(long, value_name = "ARRIVALS", default_value = "poisson")]
    arrivals: Arrivals,
    /// Second rate, of ramp and burst
    #[arg(long, value_name = "PER_SECOND")]
    rate_to: Option<f64>,
    /// Distance of bursts, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    burst_every: f64,
    /// Length of a burst, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    burst_length: f64,
    /// Ask what a query log says, at its times
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "arrivals"])]
    replay: Option<PathBuf>,
    /// How many times faster than recorded, above 0, up to 1000000
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, requires = "replay")]
    speed: f64,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Options {
    fn shape(&self) -> Result<Shape, Failure> {
        let rate_per_s = self.rate;
        let missing = || Failure::Usage("--rate-to: ramp and burst need it".to_owned());
        let second = || self.rate_to.ok_or_else(missing);
        Ok(match self.arrivals {
            Arrivals::Constant => Shape::Constant { rate_per_s },
            Arrivals::Poisson => Shape::Poisson { rate_per_s },
            Arrivals::Ramp => Shape::Ramp {
                from_per_s: rate_per_s,
                to_per_s: second()?,
                over_s: self.load.duration,
            },
            Arrivals::Burst => Shape::Burst {
                rate_per_s,
                burst_per_s: second()?,
                every_s: self.burst_every,
                length_s: self.burst_length,
            },
        })
    }
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let stop = load::stop_flag()?;
    let mut inputs = options.load.inputs();
    inputs.extend(options.replay.as_deref());
    let outputs = Outputs::tried(options.json.as_deref(), options.html.as_deref(), &inputs)?;
    let settings = match &options.replay {
        None => options.load.settings(options.shape()?)?,
        Some(path) => {
            let (times_ns, names) = workload::replay(path)?;
            let shape = Shape::Recorded { times_ns, speed: options.speed };
            run::Settings { names, ..options.load.settings(shape)? }
        }
    };
    let result = run::run(&settings, &stop, &mut load::progress(""))?;
    load::progress_ended();
    // Files first: a terminal that has gone away takes no text. A disk that is full takes no files,
    // and the text is printed all the same.
    let written = outputs.write(&result, || run_html(&result));
    output::print(&run_text(&result))?;
    written?;
    if load::stopped(&stop) {
        output::print("Ended early by a signal: the figures are those until then\n")?;
    }
    Ok(status_of(&result))
}

/// 3 if the run cannot be used, or queries failed.
pub(super) fn status_of(result: &RunResult) -> ExitCode {
    let good = result.invalid.is_none() && result.errors.is_empty();
    if good { ExitCode::SUCCESS } else { ExitCode::from(3) }
}
