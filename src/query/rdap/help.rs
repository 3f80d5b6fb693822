//! The answer to `help` (RFC 9083 section 7): what can be asked.
//!
//! # Does not
//!
//! Say what the caller may ask still: limits are in the header of an answer over them.

use super::AnswerResult;
use super::document::Document;
use super::search::REVERSE_SEARCH_PROPERTIES;
use super::site::{Extensions, Notices, Site};

const HELP: &str = concat!(
    r#"{"title":"RDAP Help","description":["#,
    r#""domain/NAME: a domain by its A-label or U-label form","#,
    r#""nameserver/NAME: a nameserver","#,
    r#""nameservers?ip=ADDRESS: the nameservers with an IPv4 or IPv6 address","#,
    r#""entity/HANDLE: a registrar by its IANA identifier or its name; a contact by its handle","#,
    r#""domains?name=NAME, nameservers?name=NAME: by name, or by a pattern such as exam* or "#,
    r#"exam*.example","#,
);
/// What an index answers.
const OF_INDEX: &str = concat!(
    r#""domains?nsLdhName=NAME, domains?nsIp=ADDRESS: the domains of a nameserver","#,
    r#""entities?fn=NAME, entities?handle=HANDLE: registrars, and contacts that may be found","#,
    r#""domains/reverse_search/entity?fn=, handle=, email=, role=: the domains of an entity, "#,
    r#"over HTTPS alone","#,
);
const HELP_END: &str = concat!(
    r#""sort=, cursor=, count=, fieldSet=: order, pages and fields of a list","#,
    r#""help: this answer"]}"#,
);

/// Answers `help`.
pub(super) fn help(site: &Site<'_>, out: &mut Document) -> AnswerResult {
    let rule = site.defaults();
    site.begin(rule.rule(), out);
    out.raw(b"{\"lang\":\"en\"");
    let has_index = site.index.is_some();
    if has_index {
        out.raw(REVERSE_SEARCH_PROPERTIES);
    }
    // Help names every extension that some answer uses (RFC 9083 section 4.1).
    let extensions = Extensions { reverse_search: has_index, ..Extensions::ALL };
    let of_index = if has_index { OF_INDEX } else { "" };
    let notice = [HELP, of_index, HELP_END].map(str::as_bytes);
    site.end(rule.rule(), Notices::Terms, extensions, &notice, out);
    AnswerResult::Help
}
