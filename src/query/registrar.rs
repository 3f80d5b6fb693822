//! Which registrars answer a name, a part of one, or an IANA identifier.
//!
//! # Invariants
//!
//! - `nearest first`: an IANA identifier; the name, folded; its words alone; and then, as a list,
//!   names that have the words, or match the pattern.
//! - `bounded`: at most [`WILDCARD_STEPS_MAX`] steps, and [`WILDCARD_NAMES_MAX`] names.
//!
//! # Does not
//!
//! Fold names: `idn` does, and the view keeps what came of it for the names that are there.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::key::RegistrarKey;
use snapshot_format::record::ArchivedRegistrar;

use super::AnswerResult;
use super::answer::Answer;
use super::find::{Answered, Failure};
use super::frame::{self, ListEnd, Records, Site, Tail};
use super::number::Decimal;
use super::parse::{Display, QUERY_LINE_BYTES_MAX, Refusal};
use super::render;
use super::typed::narrow;
use super::wildcard::{
    Pattern, RECORD_STEPS, WILDCARD_NAMES_MAX, WILDCARD_STEPS_MAX, has_wildcard,
};
use crate::idn::{self, FOLDED_BYTES_MAX, Folded, Short, U_NAME_BYTES_MAX};
use crate::view::{RegistrarName, View};

const MANY: &[u8] = b"Query matched more than one registrar:\r\n";
const ONE: &[u8] = b"Query matched one registrar:\r\n";

/// Ordinals of registrars: as many as an answer lists.
struct Ordinals {
    list: [u32; WILDCARD_NAMES_MAX],
    count: usize,
    end: ListEnd,
}

impl Ordinals {
    const fn new() -> Self {
        Self { list: [0; WILDCARD_NAMES_MAX], count: 0, end: ListEnd::Complete }
    }

    /// Adds one; `false` if there was no room.
    fn push(&mut self, ordinal: u32) -> bool {
        let Some(place) = self.list.get_mut(self.count) else {
            self.end = ListEnd::More;
            return false;
        };
        *place = ordinal;
        self.count = self.count.saturating_add(1);
        true
    }

    fn of<'n>(names: impl Iterator<Item = &'n RegistrarName>) -> Option<Self> {
        let mut found = Self::new();
        // To the first that finds no room.
        let _ = names.take_while(|name| found.push(name.ordinal)).count();
        (found.count > 0).then_some(found)
    }

    fn iter(&self) -> impl Iterator<Item = u32> {
        self.list.iter().take(self.count).copied()
    }
}

/// Whether a registrar has exactly this name or identifier, so that one is asked for, not a list.
pub(super) fn is_one(view: &View, typed: &str) -> bool {
    let known = |id| view.data().find_registrars(RegistrarKey::IanaId(id)).next().is_some();
    iana_id(typed).is_some_and(known) || named(view, typed).is_some()
}

/// Answers a registrar's name or IANA identifier.
pub(super) fn exact(site: &Site<'_>, typed: &str, display: Display, out: &mut Answer) -> Answered {
    if let Some(iana_id) = iana_id(typed) {
        let key = RegistrarKey::IanaId(iana_id);
        if site.snapshot.find_registrars(key).next().is_some() {
            return records(site, site.snapshot.find_registrars(key), ListEnd::Complete, out);
        }
    }
    match named(site.view, typed) {
        Some(found) if display == Display::List => list(site, &found, out),
        Some(found) => whole(site, &found, out),
        None => part(site, typed, display, out),
    }
}

/// Answers a pattern, or a part of a name.
pub(super) fn part(site: &Site<'_>, typed: &str, display: Display, out: &mut Answer) -> Answered {
    let found = if has_wildcard(typed) {
        idn::folded(typed).map(|folded| matching(site.view, &Pattern::of_folded(folded.as_str())))
    } else {
        idn::words(typed).map(|words| with_part(site.view, &words))
    };
    let found = found.unwrap_or_else(Ordinals::new);
    if found.count == 0 {
        if found.end == ListEnd::Budget {
            return Err(Refusal::Budget.into());
        }
        return Ok(frame::not_found(site, &site.defaults(), out));
    }
    let only_one = found.count == 1 && found.end == ListEnd::Complete;
    if display == Display::Full || (only_one && display == Display::Auto) {
        return whole(site, &found, out);
    }
    list(site, &found, out)
}

/// The registrars of exactly this name, or of these words.
fn named(view: &View, typed: &str) -> Option<Ordinals> {
    let names = view.registrar_names();
    let with_folded = |text: &str| {
        let folded = idn::folded(text)?;
        Ordinals::of(names.with_folded(folded.as_str()).iter())
    };
    if let Some(found) = with_folded(typed) {
        return Some(found);
    }
    // Debian's client sends the last word as an A-label: `Jürg xn--mller-kva`.
    if let Some(found) = with_last_word_decoded(typed).and_then(|text| with_folded(text.as_str())) {
        return Some(found);
    }
    if has_wildcard(typed) {
        return None;
    }
    let words = idn::words(typed)?;
    Ordinals::of(names.with_words(words.as_str()))
}

/// The registrars whose folded names match a pattern.
fn matching(view: &View, pattern: &Pattern) -> Ordinals {
    let mut found = Ordinals::new();
    let mut steps = WILDCARD_STEPS_MAX;
    for name in view.registrar_names().all() {
        match pattern.matches(&name.folded, &mut steps) {
            Some(false) => {}
            Some(true) => {
                if !found.push(name.ordinal) {
                    break;
                }
            }
            None => {
                found.end = ListEnd::Budget;
                break;
            }
        }
    }
    found
}

/// The registrars whose names have these words one after another, the last one perhaps in part.
fn with_part(view: &View, words: &Folded) -> Ordinals {
    let mut found = Ordinals::new();
    let mut steps = WILDCARD_STEPS_MAX;
    let words = words.as_bytes();
    if words.is_empty() {
        return found;
    }
    let mut later = Short::<{ FOLDED_BYTES_MAX + 1 }>::new();
    later.push(b' ');
    later.push_all(words);
    let later = memchr::memmem::Finder::new(later.as_bytes());
    for name in view.registrar_names().all() {
        let text = name.words.as_bytes();
        let Some(left) = steps.checked_sub(RECORD_STEPS) else {
            found.end = ListEnd::Budget;
            break;
        };
        steps = left;
        let has_words = text.starts_with(words) || later.find(text).is_some();
        if has_words && !found.push(name.ordinal) {
            break;
        }
    }
    found
}

fn whole(site: &Site<'_>, found: &Ordinals, out: &mut Answer) -> Answered {
    let of_ordinal = |ordinal| site.snapshot.record::<ArchivedRegistrar>(ordinal).transpose();
    records(site, found.iter().filter_map(of_ordinal), found.end, out)
}

fn records<'a>(
    site: &Site<'a>,
    found: impl Iterator<Item = Result<&'a ArchivedRegistrar, snapshot_format::Corrupt>>,
    end: ListEnd,
    out: &mut Answer,
) -> Answered {
    let rule = site.defaults();
    let mut records = Records::begin(site, &rule, out);
    for record in found {
        let record = record?;
        let fits = records.add(out, |out| {
            render::registrar(site, rule, record, out);
            Ok(())
        })?;
        if !fits {
            break;
        }
    }
    Ok(records.finish(Tail::Plain, end, out))
}

/// Lists registrars by their IANA identifiers, which a query may name, and names.
fn list(site: &Site<'_>, found: &Ordinals, out: &mut Answer) -> Result<AnswerResult, Failure> {
    let rule = site.defaults();
    frame::begin(&rule, out);
    out.raw(if found.count == 1 { ONE } else { MANY });
    let mut end = found.end;
    for registrar in found.iter().filter_map(|ordinal| site.view.registrar(ordinal)) {
        let id = Decimal::of(u64::from(registrar.iana_id));
        // Names are free texts: without something before it, one could read as a line of a record.
        let id = if registrar.iana_id == 0 { "-" } else { id.as_str() };
        if !frame::list_line(id, &registrar.name, out) {
            end = ListEnd::More;
            break;
        }
    }
    Ok(frame::finish_list(site, &rule, end, out))
}

/// The identifier that a text of digits is, in any width.
fn iana_id(typed: &str) -> Option<u32> {
    let id = typed
        .chars()
        .try_fold(0_u32, |id, c| id.checked_mul(10)?.checked_add(narrow(c).to_digit(10)?));
    id.filter(|&id| id != 0)
}

/// A registrar's name of which the last word was sent as A-labels.
fn with_last_word_decoded(
    typed: &str,
) -> Option<Short<{ QUERY_LINE_BYTES_MAX + U_NAME_BYTES_MAX }>> {
    let word_at = typed.rfind(' ').map_or(0, |blank| blank.saturating_add(1));
    let (before, word) = typed.split_at_checked(word_at)?;
    let word = idn::decoded(word)?;
    let mut name = Short::new();
    name.push_all(before.as_bytes());
    name.push_all(word.as_bytes());
    Some(name)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::rc::Rc;

    use snapshot_format::object::Registrar;
    use snapshot_format::record::Meta;
    use snapshot_format::sort::MemoryScratch;
    use snapshot_format::{Builder, Options};

    use super::*;
    use crate::policy::{Rules, Tier};
    use crate::query::{QueryKind, Request, answer};

    /// A registry of registrars with these names.
    fn registry(names: impl Iterator<Item = String>) -> View {
        let out = Cursor::new(Vec::new());
        let mut builder = Builder::new(out, Rc::new(MemoryScratch), Options::default()).unwrap();
        for (number, name) in names.enumerate() {
            let id = format!("reg-{number:05}");
            builder.registrar(&Registrar { id, name, ..Registrar::default() }).unwrap();
        }
        let (out, _) = builder.finish(&Meta::default(), &mut |_name, _defect| {}).unwrap();
        View::of_bytes(out.into_inner()).unwrap()
    }

    fn ask(view: &View, line: &str) -> String {
        let mut out = Answer::new();
        answer(view, &Rules::standard(), Tier::PUBLIC, line.as_bytes(), &mut out);
        String::from_utf8(out.bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_list_names_fifty_registrars_and_says_that_there_are_more() {
        let view = registry((0..60).map(|number| format!("Example {number:02} Ltd.")));
        for line in ["registrar example", "registrar Exampl%", "registrar *", "registrar ltd"] {
            let text = ask(&view, line);
            assert!(
                text.starts_with("Query matched more than one registrar:\r\n- (Exam"),
                "{text}"
            );
            assert_eq!(text.matches("- (Example ").count(), 50, "{text}");
            assert!(text.contains("% There are more names than this answer lists.\r\n"), "{text}");
        }
        assert!(ask(&view, "registrar example 07").starts_with("Registrar: Example 07 Ltd."));
        let few = ask(&view, "registrar example 5_ ltd");
        assert_eq!(few.matches("- (Example 5").count(), 10, "{few}");
        assert!(!few.contains("There are more"), "{few}");
    }

    #[test]
    fn a_name_in_a_list_reads_as_no_line_of_a_record() {
        let names = ["Domain Name: evil.demo", "Domain Names Ltd\r\nDomain Name: x"];
        let text = ask(&registry(names.map(str::to_owned).into_iter()), "registrar domain");
        assert!(text.starts_with("Query matched more than one registrar:\r\n"), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("Domain Name")), "{text}");
    }

    #[test]
    fn a_search_among_very_many_registrars_stops_at_its_limit_of_steps() {
        let view = registry((0..8_000).map(|number| format!("Name number {number:05}")));
        for line in ["registrar zzz", "registrar z%", "registrar %z"] {
            let text = ask(&view, line);
            let stopped = text.starts_with("%ERROR:BUDGET ");
            // A pattern whose first letter differs costs one step a name.
            assert_eq!(stopped, line != "registrar z%", "{line}: {text}");
        }
    }

    #[test]
    fn the_kind_of_a_query_goes_by_whether_the_name_is_there() {
        let view = registry(["100% Names_".to_owned()].into_iter());
        let kind = |line: &str| Request::read(line.as_bytes()).settled(&view).kind();
        for line in ["registrar 100% names_", "registrar 100 Names"] {
            assert_eq!(kind(line), QueryKind::Registrar, "{line}");
        }
        for line in ["registrar 100%", "registrar names", "registrar 7", "registrar zzz"] {
            assert_eq!(kind(line), QueryKind::RegistrarPattern, "{line}");
        }
    }
}
