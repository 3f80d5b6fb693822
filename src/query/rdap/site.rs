//! What every answer has around its record: links, the last update, notices, conformance.
//!
//! # Invariants
//!
//! - `reserved`: [`Site::begin`] keeps room for all of the tail.
//! - `one base`: links begin with the public base URL of the rule, or else with that of the server:
//!   never with what a client says it has asked.
//!
//! # Does not
//!
//! Look anything up.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::document::{Document, List};
use super::redacted::Hidden;
use crate::policy::{Rule, Rules, Tier, TierRule};
use crate::view::{Data, View};

/// Extensions that every answer names (RFC 9083 section 4.1; ICANN's technical implementation guide
/// 2.2, section 1.3, and response profile 2.2, section 1.2).
const CONFORMANCE: &[u8] = concat!(
    r#","rdapConformance":["rdap_level_0","icann_rdap_response_profile_1","#,
    r#""icann_rdap_technical_implementation_guide_1""#,
)
.as_bytes();

/// Response profile 2.2, section 2.6.3.
const STATUS_CODES: &[u8] = concat!(
    r#"{"title":"Status Codes","description":["For more information on domain status codes, "#,
    r#"please visit https://icann.org/epp"],"links":[{"rel":"glossary","type":"text/html","#,
    r#""href":"https://icann.org/epp","value":""#,
)
.as_bytes();
/// Response profile 2.2, section 2.10.
const COMPLAINT_FORM: &[u8] = concat!(
    r#"{"title":"RDDS Inaccuracy Complaint Form","description":["URL of the ICANN RDDS "#,
    r#"Inaccuracy Complaint Form: https://icann.org/wicf"],"links":[{"rel":"help","#,
    r#""type":"text/html","href":"https://icann.org/wicf","value":""#,
)
.as_bytes();
const TERMS: &[u8] = br#"{"title":"Terms of Service","description":"#;
const TERMS_LINK: &[u8] = br#","links":[{"rel":"terms-of-service","type":"text/html","href":""#;
const LINK_VALUE: &[u8] = br#"","value":""#;
const NOTICE_END: &[u8] = br#""}]}"#;

/// All entries of `redacted` and the constant parts of the tail, bytes: five roles of thirteen
/// fields, each less than 400 bytes.
const TAIL_BYTES_MAX: usize = 5 * 13 * 400 + 4_096;
/// Places of an answer's tail that have the URL that was asked.
const URLS_OF_TAIL: usize = 8;

/// What an answer is made from.
pub(super) struct Site<'a> {
    pub(super) view: &'a View,
    pub(super) data: &'a Data,
    pub(super) rules: &'a Rules,
    pub(super) tier: Tier,
    /// Base URL of the server, where a rule has none.
    base: &'a str,
    /// What was asked, below the base URL.
    target: &'a str,
}

/// Which notices an answer has besides the terms of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notices {
    Terms,
    /// Those of a domain.
    Domain,
}

impl<'a> Site<'a> {
    pub(super) const fn new(
        view: &'a View,
        data: &'a Data,
        (rules, tier): (&'a Rules, Tier),
        (base, target): (&'a str, &'a str),
    ) -> Self {
        Self { view, data, rules, tier, base, target }
    }

    /// The rule of a name, as the caller sees it.
    #[inline]
    pub(super) fn rule_of(&self, name: &str) -> TierRule<'a> {
        self.rules.of_name(name).seen_by(self.tier)
    }

    /// The rule of answers that belong to no suffix, as the caller sees it.
    #[inline]
    pub(super) fn defaults(&self) -> TierRule<'a> {
        self.rules.defaults().seen_by(self.tier)
    }

    /// The base URL under a rule.
    pub(super) fn base(&self, rule: &'a Rule) -> &'a str {
        if rule.rdap.url.is_empty() { self.base } else { &rule.rdap.url }
    }

    /// Starts an answer under `rule`.
    pub(super) fn begin(&self, rule: &'a Rule, out: &mut Document) {
        let url = self.base(rule).len().saturating_add(self.target.len());
        let urls = url.saturating_mul(URLS_OF_TAIL);
        let terms = rule.rdap.bytes_max();
        out.begin(TAIL_BYTES_MAX.saturating_add(urls).saturating_add(terms));
    }

    /// The URL that was asked.
    fn url(&self, rule: &'a Rule, out: &mut Document) {
        out.raw(self.base(rule).as_bytes());
        out.raw(self.target.as_bytes());
    }

    /// The event of the last update, a further one of a list that is open.
    pub(super) fn last_update(&self, events: &mut List, out: &mut Document) {
        // A generation always has a time; one outside the calendar reads as the epoch.
        let as_of_ms = Some(self.view.as_of_ms()).filter(|ms| *ms > 0).unwrap_or(0);
        event(events, b"\"last update of RDAP database\"", as_of_ms, out);
    }

    /// The links of a record's own answer: to itself, at `path` and `key`, and to what `related`
    /// writes.
    pub(super) fn links(
        &self,
        rule: &'a Rule,
        (path, key): (&[u8], &str),
        related: Option<&dyn Fn(&mut Document)>,
        out: &mut Document,
    ) {
        out.raw(b",\"links\":[");
        if let Some(related) = related {
            out.raw(b"{\"rel\":\"related\",\"type\":\"application/rdap+json\",\"href\":\"");
            related(out);
            out.raw(LINK_VALUE);
            self.url(rule, out);
            out.raw(b"\"},");
        }
        out.raw(b"{\"rel\":\"self\",\"type\":\"application/rdap+json\",\"href\":\"");
        out.raw(self.base(rule).as_bytes());
        out.raw(path);
        out.inside(key.as_bytes());
        out.raw(LINK_VALUE);
        self.url(rule, out);
        out.raw(b"\"}]");
    }

    /// Ends an answer: what is hidden, notices, conformance.
    pub(super) fn finish(
        &self,
        rule: &'a Rule,
        notices: Notices,
        hidden: &Hidden,
        out: &mut Document,
    ) {
        hidden.write(b"", out);
        self.end(rule, notices, hidden.any(), None, out);
    }

    /// Ends an answer whose entries of `redacted` are written, if it has `any`; `more` is a notice
    /// of its own.
    pub(super) fn end(
        &self,
        rule: &'a Rule,
        notices: Notices,
        any: bool,
        more: Option<&[u8]>,
        out: &mut Document,
    ) {
        out.end_body();
        out.raw(b",\"notices\":[");
        if let Some(more) = more {
            out.raw(more);
            out.raw(b",");
        }
        if notices == Notices::Domain {
            out.raw(STATUS_CODES);
            self.url(rule, out);
            out.raw(NOTICE_END);
            out.raw(b",");
            if rule.complaint_form {
                out.raw(COMPLAINT_FORM);
                self.url(rule, out);
                out.raw(NOTICE_END);
                out.raw(b",");
            }
        }
        self.terms(rule, out);
        out.raw(b"]");
        out.raw(CONFORMANCE);
        if any {
            out.raw(b",\"redacted\"");
        }
        out.raw(b"]}");
    }

    fn terms(&self, rule: &'a Rule, out: &mut Document) {
        out.raw(TERMS);
        out.raw(rule.rdap.terms.as_bytes());
        out.raw(TERMS_LINK);
        if rule.rdap.terms_url.is_empty() {
            out.raw(self.base(rule).as_bytes());
            out.raw(b"help");
        } else {
            out.raw(rule.rdap.terms_url.as_bytes());
        }
        out.raw(LINK_VALUE);
        self.url(rule, out);
        out.raw(NOTICE_END);
    }
}

/// The list of an object's events.
pub(super) const fn events() -> List {
    List::new(b",\"events\":[")
}

/// Writes an event, whose action is a JSON string; nothing without a time.
pub(super) fn event(events: &mut List, action: &[u8], ms: i64, out: &mut Document) {
    if ms == i64::MIN {
        return;
    }
    let written = out.element(events, |out| {
        out.raw(b"{\"eventAction\":");
        out.raw(action);
        out.time(b",\"eventDate\":\"", ms, b"\"}");
        Ok(())
    });
    // The closure reads no record.
    debug_assert!(written.is_ok(), "an event has no record to be damaged");
}
