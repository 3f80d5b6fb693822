//! `whois-loadgen report`: a result for people.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::outputs::{is_or_holds, write};
use super::{Failure, output};
use crate::report::{run_html, run_text, sweep_html, sweep_text};
use crate::saved::Saved;

/// Show the result of a run or a sweep: as text, or as one self-contained HTML file
///
/// Which of the two the file holds is seen from its fields.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whois-loadgen report run.json\n  \
    whois-loadgen report sweep.json --html sweep.html\n\n\
    Exit status: 0 done; 1 a file cannot be read or written; 2 wrong usage.")]
pub(super) struct Options {
    /// Result of `run`, `soak` or `sweep`
    #[arg(value_name = "RESULT.json")]
    result: PathBuf,
    /// Write HTML to this file instead of text to standard output; a file that is there is replaced
    #[arg(long, value_name = "OUT.html")]
    html: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    if let Some(html) = options.html.as_deref().filter(|html| is_or_holds(&options.result, html)) {
        let html = html.display();
        return Err(Failure::Usage(format!(
            "--html: {html}: is the result itself; name another file"
        )));
    }
    let saved = output::read(&options.result)?;
    let Some(path) = &options.html else {
        output::print(&match &saved {
            Saved::Run(run) => run_text(run),
            Saved::Sweep(sweep) => sweep_text(sweep),
        })?;
        return Ok(ExitCode::SUCCESS);
    };
    let html = match &saved {
        Saved::Run(run) => run_html(run),
        Saved::Sweep(sweep) => sweep_html(sweep),
    };
    write(path, &html)?;
    Ok(ExitCode::SUCCESS)
}
