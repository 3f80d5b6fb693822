//! From when until when a certificate holds.
//!
//! # Does not
//!
//! Decide what is served: an expired certificate is, since a client may still take it.

use std::fmt::{self, Display};

use snapshot_format::dump::Utc;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;

/// From when until when a certificate holds, both included, seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) begin_s: i64,
    pub(crate) end_s: i64,
}

/// How a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It will be valid.
    Early,
    Valid,
    Expired,
}

impl Validity {
    /// That of a certificate in DER; `None` if it is not as RFC 5280 has it.
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let validity = Certificate::from_der(certificate).ok()?.tbs_certificate.validity;
        let seconds = |time: Time| i64::try_from(time.to_unix_duration().as_secs()).ok();
        Some(Self { begin_s: seconds(validity.not_before)?, end_s: seconds(validity.not_after)? })
    }

    /// How it stands at a time.
    pub(crate) const fn standing(&self, now_s: i64) -> Standing {
        if now_s < self.begin_s {
            Standing::Early
        } else if now_s > self.end_s {
            Standing::Expired
        } else {
            Standing::Valid
        }
    }
}

/// A second since the epoch as people read it.
pub(crate) struct Second(pub(crate) i64);

impl Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Utc(self.0.saturating_mul(1_000)).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_validity_belong_to_it() {
        let validity = Validity { begin_s: 10, end_s: 20 };
        let standings = [9, 10, 20, 21].map(|now_s| validity.standing(now_s));
        assert_eq!(
            standings,
            [Standing::Early, Standing::Valid, Standing::Valid, Standing::Expired]
        );
        assert_eq!(Second(1_800_000_000).to_string(), "2027-01-15T08:00:00Z");
        assert_eq!(Validity::of(b"\x30\x03\x02\x01\x01"), None);
    }
}
