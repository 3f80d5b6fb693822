//! A file of lists as text: TOML, every key known, every value within its bound.
//!
//! # Invariants
//!
//! - The first thing that is wrong is named with file, line, entry, key, what was got and what is
//!   expected; a file with an error gives no entry at all.
//!
//! # Does not
//!
//! Compare entries with each other: `table` does, over all files.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;
use serde::de::{SeqAccess, Visitor};
use snapshot_format::calendar::days_from_civil;
use toml::Spanned;
use toml::value::{Datetime, Offset};

use super::error::{ListError, ListProblem, PrefixError};
use super::{
    Action, Entry, LIST_BYTES_MAX, NOTE_BYTES_MAX, OWN_LIMIT_MAX, OwnLimits, PREFIX_COUNT_MAX, Per,
};
use crate::policy::display::settings::answer_line;
use crate::policy::display::tier::TIER_NAME_BYTES_MAX;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    entry: Vec<Spanned<Written>>,
}

/// `[[entry]]` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    prefix: Option<Prefixes>,
    action: Option<Spanned<String>>,
    queries_per_min: Option<Spanned<i64>>,
    burst: Option<Spanned<i64>>,
    per: Option<Spanned<String>>,
    tier: Option<Spanned<String>>,
    reason: Option<Spanned<String>>,
    contact: Option<Spanned<String>>,
    expires: Option<Spanned<Datetime>>,
}

/// One prefix, or a list of them.
#[derive(Debug)]
struct Prefixes(Vec<Spanned<String>>);

impl<'de> Deserialize<'de> for Prefixes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Spanned::<OneOrMore>::deserialize(deserializer)?;
        let span = value.span();
        Ok(Self(match value.into_inner() {
            OneOrMore::One(text) => vec![Spanned::new(span, text)],
            OneOrMore::More(texts) => texts,
        }))
    }
}

enum OneOrMore {
    One(String),
    More(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a prefix in quotes, or a list of them in brackets")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMore, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMore::More(texts))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Most errors of a file that are reported at once.
const ERRORS_MAX: usize = 20;

/// Reads the text of a file that is named `file` in messages.
///
/// # Errors
///
/// The first thing that is wrong, with its place.
pub fn parse(file: &str, text: &str) -> Result<Arc<[Entry]>, ListError> {
    check(file, text).map_err(|(first, _more)| first)
}

/// As [`parse`].
///
/// # Errors
///
/// The first thing that is wrong, and what is wrong with later entries, 20 in all at most.
pub fn check(file: &str, text: &str) -> Result<Arc<[Entry]>, (ListError, Vec<ListError>)> {
    let alone = |error| (error, Vec::new());
    let reader = Reader { file: file.into(), lines: Lines::new(text) };
    if text.len() > LIST_BYTES_MAX {
        let problem = ListProblem::Long { got: text.len() };
        return Err(alone(reader.refused(0, "", &(0..0), problem)));
    }
    let parsed: File = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let number = entries_begun(text, span.start);
        let problem = ListProblem::Syntax { message: plain(error.message()) };
        alone(reader.refused(number, "", &span, problem))
    })?;
    let mut entries = Vec::new();
    let wrong = parsed
        .entry
        .iter()
        .zip(1_u32..)
        .filter_map(|(written, number)| reader.entry(written, number, &mut entries).err());
    let mut wrong = wrong.take(ERRORS_MAX);
    if let Some(first) = wrong.next() {
        return Err((first, wrong.collect()));
    }
    Ok(entries.into())
}

/// Reads a prefix, or an address as the prefix of it alone.
///
/// # Errors
///
/// What is wrong, and what would be right.
pub fn prefix(text: &str) -> Result<IpNet, PrefixError> {
    let read = match text.parse::<IpNet>() {
        Ok(prefix) => prefix,
        Err(_) => text
            .parse::<std::net::IpAddr>()
            .map(IpNet::from)
            .map_err(|_| PrefixError::Form { text: text.to_owned() })?,
    };
    let read = unmapped(read);
    if read != read.trunc() {
        return Err(PrefixError::HostBits { text: text.to_owned(), read });
    }
    Ok(read)
}

/// IPv4 written as IPv6 as what it is.
pub(crate) fn unmapped(prefix: IpNet) -> IpNet {
    let IpNet::V6(long) = prefix else { return prefix };
    let short = long.addr().to_ipv4_mapped().zip(long.prefix_len().checked_sub(96));
    let short = short.and_then(|(address, len)| Ipv4Net::new(address, len).ok());
    short.map_or(prefix, IpNet::V4)
}

struct Reader {
    file: Arc<str>,
    lines: Lines,
}

impl Reader {
    fn entry(
        &self,
        written: &Spanned<Written>,
        number: u32,
        entries: &mut Vec<Entry>,
    ) -> Result<(), ListError> {
        let span = written.span();
        let missing = |key, problem| Err(self.refused(number, key, &span, problem));
        let Written { prefix: prefixes, tier, reason, contact, .. } = written.get_ref();
        let Some(Prefixes(prefixes)) = prefixes else {
            return missing("prefix", ListProblem::NoPrefix);
        };
        if prefixes.is_empty() {
            return missing("prefix", ListProblem::NoPrefixes);
        }
        let action = self.action(written, number)?;
        if action == Action::None && tier.is_none() {
            return missing("action", ListProblem::NoAction);
        }
        let tier = self.text(number, "tier", tier.as_ref(), TIER_NAME_BYTES_MAX)?;
        let reason = self.text(number, "reason", reason.as_ref(), NOTE_BYTES_MAX)?;
        let contact = self.text(number, "contact", contact.as_ref(), NOTE_BYTES_MAX)?;
        let expires_ms = self.expires(written, number)?;
        for text in prefixes {
            if entries.len() >= PREFIX_COUNT_MAX {
                let problem = ListProblem::PrefixCount;
                return Err(self.refused(number, "prefix", &text.span(), problem));
            }
            let prefix = prefix(text.get_ref())
                .map_err(|error| self.refused(number, "prefix", &text.span(), error.into()))?;
            entries.push(Entry {
                prefix,
                action,
                tier: tier.clone(),
                reason: reason.clone(),
                contact: contact.clone(),
                expires_ms,
                file: Arc::clone(&self.file),
                line: self.lines.of(text.span().start),
                number,
            });
        }
        Ok(())
    }

    fn action(&self, written: &Spanned<Written>, number: u32) -> Result<Action, ListError> {
        let Written { action, queries_per_min, burst, per, .. } = written.get_ref();
        let word = action.as_ref().map(|word| word.get_ref().as_str());
        let action = match word {
            Some("limit") => return self.limits(written, number),
            Some("deny") => Action::Deny,
            Some("allow") => Action::Allow,
            None => Action::None,
            Some(other) => {
                let span = action.as_ref().map_or(0..0, Spanned::span);
                let problem = ListProblem::Action { word: other.to_owned() };
                return Err(self.refused(number, "action", &span, problem));
            }
        };
        let set = [
            ("queries_per_min", queries_per_min.as_ref().map(Spanned::span)),
            ("burst", burst.as_ref().map(Spanned::span)),
            ("per", per.as_ref().map(Spanned::span)),
        ];
        for (key, span) in set {
            if let Some(span) = span {
                return Err(self.refused(number, key, &span, ListProblem::NoLimit));
            }
        }
        Ok(action)
    }

    fn limits(&self, written: &Spanned<Written>, number: u32) -> Result<Action, ListError> {
        let Written { queries_per_min, burst, per, .. } = written.get_ref();
        let Some(rate) = queries_per_min else {
            let problem = ListProblem::NoRate;
            return Err(self.refused(number, "queries_per_min", &written.span(), problem));
        };
        let queries_per_min = self.bounded(number, "queries_per_min", rate)?;
        let burst = match burst {
            Some(burst) => self.bounded(number, "burst", burst)?,
            // A minute's worth at once.
            None => queries_per_min,
        };
        let per = match per.as_ref().map(|word| (word.get_ref().as_str(), word.span())) {
            None | Some(("address", _)) => Per::Address,
            Some(("prefix", _)) => Per::Prefix,
            Some((other, span)) => {
                let problem = ListProblem::Per { word: other.to_owned() };
                return Err(self.refused(number, "per", &span, problem));
            }
        };
        Ok(Action::Limits(OwnLimits { queries_per_min, burst, per }))
    }

    fn bounded(
        &self,
        number: u32,
        key: &'static str,
        value: &Spanned<i64>,
    ) -> Result<u32, ListError> {
        let got = *value.get_ref();
        match u32::try_from(got) {
            Ok(value) if (1..=OWN_LIMIT_MAX).contains(&value) => Ok(value),
            _ => Err(self.refused(number, key, &value.span(), ListProblem::Bound { got })),
        }
    }

    fn text(
        &self,
        number: u32,
        key: &'static str,
        text: Option<&Spanned<String>>,
        bytes_max: usize,
    ) -> Result<Option<Arc<str>>, ListError> {
        let Some(text) = text else { return Ok(None) };
        answer_line(text.get_ref(), bytes_max)
            .map_err(|error| self.refused(number, key, &text.span(), error.into()))?;
        Ok(Some(text.get_ref().as_str().into()))
    }

    fn expires(&self, written: &Spanned<Written>, number: u32) -> Result<Option<i64>, ListError> {
        let Some(time) = &written.get_ref().expires else { return Ok(None) };
        epoch_ms(time.get_ref()).map(Some).ok_or_else(|| {
            let problem = ListProblem::Time { time: time.get_ref().to_string() };
            self.refused(number, "expires", &time.span(), problem)
        })
    }

    fn refused(
        &self,
        entry: u32,
        key: &'static str,
        span: &Range<usize>,
        problem: ListProblem,
    ) -> ListError {
        let (file, line) = (self.file.to_string(), self.lines.of(span.start));
        ListError { file, line, entry, key, problem: Box::new(problem) }
    }
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(memchr::memchr_iter(b'\n', text.as_bytes()).collect())
    }

    /// The line of a byte, from 1.
    fn of(&self, offset: usize) -> u32 {
        let before = self.0.partition_point(|end| *end < offset);
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// How many `[[entry]]` begin before `offset`: the number of the entry that it is in.
fn entries_begun(text: &str, offset: usize) -> u32 {
    let mut begun = 0_u32;
    let mut at = 0_usize;
    for line in text.split_inclusive('\n') {
        if at > offset {
            break;
        }
        begun = begun.saturating_add(u32::from(line.trim_start().starts_with("[[entry]]")));
        at = at.saturating_add(line.len());
    }
    begun
}

/// The parser's words for a reader who does not program.
fn plain(message: &str) -> String {
    message
        .replace("expected i64", "expected a whole number")
        .replace("invalid type: map, expected a sequence", "write [[entry]], in two brackets")
        .replace("unknown field", "unknown key")
        .replace("`, expected one of", "`; known are")
        .replace("`, expected `", "`; known is `")
        .replace('\n', " ")
}

/// A time in ms since the epoch, if it has a date, a time of day and a zone.
fn epoch_ms(time: &Datetime) -> Option<i64> {
    let (date, clock, offset) = (time.date?, time.time?, time.offset?);
    let minutes_east = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let days = days_from_civil(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let minutes = i64::from(clock.hour).saturating_mul(60).saturating_add(i64::from(clock.minute));
    let minutes = days.saturating_mul(1440).saturating_add(minutes).saturating_sub(minutes_east);
    let seconds = minutes.saturating_mul(60).saturating_add(i64::from(clock.second.unwrap_or(0)));
    let ms = i64::from(clock.nanosecond.unwrap_or(0) / 1_000_000);
    Some(seconds.saturating_mul(1000).saturating_add(ms))
}
