//! What is said beside an answer, in its head: when to ask again, and how little is left.
//!
//! The second is the line of port 43 that `limits.warn_percent` is about, as fields of
//! draft-ietf-httpapi-ratelimit-headers. It is not a notice of the answer: one record would then
//! have as many entity tags as clients, and no copy of an answer would be known again.
//!
//! # Does not
//!
//! Decide what is scarce: `policy::guard` does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use http::header::{
    ACCESS_CONTROL_EXPOSE_HEADERS, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use whoisd::policy::guard::Charge;
use whoisd::policy::limit::Use;
use whoisd::query::rdap::{AnswerResult, Refusal};
use whoisd::shard::reception::Charged;

/// When to ask again while the index is being built, and when too many searches are under way,
/// seconds.
const BUILDING_AGAIN_S: u64 = 60;
const BUSY_AGAIN_S: u64 = 2;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is said beside an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside {
    /// After how long to ask again, seconds.
    pub(crate) retry_after_s: Option<u64>,
    /// The limit of which little is left.
    scarce: Option<Use>,
}

impl Beside {
    /// Beside an answer of this kind to a request that was charged.
    pub(crate) const fn of(result: AnswerResult, charged: &Charged) -> Self {
        let retry_after_s = match result {
            AnswerResult::Refused(Refusal::Building) => Some(BUILDING_AGAIN_S),
            AnswerResult::Refused(Refusal::Busy) => Some(BUSY_AGAIN_S),
            _ => None,
        };
        let scarce = match charged.charge {
            Charge::Scarce(left) => Some(left),
            _ => None,
        };
        Self { retry_after_s, scarce }
    }

    /// Beside a refusal that ends after `seconds`.
    pub(crate) const fn again_in(seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), scarce: None }
    }

    /// Writes its fields. Scripts of other sites may read no other field than a few, unless these
    /// are named.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let fields = self.scarce.as_ref().and_then(fields);
        let exposed = match (self.retry_after_s, &fields) {
            (None, None) => return,
            (Some(_), None) => "retry-after",
            (None, Some(_)) => "ratelimit, ratelimit-policy",
            (Some(_), Some(_)) => "retry-after, ratelimit, ratelimit-policy",
        };
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
        if let Some((left, policy)) = fields {
            headers.insert(RATE_LIMIT, left);
            headers.insert(RATE_LIMIT_POLICY, policy);
        }
    }
}

/// What is left of a limit, and the limit: `r` requests until all are there again in `t` seconds,
/// of `q` within `w` seconds. Its name is the prefix that it counts for.
fn fields(left: &Use) -> Option<(HeaderValue, HeaderValue)> {
    let (prefix, burst) = (left.prefix, left.level.burst);
    let per_min = u64::from(left.level.queries_per_min.max(1));
    let window_s = u64::from(burst).saturating_mul(60).div_ceil(per_min).max(1);
    let of_left = format!("\"{prefix}\";r={};t={}", left.left, left.full_s);
    let of_policy = format!("\"{prefix}\";q={burst};w={window_s}");
    Some((HeaderValue::try_from(of_left).ok()?, HeaderValue::try_from(of_policy).ok()?))
}

#[cfg(test)]
mod tests {
    use whoisd::policy::limit::Level;

    use super::*;

    fn written(beside: Beside) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        beside.write(&mut headers);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    #[test]
    fn a_limit_of_which_little_is_left_is_named_with_what_is_left() {
        let of = |queries_per_min, burst| {
            let level = Level { length: 32, queries_per_min, burst };
            let prefix = "192.0.2.7/32".parse().unwrap();
            let scarce = Some(Use { prefix, level, left: 7, full_s: 53 });
            let all = written(Beside { retry_after_s: None, scarce });
            let value = |name: &str| {
                let (_, value) = all.iter().find(|(of, _)| of == name).unwrap();
                value.clone()
            };
            let exposed = value("access-control-expose-headers");
            assert_eq!(exposed, "ratelimit, ratelimit-policy");
            (value("ratelimit"), value("ratelimit-policy"))
        };
        let (left, policy) = of(60, 60);
        assert_eq!(left, r#""192.0.2.7/32";r=7;t=53"#);
        assert_eq!(policy, r#""192.0.2.7/32";q=60;w=60"#);
        assert_eq!(of(7, 30).1, r#""192.0.2.7/32";q=30;w=258"#);
        assert_eq!(of(0, 0).1, r#""192.0.2.7/32";q=0;w=1"#);
        assert_eq!(written(Beside::default()), []);
        let again = written(Beside::again_in(9));
        assert!(again.contains(&("retry-after".to_owned(), "9".to_owned())), "{again:?}");
    }
}
