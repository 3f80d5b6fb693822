//! The change record: one line of JSON for one change, with its serial, time and transaction.
//!
//! # Invariants
//!
//! - What [`ChangeRecord::write_json`] writes of an object that is in order is read as the same
//!   record by [`ChangeRecord::parse`].
//! - Reading takes memory in proportion to the line, which is at most [`LINE_BYTES_MAX`].
//!
//! # Does not
//!
//! Check the order of serials: the code that applies records knows the last one.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use snapshot_format::object::Time;
use snapshot_format::{Change, Kind, Object};

use super::json::{self, Text};
use super::read::Reader;
use super::write;
use crate::observe::printable::printable;
use crate::vet::Rule;
use crate::vet::check;
use crate::vet::findings::{Defect, Defects, clip};

/// Version of the record's form, its field `v`.
pub const VERSION: u64 = 1;
/// Longest line that is read, bytes: the largest object within the bounds of a snapshot (32 KiB of
/// texts, 256 nameservers of 253 bytes, 256 contacts of 255) takes about a fifth of it.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// Largest serial: that of PostgreSQL's `bigint`. None that counts up by one reaches it, and one
/// beyond it would leave no room for what follows.
pub const SERIAL_MAX: u64 = i64::MAX as u64;

/// Longest quotation of what was read, bytes.
const GOT_BYTES_MAX: usize = 100;

/// One change of a registry, or a sign of life, as a feed carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRecord {
    /// Number of the record in its feed: each record has the last one's plus 1.
    pub serial: u64,
    /// When the registry committed it, ms since 1970-01-01T00:00:00Z; within the years 1 to 9999.
    pub committed_ms: i64,
    /// Identifier of the transaction that it is part of, at most 255 bytes; empty: none is known.
    pub transaction: String,
    /// What changed.
    pub body: Body,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// An object is so, or is gone, from now on. Records are handed from thread to thread: a copy
    /// of one shares it.
    Change(Arc<Change>),
    /// Nothing changed up to the record's time.
    Heartbeat,
}

impl From<Change> for Body {
    fn from(change: Change) -> Self {
        Self::Change(Arc::new(change))
    }
}

/// A line is not a change record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Longer than [`LINE_BYTES_MAX`].
    #[error(
        "change record: {got} bytes, at most {LINE_BYTES_MAX} are read; one line holds one record"
    )]
    TooLong {
        /// Length of the line, bytes.
        got: usize,
    },
    /// Not the text of a JSON object.
    #[error(
        "change record: got {got:?}, expected one JSON object on a line, {{\"v\":{VERSION},..}}"
    )]
    NoObject {
        /// What stands there, at most 100 bytes of it.
        got: String,
    },
    /// No JSON, or not the fields of a record.
    #[error("{part}: {message}; expected the fields of change-record.schema.json")]
    Json {
        /// Which part of the record: columns are counted from its start.
        part: &'static str,
        /// What the JSON reader says, with the column.
        message: String,
    },
    /// Another version of the form.
    #[error("change record: v is {got}, this build reads {VERSION}; {}", version_advice(*got))]
    Version {
        /// Version of the record.
        got: u64,
    },
    /// A serial that no feed gives.
    #[error(
        "change record: serial is {got}, expected 1 to {SERIAL_MAX}; the first record of a feed \
         has 1, each one the last one's plus 1: correct it where the record is made"
    )]
    Serial {
        /// Serial of the record.
        got: u64,
    },
    /// A kind that no record has.
    #[error(
        "change record: kind is {got:?}, expected domain, contact, host, registrar, idn-table, \
         nndn or heartbeat; correct it where the record is made"
    )]
    Kind {
        /// What stands there.
        got: String,
    },
    /// `upsert` and `delete` do not go with the kind.
    #[error(
        "change record: a record of kind {kind} with {got}, expected {expected}; correct it where \
         the record is made"
    )]
    Body {
        /// Kind of the record.
        kind: &'static str,
        /// What it has.
        got: &'static str,
        /// What it should have.
        expected: &'static str,
    },
    /// A value that an import would leave out as well; the first one of the record.
    #[error(
        "change record {serial}, {}: {field}: {}: got {got:?}, expected {}; correct it where the \
         record is made [{}, {}]",
        subject(kind, key), rule.text().what, rule.text().expected, rule.text().code,
        rule.text().rfc
    )]
    Value {
        /// Serial of the record.
        serial: u64,
        /// Kind of the record.
        kind: &'static str,
        /// Key of its object, as far as it could be read.
        key: String,
        /// Field.
        field: Cow<'static, str>,
        /// What stands there, at most 100 bytes of it.
        got: String,
        /// The import's rule that it breaks.
        rule: Rule,
    },
}

const fn version_advice(got: u64) -> &'static str {
    if got > VERSION {
        "update whoisd before whoever makes the records"
    } else {
        "update whoever makes the records"
    }
}

fn subject(kind: &str, key: &str) -> String {
    if key.is_empty() { kind.to_owned() } else { format!("{kind} {key:?}") }
}

/// A record as it is written.
#[derive(Serialize)]
struct LineOut<'a> {
    v: u64,
    serial: u64,
    committed: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    transaction: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    upsert: Option<json::Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<&'a str>,
}

/// A record as it is read: the kind says what `upsert` holds, and may come after it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineIn<'a> {
    v: u64,
    serial: u64,
    committed: Text<'a>,
    #[serde(default)]
    transaction: Text<'a>,
    kind: Text<'a>,
    #[serde(borrow, default)]
    upsert: Option<&'a RawValue>,
    #[serde(default)]
    delete: Option<Text<'a>>,
}

impl ChangeRecord {
    /// Appends the record as one line of JSON, with its line end.
    ///
    /// Absent fields are left out. A time beyond the years 1 to 9999 is written as the first or
    /// last millisecond of them.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let (kind, upsert, delete) = match &self.body {
            Body::Heartbeat => (HEARTBEAT, None, None),
            Body::Change(change) => match &**change {
                Change::Upsert(object) => (word(object.kind()), Some(write::object(object)), None),
                Change::Delete { kind, key } => (word(*kind), None, Some(key.as_str())),
            },
        };
        let line = LineOut {
            v: VERSION,
            serial: self.serial,
            committed: write::instant(self.committed_ms),
            transaction: &self.transaction,
            kind,
            upsert,
            delete,
        };
        // Memory takes every byte, and no key of a map is anything but a text.
        let _ = serde_json::to_writer(&mut *out, &line);
        out.push(b'\n');
    }

    /// Memory that it takes, with its change, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let change = match &self.body {
            Body::Change(change) => change.memory_bytes(),
            Body::Heartbeat => 0,
        };
        // In a list that grows by doubling.
        let own = size_of::<Self>().saturating_mul(2).saturating_add(self.transaction.capacity());
        own.saturating_add(change)
    }

    /// Reads one line, with or without its line end.
    ///
    /// Names come out as an import keeps them: A-labels in lower case without a final dot, the
    /// Unicode form derived. Statuses that contradict others, and empty DNSSEC data, are taken
    /// away as an import does it.
    ///
    /// # Errors
    ///
    /// Why the line is not a record that can be applied; the first reason of several.
    pub fn parse(line: &[u8]) -> Result<Self, RecordError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(RecordError::TooLong { got: line.len() });
        }
        if line.trim_ascii_start().first() != Some(&b'{') {
            let got = clip(&String::from_utf8_lossy(line), GOT_BYTES_MAX).trim_end().to_owned();
            return Err(RecordError::NoObject { got });
        }
        let fields: LineIn<'_> =
            serde_json::from_slice(line).map_err(|error| unreadable(line, &error))?;
        if fields.v != VERSION {
            return Err(RecordError::Version { got: fields.v });
        }
        if !(1..=SERIAL_MAX).contains(&fields.serial) {
            return Err(RecordError::Serial { got: fields.serial });
        }
        let mut reader = Reader::default();
        let mut committed = Time::NONE;
        reader.time("committed", &mut committed, &fields.committed);
        if fields.committed.is_empty() {
            reader.defects.add(Rule::TimeBad, "committed", "");
        }
        let mut transaction = String::new();
        reader.id("transaction", &mut transaction, &fields.transaction);
        let kind = kind(&fields.kind)?;
        let body = match kind {
            None => heartbeat(&fields)?,
            Some(kind) => change(kind, &fields, &mut reader)?.into(),
        };
        if let Some(defect) = refusal(&mut reader) {
            let key = match &body {
                Body::Change(change) => change.key(),
                Body::Heartbeat => "",
            };
            return Err(value_error(fields.serial, kind.map_or(HEARTBEAT, word), key, defect));
        }
        Ok(Self { serial: fields.serial, committed_ms: committed.ms, transaction, body })
    }
}

/// Word of a kind that changes nothing.
const HEARTBEAT: &str = "heartbeat";

/// The word of a kind, in records and in `whoisd.changes` of a registry's database.
pub(crate) const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Registrar => "registrar",
        Kind::IdnTable => "idn-table",
        Kind::Contact => "contact",
        Kind::Nameserver => "host",
        Kind::Nndn => "nndn",
        Kind::Domain => "domain",
    }
}

/// The kind of a word; `None`: a heartbeat.
fn kind(text: &str) -> Result<Option<Kind>, RecordError> {
    if text == HEARTBEAT {
        return Ok(None);
    }
    let known = Kind::ALL.into_iter().find(|&kind| word(kind) == text);
    let got = || clip(text, GOT_BYTES_MAX).to_owned();
    known.map(Some).ok_or_else(|| RecordError::Kind { got: got() })
}

/// What to say of a line that serde could not read: its version, if that is the reason.
fn unreadable(line: &[u8], error: &serde_json::Error) -> RecordError {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    match serde_json::from_slice(line) {
        Ok(Version { v }) if v != VERSION => RecordError::Version { got: v },
        _ => json_error("change record", error),
    }
}

fn json_error(part: &'static str, error: &serde_json::Error) -> RecordError {
    let message = error.to_string();
    // A record is one line; serde names unknown fields in full, however long they are.
    let (what, at) = message.rsplit_once(" at line ").unwrap_or((&message, ""));
    let column = at.split_once(" column ").map(|(_, column)| format!(" at column {column}"));
    let what = printable(clip(what, 4 * GOT_BYTES_MAX));
    let message = format!("{what}{}", column.unwrap_or_default());
    RecordError::Json { part, message }
}

fn heartbeat(fields: &LineIn<'_>) -> Result<Body, RecordError> {
    if fields.upsert.is_none() && fields.delete.is_none() {
        return Ok(Body::Heartbeat);
    }
    let got = if fields.upsert.is_some() { "upsert" } else { "delete" };
    Err(RecordError::Body { kind: HEARTBEAT, got, expected: "neither upsert nor delete" })
}

fn change(kind: Kind, fields: &LineIn<'_>, reader: &mut Reader) -> Result<Change, RecordError> {
    let got = match (&fields.upsert, &fields.delete) {
        (Some(raw), None) => {
            let mut object = object(kind, raw.get(), reader)?;
            settle(&mut object, reader);
            return Ok(Change::Upsert(Box::new(object)));
        }
        (None, Some(key)) => return Ok(Change::Delete { kind, key: reader.key(kind, key) }),
        (None, None) => "neither upsert nor delete",
        (Some(_), Some(_)) => "both upsert and delete",
    };
    Err(RecordError::Body { kind: word(kind), got, expected: "one of the two" })
}

fn object(kind: Kind, text: &str, reader: &mut Reader) -> Result<Object, RecordError> {
    macro_rules! read {
        ($part:literal) => {
            serde_json::from_str(text).map_err(|error| json_error($part, &error))?
        };
    }
    Ok(match kind {
        Kind::Registrar => Object::Registrar(reader.registrar(&read!("upsert of a registrar"))),
        Kind::IdnTable => Object::IdnTable(reader.idn_table(&read!("upsert of an idn-table"))),
        Kind::Contact => Object::Contact(reader.contact(&read!("upsert of a contact"))),
        Kind::Nameserver => Object::Nameserver(reader.host(&read!("upsert of a host"))),
        Kind::Nndn => Object::Nndn(reader.nndn(&read!("upsert of an nndn"))),
        Kind::Domain => Object::Domain(reader.domain(&read!("upsert of a domain"))),
    })
}

/// Applies the importer's rules on whole objects. An object that they remark on is served all the
/// same; one that does not fit into a snapshot is not.
fn settle(object: &mut Object, reader: &mut Reader) {
    let mut remarks = Defects::default();
    check::alone(object, &mut remarks);
    let too_large = |defect: &Defect| defect.rule == Rule::RecordTooLarge;
    reader.defects.list.extend(remarks.list.into_iter().filter(too_large));
}

/// The first defect for which a record is refused: a name in Unicode is read as its A-label.
fn refusal(reader: &mut Reader) -> Option<Defect> {
    let list = std::mem::take(&mut reader.defects.list);
    list.into_iter().find(|defect| defect.rule != Rule::NameNotALabel)
}

fn value_error(serial: u64, kind: &'static str, key: &str, defect: Defect) -> RecordError {
    RecordError::Value {
        serial,
        kind,
        key: clip(key, GOT_BYTES_MAX).to_owned(),
        field: defect.field,
        got: clip(&defect.got, GOT_BYTES_MAX).to_owned(),
        rule: defect.rule,
    }
}
