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

use super::Caller;
use super::document::{Document, List};
use super::redacted::Hidden;
use crate::idn::Short;
use crate::policy::{Rule, Rules, Tier, TierRule};
use crate::query::search::Index;
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
/// Longest name of a domain with a label before it, bytes.
const NAME_BYTES_MAX: usize = 256;
/// Places of an answer's tail that have the URL that was asked.
const URLS_OF_TAIL: usize = 10;

/// Extensions that an answer uses besides those of every answer (RFC 9083 section 4.1).
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Extensions {
    /// RFC 9537.
    pub(super) redacted: bool,
    /// RFC 8977.
    pub(super) paging: bool,
    /// RFC 8977.
    pub(super) sorting: bool,
    /// RFC 8982.
    pub(super) subsetting: bool,
    /// RFC 9536.
    pub(super) reverse_search: bool,
}

impl Extensions {
    /// All that some answer uses.
    pub(super) const ALL: Self = Self {
        redacted: true,
        paging: true,
        sorting: true,
        subsetting: true,
        reverse_search: true,
    };

    fn write(self, out: &mut Document) {
        let named: [(bool, &[u8]); 5] = [
            (self.redacted, b",\"redacted\""),
            (self.paging, b",\"paging\""),
            (self.sorting, b",\"sorting\""),
            (self.subsetting, b",\"subsetting\""),
            (self.reverse_search, b",\"reverse_search\""),
        ];
        for (_, name) in named.into_iter().filter(|(is_used, _)| *is_used) {
            out.raw(name);
        }
    }
}

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
    /// What searches ask, if there is one.
    pub(super) index: Option<&'a dyn Index>,
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
        rules: &'a Rules,
        caller: &Caller<'a>,
    ) -> Self {
        let Caller { tier, base, target, index } = *caller;
        Self { view, data, rules, tier, base, target, index }
    }

    /// The rule of a name, as the caller sees it.
    #[inline]
    pub(super) fn rule_of(&self, name: &str) -> TierRule<'a> {
        self.rules.of_name(name).seen_by(self.tier)
    }

    /// The rule of the names below a suffix, as the caller sees it.
    pub(super) fn rule_of_suffix(&self, suffix: &str) -> TierRule<'a> {
        // Any name will do: rules are found by what follows its first label.
        let mut name = Short::<NAME_BYTES_MAX>::new();
        let fits = name.push_all(b"x.") && name.push_all(suffix.as_bytes());
        self.rule_of(if fits { name.as_str() } else { suffix })
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
    pub(super) fn url(&self, rule: &'a Rule, out: &mut Document) {
        out.raw(self.base(rule).as_bytes());
        out.raw(self.target.as_bytes());
    }

    /// The URL that was asked, with another value of a parameter.
    pub(super) fn url_with(&self, rule: &'a Rule, (name, value): (&str, &str), out: &mut Document) {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        out.raw(self.base(rule).as_bytes());
        out.raw(path.as_bytes());
        let is_other = |pair: &&str| pair.split('=').next() != Some(name);
        let mut head: &[u8] = b"?";
        for pair in query.split('&').filter(is_other).filter(|pair| !pair.is_empty()) {
            out.raw(head);
            out.raw(pair.as_bytes());
            head = b"&";
        }
        out.raw(head);
        out.raw(name.as_bytes());
        out.raw(b"=");
        out.raw(value.as_bytes());
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
        let extensions = Extensions { redacted: hidden.any(), ..Extensions::default() };
        self.end(rule, notices, extensions, &[], out);
    }

    /// Ends an answer that is written but for its notices; `more` are the
    /// parts of a notice of its own.
    pub(super) fn end(
        &self,
        rule: &'a Rule,
        notices: Notices,
        extensions: Extensions,
        more: &[&[u8]],
        out: &mut Document,
    ) {
        out.end_body();
        out.raw(b",\"notices\":[");
        for part in more {
            out.raw(part);
        }
        if !more.is_empty() {
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
        extensions.write(out);
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
