//! The answer to `help` (RFC 9083 section 7): what can be asked.
//!
//! # Does not
//!
//! Say what the caller may ask still: limits are in the header of an answer over them.

use super::AnswerResult;
use super::document::Document;
use super::site::{Notices, Site};

const HELP: &[u8] = concat!(
    r#"{"title":"RDAP Help","description":["#,
    r#""domain/NAME: a domain by its A-label or U-label form","#,
    r#""nameserver/NAME: a nameserver","#,
    r#""nameservers?ip=ADDRESS: the nameservers with an IPv4 or IPv6 address","#,
    r#""entity/HANDLE: a registrar by its IANA identifier or its name; a contact by its handle","#,
    r#""help: this answer"]}"#,
)
.as_bytes();

/// Answers `help`.
pub(super) fn help(site: &Site<'_>, out: &mut Document) -> AnswerResult {
    let rule = site.defaults();
    site.begin(rule.rule(), out);
    out.raw(b"{\"lang\":\"en\"");
    // Help names every extension that some answer uses (RFC 9083 section 4.1).
    site.end(rule.rule(), Notices::Terms, true, Some(HELP), out);
    AnswerResult::Help
}
