//! The laws of change records and of batches of them: drivers for the fuzzer.
//!
//! # Invariants
//!
//! - A line that is read as a record is written as one line, which is read as the same record.
//! - A payload that is read as a batch is a message again, which is read as the same batch.
//! - A refusal says why in one line of printable text.
//!
//! # Does not
//!
//! Exist in a release: it is built for tests and for the fuzzer alone.

use super::key::Trusted;
use super::message::{Batch, Head, Message};
use super::{ChangeRecord, LINE_BYTES_MAX};

/// Holds the law against one line.
pub fn change_record(line: &[u8]) {
    let record = match ChangeRecord::parse(line) {
        Ok(record) => record,
        Err(error) => return says_why(&error.to_string()),
    };
    let mut written = Vec::new();
    record.write_json(&mut written);
    assert_eq!(written.iter().filter(|&&byte| byte == b'\n').count(), 1, "not one line");
    assert!(written.len() <= LINE_BYTES_MAX, "{} bytes", written.len());
    let read = ChangeRecord::parse(&written);
    assert_eq!(read.as_ref(), Ok(&record), "{}", String::from_utf8_lossy(&written));
}

/// Holds the law against a message: header fields as lines `name: value`, an empty line, the
/// payload.
pub fn change_batch(message: &[u8]) {
    let split = message.windows(2).position(|pair| pair == b"\n\n");
    let (head, payload) = match split.and_then(|at| message.split_at_checked(at)) {
        Some((head, rest)) => (head, rest.get(2..).unwrap_or_default()),
        None => (message, &[][..]),
    };
    let Ok(head) = std::str::from_utf8(head) else { return };
    let field = |name: &'static str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(of, _)| *of == name).map(|(_, value)| value)
    };
    let batch = match Batch::decode(field, payload, &Trusted::default()) {
        Ok(batch) => batch,
        Err(error) => return says_why(&error.to_string()),
    };
    let again = Message::encode(&batch.head.source, &batch.records, None);
    let Ok(Message { head, fields, payload }) = again else { panic!("{:?}", again.err()) };
    assert_eq!(head, batch.head);
    let field = |name: &'static str| {
        fields.iter().find(|(of, _)| *of == name).map(|(_, value)| value.as_str())
    };
    assert_eq!(Head::trusted(field, &payload, &Trusted::default()), Ok(head));
    let read = Batch::decode(field, &payload, &Trusted::default());
    assert_eq!(read.map(|batch| batch.records), Ok(batch.records));
}

fn says_why(error: &str) {
    assert!(!error.is_empty() && !error.contains(char::is_control), "{error:?}");
}
