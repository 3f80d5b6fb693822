//! Tells the service manager how the server fares (`sd_notify`, Type=notify); without one, nothing.
//!
//! # Invariants
//!
//! - `ready-last`: until [`ready`] has been called, a reload tells nothing: its end would be taken
//!   for the end of the start.
//!
//! # Does not
//!
//! Fail: a server serves whether a message arrives or not.

use std::sync::atomic::{AtomicBool, Ordering};

use sd_notify::NotifyState;

static IS_READY: AtomicBool = AtomicBool::new(false);

/// The listeners are open and the data loaded; `status` is shown by `systemctl status`.
pub fn ready(status: &str) {
    IS_READY.store(true, Ordering::Relaxed);
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A reload begins, or has ended.
pub fn reloading(begins: bool) {
    if !IS_READY.load(Ordering::Relaxed) {
        return;
    }
    if !begins {
        return tell(&[NotifyState::Ready]);
    }
    // Type=notify-reload, which an operator may set, wants the time with it.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The server drains.
pub fn stopping() {
    IS_READY.store(false, Ordering::Relaxed);
    tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
