//! stub
use std::process::ExitCode;
/// x
#[derive(Debug, clap::Args)]
pub(super) struct Options {}
pub(super) fn run(_: &Options) -> Result<ExitCode, String> {
    Ok(ExitCode::SUCCESS)
}
