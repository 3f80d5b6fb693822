//! What a request of HTTP asks, and the headers of its answer: pure functions (RFC 7480, RFC 9110,
//! ICANN's technical implementation guide 2.2).
//!
//! # Invariants
//!
//! - `any body is RDAP`: whatever is refused here has a status and a sentence, of which the query
//!   module makes a whole RDAP error.
//! - `no redirect`: every form of a name is answered where it was asked; some clients do not
//!   follow.
//!
//! # Does not
//!
//! Look anything up, or read sockets.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use http::header::{ACCEPT, HOST, HeaderMap};
use http::{Method, Uri, Version};
use whoisd::query::rdap::{Status, TARGET_BYTES_MAX};

/// Media type of answers (RFC 7480 section 4.2).
pub(crate) const RDAP_JSON: &str = "application/rdap+json";
/// Methods that are answered, as `Allow` names them.
pub(crate) const METHODS: &str = "GET, HEAD, OPTIONS";

/// Longest `Accept` that is looked at, bytes; a longer one accepts anything.
const ACCEPT_BYTES_MAX: usize = 4096;

/// What a request asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked<'a> {
    /// An answer to what comes after the base URL.
    Rdap(&'a str),
    /// What a browser asks before it lets a script ask.
    Preflight,
    /// Nothing that is answered.
    Refused(Status, &'static str),
}

/// A method that is not answered.
pub(crate) const METHOD_NOT_ALLOWED: Status = Status::new(405, "Method Not Allowed");
/// A type that answers do not have.
pub(crate) const NOT_ACCEPTABLE: Status = Status::new(406, "Not Acceptable");
/// A path or parameters that are too long.
pub(crate) const URI_TOO_LONG: Status = Status::new(414, "URI Too Long");
/// A head that does not end (RFC 9110 section 15.5.9).
const REQUEST_TIMEOUT: Status = Status::new(408, "Request Timeout");
/// A head that is too long, or has too many fields.
const HEAD_TOO_LARGE: Status = Status::new(431, "Request Header Fields Too Large");

const TARGET_TOO_LONG: &str = "Path and parameters may have 4096 bytes.";

/// Bytes of a head; also of what is read ahead.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Fields of a head.
pub(crate) const HEAD_FIELDS_MAX: usize = 64;

/// What is wrong with a head that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Malformed,
    /// It did not end in time.
    Late,
    HeadTooLarge,
    TargetTooLong,
}

impl Wrong {
    /// What its client reads.
    pub(crate) const fn refusal(self) -> (Status, &'static str) {
        match self {
            Self::Malformed => (
                Status::BAD_REQUEST,
                "This does not read as a request of HTTP/1.1 (RFC 9112); expected a line such as \
                 GET PATH HTTP/1.1, a line NAME: VALUE for each field, and an empty line.",
            ),
            Self::Late => (
                REQUEST_TIMEOUT,
                "The head of the request did not end in time; send it in one piece.",
            ),
            Self::HeadTooLarge => (
                HEAD_TOO_LARGE,
                "A request may have 64 fields, and 16384 bytes with the line before them.",
            ),
            Self::TargetTooLong => (URI_TOO_LONG, TARGET_TOO_LONG),
        }
    }
}

/// What a request asks of a server whose RDAP lies below `mount`, a path with both slashes.
pub(crate) fn asked<'a>(
    method: &Method,
    uri: &'a Uri,
    headers: &HeaderMap,
    mount: &str,
) -> Asked<'a> {
    if method == Method::OPTIONS {
        return Asked::Preflight;
    }
    if method != Method::GET && method != Method::HEAD {
        return Asked::Refused(METHOD_NOT_ALLOWED, "RDAP is asked with GET or HEAD.");
    }
    let target = target(uri);
    if target.len() > TARGET_BYTES_MAX {
        return Asked::Refused(URI_TOO_LONG, TARGET_TOO_LONG);
    }
    let Some(target) = target.strip_prefix(mount) else {
        return Asked::Refused(
            Status::NOT_FOUND,
            "There is nothing at this path; RDAP lies below the base URL of this server.",
        );
    };
    if !accepts(headers) {
        return Asked::Refused(
            NOT_ACCEPTABLE,
            "Answers have the type application/rdap+json; accept that, application/json or */*.",
        );
    }
    Asked::Rdap(target)
}

/// Whether a request says which host it asks, once (RFC 9112 section 3.2): HTTP/1.1 has to.
pub(crate) fn names_host(version: Version, uri: &Uri, headers: &HeaderMap) -> bool {
    version != Version::HTTP_11
        || uri.authority().is_some()
        || headers.get_all(HOST).iter().count() == 1
}

/// What a request reads that does not.
pub(crate) const NO_HOST: &str =
    "A request of HTTP/1.1 has one field Host (RFC 9112 section 3.2), such as Host: rdap.example.";

/// What the query log names of a request that is refused before RDAP is read: what comes after the
/// base URL, as for others, or all of a path that lies elsewhere.
pub(crate) fn named<'a>(uri: &'a Uri, mount: &str) -> &'a str {
    let target = target(uri);
    target.strip_prefix(mount).unwrap_or(target)
}

fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}

/// Whether a client takes what we send. A header that cannot be read accepts anything: an answer is
/// worth more than a rule.
fn accepts(headers: &HeaderMap) -> bool {
    let mut any = false;
    for value in headers.get_all(ACCEPT) {
        any = true;
        let Ok(value) = value.to_str() else { return true };
        if value.len() > ACCEPT_BYTES_MAX || split(value, ',').any(accepts_range) {
            return true;
        }
    }
    !any
}

/// Whether a media range (RFC 9110 section 12.5.1) holds our type, with a weight above nothing.
fn accepts_range(range: &str) -> bool {
    let mut parts = split(range, ';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let is_ours = ["application/rdap+json", "application/json", "application/*", "*/*", ""]
        .iter()
        .any(|ours| ours.eq_ignore_ascii_case(kind));
    let is_none =
        |weight: &str| !weight.is_empty() && weight.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    is_ours
        && !parts.any(|part| {
            let weight =
                part.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
            weight.is_some_and(|(_, weight)| is_none(weight.trim()))
        })
}

/// The parts of a text between separators that are not in quotation marks.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, uri: &str, accept: &[&str]) -> Result<String, u16> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        match asked(&method, &uri.parse().unwrap(), &headers, "/rdap/") {
            Asked::Rdap(target) => Ok(target.to_owned()),
            Asked::Preflight => Ok("preflight".to_owned()),
            Asked::Refused(status, _) => Err(status.code),
        }
    }

    #[test]
    fn refusals_name_the_bounds_that_hold() {
        let text = |wrong: Wrong| wrong.refusal().1;
        for bound in [HEAD_FIELDS_MAX, HEAD_BYTES_MAX] {
            assert!(text(Wrong::HeadTooLarge).contains(&format!(" {bound} ")), "{bound}");
        }
        assert!(text(Wrong::TargetTooLong).contains(&format!(" {TARGET_BYTES_MAX} ")));
    }

    #[test]
    fn a_path_below_the_mount_is_asked_for() {
        let get = |uri| of(Method::GET, uri, &[]);
        assert_eq!(get("/rdap/domain/a.example?x=1"), Ok("domain/a.example?x=1".to_owned()));
        assert_eq!(get("https://h.example/rdap/help"), Ok("help".to_owned()));
        assert_eq!(get("/rdap/"), Ok(String::new()));
        for elsewhere in ["/", "/rdap", "/RDAP/help", "/domain/a.example"] {
            assert_eq!(get(elsewhere), Err(404), "{elsewhere}");
        }
        assert_eq!(get(&format!("/rdap/{}", "a".repeat(4_096))), Err(414));
        assert_eq!(of(Method::HEAD, "/rdap/help", &[]), Ok("help".to_owned()));
        assert_eq!(of(Method::OPTIONS, "/anything", &[]), Ok("preflight".to_owned()));
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::TRACE, Method::PATCH] {
            assert_eq!(of(method, "/rdap/help", &[]), Err(405));
        }
    }

    #[test]
    fn clients_say_in_many_ways_that_they_take_json() {
        let accepted = |accept: &[&str]| of(Method::GET, "/rdap/help", accept).is_ok();
        assert!(accepted(&[]));
        for one in [
            "application/rdap+json",
            "application/json",
            "*/*",
            "application/*;q=0.1",
            "text/html, application/xhtml+xml, */*;q=0.8",
            "Application/RDAP+JSON; charset=utf-8",
            r#"application/rdap+json;exts_list="cidr0 exts, redacted; q=0", application/json"#,
            "",
        ] {
            assert!(accepted(&[one]), "{one}");
        }
        assert!(accepted(&["text/html", "application/json"]));
        for one in [
            "text/html",
            "application/xml",
            "application/json;q=0",
            "application/rdap+json; q=0.000",
            r#"text/plain;x="a,application/json""#,
        ] {
            assert!(!accepted(&[one]), "{one}");
        }
    }
}
