//! `whois-loadgen soak`: hours at one rate; what grows meanwhile.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::load::{self, LoadOptions};
use super::outputs::Outputs;
use super::run::status_of;
use super::{Failure, output};
use crate::report::{run_html, run_text};
use crate::result::{RunResult, Second};
use crate::run;
use crate::schedule::Shape;

/// Ask at one rate for hours, and see whether the server's memory or descriptors grow
///
/// Needs --server-pid. The slopes are those of straight lines through the second half of the run;
/// memory is the resident one without pages of files.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    whois-loadgen soak --target 127.0.0.1:4343 --rate 6000 --duration 14400 --server-pid 4711\n\n\
    Exit status: 0 done; 1 failed; 2 wrong usage; 3 something grows faster than allowed or cannot \
    be judged, queries failed, or the run is invalid.")]
pub(super) struct Options {
    #[command(flatten)]
    load: LoadOptions,
    /// Queries per second
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1000.0)]
    rate: f64,
    /// Largest growth of resident memory without pages of files, MiB an hour
    #[arg(long, value_name = "MIB", default_value_t = 16.0)]
    memory_growth_max: f64,
    /// Largest growth of open descriptors, per hour
    #[arg(long, value_name = "COUNT", default_value_t = 10.0)]
    descriptor_growth_max: f64,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let stop = load::stop_flag()?;
    let inputs = options.load.inputs();
    let outputs = Outputs::tried(options.json.as_deref(), options.html.as_deref(), &inputs)?;
    let settings = options.load.settings(Shape::Poisson { rate_per_s: options.rate })?;
    if settings.server_pid.is_none() {
        let message = "--server-pid: a soak watches the server's process; name it";
        return Err(Failure::Usage(message.to_owned()));
    }
    let result = run::run(&settings, &stop, &mut load::progress(""))?;
    load::progress_ended();
    let (text, fails) = growth(&result, options.memory_growth_max, options.descriptor_growth_max);
    let written = outputs.write(&result, || run_html(&result));
    output::print(&run_text(&result))?;
    output::print(&text)?;
    written?;
    Ok(if fails { ExitCode::from(3) } else { status_of(&result) })
}

#[expect(clippy::cast_precision_loss, reason = "sizes of a process fit")]
fn growth(result: &RunResult, memory_max: f64, descriptors_max: f64) -> (String, bool) {
    let half = result.seconds.split_at(result.seconds.len() / 2).1;
    let watched: Vec<_> = half.iter().filter(|second| second.server_resident_bytes > 0).collect();
    let memory = slope(&watched, |second| second.server_resident_bytes as f64 / 1_048_576.0);
    let descriptors = slope(&watched, |second| second.server_descriptor_count as f64);
    let mut text = String::from("\nGrowth over the second half of the run\n");
    // A figure that is not known does not pass.
    let mut fails = false;
    for (what, unit, value, max) in [
        ("anonymous memory", "MiB/h", memory, memory_max),
        ("open descriptors", "/h", descriptors, descriptors_max),
    ] {
        let verdict = match value {
            None => {
                fails = true;
                "not known: too few seconds in which the server was seen".to_owned()
            }
            Some(value) if value > max => {
                fails = true;
                format!("{value:+.2} {unit}: more than {max} {unit}")
            }
            Some(value) => format!("{value:+.2} {unit}"),
        };
        let _ = writeln!(text, "  {what:<18} {verdict}");
    }
    (text, fails)
}

/// Growth per hour of a straight line through the values; needs ten of them.
#[expect(clippy::cast_precision_loss, reason = "seconds of a run fit")]
fn slope(seconds: &[&Second], value: impl Fn(&Second) -> f64) -> Option<f64> {
    if seconds.len() < 10 {
        return None;
    }
    let count = seconds.len() as f64;
    let mean_s = seconds.iter().map(|second| second.at_s as f64).sum::<f64>() / count;
    let mean = seconds.iter().map(|second| value(second)).sum::<f64>() / count;
    let (mut product, mut square) = (0.0, 0.0);
    for second in seconds {
        let distance = second.at_s as f64 - mean_s;
        product += distance * (value(second) - mean);
        square += distance * distance;
    }
    (square > 0.0).then(|| product / square * 3_600.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_a_slope_and_noise_is_none() {
        let second = |at_s: u64, bytes: u64| Second {
            at_s,
            server_resident_bytes: bytes,
            server_descriptor_count: 12,
            ..Second::default()
        };
        let leaking: Vec<_> = (0..100).map(|at| second(at, (1 << 20) * (100 + at))).collect();
        let leaking: Vec<_> = leaking.iter().collect();
        let mib = |second: &Second| second.server_resident_bytes as f64 / 1_048_576.0;
        assert!((slope(&leaking, mib).unwrap() - 3_600.0).abs() < 1e-6);
        assert_eq!(slope(&leaking, |second| second.server_descriptor_count as f64), Some(0.0));
        assert_eq!(slope(&leaking[..9], mib), None);
    }
}
