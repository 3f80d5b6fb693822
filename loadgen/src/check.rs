//! Whether an answer is right: it is whole, well-formed, about what was asked, of one generation,
//! and, for a share of them, byte for byte what `whoisd lookup` says.
//!
//! # Invariants
//!
//! - The cheap checks look at every answer and cost less than 2 us on 2.8 KB.
//! - Nothing is allocated for an answer.
//!
//! # Does not
//!
//! Know how an answer came, or when.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::Path;

use memchr::memmem::Finder;

use crate::http::Answer;
use crate::random::Random;
use crate::snapshot::{AnswerReader, Answers, SnapshotError};
use crate::workload::{Kind, Request};

/// Before the time of the last update; ` <<<` follows it.
const LAST_UPDATE: &[u8] = b">>> Last update of WHOIS database: ";
const LAST_UPDATE_END: &[u8] = b" <<<\r\n";
/// Longest text that is taken for a time, bytes.
const TIME_BYTES_MAX: usize = 64;
/// Within how many bytes of an answer the line is that names its object.
const OBJECT_WITHIN_BYTES: usize = 4096;

/// Counts of answers looked at, by check.
const COUNTED: [&str; 5] = ["complete", "well-formed", "one-generation", "object", STATUS];
const STATUS: &str = "status";
const BYTE_FOR_BYTE: &str = "byte-for-byte";
/// Answers whose last update is not that of the first one.
const GENERATION_CHANGED: &str = "generation-changed";

/// What answers should be: those of a snapshot directory under rules.
#[derive(Debug, Clone)]
pub struct Expect {
    answers: Answers,
}

impl Expect {
    /// Opens the generation in `dir`; `rules` is the server's `whoisd.toml`, if it has one.
    ///
    /// # Errors
    ///
    /// What cannot be read.
    pub fn open(dir: &Path, rules: Option<&Path>) -> Result<Self, SnapshotError> {
        Ok(Self { answers: Answers::open(dir, rules)? })
    }
}

/// Checks the answers of one core.
pub struct Checker {
    reader: Option<AnswerReader>,
    share: f64,
    random: Random,
    last_update: Finder<'static>,
    /// Time of the first answer's last update, as it was written; empty before.
    first_time: Vec<u8>,
    counts: BTreeMap<String, u64>,
}

impl Checker {
    /// A checker that compares the share `share` (0 to 1) of the answers with `expect`.
    #[must_use]
    pub fn new(expect: Option<&Expect>, share: f64, seed: u64) -> Self {
        let mut counts: BTreeMap<String, u64> =
            COUNTED.iter().map(|&name| (name.to_owned(), 0)).collect();
        counts.insert(GENERATION_CHANGED.to_owned(), 0);
        if expect.is_some() {
            counts.insert(BYTE_FOR_BYTE.to_owned(), 0);
        }
        Self {
            reader: expect.map(|expect| expect.answers.clone().into_reader()),
            share,
            random: Random::new(seed),
            last_update: Finder::new(LAST_UPDATE),
            first_time: Vec::with_capacity(TIME_BYTES_MAX),
            counts,
        }
    }

    /// Checks the answer to a request.
    ///
    /// # Errors
    ///
    /// The first fault, as a result names it: `refused-limit` and its like ([`refusal`]),
    /// `cut-short`, `malformed`, `two-generations`, `wrong-object`, `differs`.
    pub fn check(&mut self, request: &Request, answer: &[u8]) -> Result<(), &'static str> {
        if let Some(refusal) = refusal(answer) {
            return Err(refusal);
        }
        self.count("complete");
        let at = self.last_update.find(answer).ok_or("cut-short")?;
        let after = answer.get(at.saturating_add(LAST_UPDATE.len())..).unwrap_or_default();
        if !answer.ends_with(b"\r\n") {
            return Err("cut-short");
        }
        let line_end = memchr::memchr(b'\n', after).ok_or("cut-short")?;
        let line = after.get(..=line_end).unwrap_or_default();
        self.count("well-formed");
        let time = line.strip_suffix(LAST_UPDATE_END).ok_or("malformed")?;
        if time.is_empty() || time.len() > TIME_BYTES_MAX || !is_well_formed(answer) {
            return Err("malformed");
        }
        self.count("one-generation");
        if self.last_update.find(after).is_some() {
            return Err("two-generations");
        }
        if self.first_time.is_empty() {
            self.first_time.extend_from_slice(time);
        } else if self.first_time != time {
            self.count(GENERATION_CHANGED);
        }
        self.object(request, answer, at)?;
        self.byte_for_byte(request, answer)
    }

    /// Checks an answer of HTTP to a request; whether its path depends on the query.
    ///
    /// # Errors
    ///
    /// The first fault, as a result names it: `refused-limit`, `refused-list`, `unavailable`,
    /// `status-4xx` and its like, `not-found`, `wrong-object`.
    pub fn check_http(
        &mut self,
        request: &Request,
        is_asked: bool,
        answer: Answer<'_>,
    ) -> Result<(), &'static str> {
        self.count("complete");
        self.count(STATUS);
        let is_found = match answer.status {
            200..=299 => true,
            404 if is_asked => false,
            429 => return Err(REFUSED_LIMIT),
            403 => return Err(REFUSED_LIST),
            503 => return Err("unavailable"),
            300..=399 => return Err("status-3xx"),
            400..=499 => return Err("status-4xx"),
            _ => return Err("status-5xx"),
        };
        if !is_asked {
            return Ok(());
        }
        if let Some(hit) = request.hit {
            self.count("object");
            if hit != is_found {
                return Err(if hit { "not-found" } else { "wrong-object" });
            }
        }
        let is_named = matches!(request.kind, Kind::Domain | Kind::Idn | Kind::Nameserver);
        let subject = request.subject.trim_end_matches('.').as_bytes();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if is_found && is_named && !subject.is_empty() && subject.iter().all(is_plain) {
            let body = answer.body;
            if !body.windows(subject.len()).any(|text| text.eq_ignore_ascii_case(subject)) {
                return Err("wrong-object");
            }
        }
        Ok(())
    }

    /// How many answers each check looked at, and `generation-changed`.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    fn count(&mut self, name: &str) {
        if let Some(count) = self.counts.get_mut(name) {
            *count = count.saturating_add(1);
        }
    }

    /// `end` is where the record ends at the latest.
    fn object(&mut self, request: &Request, answer: &[u8], end: usize) -> Result<(), &'static str> {
        let label: &[u8] = match request.kind {
            Kind::Domain | Kind::Idn | Kind::Miss => b"Domain Name: ",
            Kind::Nameserver => b"Server Name: ",
            Kind::Registrar => b"Registrar: ",
            Kind::Contact | Kind::Wildcard | Kind::Recorded | Kind::Other => return Ok(()),
        };
        let Some(hit) = request.hit else { return self.asked_for(request, answer, label) };
        if hit && request.subject.is_empty() {
            return Ok(());
        }
        self.count("object");
        let head = answer.get(..OBJECT_WITHIN_BYTES).unwrap_or(answer);
        let subject = if hit { Some(request.subject.as_bytes()) } else { None };
        let line = object_line(head, label, subject);
        if line.is_some() != hit {
            return Err("wrong-object");
        }
        let record = line.and_then(|line| answer.get(line..end)).unwrap_or_default();
        if is_keyed(record) { Ok(()) } else { Err("malformed") }
    }

    /// For a query that may be a hit or a miss: a record, if there is one, names what was asked
    /// for; the answer to a variant is its primary's, and lists it. Answers write names that are
    /// not ASCII, patterns and IPv6 addresses in another form.
    fn asked_for(
        &mut self,
        request: &Request,
        answer: &[u8],
        label: &[u8],
    ) -> Result<(), &'static str> {
        let subject = request.subject.trim_end_matches('.').as_bytes();
        let other_form = |byte: &u8| !byte.is_ascii() || matches!(byte, b'%' | b'_' | b':');
        if subject.is_empty() || subject.iter().any(other_form) {
            return Ok(());
        }
        self.count("object");
        let head = answer.get(..OBJECT_WITHIN_BYTES).unwrap_or(answer);
        let named = object_line(head, label, Some(subject)).is_some()
            || object_line(head, label, None).is_none()
            || answer.windows(subject.len()).any(|text| text.eq_ignore_ascii_case(subject));
        if named { Ok(()) } else { Err("wrong-object") }
    }

    fn byte_for_byte(&mut self, request: &Request, answer: &[u8]) -> Result<(), &'static str> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        if self.share <= 0.0 || self.random.uniform() > self.share {
            return Ok(());
        }
        let same = reader.answer(&request.bytes) == answer;
        self.count(BYTE_FOR_BYTE);
        if same { Ok(()) } else { Err("differs") }
    }
}

/// A limit of the server refused the query.
pub const REFUSED_LIMIT: &str = "refused-limit";
/// A block of the server did.
pub const REFUSED_BLOCK: &str = "refused-block";
/// A list of the server did.
pub const REFUSED_LIST: &str = "refused-list";

/// The rule by which the server refused the query, if it did: its first line says so. A refusal of
/// the query itself (a line that is not a query) is an answer.
#[must_use]
pub fn refusal(answer: &[u8]) -> Option<&'static str> {
    let code = answer.strip_prefix(b"%ERROR:")?;
    [(&b"QUOTA "[..], REFUSED_LIMIT), (b"BLOCKED ", REFUSED_BLOCK), (b"DENIED ", REFUSED_LIST)]
        .into_iter()
        .find_map(|(word, name)| code.starts_with(word).then_some(name))
}

/// Whether lines end in CR LF, neither occurs alone, and nothing else is a control character but
/// TAB. Both passes are loops without a branch over bytes, so that they take many at once.
fn is_well_formed(answer: &[u8]) -> bool {
    let control = answer.iter().fold(0, |any: u8, &byte| {
        let low = u8::from(byte < b' ');
        let line_end = u8::from(byte == b'\r') | u8::from(byte == b'\n');
        let allowed = line_end | u8::from(byte == b'\t');
        any | (low & (allowed ^ 1)) | u8::from(byte == 0x7f)
    });
    // If a byte is LF exactly where the one before it is CR, none of them occurs alone.
    let after = answer.get(1..).unwrap_or_default();
    let alone = answer.iter().zip(after).fold(0, |any: u8, (&left, &right)| {
        any | (u8::from(left == b'\r') ^ u8::from(right == b'\n'))
    });
    let ends = answer.first() != Some(&b'\n') && answer.last() != Some(&b'\r');
    control == 0 && alone == 0 && ends
}

/// Whether every line is `key: value`, a remark, or empty.
fn is_keyed(record: &[u8]) -> bool {
    let mut rest = record;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at_checked(end.saturating_add(1)).unwrap_or_default();
        let other = line.starts_with(b"%") || line == b"\r\n";
        if !other && memchr::memchr(b':', line).is_none_or(|colon| colon == 0) {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

/// Where the line is that consists of `label` and then the subject, in any case; without a subject,
/// the first that starts with `label`.
fn object_line(head: &[u8], label: &[u8], subject: Option<&[u8]>) -> Option<usize> {
    let names = |line: &[u8]| {
        let Some(rest) = line.strip_prefix(label) else { return false };
        subject.is_none_or(|subject| {
            rest.split_at_checked(subject.len()).is_some_and(|(name, end)| {
                name.eq_ignore_ascii_case(subject) && end.starts_with(b"\r\n")
            })
        })
    };
    if names(head) {
        return Some(0);
    }
    let starts = memchr::memchr_iter(b'\n', head).map(|end| end.saturating_add(1));
    starts.into_iter().find(|&start| head.get(start..).is_some_and(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::sampled;

    const GOOD: &str = "Domain Name: x.demo\r\nRegistrar: A\r\n\
        >>> Last update of WHOIS database: 2026-01-01T00:00:00Z <<<\r\n\r\nTerms.\r\n";

    fn request(kind: Kind, subject: &str, hit: bool) -> Request {
        Request { kind, subject: subject.to_owned(), hit: Some(hit), ..Request::default() }
    }

    fn checked(answer: &str) -> Result<(), &'static str> {
        Checker::new(None, 1.0, 1).check(&request(Kind::Domain, "X.demo", true), answer.as_bytes())
    }

    #[test]
    fn a_refusal_by_policy_is_named_by_the_policy() {
        let mut checker = Checker::new(None, 0.0, 1);
        let request = Request::default();
        for (line, name) in [
            ("%ERROR:QUOTA limit=60/min scope=192.0.2.1/32 wait=9", REFUSED_LIMIT),
            ("%ERROR:BLOCKED scope=192.0.2.0/24 until=2027-01-01T00:00:00Z wait=9", REFUSED_BLOCK),
            ("%ERROR:DENIED scope=192.0.2.0/24", REFUSED_LIST),
        ] {
            let answer = format!(
                "{line}\r\n>>> Last update of WHOIS database: 2026-01-01T00:00:00Z <<<\r\n"
            );
            assert_eq!(checker.check(&request, answer.as_bytes()), Err(name));
        }
        assert_eq!(refusal(b"%ERROR:SYNTAX the line is not a query\r\n"), None);
        assert_eq!(refusal(b"Domain Name: %ERROR:QUOTA \r\n"), None);
    }

    #[test]
    fn a_right_answer_passes() {
        assert_eq!(checked(GOOD), Ok(()));
        assert_eq!(checked(&format!("% Terms\r\n{GOOD}")), Ok(()));
    }

    #[test]
    fn an_answer_that_ends_early_is_cut_short() {
        for length in 0..GOOD.len() {
            let result = checked(&GOOD[..length]);
            let after_update = length > GOOD.find("<<<").unwrap() + 4;
            let at_line_end = GOOD[..length].ends_with("\r\n");
            assert_eq!(result.is_ok(), after_update && at_line_end, "{length}: {result:?}");
        }
        assert_eq!(checked(""), Err("cut-short"));
        assert_eq!(checked(GOOD.strip_suffix("\r\n").unwrap()), Err("cut-short"));
    }

    #[test]
    fn line_ends_and_control_characters_are_malformed() {
        for (from, to) in [("A\r\n", "A\n"), ("A\r\n", "A\r"), ("A\r\n", "\0\r\n")] {
            assert_eq!(checked(&GOOD.replace(from, to)), Err("malformed"), "{to:?}");
        }
        for planted in ["\u{7f}", "\u{1b}[0m", "\n", "\r"] {
            assert_eq!(checked(&format!("{planted}{GOOD}")), Err("malformed"), "{planted:?}");
        }
        assert_eq!(checked(&GOOD.replace(" <<<", "")), Err("malformed"));
    }

    #[test]
    fn a_line_of_the_record_without_a_key_is_malformed() {
        for line in ["free text", ": value", "x"] {
            let answer = GOOD.replace("Registrar: A", line);
            assert_eq!(checked(&answer), Err("malformed"), "{line}");
        }
        for line in ["", "% remark", "Name Server:", "a: b: c"] {
            assert_eq!(checked(&GOOD.replace("Registrar: A", line)), Ok(()), "{line}");
        }
    }

    #[test]
    fn another_name_than_the_one_asked_for_is_the_wrong_object() {
        for name in ["y.demo", "x.demo.demo", "x.dem", "ax.demo"] {
            assert_eq!(checked(&GOOD.replace("x.demo", name)), Err("wrong-object"), "{name}");
        }
        let miss = request(Kind::Miss, "", false);
        assert_eq!(Checker::new(None, 0.0, 1).check(&miss, GOOD.as_bytes()), Err("wrong-object"));
        let gone = GOOD.replace("Domain Name: x.demo", "Not there");
        assert_eq!(Checker::new(None, 0.0, 1).check(&miss, gone.as_bytes()), Ok(()));
        let registrar = request(Kind::Registrar, "B", true);
        let result = Checker::new(None, 0.0, 1).check(&registrar, GOOD.as_bytes());
        assert_eq!(result, Err("wrong-object"));
    }

    #[test]
    fn a_record_names_what_was_asked_for_even_where_nobody_knows_what_is_there() {
        let checked = |subject: &str, answer: &str| {
            let unknown = Request { hit: None, ..request(Kind::Domain, subject, false) };
            Checker::new(None, 0.0, 1).check(&unknown, answer.as_bytes())
        };
        assert_eq!(checked("X.demo", GOOD), Ok(()));
        assert_eq!(checked("y.demo", GOOD), Err("wrong-object"));
        assert_eq!(checked("y.demo", &GOOD.replace("Domain Name: x.demo", "Not there")), Ok(()));
        let variant = GOOD.replace("Registrar: A", "Active Variant: y.demo");
        assert_eq!(checked("Y.demo.", &variant), Ok(()));
        assert_eq!(checked("\u{fc}.demo", GOOD), Ok(()));
    }

    #[test]
    fn an_answer_of_http_has_a_status_and_is_about_what_was_asked() {
        let mut checker = Checker::new(None, 0.0, 1);
        let hit = request(Kind::Domain, "X.demo", true);
        let miss = request(Kind::Miss, "", false);
        let unknown = Request { hit: None, ..request(Kind::Contact, "", false) };
        let body: &[u8] = b"{\"ldhName\":\"x.demo\"}";
        for (request, is_asked, status, body, result) in [
            (&hit, true, 200, body, Ok(())),
            (&hit, true, 200, b"{\"ldhName\":\"y.demo\"}", Err("wrong-object")),
            (&hit, true, 404, b"", Err("not-found")),
            (&hit, false, 200, b"", Ok(())),
            (&hit, false, 404, b"", Err("status-4xx")),
            (&miss, true, 404, b"", Ok(())),
            (&miss, true, 200, body, Err("wrong-object")),
            (&unknown, true, 404, b"", Ok(())),
            (&unknown, true, 200, b"", Ok(())),
            (&hit, true, 429, b"", Err(REFUSED_LIMIT)),
            (&hit, true, 403, b"", Err(REFUSED_LIST)),
            (&hit, true, 503, b"", Err("unavailable")),
            (&hit, true, 301, b"", Err("status-3xx")),
            (&hit, true, 422, b"", Err("status-4xx")),
            (&hit, true, 500, b"", Err("status-5xx")),
        ] {
            let answer = Answer { status, body };
            assert_eq!(checker.check_http(request, is_asked, answer), result, "{status}");
        }
        assert_eq!((checker.counts()[STATUS], checker.counts()["object"]), (15, 5));
    }

    #[test]
    fn two_last_updates_are_two_generations_and_a_new_one_is_counted() {
        assert_eq!(checked(&format!("{GOOD}{GOOD}")), Err("two-generations"));
        let mut checker = Checker::new(None, 0.0, 1);
        let next = GOOD.replace("2026", "2027");
        for answer in [GOOD, &next, GOOD, &next] {
            let domain = request(Kind::Domain, "x.demo", true);
            assert_eq!(checker.check(&domain, answer.as_bytes()), Ok(()));
        }
        assert_eq!(checker.counts()["generation-changed"], 2);
        assert_eq!(checker.counts()["object"], 4);
    }

    #[test]
    fn an_answer_that_the_snapshot_does_not_give_differs() {
        let directory = sampled();
        let expect = Expect::open(directory.path(), None).unwrap();
        let mut reader = expect.answers.clone().into_reader();
        let request = Request { bytes: b"help\r\n".to_vec(), ..Request::default() };
        let right = reader.answer(&request.bytes).to_vec();
        let mut checker = Checker::new(Some(&expect), 1.0, 1);
        assert_eq!(checker.check(&request, &right), Ok(()));
        let mut wrong = right.clone();
        wrong[2] ^= 1;
        assert_eq!(checker.check(&request, &wrong), Err("differs"));
        assert_eq!(checker.counts()["byte-for-byte"], 2);
        let mut half = Checker::new(Some(&expect), 0.5, 1);
        for _ in 0..1_000 {
            assert_eq!(half.check(&request, &right), Ok(()));
        }
        assert!((430..570).contains(&half.counts()["byte-for-byte"]), "{:?}", half.counts());
    }
}
