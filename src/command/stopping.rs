//! Signals that stop a command between two steps, so that it leaves nothing half done.
//!
//! # Does not
//!
//! Stop: the command looks at the flag.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGHUP;

use super::Failure;

/// A flag that the first SIGINT or SIGTERM sets; a second one ends the process at once.
pub(super) fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(Failure::failed)?;
    }
    Ok(stop)
}

/// A terminal that goes away stops the import as well, unless it was started to outlive it
/// (`nohup`).
pub(super) fn stop_at_hang_up(stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let hang_up = 1 << (SIGHUP - 1);
    if ignored & hang_up == 0 {
        signal_hook::flag::register(SIGHUP, Arc::clone(stop)).map_err(Failure::failed)?;
    }
    Ok(())
}
