//! The grammar of query lines.
//!
//! ```text
//! line     = *( option ) [ display ] query [ CR / LF ]
//! query    = "help" / "?" / "/?" / "limits"
//!          / [ domain ] name / nameserver ( name / address ) / address
//!          / contact id / registrar ( name / iana-id ) / roid roid
//! domain   = ( "domain" / "dom" / "do" ) joint          ; the other keywords alike: "nameserver",
//!                                                       ; "host", "ns"; "contact", "co";
//!                                                       ; "registrar", "re"; "roid", "id"
//! joint    = [ ":" / "=" ] [ display ]
//! display  = "=" / "$" / ( "full" / "sum" / "summary" ) [ ":" / "=" ]
//! option   = "-" letters [ argument ] / "--" word [ "=" argument ]
//! ```
//!
//! Keywords in any case and width; blanks of every kind separate, quotation marks around a part
//! count for nothing. Of a URL or an e-mail address the host is the name. Options are those of
//! clients for other servers: they are accepted and have no effect, since no answer has more than
//! one form; those that ask for help get it, if nothing follows.
//!
//! # Invariants
//!
//! - Every line is a query or a refusal, by its form alone; nothing is guessed.
//! - Linear in the line, which has at most [`QUERY_LINE_BYTES_MAX`] bytes.
//!
//! # Does not
//!
//! Map names or look anything up.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use super::address;
use super::before::{after_joint, after_options, display_before, sign_before};
use super::typed::{Bytes, Typed, host};
use crate::idn::narrow;
use crate::query::question::Question;
use crate::query::wildcard::has_wildcard;

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

/// What a line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target<'a> {
    Help,
    Limits,
    Records(Question<'a>),
}

/// A line that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
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
    /// Options with nothing after them.
    Option,
    /// A keyword with nothing after it.
    Keyword,
    /// Several words, none of them a keyword.
    Words,
    /// Not a domain name.
    Name,
    /// Written like an address, and not one address.
    Address,
    /// A name under none of the served suffixes.
    Suffix,
    /// A served suffix itself.
    SuffixItself,
    /// A name below which a served suffix lies.
    SuffixBelow,
    /// A name without a dot, which nothing has.
    OneLabel,
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

impl Refusal {
    /// Every one, in the order above.
    pub(super) const ALL: [Self; 19] = [
        Self::Empty,
        Self::Length,
        Self::Unfinished,
        Self::Utf8,
        Self::Control,
        Self::Option,
        Self::Keyword,
        Self::Words,
        Self::Name,
        Self::Address,
        Self::Suffix,
        Self::SuffixItself,
        Self::SuffixBelow,
        Self::OneLabel,
        Self::WildcardEarly,
        Self::WildcardKind,
        Self::Budget,
        Self::Contact,
        Self::Damaged,
    ];
}

const _: () = assert!(Refusal::ALL.len() == Refusal::Damaged as usize + 1, "one is missing");

/// Reads a query line.
pub(super) fn parse(line: &[u8]) -> Result<Line<'_>, Refusal> {
    let line = memchr::memchr2(b'\n', b'\r', line).and_then(|end| line.get(..end)).unwrap_or(line);
    if line.len() > QUERY_LINE_BYTES_MAX {
        return Err(Refusal::Length);
    }
    let text = std::str::from_utf8(line).map_err(|_not_utf8| Refusal::Utf8)?;
    // The usual query. No keyword holds a dot, no option begins without a hyphen, and no address
    // has letters without colons.
    if Bytes::of(text).is_plain_name() && !text.starts_with('-') {
        let name = text.strip_prefix('.').unwrap_or(text);
        return Ok(Line { display: Display::Auto, target: Target::Records(Question::Name(name)) });
    }
    // Without a branch in it, the loop takes many bytes at once.
    let unusual = line.iter().fold(false, |unusual, &byte| unusual | !(b' '..0x7f).contains(&byte));
    if unusual && text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Refusal::Control);
    }
    let typed = Typed { is_plain: !unusual };
    let text = typed.unquoted(typed.trim(text));
    if text.is_empty() {
        return Err(Refusal::Empty);
    }
    let Some(text) = after_options(typed, text)? else {
        return Ok(Line { display: Display::Auto, target: Target::Help });
    };
    let (display, text) = display_before(typed, text);
    let (inner, target) = target(typed, text)?;
    Ok(Line { display: if inner == Display::Auto { display } else { inner }, target })
}

/// What a keyword names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Domain,
    Nameserver,
    Contact,
    Registrar,
    Roid,
}

impl Keyword {
    fn of(typed: Typed, word: &str) -> Option<Self> {
        match () {
            () if typed.is(word, &["domain", "dom", "do"]) => Some(Self::Domain),
            () if typed.is(word, &["nameserver", "host", "ns"]) => Some(Self::Nameserver),
            () if typed.is(word, &["contact", "co"]) => Some(Self::Contact),
            () if typed.is(word, &["registrar", "re"]) => Some(Self::Registrar),
            () if typed.is(word, &["roid", "id"]) => Some(Self::Roid),
            () => None,
        }
    }

    /// What is asked for by what follows the keyword.
    fn question(self, typed: Typed, text: &str) -> Result<(Display, Question<'_>), Refusal> {
        let colon = text.starts_with(|c| narrow(c) == ':');
        let text = if colon { after_joint(typed, text) } else { text };
        let (mut display, mut text) = sign_before(typed, text);
        // A registrar's name may begin with such a word; a word alone is a name.
        if display == Display::Auto && self != Self::Registrar {
            let (by_word, rest) = display_before(typed, text);
            if !rest.is_empty() {
                (display, text) = (by_word, rest);
            }
        }
        let text = typed.unquoted(text);
        if text.is_empty() {
            return Err(Refusal::Keyword);
        }
        let question = match self {
            Self::Domain => domain(typed, text)?,
            Self::Nameserver => nameserver(typed, text)?,
            Self::Contact => Question::Contact(text),
            Self::Registrar => Question::Registrar(text),
            Self::Roid => Question::Roid(text),
        };
        Ok((display, question))
    }
}

fn target(typed: Typed, text: &str) -> Result<(Display, Target<'_>), Refusal> {
    let (word, rest) = typed.split_word(text);
    if typed.is(word, &["help", "?", "/?", "/h", "/help"]) {
        return Ok((Display::Auto, Target::Help));
    }
    if typed.is(word, &["limits"]) && rest.is_empty() {
        return Ok((Display::Auto, Target::Limits));
    }
    if text.is_empty() {
        return Err(Refusal::Keyword);
    }
    // `domain NAME`; `domain=NAME`, `ns: NAME`: the sign has the place of a blank.
    let joint = || {
        let (first, joined) = typed.split_joint(text, word)?;
        Some((Keyword::of(typed, first)?, joined))
    };
    let keyword = Keyword::of(typed, word).map(|keyword| (keyword, rest)).or_else(joint);
    if let Some((keyword, rest)) = keyword {
        let (display, question) = keyword.question(typed, rest)?;
        return Ok((display, Target::Records(question)));
    }
    if !rest.is_empty() && !is_in_english(typed, rest) {
        return Err(Refusal::Words);
    }
    Ok((Display::Auto, Target::Records(bare(word)?)))
}

/// A name without a keyword, or an address.
fn bare(word: &str) -> Result<Question<'_>, Refusal> {
    let name = match name_or_address(word)? {
        Ok(address) => return Ok(Question::Address(address)),
        Err(name) => name,
    };
    Ok(if has_wildcard(name) { Question::NamePattern(name) } else { Question::Name(name) })
}

fn domain(typed: Typed, text: &str) -> Result<Question<'_>, Refusal> {
    let name = match name_or_address(one_word(typed, text)?)? {
        // A domain has none, and no domain is called so.
        Ok(_address) => return Err(Refusal::Address),
        Err(name) => name,
    };
    Ok(if has_wildcard(name) { Question::DomainPattern(name) } else { Question::Domain(name) })
}

fn nameserver(typed: Typed, text: &str) -> Result<Question<'_>, Refusal> {
    let name = match name_or_address(one_word(typed, text)?)? {
        Ok(address) => return Ok(Question::Address(address)),
        Err(name) => name,
    };
    Ok(if has_wildcard(name) {
        Question::NameserverPattern(name)
    } else {
        Question::Nameserver(name)
    })
}

/// The address that a word is, or the name in it.
fn name_or_address(word: &str) -> Result<Result<IpAddr, &str>, Refusal> {
    let word = without_english(word);
    let bytes = Bytes::of(word);
    let is_odd = bytes.has_odd();
    // An address with letters has colons.
    if (is_odd || !bytes.has_letter())
        && let Some(address) = address::read(word)
    {
        return address.map(Ok);
    }
    if !is_odd {
        return Ok(Err(without_first_dot(word)));
    }
    let name = host(word);
    if name != word
        && let Some(address) = address::read(name)
    {
        return address.map(Ok);
    }
    let name = without_first_dot(name);
    if name.is_empty() { Err(Refusal::Name) } else { Ok(Err(name)) }
}

/// The only word of a text, but for the `/e` by which clients ask Japanese servers for English.
fn one_word(typed: Typed, text: &str) -> Result<&str, Refusal> {
    let (word, rest) = typed.split_word(text);
    if rest.is_empty() || is_in_english(typed, rest) { Ok(word) } else { Err(Refusal::Name) }
}

fn is_in_english(typed: Typed, text: &str) -> bool {
    typed.is(text, &["/e"])
}

fn without_first_dot(name: &str) -> &str {
    name.strip_prefix(|c| narrow(c) == '.').unwrap_or(name)
}

fn without_english(word: &str) -> &str {
    word.strip_suffix("/e").or_else(|| word.strip_suffix("/E")).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(line: &str) -> Result<Target<'_>, Refusal> {
        parse(line.as_bytes()).map(|line| line.target)
    }

    #[expect(clippy::unnecessary_wraps, reason = "beside what a line is refused for")]
    const fn asks(question: Question<'_>) -> Result<Target<'_>, Refusal> {
        Ok(Target::Records(question))
    }

    #[test]
    fn keywords_in_any_case_name_the_kind() {
        assert_eq!(targets("foo.demo\r\n"), asks(Question::Name("foo.demo")));
        for line in ["domain x.demo", "DOM x.demo", " Do \t x.demo  \n", "domain x.demo/e"] {
            assert_eq!(targets(line), asks(Question::Domain("x.demo")), "{line:?}");
        }
        for line in ["nameserver ns.x.demo", "host ns.x.demo", "NS ns.x.demo"] {
            assert_eq!(targets(line), asks(Question::Nameserver("ns.x.demo")));
        }
        assert_eq!(targets("contact C-1"), asks(Question::Contact("C-1")));
        assert_eq!(targets("co C-1"), asks(Question::Contact("C-1")));
        assert_eq!(targets("registrar A, Inc."), asks(Question::Registrar("A, Inc.")));
        assert_eq!(targets("re 7"), asks(Question::Registrar("7")));
        assert_eq!(targets("ID D1-X"), asks(Question::Roid("D1-X")));
        assert_eq!(targets("help"), Ok(Target::Help));
        assert_eq!(targets("?"), Ok(Target::Help));
        assert_eq!(targets("LIMITS"), Ok(Target::Limits));
        assert_eq!(targets("domain limits"), asks(Question::Domain("limits")));
        assert_eq!(targets("domain domain.demo"), asks(Question::Domain("domain.demo")));
        assert_eq!(targets("help.demo"), asks(Question::Name("help.demo")));
    }

    #[test]
    fn addresses_are_nameservers() {
        let address = Question::Address("2001:db8::1".parse().unwrap());
        assert_eq!(targets("2001:DB8::1"), asks(address));
        assert_eq!(targets("nameserver 2001:db8:0::1"), asks(address));
        assert_eq!(targets("192.0.2.1"), asks(Question::Address("192.0.2.1".parse().unwrap())));
        assert_eq!(targets("192.0.2.%"), Err(Refusal::WildcardKind));
        assert_eq!(targets("host 2001:db8::%"), Err(Refusal::WildcardKind));
        assert_eq!(targets("12306.%"), asks(Question::NamePattern("12306.%")));
        assert_eq!(targets("%"), asks(Question::NamePattern("%")));
        assert_eq!(targets("domain 192.0.2.1"), Err(Refusal::Address));
        assert_eq!(targets("192.0.2.0/24"), Err(Refusal::Address));
        for text in [
            "http://[2001:db8::1]/",
            "https://[2001:db8::1]:443/x",
            "https://someone@[2001:DB8::1]:443",
            "user@[IPv6:2001:db8::1]",
            "<user@[ipv6:2001:db8::1]>",
            "ｈｔｔｐ：／／［２００１：ｄｂ８：：１］：８０／",
        ] {
            assert_eq!(targets(text), asks(address), "{text}");
        }
        for text in ["user@[192.0.2.1]", "http://192.0.2.1:80/", "ｈｔｔｐ：／／192.0.2.1／"]
        {
            assert_eq!(targets(text), targets("192.0.2.1"), "{text}");
        }
    }

    #[test]
    fn full_and_list_are_asked_for_by_sign_or_word() {
        let shown = |line: &'static str| {
            let Line { display, target } = parse(line.as_bytes()).unwrap();
            let Target::Records(question) = target else { panic!("{line}: {target:?}") };
            (display, question)
        };
        let (bare, domain) = (Question::Name("x.demo"), Question::Domain("x.demo"));
        for line in ["=x.demo", "= x.demo", "full x.demo", "＝x.demo"] {
            assert_eq!(shown(line), (Display::Full, bare), "{line}");
        }
        for line in ["$x.demo", "SUM x.demo"] {
            assert_eq!(shown(line), (Display::List, bare), "{line}");
        }
        for line in
            ["=domain x.demo", "domain =x.demo", "dom = x.demo", "do full x.demo", "=do x.demo"]
        {
            assert_eq!(shown(line), (Display::Full, domain), "{line}");
        }
        for line in ["summary dom x.demo", "domain $x.demo", "domain sum x.demo", "= dom $ x.demo"]
        {
            assert_eq!(shown(line), (Display::List, domain), "{line}");
        }
        for line in
            ["domain=x.demo", "DOM: x.demo", "do:x.demo", "domain : x.demo", "domain :x.demo"]
        {
            assert_eq!(shown(line), (Display::Auto, domain), "{line}");
        }
        for line in ["full=x.demo", "Full: x.demo", "full = x.demo", "full : x.demo", "＝　x.demo"]
        {
            assert_eq!(shown(line), (Display::Full, bare), "{line}");
        }
        for line in ["sum=domain x.demo", "domain sum: x.demo", "domain : $ x.demo"] {
            assert_eq!(shown(line), (Display::List, domain), "{line}");
        }
        assert_eq!(targets("ns : ::1"), asks(Question::Address("::1".parse().unwrap())));
        assert_eq!(targets("ns ::1"), asks(Question::Address("::1".parse().unwrap())));
        assert_eq!(targets("full="), Err(Refusal::Keyword));
        let registrar = |line| targets(line).unwrap();
        assert_eq!(
            registrar("registrar =A, Inc."),
            Target::Records(Question::Registrar("A, Inc."))
        );
        assert_eq!(registrar("registrar=A, Inc."), Target::Records(Question::Registrar("A, Inc.")));
        assert_eq!(
            registrar("registrar Full Names"),
            Target::Records(Question::Registrar("Full Names"))
        );
        assert_eq!(
            registrar("\"registrar A, Inc.\""),
            Target::Records(Question::Registrar("A, Inc."))
        );
        assert_eq!(
            registrar("registrar “A, Inc.”"),
            Target::Records(Question::Registrar("A, Inc."))
        );
        assert_eq!(targets("domain full"), asks(Question::Domain("full")));
        assert_eq!(targets("ns ="), Err(Refusal::Keyword));
        assert_eq!(targets("ns:"), Err(Refusal::Keyword));
        assert_eq!(targets("="), Err(Refusal::Keyword));
        assert_eq!(targets("full"), Err(Refusal::Keyword));
    }

    #[test]
    fn blanks_quotation_marks_and_width_count_for_nothing() {
        for line in [
            "ｄｏｍａｉｎ\u{3000}x.demo",
            "\u{feff}domain\u{a0}x.demo\u{2003}",
            "\u{200e}domain \t \"x.demo\"",
            "domain \u{201c}x.demo\u{201d}",
            "'domain x.demo'",
            "domain (x.demo)",
            "domain https://x.demo/a%20b_c",
            "domain someone_else@x.demo",
            "domain .x.demo",
            "domain 。x.demo",
            "domain ．x.demo",
            "domain info＠x.demo",
            "domain x.demo／",
            "domain x.demo：43",
            "domain x.demo:４３",
            "domain ｈｔｔｐ：／／x.demo／a？b",
            "domain mailto：someone＠x.demo？subject=x",
            "domain x.demo ／ｅ",
            "domain x.demo, ",
        ] {
            assert_eq!(targets(line), asks(Question::Domain("x.demo")), "{line:?}");
        }
        assert_eq!(targets("domain x％.demo"), asks(Question::DomainPattern("x％.demo")));
        assert_eq!(targets("x*.demo"), asks(Question::NamePattern("x*.demo")));
        assert_eq!(targets("\"\""), Err(Refusal::Empty));
        assert_eq!(targets("domain \"\""), Err(Refusal::Keyword));
        assert_eq!(targets("http://"), Err(Refusal::Name));
    }

    #[test]
    fn lines_end_in_cr_lf_or_nothing_and_are_bounded() {
        let more = ["x.demo\r\nmore", "x.demo\n\0", "x.demo\rmore", "x.demo\r\0"];
        for line in ["x.demo\r\n", "x.demo\n", "x.demo", "x.demo\r"].into_iter().chain(more) {
            assert_eq!(targets(line), asks(Question::Name("x.demo")), "{line:?}");
        }
        let longest = format!("{}x", " ".repeat(QUERY_LINE_BYTES_MAX - 1));
        assert_eq!(targets(&format!("{longest}\r\n")), asks(Question::Name("x")));
        assert_eq!(targets(&format!(" {longest}\r\n")), Err(Refusal::Length));
    }

    #[test]
    fn what_is_no_query_says_why() {
        assert_eq!(targets(""), Err(Refusal::Empty));
        assert_eq!(targets(" \t\r\n"), Err(Refusal::Empty));
        assert_eq!(targets("a\0b"), Err(Refusal::Control));
        assert_eq!(targets("a\x1bb\r\n"), Err(Refusal::Control));
        assert_eq!(targets("a\u{85}b"), Err(Refusal::Control));
        assert_eq!(parse(b"\xff\xfe"), Err(Refusal::Utf8));
        assert_eq!(targets("domain"), Err(Refusal::Keyword));
        assert_eq!(targets("some words"), Err(Refusal::Words));
        assert_eq!(targets("domain some words"), Err(Refusal::Name));
    }
}
