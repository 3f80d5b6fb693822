//! Waits a bounded time for what another process is about to give back: an address whose server was
//! just killed, a directory that a command is changing.
//!
//! # Does not
//!
//! Decide what is worth waiting for: the caller does.

use std::thread;
use std::time::Duration;

use crate::observe::clock;

/// Wait for an address: the kernel gives back sockets of a ring some 20 ms after its process ended.
pub const ADDRESS: Duration = Duration::from_secs(2);
/// Wait for the lock of a snapshot directory: `whoisd apply` holds it for the time of its batch.
pub const LOCK: Duration = Duration::from_secs(10);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// Tries until it goes well, fails for another reason than `is_held`, or `longest` is over. Says
/// what it waits for, once, with the error of the first try.
pub fn patiently<T, E: std::fmt::Display>(
    longest: Duration,
    is_held: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let begun = clock::monotonic();
    let mut said = false;
    loop {
        let error = match attempt() {
            Err(error) if is_held(&error) => error,
            outcome => return outcome,
        };
        if clock::monotonic().saturating_duration_since(begun) >= longest {
            return Err(error);
        }
        if !said {
            said = true;
            let longest_s = longest.as_secs();
            tracing::info!(held = %error, longest_s, "waiting for another process");
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_waited_for_and_nothing_else() {
        let mut tries = 0;
        let attempt = || {
            tries += 1;
            if tries < 3 { Err("held") } else { Ok(tries) }
        };
        assert_eq!(patiently(LOCK, |error| *error == "held", attempt), Ok(3));
        let mut tries = 0;
        let attempt = || {
            tries += 1;
            Err::<(), _>("broken")
        };
        assert_eq!(patiently(LOCK, |error| *error == "held", attempt), Err("broken"));
        assert_eq!(tries, 1);
        let held = patiently(Duration::ZERO, |_| true, || Err::<(), _>("held"));
        assert_eq!(held, Err("held"));
    }
}
