//! The frame around the record of every answer: header, last-update line, status-code line,
//! disclaimer; and the answers that are nothing but a frame: refusals, help, not found.
//!
//! # Invariants
//!
//! - Every answer ends in the last-update line and its rule's tail: [`Answer::begin`] reserves
//!   their room.
//! - A refusal's first line is `%ERROR:<CODE> <text>`; further lines begin with `% `.
//! - Texts of ours hold none of the words by which programs decide "free" or "registered".
//!
//! # Does not
//!
//! Look anything up.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;

use super::answer::Answer;
use super::parse::Refusal;
use super::quota::{self, Refused};
use super::{AnswerResult, Caller};
use crate::field::Heading;
use crate::policy::limit::Use;
use crate::policy::{Rule, Rules, Tier, TierRule};
use crate::query::find::{Above, ListEnd};
use crate::query::number::Decimal;
use crate::query::{QueryKind, Shown};
use crate::view::{Data, View};

const COMPLAINT_FORM: &[u8] = b"URL of the ICANN Whois Inaccuracy Complaint Form: \
    https://www.icann.org/wicf/\r\n";

const HELP: &[u8] = b"\
% Send one line. Keywords may be in any case.\r\n\
%\r\n\
%   NAME                      a domain, or else a name server\r\n\
%   domain NAME               a domain alone; also: dom, do\r\n\
%   nameserver NAME           a name server; also: host, ns\r\n\
%   nameserver ADDRESS        the name servers with an IPv4 or IPv6 address\r\n\
%   registrar NAME            a registrar by its name or IANA ID; also: re\r\n\
%   registrar PART            the registrars whose names have these words\r\n\
%   contact ID                a contact; also: co\r\n\
%   roid ID                   whatever has this repository object ID; also: id\r\n\
%   help, ?                   this text\r\n\
%   limits                    your limits, and what is left of them; costs nothing\r\n\
%\r\n\
% Names may be typed in Unicode (UTF-8) or as A-labels. In names of domains,\r\n\
% name servers and registrars, % or * stands for any run of characters and _\r\n\
% for one; in the first two not among the first 5 characters. 50 names are\r\n\
% listed. A record of exactly that name goes before a pattern.\r\n\
% =NAME or full NAME shows every match whole, $NAME or sum NAME lists them;\r\n\
% both may also follow a keyword.\r\n";

const SEARCH_STOPPED: &[u8] =
    b"The search stopped at its limit of steps; there may be further ones.";

const BELOW_REGISTERED: &[u8] = b"% The name lies below the registered domain ";
const BELOW_KEPT_BACK: &[u8] = b"% The name lies below a name that the registry keeps back: ";
const SUFFIXES: &[u8] = b"% This server answers for names under:\r\n";
const MORE_RECORDS: &[u8] = b"There are more records than this answer shows.";

/// Longest line of served suffixes, bytes.
const SUFFIX_LINE_BYTES_MAX: usize = 72;
/// Most lines of served suffixes in one answer.
const SUFFIX_LINES_MAX: usize = 100;

/// What an answer is made from.
pub(super) struct Site<'a> {
    pub(super) view: &'a View,
    pub(super) snapshot: &'a Data,
    pub(super) rules: &'a Rules,
    pub(super) tier: Tier,
    pub(super) as_of_ms: i64,
    /// What is asked for, which an answer without a record says.
    asked: QueryKind,
    /// How little is left to the client, which the answer reports.
    scarce: Option<Use>,
}

impl<'a> Site<'a> {
    #[inline]
    pub(super) fn new(view: &'a View, rules: &'a Rules, tier: Tier) -> Self {
        let (snapshot, as_of_ms) = (view.data(), view.as_of_ms());
        Self { view, snapshot, rules, tier, as_of_ms, asked: QueryKind::Unreadable, scarce: None }
    }

    /// The same, for a query of this kind.
    #[inline]
    pub(super) fn asked(self, asked: QueryKind) -> Self {
        Self { asked, ..self }
    }

    /// The same, saying what little is left to the caller.
    #[inline]
    pub(super) fn telling(self, scarce: Option<Use>) -> Self {
        Self { scarce, ..self }
    }

    /// The rule of a name, as the client sees it.
    #[inline]
    pub(super) fn rule_of(&self, name: &str) -> TierRule<'a> {
        self.rules.of_name(name).seen_by(self.tier)
    }

    /// The rule of answers that belong to no suffix, as the client sees it.
    #[inline]
    pub(super) fn defaults(&self) -> TierRule<'a> {
        self.rules.defaults().seen_by(self.tier)
    }
}

/// Which tail an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// The disclaimer.
    Plain,
    /// The status-code line before it: the answer shows statuses.
    Statuses,
    /// The same, after records that end in the complaint-form line.
    Domains,
}

/// Starts an answer under `rule`.
pub(super) fn begin(rule: &Rule, out: &mut Answer) {
    out.begin(rule.tail_with_statuses.len());
    out.raw(&rule.header);
}

/// Ends an answer.
pub(super) fn finish(site: &Site<'_>, rule: &Rule, tail: Tail, out: &mut Answer) {
    out.end_body();
    out.known_time(b">>> Last update of WHOIS database: ", site.as_of_ms, b" <<<");
    if let Some(left) = &site.scarce {
        quota::scarce(left, out);
    }
    out.raw(match tail {
        Tail::Plain => &rule.tail,
        Tail::Statuses | Tail::Domains => &rule.tail_with_statuses,
    });
}

/// A line about the answer itself. Used after the body, where room is reserved.
fn note(out: &mut Answer, text: &[u8]) {
    out.end_body();
    out.line_of(&[b"% ", text]);
}

/// The line after `No Data Found`, which not every program knows: what they all know is `not
/// found`, many of them with `Domain` before it.
const fn not_found_note(asked: QueryKind) -> &'static [u8] {
    match asked {
        QueryKind::Domain | QueryKind::DomainPattern => b"% Domain not found.\r\n",
        QueryKind::Nameserver | QueryKind::NameserverPattern | QueryKind::Address => {
            b"% Name server not found.\r\n"
        }
        QueryKind::Registrar | QueryKind::RegistrarPattern => b"% Registrar not found.\r\n",
        QueryKind::Contact => b"% Contact not found.\r\n",
        QueryKind::Roid | QueryKind::Help | QueryKind::Limits | QueryKind::Unreadable => {
            b"% Object not found.\r\n"
        }
    }
}

/// The lines that say that there is no such record.
fn no_record(site: &Site<'_>, rule: &Rule, out: &mut Answer) {
    out.raw(&rule.not_found);
    if !rule.not_found_is_own {
        out.raw(not_found_note(site.asked));
    }
}

/// Says that there is no such record, with the name that is there above it, if there is one: a host
/// below a domain is not free.
pub(super) fn not_found(
    site: &Site<'_>,
    rule: &Rule,
    above: Option<Above<'_>>,
    out: &mut Answer,
) -> AnswerResult {
    begin(rule, out);
    no_record(site, rule, out);
    match above {
        None => {}
        Some(Above::Registered(name)) => {
            out.line_of(&[BELOW_REGISTERED, name.as_bytes()]);
        }
        Some(Above::KeptBack(name)) => {
            out.line_of(&[BELOW_KEPT_BACK, name.as_bytes()]);
        }
    }
    finish(site, rule, Tail::Plain, out);
    AnswerResult::NotFound
}

/// Writes records one after another, each whole, an empty line between them.
pub(super) struct Records<'a> {
    site: &'a Site<'a>,
    rule: &'a Rule,
    count: usize,
    full: bool,
}

impl<'a> Records<'a> {
    /// Starts an answer of records.
    pub(super) fn begin(site: &'a Site<'a>, rule: &'a Rule, out: &mut Answer) -> Self {
        begin(rule, out);
        Self { site, rule, count: 0, full: false }
    }

    /// Adds a record; `false` if it does not fit after those before it.
    pub(super) fn add(
        &mut self,
        out: &mut Answer,
        write: impl FnOnce(&mut Answer) -> Result<Shown, Corrupt>,
    ) -> Result<bool, Corrupt> {
        let start = out.len();
        if self.count > 0 {
            out.blank();
        }
        let shown = write(out)?;
        if out.is_cut() && self.count > 0 {
            out.truncate(start);
            self.full = true;
        } else {
            self.count = self.count.saturating_add(1);
            out.note_shown(shown);
        }
        Ok(!self.full && !out.is_cut())
    }

    /// Ends the answer.
    pub(super) fn finish(self, tail: Tail, end: ListEnd, out: &mut Answer) -> AnswerResult {
        if self.full || end == ListEnd::More {
            note(out, MORE_RECORDS);
        } else if end == ListEnd::Budget {
            note(out, SEARCH_STOPPED);
        } else if out.is_cut() {
            note(out, b"The record is longer than an answer may be; its last lines are left out.");
            if tail == Tail::Domains {
                complaint_form(self.rule, out);
            }
        }
        finish(self.site, self.rule, tail, out);
        AnswerResult::Found
    }
}

/// The last line of a domain's record.
pub(super) fn complaint_form(rule: &Rule, out: &mut Answer) {
    if rule.complaint_form {
        out.raw(COMPLAINT_FORM);
    }
}

/// The heading of a list.
pub(super) fn heading(of: &Heading, is_one: bool, out: &mut Answer) {
    out.line_of(&[if is_one { of.one } else { of.many }.as_bytes(), b":"]);
}

/// A line of a list: `ROID (name)`, or the name alone where the deposit gave no ROID. `false` if
/// it does not fit.
pub(super) fn list_line(roid: &str, name: &str, out: &mut Answer) -> bool {
    let bytes_max = roid.len().saturating_add(name.len()).saturating_add(8);
    if out.start_line(bytes_max) {
        if roid.is_empty() {
            out.part_of_data(name);
        } else {
            out.part_of_data(roid);
            out.part(b" (");
            out.part_of_data(name);
            out.part(b")");
        }
        out.end_line();
    }
    !out.is_cut()
}

/// Ends a list.
pub(super) fn finish_list(
    site: &Site<'_>,
    rule: &Rule,
    end: ListEnd,
    out: &mut Answer,
) -> AnswerResult {
    match end {
        ListEnd::Complete => {}
        ListEnd::More => note(out, b"There are more names than this answer lists."),
        ListEnd::Budget => note(out, SEARCH_STOPPED),
    }
    finish(site, rule, Tail::Plain, out);
    AnswerResult::Listed
}

/// Answers `help`.
pub(super) fn help(site: &Site<'_>, caller: &Caller<'_>, out: &mut Answer) -> AnswerResult {
    let rule = site.rules.defaults();
    begin(rule, out);
    out.raw(HELP);
    out.raw(b"%\r\n");
    quota::limits(caller.limits, out);
    finish(site, rule, Tail::Plain, out);
    AnswerResult::Help
}

/// Answers `limits`.
pub(super) fn limits(site: &Site<'_>, caller: &Caller<'_>, out: &mut Answer) -> AnswerResult {
    let rule = site.rules.defaults();
    begin(rule, out);
    quota::limits(caller.limits, out);
    finish(site, rule, Tail::Plain, out);
    AnswerResult::Help
}

/// Says why a query was not looked at.
pub(super) fn refuse_caller(
    site: &Site<'_>,
    refused: &Refused<'_>,
    contact: &str,
    out: &mut Answer,
) {
    let rule = site.rules.defaults();
    begin(rule, out);
    quota::refused(refused, contact, out);
    finish(site, rule, Tail::Plain, out);
}

/// Says why a query is not served.
pub(super) fn refuse(site: &Site<'_>, refusal: Refusal, out: &mut Answer) {
    let rule = site.rules.defaults();
    begin(rule, out);
    out.line_of(&[b"%ERROR:", refusal.code().as_bytes(), b" ", refusal.text().as_bytes()]);
    match refusal {
        Refusal::Suffix => served_suffixes(site, out),
        Refusal::OneLabel if !site.view.suffixes().is_empty() => {
            out.raw(SUFFIXES);
            served_suffixes(site, out);
        }
        _ => {}
    }
    if refusal.leaves_open() {
        out.raw(LEFT_OPEN);
    }
    finish(site, rule, Tail::Plain, out);
}

/// Lists the suffixes that are served, as many as [`SUFFIX_LINES_MAX`] lines hold.
fn served_suffixes(site: &Site<'_>, out: &mut Answer) {
    let suffixes = site.view.suffixes();
    let (mut line_bytes, mut lines, mut listed) = (0_usize, 0_usize, 0_usize);
    for suffix in suffixes {
        let needed = suffix.len().saturating_add(2);
        if line_bytes.saturating_add(needed) > SUFFIX_LINE_BYTES_MAX {
            out.end_line();
            line_bytes = 0;
        }
        if line_bytes == 0 {
            lines = lines.saturating_add(1);
            let room = SUFFIX_LINE_BYTES_MAX.saturating_add(needed).saturating_add(2);
            if lines > SUFFIX_LINES_MAX || !out.start_line(room) {
                break;
            }
            out.part(b"%");
            line_bytes = 1;
        }
        out.part(b" .");
        out.part_of_data(suffix);
        line_bytes = line_bytes.saturating_add(needed);
        listed = listed.saturating_add(1);
    }
    if line_bytes > 0 {
        out.end_line();
    }
    let left = suffixes.len().saturating_sub(listed);
    if left > 0 {
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        out.line_of(&[b"% and ", Decimal::of(left).as_bytes(), b" more"]);
    }
}

/// The note of a refusal that leaves open whether the name is registered. Some programs read every
/// answer without `Domain Name:` as "free", and know no refusal but that of a quota.
const LEFT_OPEN: &[u8] = b"\
    % This says nothing about the name: treat it as you would \"Quota exceeded\".\r\n";

impl Refusal {
    /// Whether what was asked for may be registered all the same: a line that was not understood
    /// may hold the name of a domain. Other refusals are of lines that ask for something else.
    const fn leaves_open(self) -> bool {
        !matches!(
            self,
            Self::Address | Self::WildcardEarly | Self::WildcardKind | Self::Budget | Self::Contact
        )
    }

    /// The word after `%ERROR:`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty | Self::Option | Self::Keyword | Self::Words => "QUERY",
            Self::Length => "LENGTH",
            Self::Unfinished => "LINE",
            Self::Utf8 | Self::Control => "CHARACTER",
            Self::Name => "NAME",
            Self::Suffix | Self::SuffixItself | Self::SuffixBelow | Self::OneLabel => "TLD",
            Self::Address => "ADDRESS",
            Self::WildcardEarly | Self::WildcardKind => "WILDCARD",
            Self::Budget => "BUDGET",
            Self::Contact => "CONTACT",
            Self::Damaged => "INTERNAL",
        }
    }

    /// What the requester is told.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Empty => "the query is empty; send help to learn what can be asked",
            Self::Length => "the query is longer than 1024 bytes",
            Self::Unfinished => "the end of the line did not come in time; end a query with CR LF",
            Self::Utf8 => "the query is not UTF-8; send UTF-8, or a name in its xn-- form",
            Self::Control => "the query holds a control character; send plain text in UTF-8",
            Self::Option => "nothing follows the options; send help to learn what can be asked",
            Self::Keyword => "the keyword needs a name, an address or an ID after it",
            Self::Words => "several words need a keyword before them; send help to learn which",
            Self::Name => {
                "this cannot be the name of a domain or of a name server; send help to learn what \
                 can be asked"
            }
            Self::Address => {
                "name servers are found by one address: IPv4 such as 192.0.2.1, without leading \
                 zeros, or IPv6 such as 2001:db8::1, without a range"
            }
            Self::Suffix => "this server does not answer for that suffix, but for these:",
            Self::SuffixItself => {
                "this is a suffix of this server, not a name under it; send a whole name"
            }
            Self::SuffixBelow => {
                "suffixes of this server lie below this name; send a whole name under one of them"
            }
            Self::OneLabel => "the name has no dot; send a whole name, with its suffix",
            Self::WildcardEarly => "the first 5 characters may not hold a wildcard (%, * or _)",
            Self::WildcardKind => {
                "only names of domains, name servers and registrars may hold a wildcard"
            }
            Self::Budget => {
                "the pattern matches too many names; give more characters before its wildcard"
            }
            Self::Contact => "contacts are not shown here",
            Self::Damaged => "the record cannot be read; the operator of this server can repair it",
        }
    }
}

#[cfg(test)]
pub(super) const TEXTS: [&[u8]; 8] = [
    HELP,
    SEARCH_STOPPED,
    LEFT_OPEN,
    COMPLAINT_FORM,
    MORE_RECORDS,
    BELOW_REGISTERED,
    BELOW_KEPT_BACK,
    SUFFIXES,
];
