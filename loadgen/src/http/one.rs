//! HTTP/1.1 (RFC 9112): a request, and where its answer ends.
//!
//! # Invariants
//!
//! - A head is at most [`HEAD_BYTES_MAX`] long, and so is a chunk's line.
//!
//! # Does not
//!
//! Look into a body.

use super::{Answer, Fault, keep};

/// Longest head of an answer, bytes.
const HEAD_BYTES_MAX: usize = 16_384;
/// Most header fields of an answer.
const FIELDS_MAX: usize = 64;

/// Where in an answer the connection is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Nothing was asked.
    #[default]
    Idle,
    /// In the head.
    Head,
    /// So many bytes of the body are missing.
    Length(u64),
    /// Before the size of a chunk.
    Size,
    /// So many bytes of a chunk are missing, and its line end.
    Chunk(u64),
    /// In the fields after the last chunk.
    Trailer,
    /// The body ends with the connection.
    UntilClose,
    /// It is over.
    Over,
}

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Talk {
    place: Place,
    /// Bytes of a head or a line whose end has not come.
    line: Vec<u8>,
    status: u16,
    body: Vec<u8>,
    closes: bool,
}

impl Talk {
    pub(super) fn ask(&mut self, path: &str, host: &str, kept: bool, into: &mut Vec<u8>) {
        self.place = Place::Head;
        self.line.clear();
        self.body.clear();
        let close = if kept { "" } else { "Connection: close\r\n" };
        for part in [
            "GET ",
            path,
            " HTTP/1.1\r\nHost: ",
            host,
            "\r\nUser-Agent: whois-loadgen\r\nAccept: ",
            super::two::ACCEPT,
            "\r\n",
            close,
            "\r\n",
        ] {
            into.extend_from_slice(part.as_bytes());
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.place {
                // Bytes that nobody asked for.
                Place::Idle | Place::Over => return Err("malformed"),
                Place::Head => self.head(rest)?,
                Place::Size => self.size(rest)?,
                Place::Trailer => self.trailer(rest)?,
                Place::Length(missing) => {
                    let (part, rest) = split(rest, missing);
                    keep(&mut self.body, part);
                    self.place = match missing.saturating_sub(part.len() as u64) {
                        0 => Place::Over,
                        missing => Place::Length(missing),
                    };
                    rest
                }
                Place::Chunk(missing) => {
                    let (part, rest) = split(rest, missing);
                    // The last two are the line's end.
                    let of_body = part.len().min(to_usize(missing.saturating_sub(2)));
                    keep(&mut self.body, part.get(..of_body).unwrap_or(part));
                    self.place = match missing.saturating_sub(part.len() as u64) {
                        0 => Place::Size,
                        missing => Place::Chunk(missing),
                    };
                    rest
                }
                Place::UntilClose => {
                    keep(&mut self.body, rest);
                    &[]
                }
            };
        }
        Ok(())
    }

    /// The connection has ended.
    pub(super) fn closed(&mut self) -> Result<(), Fault> {
        if self.place == Place::UntilClose {
            self.place = Place::Over;
        }
        self.closes = true;
        if self.is_answered() { Ok(()) } else { Err("cut-short") }
    }

    pub(super) fn is_answered(&self) -> bool {
        self.place == Place::Over
    }

    pub(super) const fn has_begun(&self) -> bool {
        !matches!(self.place, Place::Idle | Place::Head) || !self.line.is_empty()
    }

    pub(super) const fn is_kept(&self) -> bool {
        !self.closes
    }

    pub(super) fn answer(&self) -> Option<Answer<'_>> {
        self.is_answered().then_some(Answer { status: self.status, body: &self.body })
    }

    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Fault> {
        let before = self.line.len();
        let room = HEAD_BYTES_MAX.saturating_sub(before);
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        let head_bytes = match response.parse(&self.line).map_err(|_| "malformed")? {
            httparse::Status::Complete(bytes) => bytes,
            httparse::Status::Partial if self.line.len() >= HEAD_BYTES_MAX => {
                return Err("malformed");
            }
            httparse::Status::Partial => return Ok(&[]),
        };
        self.status = response.code.ok_or("malformed")?;
        // HTTP/1.0 closes (RFC 9112 section 9.3).
        let mut closes = response.version == Some(0);
        let (mut length, mut is_chunked) = (None, false);
        for field in response.headers.iter() {
            let value = field.value.trim_ascii();
            if field.name.eq_ignore_ascii_case("content-length") {
                let text = std::str::from_utf8(value).map_err(|_| "malformed")?;
                length = Some(text.parse::<u64>().map_err(|_| "malformed")?);
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = value.eq_ignore_ascii_case(b"chunked");
                if !is_chunked {
                    return Err("malformed");
                }
            } else if field.name.eq_ignore_ascii_case("connection") {
                let mut options = value.split(|byte| *byte == b',');
                closes |= options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
            }
        }
        self.closes = closes;
        self.line.clear();
        self.place = match (self.status, is_chunked, length) {
            // An interim answer: the final one follows (RFC 9110 section 15.2).
            (100..=199, ..) => Place::Head,
            (204 | 304, ..) | (_, false, Some(0)) => Place::Over,
            (_, true, _) => Place::Size,
            (_, false, Some(length)) => Place::Length(length),
            (_, false, None) => Place::UntilClose,
        };
        Ok(bytes.get(head_bytes.saturating_sub(before)..).unwrap_or_default())
    }

    fn size<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Fault> {
        let Some(rest) = self.line(bytes)? else { return Ok(&[]) };
        let parsed = httparse::parse_chunk_size(&self.line);
        let Ok(httparse::Status::Complete((_, size))) = parsed else { return Err("malformed") };
        self.line.clear();
        self.place = if size == 0 { Place::Trailer } else { Place::Chunk(size.saturating_add(2)) };
        Ok(rest)
    }

    fn trailer<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Fault> {
        let Some(rest) = self.line(bytes)? else { return Ok(&[]) };
        if self.line.trim_ascii().is_empty() {
            self.place = Place::Over;
        }
        self.line.clear();
        Ok(rest)
    }

    /// Takes bytes up to the end of a line; what follows it, once it has come.
    fn line<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, Fault> {
        let end = memchr::memchr(b'\n', bytes).map(|at| at.saturating_add(1));
        let (line, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or_default();
        if self.line.len().saturating_add(line.len()) > HEAD_BYTES_MAX {
            return Err("malformed");
        }
        self.line.extend_from_slice(line);
        Ok(end.map(|_| rest))
    }
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    bytes.split_at_checked(to_usize(at)).unwrap_or((bytes, &[]))
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
