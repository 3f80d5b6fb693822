//! Which registrars answer a name, a part of one, or an IANA identifier.
//!
//! # Invariants
//!
//! - `nearest first`: an IANA identifier; the name, folded; its words alone; and then, as a list,
//!   names that have the words, or match the pattern; at each, the text as it came before the same
//!   with its last word decoded.
//! - `bounded`: at most [`WILDCARD_STEPS_MAX`] steps for each of two texts and two forms of a name,
//!   and [`super::WILDCARD_NAMES_MAX`] names.
//!
//! # Does not
//!
//! Fold names: `idn` does, and the view keeps what came of it for the names that are there. Show
//! registrars.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::key::RegistrarKey;
use snapshot_format::{Corrupt, Kind};

use super::find::{Absent, Failure, Found, IDENTIFIER_BYTES_MAX, ListEnd, Matches, Room, is_many};
use super::wildcard::{Pattern, RECORD_STEPS, WILDCARD_STEPS_MAX, has_wildcard, is_wildcard};
use crate::idn::{self, FOLDED_BYTES_MAX, Folded, Short, U_NAME_BYTES_MAX, narrow};
use crate::view::{RegistrarName, View};

/// The ordinals of registrars, as many as an answer lists; none if there are none.
fn listed(ordinals: impl Iterator<Item = u32>) -> Option<Matches<u32>> {
    let mut found = Matches::new();
    // To the first that finds no room.
    let _ = ordinals.take_while(|ordinal| found.push(*ordinal)).count();
    (found.count() > 0).then_some(found)
}

/// Whether a registrar has exactly this name or identifier, so that one is asked for, not a list.
pub(super) fn is_one(view: &View, typed: &str) -> bool {
    with_iana_id(view, typed).is_some() || named(view, typed).is_some()
}

/// The registrars of exactly this name or IANA identifier.
pub(super) fn exact<'v, 'r>(
    view: &'v View,
    typed: &str,
    room: &'r mut Room<'v>,
) -> Result<Found<'v, 'r>, Failure> {
    let found = with_iana_id(view, typed).or_else(|| named(view, typed));
    Ok(match found {
        Some(found) => Found::Registrars(room.registrars.insert(found)),
        None => Found::Absent(Absent::NoRecord),
    })
}

/// The registrar with this identifier within the registry; `None` if there is none.
pub(super) fn with_id(view: &View, typed: &str) -> Result<Option<Matches<u32>>, Corrupt> {
    // The index says whether there is one; its ordinal is looked for in that case alone.
    if view.data().find_registrars(RegistrarKey::Id(typed)).next().transpose()?.is_none() {
        return Ok(None);
    }
    let mut ordinals = 0..view.data().ordinals_end(Kind::Registrar);
    let has_id = |ordinal: &u32| view.registrar(*ordinal).is_some_and(|of| &*of.id == typed);
    Ok(listed(ordinals.find(has_id).into_iter()))
}

/// The registrars that a pattern or a part of a name stands for.
pub(super) fn part<'v, 'r>(
    view: &'v View,
    typed: &str,
    room: &'r mut Room<'v>,
) -> Result<Found<'v, 'r>, Failure> {
    let mut found = found_by(view, typed);
    if found.is_none()
        && let Some(decoded) = with_last_word_decoded(typed)
    {
        found = found_by(view, decoded.as_str());
    }
    match (found.count(), found.end) {
        (0, ListEnd::Budget) => Err(Failure::Budget),
        (0, _) => Ok(Found::Absent(Absent::NoRecord)),
        _ => Ok(Found::Registrars(room.registrars.insert(found))),
    }
}

/// The registrars of the IANA identifier that a text of digits is, in any width.
fn with_iana_id(view: &View, typed: &str) -> Option<Matches<u32>> {
    let id = typed
        .chars()
        .try_fold(0_u32, |id, c| id.checked_mul(10)?.checked_add(narrow(c).to_digit(10)?));
    listed(view.registrar_names().with_iana_id(id.filter(|&id| id != 0)?))
}

/// The registrars that a pattern matches, or whose names have these words.
fn found_by(view: &View, text: &str) -> Matches<u32> {
    if !has_wildcard(text) {
        return idn::words(text).map_or_else(Matches::new, |words| with_part(view, &words));
    }
    let Some(folded) = idn::folded(text) else { return Matches::new() };
    let pattern = Pattern::of_folded(folded.as_str());
    let is_dotted = ends_in_dots_after_wildcard(text);
    let found = matching(view, &pattern, is_dotted, |name| Some(&name.folded));
    if !found.is_none() || is_dotted {
        return found;
    }
    // As people type names: without accents and punctuation.
    let Some(words) = words_pattern(text) else { return found };
    let pattern = Pattern::of_folded(words.as_str());
    let differing = |name: &'_ RegistrarName| name.words != name.folded;
    matching(view, &pattern, false, |name| differing(name).then_some(&*name.words))
}

/// The words of a pattern, and its wildcards between them.
fn words_pattern(text: &str) -> Option<Folded> {
    let mut pattern = Folded::new();
    for part in text.split_inclusive(is_wildcard) {
        let wildcard = part.chars().next_back().filter(|&c| is_wildcard(c));
        let words = idn::words(part)?;
        let fits = pattern.push_all(words.as_bytes());
        (fits && wildcard.is_none_or(|c| pattern.push_char(narrow(c)))).then_some(())?;
    }
    Some(pattern)
}

/// Whether a pattern asks for names that end in a full stop, which folded names do not.
fn ends_in_dots_after_wildcard(text: &str) -> bool {
    let before = text.trim_end_matches(|c: char| narrow(c) == '.');
    before.len() < text.len() && before.ends_with(is_many)
}

/// The registrars of exactly this name, or of these words.
fn named(view: &View, typed: &str) -> Option<Matches<u32>> {
    let names = view.registrar_names();
    let with_folded = |text: &str| {
        let folded = idn::folded(text)?;
        listed(names.with_folded(folded.as_str()).iter().map(|name| name.ordinal))
    };
    let with_words = |text: &str| {
        let words = idn::words(text).filter(|_| !has_wildcard(text))?;
        listed(names.with_words(words.as_str()).map(|name| name.ordinal))
    };
    if let Some(found) = with_folded(typed) {
        return Some(found);
    }
    let decoded = with_last_word_decoded(typed);
    let decoded = decoded.as_ref().map(Short::as_str);
    decoded
        .and_then(with_folded)
        .or_else(|| with_words(typed))
        .or_else(|| decoded.and_then(with_words))
}

/// The registrars whose names match a pattern in one of their forms; `is_dotted`: those alone that
/// end in a full stop as they are written.
fn matching<'v>(
    view: &'v View,
    pattern: &Pattern,
    is_dotted: bool,
    form: impl Fn(&'v RegistrarName) -> Option<&'v str>,
) -> Matches<u32> {
    let mut found = Matches::new();
    let mut steps = WILDCARD_STEPS_MAX;
    let ends_dotted = |ordinal| {
        view.registrar(ordinal).is_some_and(|registrar| registrar.name.trim_end().ends_with('.'))
    };
    for name in view.registrar_names().all() {
        let Some(text) = form(name) else { continue };
        match pattern.matches(text, &mut steps) {
            Some(false) => {}
            Some(true) => {
                let is_meant = !is_dotted || ends_dotted(name.ordinal);
                if is_meant && !found.push(name.ordinal) {
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
fn with_part(view: &View, words: &Folded) -> Matches<u32> {
    let mut found = Matches::new();
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

/// A registrar's name of which the last word was sent as A-labels, as Debian's client does:
/// `Jürg xn--mller-kva`.
fn with_last_word_decoded(
    typed: &str,
) -> Option<Short<{ IDENTIFIER_BYTES_MAX + U_NAME_BYTES_MAX }>> {
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
    use crate::query::QueryKind;
    use crate::query::whois::{Answer, Request, answer};

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

    #[test]
    fn a_last_word_that_came_as_an_a_label_is_found_in_every_way() {
        let names = ["Jürg Müller GmbH", "株式会社ドメイン", "Łódź Domeny", "Über-Domains"];
        let view = registry(names.map(str::to_owned).into_iter());
        for line in [
            "registrar xn--jrg-hoa",
            "registrar Jürg xn--mller-kva",
            "registrar jurg, xn--mller-kva",
            "registrar Jürg xn--mll%-kva",
        ] {
            let answer = ask(&view, line);
            let found = answer.starts_with("Registrar: Jürg Müller GmbH");
            assert_eq!(found, !line.contains('%'), "{line}: {answer}");
        }
        let label = |name: &str| idna::domain_to_ascii(name).unwrap();
        for (word, name) in [("łódź", "Łódź Domeny"), ("über", "Über-Domains"), ("株式", names[1])]
        {
            let answer = ask(&view, &format!("registrar {}", label(word)));
            assert!(answer.starts_with(&format!("Registrar: {name}")), "{word}: {answer}");
        }
        let kind = |line: &str| Request::read(line.as_bytes()).settled(&view).kind();
        assert_eq!(kind("registrar jurg xn--mller-kva"), QueryKind::RegistrarPattern);
        assert_eq!(kind(&format!("registrar {}", label(names[1]))), QueryKind::Registrar);
    }

    #[test]
    fn a_pattern_is_held_against_words_alone_where_no_name_matches_as_it_is() {
        let names = ["Jürg, Müller GmbH", "Example Names, Inc.", "Other Names Inc"];
        let view = registry(names.map(str::to_owned).into_iter());
        for (pattern, name) in [
            ("jurg%", names[0]),
            ("jürg m%ller gmbh", names[0]),
            ("j_rg muller%", names[0]),
            ("example names inc%", names[1]),
            // Names that end in a full stop, as they are written.
            ("%.", names[1]),
            ("exampl*..", names[1]),
            ("other%inc.", names[2]),
        ] {
            let answer = ask(&view, &format!("registrar {pattern}"));
            assert!(answer.starts_with(&format!("Registrar: {name}")), "{pattern}: {answer}");
        }
        assert!(ask(&view, "registrar other%.").starts_with("No Data Found"));
        assert!(ask(&view, "registrar %zzz%").starts_with("No Data Found"));
    }

    #[test]
    fn an_iana_identifier_is_listed_where_a_list_is_asked_for() {
        let out = Cursor::new(Vec::new());
        let mut builder = Builder::new(out, Rc::new(MemoryScratch), Options::default()).unwrap();
        let (id, name) = ("reg".to_owned(), "Example Ltd".to_owned());
        builder.registrar(&Registrar { id, name, iana_id: 8000, ..Registrar::default() }).unwrap();
        let (out, _) = builder.finish(&Meta::default(), &mut |_name, _defect| {}).unwrap();
        let view = View::of_bytes(out.into_inner()).unwrap();
        for line in ["$registrar 8000", "sum registrar 8000", "registrar $8000"] {
            let answer = ask(&view, line);
            let list = "Query matched one registrar:\r\n8000 (Example Ltd)\r\n";
            assert!(answer.starts_with(list), "{line}: {answer}");
        }
        assert!(ask(&view, "registrar 8000").starts_with("Registrar: Example Ltd"));
    }
}
