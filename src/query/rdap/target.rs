//! What a path below the base URL asks (RFC 9082 section 3).
//!
//! # Invariants
//!
//! - `bounded`: a segment is decoded into a buffer of fixed size, once.
//! - `unknown parameters`: parameters that are not known are not looked at (RFC 7480 section 4.3).
//!
//! # Does not
//!
//! Map names or look anything up. Read anything but printable ASCII: the server has escaped the
//! rest.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use super::refusal::Refusal;
use super::search::{Class, Wanted};
use crate::idn::{self, Short};
use crate::query::question::Question;

/// Longest target, bytes: a name of 253 characters, each escaped four times over, and parameters.
pub const TARGET_BYTES_MAX: usize = 4096;

/// Longest segment or value, decoded, bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// A text of the target without its escapes.
pub(super) type Text = Short<TEXT_BYTES_MAX>;

/// One object that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    Domain,
    Nameserver,
    Entity,
}

impl Lookup {
    /// The question for the object of this name or handle.
    pub(super) const fn question(self, text: &str) -> Question<'_> {
        match self {
            Self::Domain => Question::Domain(text),
            Self::Nameserver => Question::Nameserver(text),
            Self::Entity => Question::Entity(text),
        }
    }
}

/// What a target asks.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a look-up does not allocate")]
pub(super) enum Target {
    /// An object, by its name or handle.
    Lookup(Lookup, Text),
    /// A list.
    Search(Box<Wanted>),
    Help,
}

impl Target {
    pub(super) fn read(target: &str) -> Result<Self, Refusal> {
        if target.len() > TARGET_BYTES_MAX {
            return Err(Refusal::Long);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut segments = path.split('/');
        let word = segments.next().unwrap_or_default();
        let segment = segments.next();
        // A final slash is none of a segment.
        let rest = segments.next();
        let is_whole = rest.is_none() || (rest == Some("") && segments.next().is_none());
        let lookup = |lookup| match segment {
            Some(segment) if is_whole && !segment.is_empty() => {
                Ok(Self::Lookup(lookup, decoded(segment, false)?))
            }
            _ => Err(Refusal::Path),
        };
        let is_alone = segment.unwrap_or_default().is_empty();
        let search = |class| match (is_alone, segment) {
            (true, _) => Ok(Self::Search(Box::new(Wanted::read(class, query)?))),
            (false, Some("reverse_search")) => match (class, path) {
                (Class::Domain, "domains/reverse_search/entity") => {
                    Ok(Self::Search(Box::new(Wanted::read_reverse(query)?)))
                }
                _ => Err(Refusal::Unsupported),
            },
            _ => Err(Refusal::Path),
        };
        match word {
            "domain" => lookup(Lookup::Domain),
            "nameserver" => lookup(Lookup::Nameserver),
            "entity" => lookup(Lookup::Entity),
            "help" if is_alone => Ok(Self::Help),
            "domains" => search(Class::Domain),
            "nameservers" => search(Class::Nameserver),
            "entities" => search(Class::Entity),
            "ip" | "ips" | "autnum" | "autnums" => Err(Refusal::Unsupported),
            _ => Err(Refusal::Path),
        }
    }
}

/// An address that is searched for.
pub(super) fn address(text: &str) -> Result<IpAddr, Refusal> {
    if text.contains('*') {
        return Err(Refusal::AddressPattern);
    }
    text.parse().map_err(|_| Refusal::Address)
}

/// A segment or value without its escapes (RFC 3986 section 2.1); `plus`: a plus is a blank.
pub(super) fn decoded(text: &str, plus: bool) -> Result<Text, Refusal> {
    let mut out = Text::new();
    let is_usual =
        |byte: u8| matches!(byte, b'!'..=b'~') && byte != b'%' && (byte != b'+' || !plus);
    if text.bytes().fold(true, |all, byte| all & is_usual(byte)) {
        return if out.push_all(text.as_bytes()) { Ok(out) } else { Err(Refusal::Long) };
    }
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(Refusal::Escape);
                };
                u8::try_from(high << 4 | low).map_err(|_| Refusal::Escape)?
            }
            b'+' if plus => b' ',
            byte => byte,
        };
        if !out.push(byte) {
            return Err(Refusal::Long);
        }
    }
    let text = std::str::from_utf8(out.as_bytes()).map_err(|_| Refusal::Escape)?;
    if text.chars().any(|c| c.is_control() && !idn::is_ignorable(c)) {
        return Err(Refusal::Escape);
    }
    Ok(out)
}

/// A target as answers repeat it: what no path or parameters of a URL have is escaped, a `%` that
/// begins no escape too (RFC 3986 sections 2, 3.3 and 3.4). What is escaped stays as it is.
#[must_use]
pub fn escaped(target: &[u8]) -> String {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(&byte);
    let begins_escape = |rest: &[u8]| {
        rest.first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let mut out = String::with_capacity(target.len());
    let mut rest = target;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if is_kept(byte) || (byte == b'%' && begins_escape(after)) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(u32::from(digit), 16).map(|c| c.to_ascii_uppercase()));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: &str) -> Result<(&'static str, String), Refusal> {
        Target::read(target).map(|target| match target {
            Target::Lookup(Lookup::Domain, text) => ("domain", text.as_str().to_owned()),
            Target::Lookup(Lookup::Nameserver, text) => ("nameserver", text.as_str().to_owned()),
            Target::Lookup(Lookup::Entity, text) => ("entity", text.as_str().to_owned()),
            Target::Search(wanted) => match wanted.class() {
                Class::Domain => ("domains", wanted.subject.to_string()),
                Class::Nameserver => ("nameservers", wanted.subject.to_string()),
                Class::Entity => ("entities", wanted.subject.to_string()),
            },
            Target::Help => ("help", String::new()),
        })
    }

    #[test]
    fn paths_are_those_of_rfc_9082() {
        let domain = |text: &str| Ok(("domain", text.to_owned()));
        assert_eq!(read("domain/example.com"), domain("example.com"));
        assert_eq!(read("domain/example.com/"), domain("example.com"));
        assert_eq!(read("domain/EXAMPLE.com.?__cb=17"), domain("EXAMPLE.com."));
        assert_eq!(read("domain/m%C3%BCnchen.example"), domain("münchen.example"));
        assert_eq!(read("domain/a+b"), domain("a+b"));
        assert_eq!(read("nameserver/ns1.example"), Ok(("nameserver", "ns1.example".into())));
        assert_eq!(
            read("entity/Some%20Registrar%2C%20Inc."),
            Ok(("entity", "Some Registrar, Inc.".into()))
        );
        assert_eq!(read("help"), Ok(("help", String::new())));
        assert_eq!(read("help/"), Ok(("help", String::new())));
        let by_address = |text: &str| Ok(("nameservers", text.to_owned()));
        assert_eq!(read("nameservers?ip=192.0.2.1"), by_address("192.0.2.1"));
        assert_eq!(read("nameservers?x=y&ip=2001%3Adb8::1"), by_address("2001:db8::1"));
        assert_eq!(read("domains?nsLdhName=ns1.*"), Ok(("domains", "ns1.*".into())));
        assert_eq!(read("entities/?fn=Bob+B*"), Ok(("entities", "Bob B*".into())));
        let reverse = "domains/reverse_search/entity?email=a%40b.example&role=technical";
        assert_eq!(read(reverse), Ok(("domains", "a@b.example".into())));
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for target in
            ["", "domain", "domain/", "domain/a/b", "domain//", "whois/a", "DOMAIN/a", "help/x"]
        {
            assert_eq!(read(target), Err(Refusal::Path), "{target}");
        }
        for target in [
            "ip/192.0.2.1",
            "autnum/1",
            "nameservers/reverse_search/entity?fn=ab",
            "domains/reverse_search/domain?fn=ab",
        ] {
            assert_eq!(read(target), Err(Refusal::Unsupported), "{target}");
        }
        for target in
            ["domain/%", "domain/%4", "domain/%zz", "domain/%ff", "domain/a%0ab", "domain/%00"]
        {
            assert_eq!(read(target), Err(Refusal::Escape), "{target}");
        }
        for target in ["nameservers", "nameservers?", "nameservers?ip=192.0.2.1&ip=192.0.2.2"] {
            assert_eq!(read(target), Err(Refusal::Parameters), "{target}");
        }
        assert_eq!(read(&format!("domain/{}", "a".repeat(1_025))), Err(Refusal::Long));
        assert_eq!(read(&format!("help?{}", "a".repeat(4_096))), Err(Refusal::Long));
        assert_eq!(read("nameservers?ip=192.0.2.*"), Err(Refusal::AddressPattern));
        for text in ["", "192.0.2", "192.0.2.01", "192.0.2.0/24", "example"] {
            assert_eq!(read(&format!("nameservers?ip={text}")), Err(Refusal::Address), "{text}");
        }
    }

    #[test]
    fn what_no_url_has_is_escaped() {
        assert_eq!(
            escaped("domain/münchen\"<>\\ ^`{|}".as_bytes()),
            "domain/m%C3%BCnchen%22%3C%3E%5C%20%5E%60%7B%7C%7D"
        );
        assert_eq!(escaped(b"domain/a%C3?x=(1)&y"), "domain/a%C3?x=(1)&y");
        assert_eq!(escaped(b"domain/[a]#b?c?"), "domain/%5Ba%5D%23b?c?");
        assert_eq!(escaped(b"domain/%zz%4"), "domain/%25zz%254");
        assert_eq!(escaped(b"%"), "%25");
    }
}
