//! `[limits]`, `[blocks]`, `[mining]`, `[site]`: what guards the service.
//!
//! # Does not
//!
//! Connect to a site's server, or read the file of blocks: `warden` does.

use redis::IntoConnectionInfo;

use super::value::ValueError;
use crate::policy::display::settings::answer_line;
use crate::policy::mining::CANARIES_MAX;
use crate::warden::{CHANNEL_BYTES_MAX, NAME_BYTES_MAX};

/// Longest contact that a refusal shows, bytes.
const CONTACT_BYTES_MAX: usize = 200;

/// Longest name of a canary record, bytes: a longer one would never be seen whole.
pub(super) const CANARY_BYTES_MAX: usize = NAME_BYTES_MAX;

/// Checks what a refusal shows as its contact: as one of a list's entry; empty for none.
pub(super) fn contact(text: &str) -> Result<(), ValueError> {
    if text.is_empty() { Ok(()) } else { Ok(answer_line(text, CONTACT_BYTES_MAX)?) }
}

/// Checks names of canary records.
pub(super) fn canaries(names: &[String]) -> Result<(), ValueError> {
    if names.len() > CANARIES_MAX {
        return Err(ValueError::CanaryCount { got: names.len() });
    }
    let is_none = |name: &&String| {
        name.is_empty()
            || name.len() > CANARY_BYTES_MAX
            || !name.bytes().all(|b| b.is_ascii_graphic())
    };
    let none: Vec<_> = names.iter().filter(is_none).cloned().collect();
    if none.is_empty() { Ok(()) } else { Err(ValueError::Canaries { names: none }) }
}

/// Checks the address of a site's server.
pub(super) fn redis(url: &str) -> Result<(), ValueError> {
    let not_redis = |_| ValueError::Redis;
    let server = url.into_connection_info().map_err(not_redis)?;
    let settings = server.redis_settings();
    if settings.username().is_some() || settings.password().is_some() {
        return Err(ValueError::RedisPassword);
    }
    redis::Client::open(server).map(drop).map_err(not_redis)
}

/// Checks the name of a site's channel.
pub(super) fn channel(name: &str) -> Result<(), ValueError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if name.is_empty() || name.len() > CHANNEL_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(ValueError::Channel { name: name.to_owned() });
    }
    Ok(())
}
