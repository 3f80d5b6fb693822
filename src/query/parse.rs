//! The grammar of query lines.
//!
//! ```text
//! line     = *( option ) [ "=" / "$" / "full" / "sum" ] query [ CR LF / LF ]
//! query    = "help" / "?" / "limits"
//!          / [ "domain" / "dom" / "do" ] name
//!          / ( "nameserver" / "host" / "ns" ) ( name / address ) / address
//!          / ( "contact" / "co" ) id / ( "registrar" / "re" ) ( name / iana-id )
//!          / ( "roid" / "id" ) roid
//! option   = "-" letters [ argument ] / "--" word [ "=" argument ]
//! ```
//!
//! Keywords in any case; blanks and tabs separate. Options are those of clients for other servers:
//! they are accepted and have no effect, since no answer has more than one form.
//!
//! # Invariants
//!
//! - Every line is a query or a refusal; nothing is guessed.
//! - Linear in the line, which has at most [`QUERY_LINE_BYTES_MAX`] bytes.
//!
//! # Does not
//!
//! Map names or look anything up.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use super::number::parse_address;
use super::wildcard::has_wildcard;

/// Longest query line without its line end, bytes.
pub const QUERY_LINE_BYTES_MAX: usize = 1024;

/// How the records that are found are to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Display {
    /// One record whole, several as a list.
    Auto,
    /// Every record whole (`=`, `full`).
    Full,
    /// A list, even of one (`$`, `sum`).
    List,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target<'a> {
    Help,
    Limits,
    Domain(&'a str),
    DomainPattern(&'a str),
    Nameserver(&'a str),
    NameserverPattern(&'a str),
    Address(IpAddr),
    Registrar(&'a str),
    Contact(&'a str),
    Roid(&'a str),
}

/// A query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Query<'a> {
    pub(super) display: Display,
    pub(super) target: Target<'a>,
}

/// Why a line is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Nothing but blanks.
    Empty,
    /// More than [`QUERY_LINE_BYTES_MAX`] bytes.
    Length,
    /// Its end did not come within the deadline.
    Unfinished,
    /// Not UTF-8.
    Utf8,
    /// A NUL byte or another control character.
    Control,
    /// Options with nothing behind them.
    Option,
    /// A keyword with nothing behind it.
    Keyword,
    /// Several words, none of them a keyword.
    Words,
    /// Not a domain name.
    Name,
    /// A name under none of the served suffixes.
    Suffix,
    /// A wildcard among the first five characters.
    WildcardEarly,
    /// A wildcard in what has none.
    WildcardKind,
    /// A pattern that needs more work than one query may do.
    Budget,
    /// Contacts are not shown by the rules.
    Contact,
    /// The snapshot holds a record that cannot be read.
    Damaged,
}

/// Reads a query line.
pub(super) fn parse(line: &[u8]) -> Result<Query<'_>, Refusal> {
    let line = memchr::memchr(b'\n', line).and_then(|end| line.get(..end)).unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > QUERY_LINE_BYTES_MAX {
        return Err(Refusal::Length);
    }
    let text = std::str::from_utf8(line).map_err(|_not_utf8| Refusal::Utf8)?;
    // Without a branch in it, the loop takes many bytes at once.
    let unusual = line.iter().fold(false, |unusual, &byte| unusual | !(b' '..0x7f).contains(&byte));
    if unusual && text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Refusal::Control);
    }
    let text = trim(text);
    if text.is_empty() {
        return Err(Refusal::Empty);
    }
    let (display, text) = display(skip_options(text)?);
    Ok(Query { display, target: target(text)? })
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The first word, and what follows it without blanks around.
fn split_word(text: &str) -> (&str, &str) {
    let blank = memchr::memchr2(b' ', b'\t', text.as_bytes());
    match blank.and_then(|blank| text.split_at_checked(blank)) {
        Some((word, rest)) => (word, trim(rest)),
        None => (text, ""),
    }
}

/// What follows the leading options. Those that take an argument are RIPE's (`-i`, `-s`, `-T`,
/// `-t`, `-v`, `-q`, `-g`, `-V`) and CORE's and DENIC's `-C`; of the long ones `--charset`.
fn skip_options(text: &str) -> Result<&str, Refusal> {
    let mut rest = text;
    while rest.starts_with('-') {
        let (option, after) = split_word(rest);
        let takes_next = match option.strip_prefix("--") {
            Some(long) => long.eq_ignore_ascii_case("charset"),
            // The rest of the word is the argument, unless nothing is left of it.
            None => option.find(|c| "isTtvqgVC".contains(c)) == option.len().checked_sub(1),
        };
        rest = if takes_next { split_word(after).1 } else { after };
    }
    if rest.is_empty() { Err(Refusal::Option) } else { Ok(rest) }
}

fn display(text: &str) -> (Display, &str) {
    if let Some(rest) = text.strip_prefix('=') {
        return (Display::Full, trim(rest));
    }
    if let Some(rest) = text.strip_prefix('$') {
        return (Display::List, trim(rest));
    }
    let (word, rest) = split_word(text);
    let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
    match () {
        () if is("full") => (Display::Full, rest),
        () if is("sum") || is("summary") => (Display::List, rest),
        () => (Display::Auto, text),
    }
}

fn target(text: &str) -> Result<Target<'_>, Refusal> {
    let (word, rest) = split_word(text);
    if rest.is_empty() && memchr::memchr(b'.', word.as_bytes()).is_some() {
        // No keyword holds a dot.
        return bare(text);
    }
    let is = |keywords: &[&str]| keywords.iter().any(|k| word.eq_ignore_ascii_case(k));
    if is(&["help", "?"]) {
        return Ok(Target::Help);
    }
    if is(&["limits"]) && rest.is_empty() {
        return Ok(Target::Limits);
    }
    let keyword: fn(&str) -> Result<Target<'_>, Refusal> = match () {
        () if is(&["domain", "dom", "do"]) => domain,
        () if is(&["nameserver", "host", "ns"]) => nameserver,
        () if is(&["contact", "co"]) => |id| Ok(Target::Contact(id)),
        () if is(&["registrar", "re"]) => |name| Ok(Target::Registrar(name)),
        () if is(&["roid", "id"]) => |roid| Ok(Target::Roid(roid)),
        () if text.is_empty() => return Err(Refusal::Keyword),
        () if !rest.is_empty() => return Err(Refusal::Words),
        () => return bare(text),
    };
    if rest.is_empty() { Err(Refusal::Keyword) } else { keyword(rest) }
}

fn bare(text: &str) -> Result<Target<'_>, Refusal> {
    // What has neither a colon nor a digit in front is no address.
    let digit_first = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if digit_first || memchr::memchr(b':', text.as_bytes()).is_some() {
        if let Some(address) = parse_address(text) {
            return Ok(Target::Address(address));
        }
        if is_address_pattern(text) {
            return Err(Refusal::WildcardKind);
        }
    }
    domain(text)
}

fn domain(text: &str) -> Result<Target<'_>, Refusal> {
    let name = one_name(text)?;
    Ok(if has_wildcard(name) { Target::DomainPattern(name) } else { Target::Domain(name) })
}

fn nameserver(text: &str) -> Result<Target<'_>, Refusal> {
    if let Some(address) = parse_address(text) {
        return Ok(Target::Address(address));
    }
    if is_address_pattern(text) {
        return Err(Refusal::WildcardKind);
    }
    let name = one_name(text)?;
    Ok(if has_wildcard(name) { Target::NameserverPattern(name) } else { Target::Nameserver(name) })
}

/// A name without the `/e` by which clients ask Japanese servers for English.
fn one_name(text: &str) -> Result<&str, Refusal> {
    let (name, rest) = split_word(text);
    if !rest.is_empty() && !rest.eq_ignore_ascii_case("/e") {
        return Err(Refusal::Name);
    }
    let suffix = name.strip_suffix("/e").or_else(|| name.strip_suffix("/E"));
    Ok(suffix.unwrap_or(name))
}

/// Whether a text with a wildcard can only mean addresses: it has a colon, or it is written with
/// dots and all that is not a wildcard in it are octets.
fn is_address_pattern(text: &str) -> bool {
    let octets = |text: &str| {
        text.contains('.')
            && text.split(['.', '%', '_']).all(|part| part.is_empty() || part.parse::<u8>().is_ok())
    };
    let digit_first = text.starts_with(|c: char| c.is_ascii_digit());
    has_wildcard(text) && (text.contains(':') || (digit_first && octets(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(line: &str) -> Result<Target<'_>, Refusal> {
        parse(line.as_bytes()).map(|query| query.target)
    }

    #[test]
    fn keywords_in_any_case_name_the_kind() {
        assert_eq!(targets("foo.demo\r\n"), Ok(Target::Domain("foo.demo")));
        for line in ["domain x.demo", "DOM x.demo", " Do \t x.demo  \n", "domain x.demo/e"] {
            assert_eq!(targets(line), Ok(Target::Domain("x.demo")), "{line:?}");
        }
        for line in ["nameserver ns.x.demo", "host ns.x.demo", "NS ns.x.demo"] {
            assert_eq!(targets(line), Ok(Target::Nameserver("ns.x.demo")));
        }
        assert_eq!(targets("contact C-1"), Ok(Target::Contact("C-1")));
        assert_eq!(targets("co C-1"), Ok(Target::Contact("C-1")));
        assert_eq!(targets("registrar A, Inc."), Ok(Target::Registrar("A, Inc.")));
        assert_eq!(targets("re 7"), Ok(Target::Registrar("7")));
        assert_eq!(targets("ID D1-X"), Ok(Target::Roid("D1-X")));
        assert_eq!(targets("help"), Ok(Target::Help));
        assert_eq!(targets("?"), Ok(Target::Help));
        assert_eq!(targets("LIMITS"), Ok(Target::Limits));
        assert_eq!(targets("domain limits"), Ok(Target::Domain("limits")));
        assert_eq!(targets("domain domain.demo"), Ok(Target::Domain("domain.demo")));
        assert_eq!(targets("help.demo"), Ok(Target::Domain("help.demo")));
    }

    #[test]
    fn addresses_are_nameservers() {
        let address = Target::Address("2001:db8::1".parse().unwrap());
        assert_eq!(targets("2001:DB8::1"), Ok(address));
        assert_eq!(targets("nameserver 2001:db8:0::1"), Ok(address));
        assert_eq!(targets("192.0.2.1"), Ok(Target::Address("192.0.2.1".parse().unwrap())));
        assert_eq!(targets("192.0.2.%"), Err(Refusal::WildcardKind));
        assert_eq!(targets("host 2001:db8::%"), Err(Refusal::WildcardKind));
        assert_eq!(targets("12306.%"), Ok(Target::DomainPattern("12306.%")));
        assert_eq!(targets("%"), Ok(Target::DomainPattern("%")));
    }

    #[test]
    fn options_of_other_servers_are_passed_over() {
        let lines = [
            "-T dn,ace x.demo",
            "-Tdn,ace x.demo",
            "-T domain -r x.demo",
            "-rT domain x.demo",
            "-C UTF-8 x.demo",
            "-T dn,ace -C US-ASCII x.demo",
            "--charset=utf-8 --show-handles x.demo",
            "--charset UTF-8 x.demo",
            "-V Md5.5.17 -r -B x.demo",
            "-VMd5.5.17 x.demo",
            "-- x.demo",
            "-- -r x.demo",
            "-r domain x.demo",
        ];
        for line in lines {
            assert_eq!(targets(line), Ok(Target::Domain("x.demo")), "{line}");
        }
        for line in ["-r", "-T x.demo", "--charset x.demo", "-q version", "--"] {
            assert_eq!(targets(line), Err(Refusal::Option), "{line}");
        }
    }

    #[test]
    fn full_and_list_are_asked_for_by_sign_or_word() {
        let display = |line: &'static str| parse(line.as_bytes()).unwrap();
        let target = Target::Domain("x.demo");
        for line in ["=x.demo", "= x.demo", "full x.demo", "=domain x.demo"] {
            assert_eq!(display(line), Query { display: Display::Full, target });
        }
        for line in ["$x.demo", "SUM x.demo", "summary dom x.demo"] {
            assert_eq!(display(line), Query { display: Display::List, target });
        }
        assert_eq!(targets("="), Err(Refusal::Keyword));
        assert_eq!(targets("full"), Err(Refusal::Keyword));
    }

    #[test]
    fn lines_end_in_crlf_lf_or_nothing_and_are_bounded() {
        for line in ["x.demo\r\n", "x.demo\n", "x.demo", "x.demo\r", "x.demo\r\nmore", "x.demo\n\0"]
        {
            assert_eq!(targets(line), Ok(Target::Domain("x.demo")), "{line:?}");
        }
        let longest = format!("{}x", " ".repeat(QUERY_LINE_BYTES_MAX - 1));
        assert_eq!(targets(&format!("{longest}\r\n")), Ok(Target::Domain("x")));
        assert_eq!(targets(&format!(" {longest}\r\n")), Err(Refusal::Length));
    }

    #[test]
    fn what_is_no_query_says_why() {
        assert_eq!(targets(""), Err(Refusal::Empty));
        assert_eq!(targets(" \t\r\n"), Err(Refusal::Empty));
        assert_eq!(targets("a\0b"), Err(Refusal::Control));
        assert_eq!(targets("a\rb\r\n"), Err(Refusal::Control));
        assert_eq!(targets("a\u{85}b"), Err(Refusal::Control));
        assert_eq!(parse(b"\xff\xfe"), Err(Refusal::Utf8));
        assert_eq!(targets("domain"), Err(Refusal::Keyword));
        assert_eq!(targets("some words"), Err(Refusal::Words));
        assert_eq!(targets("domain some words"), Err(Refusal::Name));
    }
}
