//! What is wrong with a deposit: collected, counted per rule, written to a report.
//!
//! # Invariants
//!
//! - A report holds every finding, in the order in which they were made; memory holds the first
//!   [`Findings::KEPT_MAX`] and a count per rule.
//!
//! # Does not
//!
//! Decide what a defect is, or print.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use snapshot_format::Kind;

use super::rule::{RULES, Rule, Severity};
use crate::observe::printable::printable;

/// The kind of object that a finding is about, in the order in which a snapshot is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ObjectKind {
    /// The deposit as a whole.
    Deposit = 0,
    /// Registrar.
    Registrar = 1,
    /// IDN table reference.
    IdnTable = 2,
    /// Contact.
    Contact = 3,
    /// Nameserver: a host in words of the deposit.
    Nameserver = 4,
    /// Name that is not a domain name.
    Nndn = 5,
    /// Domain.
    Domain = 6,
}

impl ObjectKind {
    /// The kinds that a snapshot holds, in building order.
    pub const RECORDS: [Self; 6] = [
        Self::Registrar,
        Self::IdnTable,
        Self::Contact,
        Self::Nameserver,
        Self::Nndn,
        Self::Domain,
    ];

    /// The kind of record that it is; `None`: the deposit as a whole.
    pub(crate) const fn record(self) -> Option<Kind> {
        Some(match self {
            Self::Deposit => return None,
            Self::Registrar => Kind::Registrar,
            Self::IdnTable => Kind::IdnTable,
            Self::Contact => Kind::Contact,
            Self::Nameserver => Kind::Nameserver,
            Self::Nndn => Kind::Nndn,
            Self::Domain => Kind::Domain,
        })
    }

    /// The word of messages and reports: the deposit's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Registrar => "registrar",
            Self::IdnTable => "idn-table",
            Self::Contact => "contact",
            Self::Nameserver => "host",
            Self::Nndn => "nndn",
            Self::Domain => "domain",
        }
    }
}

/// Where something was read: a file by its number, and a line or row of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Number of the file among those of this import.
    pub(crate) file: u16,
    /// Line of an XML file, or row of a CSV file, from 1; 0: the file as a whole.
    pub(crate) line: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `refusal` or `finding`.
    pub severity: &'static str,
    /// Code of the rule.
    pub rule: &'static str,
    /// RFC and section.
    pub rfc: &'static str,
    /// File, as it was named or as the deposit names it.
    pub file: String,
    /// Line in an XML file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Row of a CSV file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// Kind of object.
    pub object: &'static str,
    /// Key of the object; empty if it has none.
    pub key: String,
    /// Element or field; empty if it is the object as a whole.
    pub field: Cow<'static, str>,
    /// What is wrong.
    pub what: &'static str,
    /// What was read.
    pub got: String,
    /// What was expected.
    pub expected: &'static str,
    /// What is served instead, or what to do.
    pub outcome: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(record) = self.record {
            write!(f, ", row {record}")?;
        }
        write!(f, ": ")?;
        if self.object != ObjectKind::Deposit.word() {
            write!(f, "{}", self.object)?;
            write!(f, "{}{}: ", if self.key.is_empty() { "" } else { " " }, printable(&self.key))?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", printable(&self.field))?;
        }
        write!(f, "{}", self.what)?;
        if !self.got.is_empty() {
            write!(f, ": got {:?}", self.got)?;
        }
        write!(f, ", expected {}; {}", self.expected, self.outcome)?;
        write!(f, " [{}, {}]", self.rule, self.rfc)
    }
}

/// A defect of the object that is being read: it gets its key and place when the object is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Defect {
    pub(crate) rule: Rule,
    pub(crate) field: Cow<'static, str>,
    pub(crate) got: String,
}

/// Defects of the object that is being read.
#[derive(Debug, Default)]
pub(crate) struct Defects {
    pub(crate) list: Vec<Defect>,
}

impl Defects {
    /// Most defects that are kept of one object; the rest would say the same.
    const COUNT_MAX: usize = 64;
    /// Most bytes that are kept of what was read: more than a finding quotes.
    const GOT_BYTES_MAX: usize = 1024;

    pub(crate) fn add(
        &mut self,
        rule: Rule,
        field: impl Into<Cow<'static, str>>,
        got: impl Into<String>,
    ) {
        if self.list.len() < Self::COUNT_MAX {
            let mut got = got.into();
            if got.len() > Self::GOT_BYTES_MAX {
                got = clip(&got, Self::GOT_BYTES_MAX).to_owned();
            }
            self.list.push(Defect { rule, field: short(field.into()), got });
        }
    }
}

/// All findings of an import.
pub(crate) struct Findings<'r> {
    counts: Vec<u64>,
    kept: Vec<Finding>,
    report: Option<&'r mut dyn Write>,
    report_error: Option<io::Error>,
    /// Names of the files, and whether they are CSV.
    files: Vec<(String, bool)>,
}

impl<'r> Findings<'r> {
    /// Most findings that are kept in memory, for the terminal.
    pub(crate) const KEPT_MAX: usize = 1000;
    /// Longest quotation of what was read, bytes.
    const GOT_BYTES_MAX: usize = 200;
    /// Longest name of a field, bytes.
    const FIELD_BYTES_MAX: usize = 256;

    pub(crate) fn new(report: Option<&'r mut dyn Write>) -> Self {
        Self {
            counts: vec![0; RULES.len()],
            kept: Vec::new(),
            report,
            report_error: None,
            files: Vec::new(),
        }
    }

    /// Numbers a file of the deposit.
    pub(crate) fn file(&mut self, name: &str, csv: bool) -> u16 {
        let number = u16::try_from(self.files.len()).unwrap_or(u16::MAX);
        if number < u16::MAX {
            self.files.push((name.to_owned(), csv));
        }
        number
    }

    /// Files so far.
    pub(crate) fn files(&self) -> u16 {
        u16::try_from(self.files.len()).unwrap_or(u16::MAX)
    }

    /// A place as text: file and line.
    pub(crate) fn place_text(&self, place: Place) -> String {
        match self.files.get(usize::from(place.file)) {
            Some((file, false)) => format!("{file}:{}", place.line),
            Some((file, true)) => format!("{file}, row {}", place.line),
            None => String::new(),
        }
    }

    /// Records a finding or a refusal, and gives it back.
    pub(crate) fn add(
        &mut self,
        rule: Rule,
        place: Place,
        kind: ObjectKind,
        key: &str,
        field: impl Into<Cow<'static, str>>,
        got: &str,
    ) -> Finding {
        let text = rule.text();
        let file = self.files.get(usize::from(place.file));
        let csv = file.is_some_and(|&(_, csv)| csv);
        let finding = Finding {
            severity: text.severity.word(),
            rule: text.code,
            rfc: text.rfc,
            file: file.map(|(name, _)| name.clone()).unwrap_or_default(),
            line: (place.line > 0 && !csv).then_some(place.line),
            record: (place.line > 0 && csv).then_some(place.line),
            object: kind.word(),
            key: clip(key, Self::GOT_BYTES_MAX).to_owned(),
            field: short(field.into()),
            what: text.what,
            got: clip(got, Self::GOT_BYTES_MAX).to_owned(),
            expected: text.expected,
            outcome: text.outcome,
        };
        if let Some(count) = self.counts.get_mut(usize::from(rule as u8)) {
            *count = count.saturating_add(1);
        }
        self.write(&finding);
        if self.kept.len() < Self::KEPT_MAX {
            self.kept.push(finding.clone());
        }
        finding
    }

    /// Records the defects of an object, and forgets them.
    pub(crate) fn add_all(
        &mut self,
        defects: &mut Defects,
        place: Place,
        kind: ObjectKind,
        key: &str,
    ) {
        for defect in defects.list.drain(..) {
            self.add(defect.rule, place, kind, key, defect.field, &defect.got);
        }
    }

    fn write(&mut self, finding: &Finding) {
        let Some(report) = &mut self.report else { return };
        if self.report_error.is_some() {
            return;
        }
        let written = serde_json::to_writer(&mut *report, finding)
            .map_err(io::Error::from)
            .and_then(|()| report.write_all(b"\n"));
        self.report_error = written.err();
    }

    /// Number of findings; refusals are not counted.
    pub(crate) fn count(&self) -> u64 {
        self.per_rule()
            .filter(|(rule, _)| rule.text().severity == Severity::Finding)
            .fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// Rules that were broken, with their counts.
    pub(crate) fn per_rule(&self) -> impl Iterator<Item = (Rule, u64)> {
        RULES.iter().copied().zip(self.counts.iter().copied()).filter(|&(_, count)| count > 0)
    }

    /// What was kept, and why the report could not be written, if so.
    pub(crate) fn into_parts(self) -> (Vec<Finding>, Option<io::Error>) {
        (self.kept, self.report_error)
    }
}

/// The name of an element or field, no longer than any is.
fn short(field: Cow<'static, str>) -> Cow<'static, str> {
    match field {
        Cow::Owned(text) if text.len() > Findings::FIELD_BYTES_MAX => {
            Cow::Owned(clip(&text, Findings::FIELD_BYTES_MAX).to_owned())
        }
        field => field,
    }
}

/// The longest start of `text` of at most `bytes_max` bytes that ends between characters.
pub(crate) fn clip(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
