//! Phrases and keys by which programs that read answers tell what an answer is: one list for all
//! texts, ours and an operator's.
//!
//! # Invariants
//!
//! - `one-list`: nothing else says what a text may hold; what an operator sets goes through
//!   [`misleading`], and tests hold our own texts against the same tables.
//! - For each phrase there is a program that looks for it; `deploy/PARSERS.md` has the programs,
//!   their versions, and what they made of our answers.
//!
//! # Does not
//!
//! Check lengths or characters: `display::settings` does.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In every answer, or in the record of a registered name.
    Record,
    /// Before everything else, in every answer.
    Start,
    /// In the answer that there is no such record.
    NotFound,
    /// In a refusal.
    Refusal,
}

/// From these programs conclude that a name is free: the phrases of python-whois, asyncwhois,
/// whoisdomain, whois and pywhois2 (PyPI), whois-parsed (npm), whois-parser (Go), Net::Whois::Raw
/// (Perl) and whois-service (Cargo), each in its shortest form.
///
/// Left out, since texts of law use them and no record is misread for them:
///
/// - `restricted`, `generic` and `error`: whoisdomain and whois look for them in answers of at most
///   5 lines without `Domain Name:`;
/// - `domain not`: python-whois, under .fi alone and with a capital;
/// - what has to be all of an answer: "Object does not exist", "IP Address Has Reached Rate Limit".
pub(crate) const FREE: &[&str] = &[
    // Also "no matching objects" and "no matching record".
    "no match",
    "not match",
    "no found",
    "not found",
    "no entries",
    "no data found",
    "no data was found",
    "no object found",
    "no such domain",
    "no such object",
    "no information available",
    "no whois server is known",
    "nothing found",
    "returned 0 objects",
    "invalid query",
    "malformed request",
    "object does not exist",
    "domain does not exist",
    "does not exist in database",
    "domain name not known",
    "domain unknown",
    "domain you requested is not known",
    "we do not have an entry in our database",
    "not been registered",
    "not registered",
    "no se encuentra registrado",
    "el dominio no existe",
    "\u{767b}\u{9332}\u{3055}\u{308c}\u{3066}\u{3044}\u{307e}\u{305b}\u{3093}",
    "registration of this domain is restricted",
    "is available",
    "currently available",
    "available for registration",
    "available for re-registration",
    "available for purchase",
    "220 available",
    "is free",
    "status: free",
    "status: available",
    // One parser takes it for "free" in place of a limit.
    "connection limit exceeded",
];

/// As [`FREE`], where an answer begins with it: python-whois under .za and .tn.
pub(crate) const FREE_AT_START: &str = "available";

/// Keys whose line would read as an answer of its own.
const FREE_WORDS: [&str; 3] = ["available", "free", "unregistered"];

/// From these programs conclude that they have asked too much.
pub(crate) const QUOTA: &[&str] = &[
    "quota exceeded",
    "limit exceeded",
    "exceeded your quota",
    "lookup quota",
    "request limit reached",
    "too many requests",
    "server too busy",
    "access denied",
    "maximum number of queries",
    "number of allowed queries exceeded",
    "maximum number of requests per second exceeded",
    "exceeded the maximum allowable number",
    "queried interval is too short",
    "can temporarily not be answered",
    "try again later",
    "please try again",
];

/// Keys of a record: programs look for them anywhere in a text, not only where a line begins, and
/// the last one often counts.
pub(crate) const KEYS: &[&str] = &[
    "domain name:",
    "domain:",
    "domain id:",
    "domain status:",
    "domain server:",
    "registrar:",
    "registrar name:",
    "registrar url:",
    "registrar iana id:",
    "registrant:",
    "registrant name:",
    "registrant organization:",
    "registrant email:",
    "registrant country:",
    "admin name:",
    "admin email:",
    "tech name:",
    "tech email:",
    "whois server:",
    "referral url:",
    "refer:",
    "server name:",
    "name server:",
    "name servers:",
    "nameserver:",
    "nameservers:",
    "nserver:",
    "updated date:",
    "last updated:",
    "last modified:",
    "changed:",
    "creation date:",
    "created:",
    "created on:",
    "expiry date:",
    "expiration date:",
    "expires:",
    "expires on:",
    "paid-till:",
    "registered on:",
    "registration status:",
    "status:",
    "dnssec:",
    "reserved name:",
    // Ours: the head of a refusal, and of the line after each record.
    "%error:",
    LAST_UPDATE,
];

/// How the line after each record begins.
pub(crate) const LAST_UPDATE: &str = ">>> last update";

/// The phrase or key that `text` may not have, and what programs conclude from it.
#[must_use]
pub fn misleading(text: &str, place: Place) -> Option<(&'static str, &'static str)> {
    let text = folded(text);
    let first =
        |phrases: &[&'static str]| phrases.iter().copied().find(|phrase| holds(&text, phrase));
    if let Some(key) = first(KEYS) {
        return Some((key, "of which client programs make a record"));
    }
    let free = || {
        let begins = place == Place::Start && text.starts_with(FREE_AT_START);
        first(FREE).or_else(|| begins.then_some(FREE_AT_START))
    };
    if place != Place::NotFound
        && let Some(phrase) = free()
    {
        return Some((phrase, "from which client programs conclude whether a name is registered"));
    }
    if place != Place::Refusal
        && let Some(phrase) = first(QUOTA)
    {
        return Some((phrase, "from which client programs conclude that they asked too much"));
    }
    None
}

/// Whether programs would take a line of `key`, a colon and a value for more than an extra: it ends
/// in a key of a record, holds a phrase, or is the word for a free name. Without an allocation once
/// [`prepare`] was called, and in one pass for all phrases, since extras are looked at in answers.
pub(super) fn is_misleading_key(key: &str) -> bool {
    let same = |one: &[u8], other: &str| one.eq_ignore_ascii_case(other.as_bytes());
    let key = key.as_bytes();
    let ends = |end: &str| {
        let start = key.len().checked_sub(end.len());
        start.and_then(|start| key.get(start..)).is_some_and(|tail| same(tail, end))
    };
    KEYS.iter().filter_map(|known| known.strip_suffix(':')).any(ends)
        || FREE_WORDS.iter().any(|word| same(key, word))
        // Without the table no key would be safe.
        || IN_KEYS.as_ref().is_none_or(|phrases| phrases.is_match(key))
}

/// The phrases that no key may hold.
static IN_KEYS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let phrases = FREE.iter().chain(QUOTA);
    AhoCorasick::builder().ascii_case_insensitive(true).build(phrases).ok()
});

/// Makes the table of phrases, which is needed from the first answer on.
pub(super) fn prepare() {
    LazyLock::force(&IN_KEYS);
}

/// A text as programs compare it: lower case, one blank between words, none before a colon.
pub(crate) fn folded(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut folded = words.join(" ").to_lowercase();
    while folded.contains(" :") {
        folded = folded.replace(" :", ":");
    }
    folded
}

/// Whether `text` has `phrase`. A key begins a word; other phrases are found within words too, as
/// programs find them.
fn holds(text: &str, phrase: &str) -> bool {
    if !phrase.ends_with(':') {
        return text.contains(phrase);
    }
    text.match_indices(phrase).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_found_whatever_its_case_and_its_blanks() {
        let found = |text, place| misleading(text, place).map(|(phrase, _)| phrase);
        assert_eq!(found("if NO\n   Match", Place::Record), Some("no match"));
        assert_eq!(found("Quota\texceeded", Place::Record), Some("quota exceeded"));
        assert_eq!(found("Quota exceeded", Place::NotFound), Some("quota exceeded"));
        assert_eq!(found("Quota exceeded", Place::Refusal), None);
        assert_eq!(found("NOT FOUND", Place::NotFound), None);
        assert_eq!(found("NOT FOUND", Place::Refusal), Some("not found"));
        assert_eq!(found("ask the Registrar  : it knows", Place::NotFound), Some("registrar:"));
        assert_eq!(found("(domain name: x)", Place::Refusal), Some("domain name:"));
        assert_eq!(found("  %error:QUOTA", Place::Record), Some("%error:"));
        assert_eq!(found("Available to all", Place::Start), Some("available"));
        assert_eq!(found("Available to all", Place::Record), None);
    }

    #[test]
    fn a_sentence_that_a_parser_takes_for_free_is_refused() {
        for text in [
            "Names that are not registered may be ordered at any registrar.",
            "No data was found in the archive.",
            "A name that does not exist in database!",
            "no matching objects",
            "no matching record",
            "Extensions that do not match the list",
            "\u{767b}\u{9332}\u{3055}\u{308c}\u{3066}\u{3044}\u{307e}\u{305b}\u{3093}",
        ] {
            assert!(misleading(text, Place::Record).is_some(), "{text}");
            assert_eq!(misleading(text, Place::NotFound), None, "{text}");
        }
    }

    #[test]
    fn words_that_no_program_looks_for_are_allowed() {
        for text in [
            "Terms of use: https://www.example/terms",
            "Ask the registrar of record, https://www.registrar.example",
            "The registry may restrict access to this service",
            "Subdomain: none",
            "Registrar ID 9998 is for tests",
            "Contact noc@registry.example",
            "Registration is restricted to generic names; the registry is not liable for errors",
            "Details of a domain not administered here, where available, are at its registry",
        ] {
            assert_eq!(misleading(text, Place::Record), None, "{text}");
        }
    }

    #[test]
    fn phrases_are_written_as_texts_are_compared() {
        for phrase in [FREE, QUOTA, KEYS].concat() {
            assert_eq!(folded(phrase), phrase);
        }
    }
}
