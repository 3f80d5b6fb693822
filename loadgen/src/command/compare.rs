//! `whois-loadgen compare`: what changed between runs. `run` returns the exit status; a file
//! that cannot be read is "not comparable", so that status 1 always means "worse".

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::output;
use crate::compare::{Outcome, Settings, compare};
use crate::result::RunResult;
use crate::saved::Saved;

/// What changed between two runs, or two sets of runs, beyond the noise
///
/// With three runs a side or more the noise is what differs between them. With fewer it is
/// estimated from the seconds of each run, which need to be 30 or more, and does not see what stays
/// the same through a run; p90, p99.9, p99.99 and CPU are then shown, but not judged.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whois-loadgen compare before.json after.json\n  \
    whois-loadgen compare --a a1.json --a a2.json --a a3.json \
    --b b1.json --b b2.json --b b3.json\n\n\
    Exit status: 0 nothing got worse beyond the noise; 1 something did; 2 wrong usage; 3 the runs \
    cannot be compared: a file cannot be read, a run is invalid, machine, profile, schedule or \
    rate differ.")]
pub(super) struct Options {
    /// Result of the run before, and of the run after
    #[arg(value_name = "FILE", num_args = 2, conflicts_with_all = ["a", "b"],
        required_unless_present_all = ["a", "b"])]
    files: Vec<PathBuf>,
    /// Result of a run before; several times for several runs
    #[arg(long, value_name = "FILE", requires = "b")]
    a: Vec<PathBuf>,
    /// Result of a run after; several times for several runs
    #[arg(long, value_name = "FILE", requires = "a")]
    b: Vec<PathBuf>,
    /// Smallest change that counts, percent, 0 to 1,000
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = least)]
    least: f64,
    /// Compare although machine, profile, schedule or rate differ, and say so
    #[arg(long)]
    anyway: bool,
    /// Seed of the draws by which the noise within runs is estimated
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Exit status of runs that cannot be compared.
const NOT_COMPARABLE: u8 = 3;

pub(super) fn run(options: &Options) -> Result<ExitCode, String> {
    let (a, b) = match options.files.as_slice() {
        [a, b] => (std::slice::from_ref(a), std::slice::from_ref(b)),
        _ => (options.a.as_slice(), options.b.as_slice()),
    };
    let (a, b) = match read(a).and_then(|a| Ok((a, read(b)?))) {
        Ok(sides) => sides,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "whois-loadgen: {message}");
            return Ok(ExitCode::from(NOT_COMPARABLE));
        }
    };
    let Options { least, seed, anyway, .. } = *options;
    let comparison = compare(&a, &b, Settings { least_percent: least, seed, anyway });
    if options.json {
        output::print_json(&comparison)?;
    } else {
        output::print(&comparison.text())?;
    }
    Ok(match comparison.outcome {
        Outcome::NotWorse => ExitCode::SUCCESS,
        Outcome::Worse => ExitCode::from(1),
        Outcome::NotComparable => ExitCode::from(NOT_COMPARABLE),
    })
}

fn read(paths: &[PathBuf]) -> Result<Vec<RunResult>, String> {
    let run = |path: &PathBuf| match output::read(path)? {
        Saved::Run(run) => Ok(*run),
        Saved::Sweep(_) => Err(format!(
            "{}: a sweep; compare runs, or the knees that `report` shows",
            path.display()
        )),
    };
    paths.iter().map(run).collect()
}

fn least(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fits = (0.0..=1_000.0).contains(&value);
    if fits { Ok(value) } else { Err("0 to 1,000 is possible".to_owned()) }
}
