//! `[limits]`, `[blocks]`, `[mining]`, `[site]`: what guards the service.
//!
//! # Does not
//!
//! Connect to a site's server, or read the file of blocks: `warden` does.

use redis::IntoConnectionInfo;

use crate::policy::display::settings::answer_line;
use crate::policy::mining::CANARIES_MAX;
use crate::warden::{CHANNEL_BYTES_MAX, NAME_BYTES_MAX};

/// Longest contact that a refusal shows, bytes.
const CONTACT_BYTES_MAX: usize = 200;

/// Longest name of a canary record, bytes: a longer one would never be seen whole.
const CANARY_BYTES_MAX: usize = NAME_BYTES_MAX;

/// Checks what a refusal shows as its contact: as one of a list's entry; empty for none.
pub(super) fn contact(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { answer_line(text, CONTACT_BYTES_MAX) }
}

/// Checks names of canary records.
pub(super) fn canaries(names: &[String]) -> Result<(), String> {
    if names.len() > CANARIES_MAX {
        return Err(format!("{} names, expected at most {CANARIES_MAX}", names.len()));
    }
    let is_none = |name: &&String| {
        name.is_empty()
            || name.len() > CANARY_BYTES_MAX
            || !name.bytes().all(|b| b.is_ascii_graphic())
    };
    let none: Vec<_> = names.iter().filter(is_none).map(|name| format!("{name:?}")).collect();
    if none.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} is not a name of 1 to {CANARY_BYTES_MAX} letters, digits, hyphens and dots; write IDNs \
         as A-labels",
        none.join(", ")
    ))
}

/// Checks the address of a site's server.
pub(super) fn redis(url: &str) -> Result<(), String> {
    let wrong = "expected \"redis://127.0.0.1:6379\"";
    // The address is not quoted: it may hold a password, although it should not.
    let not_redis = |_| format!("is not the address of a Redis server; {wrong}");
    let server = url.into_connection_info().map_err(not_redis)?;
    let settings = server.redis_settings();
    if settings.username().is_some() || settings.password().is_some() {
        return Err("the address holds a user or a password, which would be shown; put one line \
                    \"user:password\" into a file and name it as site.credentials"
            .to_owned());
    }
    redis::Client::open(server).map(drop).map_err(not_redis)
}

/// Checks the name of a site's channel.
pub(super) fn channel(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if name.is_empty() || name.len() > CHANNEL_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(format!(
            "{name:?} is not a name of 1 to {CHANNEL_BYTES_MAX} letters, digits and `-_.:`"
        ));
    }
    Ok(())
}
