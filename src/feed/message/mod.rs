//! A batch of change records as one message of a stream: payload and header fields.
//!
//! ```text
//! Whoisd-Batch: 1                 version of this form
//! Whoisd-Source: registry-a       whose serials these are
//! Whoisd-First: 8812              serials of the first and the last record
//! Whoisd-Last: 8813
//! Whoisd-Key: 0123456789ABCDEF    if it is signed: id of the key,
//! Whoisd-Signature: 128 digits    Ed25519 over version, source, first, last, length and payload
//! Nats-Msg-Id: registry-a/8812-8813
//!
//! one JSON line per record
//! ```
//!
//! # Invariants
//!
//! - The serials in the payload are those of the header, one after another without a gap: a signed
//!   batch cannot be given other serials.
//! - Reading takes memory in proportion to the payload, which is at most [`PAYLOAD_BYTES_MAX`].
//!
//! # Does not
//!
//! Send or receive; know which serial should come.

use std::fmt;
use std::str::FromStr;

use super::key::{SecretKey, SignatureError, Trusted};
use super::{ChangeRecord, RecordError, SERIAL_MAX};

/// Most bytes of a payload: what a NATS server takes by default (1 MiB), without the header.
pub const PAYLOAD_BYTES_MAX: usize = (1 << 20) - (8 << 10);
/// Most records of a batch; a heartbeat, the shortest record, has about 80 bytes.
pub const RECORD_COUNT_MAX: usize = 1 << 14;
/// Longest name of a source, bytes.
pub const SOURCE_BYTES_MAX: usize = 64;

const VERSION: &str = "1";
const VERSION_FIELD: &str = "Whoisd-Batch";
const SOURCE_FIELD: &str = "Whoisd-Source";
const FIRST_FIELD: &str = "Whoisd-First";
const LAST_FIELD: &str = "Whoisd-Last";
const KEY_FIELD: &str = "Whoisd-Key";
const SIGNATURE_FIELD: &str = "Whoisd-Signature";
const ID_FIELD: &str = "Nats-Msg-Id";
/// Longest quotation from a header, characters.
const GOT_CHARS_MAX: usize = 80;

/// Whose serials these are: another source counts on its own. 1 to 64 letters, digits, `.`, `_` and
/// `-` of ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source(String);

/// A text is not the name of a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{got:?} is not a name of a source, expected 1 to {SOURCE_BYTES_MAX} letters, digits, \".\", \
     \"_\" and \"-\""
)]
pub struct SourceError {
    /// Its first characters.
    pub got: String,
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if text.is_empty() || text.len() > SOURCE_BYTES_MAX || !text.bytes().all(known) {
            return Err(SourceError { got: clip(text) });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a message says of itself, not yet checked against its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose serials these are.
    pub source: Source,
    /// Serial of the first record.
    pub first: u64,
    /// Serial of the last record.
    pub last: u64,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it says of itself.
    pub head: Head,
    /// Header fields: name and value.
    pub fields: Vec<(&'static str, String)>,
    /// The records as JSON lines.
    pub payload: Vec<u8>,
}

/// A batch that was received: consecutive serials, at least one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What it says of itself.
    pub head: Head,
    /// The records.
    pub records: Vec<ChangeRecord>,
}

impl Batch {
    /// Memory that its records take, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let records = self.records.iter().map(ChangeRecord::memory_bytes);
        records.fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// A message is not a batch that can be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A header field is missing, or says what it cannot say.
    #[error("message: field {field} is {got}, expected {expected}; somebody else writes here")]
    Field {
        /// The field.
        field: &'static str,
        /// What it is.
        got: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Another version of the form, from whom the feed comes as far as anybody can tell.
    #[error(
        "serials {} to {}: form {got:?}, this build reads {VERSION}; update whoisd first on the \
         nodes", head.first, head.last
    )]
    Version {
        /// What the message says of itself.
        head: Box<Head>,
        /// The version.
        got: String,
    },
    /// More bytes than a batch may have.
    #[error(
        "serials {} to {}: {got} bytes, at most {PAYLOAD_BYTES_MAX} are read; send smaller batches",
        head.first, head.last
    )]
    TooLong {
        /// What the message says of itself.
        head: Box<Head>,
        /// Length of the payload, bytes.
        got: usize,
    },
    /// It is not signed as it should be.
    #[error("serials {} to {}: the batch {problem}", head.first, head.last)]
    Signature {
        /// What the message says of itself.
        head: Box<Head>,
        /// Why.
        problem: SignatureError,
    },
    /// A line is not a record.
    #[error("serials {} to {}, line {line}: {problem}", head.first, head.last)]
    Record {
        /// What the message says of itself.
        head: Box<Head>,
        /// Line, from 1.
        line: usize,
        /// Why.
        problem: RecordError,
    },
    /// The payload has other serials than the header.
    #[error(
        "serials {} to {}: the payload has {got} where {expected} is expected; the message was \
         tampered with, or who sends it is wrong", head.first, head.last
    )]
    Serials {
        /// What the message says of itself.
        head: Box<Head>,
        /// What is there.
        got: String,
        /// What should be there.
        expected: String,
    },
}

impl MessageError {
    /// Whether nothing says that the feed itself sent it: it may be left out, and if serials are
    /// missing then, that shows.
    #[must_use]
    pub const fn is_foreign(&self) -> bool {
        matches!(self, Self::Field { .. } | Self::Signature { .. })
    }

    /// What the message says of itself, if it says so.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        match self {
            Self::Field { .. } => None,
            Self::Version { head, .. }
            | Self::TooLong { head, .. }
            | Self::Signature { head, .. }
            | Self::Record { head, .. }
            | Self::Serials { head, .. } => Some(head),
        }
    }
}

/// Records cannot be sent as one message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// There is no record.
    #[error("a batch without a record; send at least a heartbeat")]
    Empty,
    /// Serials do not count up by one.
    #[error(
        "serial {got} comes after {before} in one batch, expected {}", before.saturating_add(1)
    )]
    Disorder {
        /// The serial before.
        before: u64,
        /// The serial.
        got: u64,
    },
    /// More than a message may hold.
    #[error(
        "serials {first} to {last}: {bytes} bytes in {count} records, a message holds at most \
         {PAYLOAD_BYTES_MAX} in {RECORD_COUNT_MAX}; send smaller batches"
    )]
    TooLong {
        /// First serial.
        first: u64,
        /// Last serial.
        last: u64,
        /// Bytes of the payload.
        bytes: usize,
        /// Records.
        count: usize,
    },
}

impl Message {
    /// Makes a message of records with consecutive serials, signed if there is a key.
    ///
    /// # Errors
    ///
    /// No record, a gap between serials, or too many of them ([`pack`] says how many fit).
    pub fn encode(
        source: &Source,
        records: &[ChangeRecord],
        key: Option<&SecretKey>,
    ) -> Result<Self, EncodeError> {
        let [first, .., last] = records else {
            let [only] = records else { return Err(EncodeError::Empty) };
            return Self::of(source, records, (only.serial, only.serial), key);
        };
        for (before, next) in records.iter().zip(records.iter().skip(1)) {
            if before.serial.checked_add(1) != Some(next.serial) {
                return Err(EncodeError::Disorder { before: before.serial, got: next.serial });
            }
        }
        Self::of(source, records, (first.serial, last.serial), key)
    }

    fn of(
        source: &Source,
        records: &[ChangeRecord],
        (first, last): (u64, u64),
        key: Option<&SecretKey>,
    ) -> Result<Self, EncodeError> {
        let mut payload = Vec::new();
        for record in records {
            record.write_json(&mut payload);
        }
        let (bytes, count) = (payload.len(), records.len());
        if bytes > PAYLOAD_BYTES_MAX || count > RECORD_COUNT_MAX {
            return Err(EncodeError::TooLong { first, last, bytes, count });
        }
        let head = Head { source: source.clone(), first, last };
        let mut fields = vec![
            (VERSION_FIELD, VERSION.to_owned()),
            (SOURCE_FIELD, source.to_string()),
            (FIRST_FIELD, first.to_string()),
            (LAST_FIELD, last.to_string()),
            (ID_FIELD, format!("{source}/{first}-{last}")),
        ];
        if let Some(key) = key {
            fields.push((KEY_FIELD, key.public().id().to_owned()));
            fields.push((SIGNATURE_FIELD, key.sign(&signed(VERSION, &head, &payload))));
        }
        Ok(Self { head, fields, payload })
    }
}

impl Head {
    /// Reads what a message says of itself; `field` gives the value of a header field.
    ///
    /// # Errors
    ///
    /// A field is missing or unreadable: it is not a batch of ours.
    fn decode<'a>(
        field: impl Fn(&'static str) -> Option<&'a str>,
    ) -> Result<(Self, &'a str), MessageError> {
        let wrong = |name, got: Option<&str>, expected| {
            let got = got.map_or_else(|| "missing".to_owned(), |got| format!("{:?}", clip(got)));
            MessageError::Field { field: name, got, expected }
        };
        let version = field(VERSION_FIELD);
        let version = version
            .filter(|got| got.parse::<u32>().is_ok())
            .ok_or_else(|| wrong(VERSION_FIELD, version, "a version of the form"))?;
        let source = field(SOURCE_FIELD);
        let source = source
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| wrong(SOURCE_FIELD, source, "the name of a source"))?;
        let serial = |name| {
            let text = field(name);
            // What follows the last one of all could not be counted.
            let known = |serial: &u64| (1..=SERIAL_MAX).contains(serial);
            let serial = text.and_then(|text| text.parse().ok()).filter(known);
            serial.ok_or_else(|| wrong(name, text, "a serial from 1 to 9223372036854775807"))
        };
        let (first, last): (u64, u64) = (serial(FIRST_FIELD)?, serial(LAST_FIELD)?);
        let span = last.checked_sub(first);
        if span.is_none_or(|span| span >= RECORD_COUNT_MAX as u64) {
            return Err(wrong(LAST_FIELD, field(LAST_FIELD), "the first serial, or a few more"));
        }
        Ok((Self { source, first, last }, version))
    }

    /// Reads the head of a message, and whether it may be relied on. A message that no trusted key
    /// signed is foreign before its version or its length is looked at.
    ///
    /// # Errors
    ///
    /// It is not a batch of ours, is not signed by a trusted key, or has another form or more bytes
    /// than are read.
    pub fn trusted<'a>(
        field: impl Fn(&'static str) -> Option<&'a str>,
        payload: &[u8],
        trusted: &Trusted,
    ) -> Result<Self, MessageError> {
        let (head, version) = Self::decode(&field)?;
        let head = Box::new(head);
        if !trusted.is_empty() {
            let signature = field(KEY_FIELD).zip(field(SIGNATURE_FIELD));
            if let Err(problem) = trusted.check(&signed(version, &head, payload), signature) {
                return Err(MessageError::Signature { head, problem });
            }
        }
        if version != VERSION {
            return Err(MessageError::Version { head, got: clip(version) });
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(MessageError::TooLong { head, got: payload.len() });
        }
        Ok(*head)
    }
}

impl Batch {
    /// Reads a message; `field` gives the value of a header field.
    ///
    /// # Errors
    ///
    /// It is not a batch, is not signed by a trusted key, or its records cannot be read.
    pub fn decode<'a>(
        field: impl Fn(&'static str) -> Option<&'a str>,
        payload: &[u8],
        trusted: &Trusted,
    ) -> Result<Self, MessageError> {
        let head = Head::trusted(field, payload, trusted)?;
        let records = records(&head, payload)?;
        Ok(Self { head, records })
    }
}

fn records(head: &Head, payload: &[u8]) -> Result<Vec<ChangeRecord>, MessageError> {
    let serials = |got: String, expected: String| MessageError::Serials {
        head: Box::new(head.clone()),
        got,
        expected,
    };
    let mut records = Vec::new();
    let lines = payload.split_inclusive(|byte| *byte == b'\n');
    let mut expected = head.first..=head.last;
    for (line, number) in lines.zip(1_usize..) {
        let Some(serial) = expected.next() else {
            return Err(serials("another line".to_owned(), "the end".to_owned()));
        };
        let record = ChangeRecord::parse(line).map_err(|problem| MessageError::Record {
            head: Box::new(head.clone()),
            line: number,
            problem,
        })?;
        if record.serial != serial {
            return Err(serials(format!("serial {}", record.serial), serial.to_string()));
        }
        records.push(record);
    }
    match expected.next() {
        Some(serial) => Err(serials("its end".to_owned(), format!("serial {serial}"))),
        None => Ok(records),
    }
}

/// How many of the first records go into one message: as many as fit, and if not all do, up to the
/// end of a transaction where there is one. At least 1 if there is a record.
#[must_use]
pub fn pack(records: &[ChangeRecord]) -> usize {
    let (mut line, mut bytes) = (Vec::new(), 0_usize);
    let mut whole = 0;
    for (index, record) in records.iter().enumerate() {
        line.clear();
        record.write_json(&mut line);
        bytes = bytes.saturating_add(line.len());
        let before = index.checked_sub(1).and_then(|before| records.get(before));
        let goes_on = |before: &ChangeRecord| {
            !record.transaction.is_empty() && before.transaction == record.transaction
        };
        if !before.is_some_and(goes_on) {
            whole = index;
        }
        if bytes > PAYLOAD_BYTES_MAX || index >= RECORD_COUNT_MAX {
            return if whole > 0 { whole } else { index.max(1) };
        }
    }
    records.len()
}

/// The text that a signature is made over: a name that nothing else that is signed starts with,
/// then each part in a form that no other parts have. Every version has these parts, so that a node
/// tells a later one of its publisher from a stranger's.
fn signed(version: &str, head: &Head, payload: &[u8]) -> Vec<u8> {
    let Head { source, first, last } = head;
    let text = format!("whoisd batch {version}\n{source}\n{first}\n{last}\n{}\n", payload.len());
    [text.as_bytes(), payload].concat()
}

fn clip(text: &str) -> String {
    text.chars().take(GOT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
