//! What stands before a query: options of other servers, and how to show what is found.
//!
//! # Does not
//!
//! Judge what follows: `parse` does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::parse::{Display, Refusal};
use super::typed::Typed;
use crate::idn::narrow;

/// What follows the leading options; none if they ask for help and nothing follows. Those that take
/// an argument are RIPE's (`-i`, `-s`, `-T`, `-t`, `-v`, `-q`, `-g`, `-V`) and CORE's and DENIC's
/// `-C`; of the long ones `--charset`.
pub(super) fn after_options(typed: Typed, text: &str) -> Result<Option<&str>, Refusal> {
    let mut rest = text;
    let mut asks_help = false;
    let is_hyphen = |c| narrow(c) == '-';
    while rest.starts_with(is_hyphen) {
        let (option, after) = typed.split_word(rest);
        let letters = option.strip_prefix(is_hyphen).unwrap_or(option);
        asks_help |= letters.starts_with(|c| narrow(c) == 'q')
            || typed.is(option, &["-h", "-?", "-help", "--help", "--version"]);
        let takes_next = match letters.strip_prefix(is_hyphen) {
            Some(long) => typed.is(long, &["charset"]),
            // The rest of the word is the argument, unless nothing is left of it.
            None => {
                let mut after = letters.chars().skip_while(|&c| !"isTtvqgVC".contains(narrow(c)));
                after.next().is_some() && after.next().is_none()
            }
        };
        rest = if takes_next { typed.split_word(after).1 } else { after };
    }
    match (rest.is_empty(), asks_help) {
        (false, _) => Ok(Some(rest)),
        (true, true) => Ok(None),
        (true, false) => Err(Refusal::Option),
    }
}

/// A sign or word that says how to show what is found, and what follows it.
pub(super) fn display_before(typed: Typed, text: &str) -> (Display, &str) {
    // Most texts begin like none of them.
    let first = text.as_bytes().first().map(u8::to_ascii_lowercase);
    if typed.is_plain && !matches!(first, Some(b'=' | b'$' | b'f' | b's')) {
        return (Display::Auto, text);
    }
    let (display, rest) = sign_before(typed, text);
    if display != Display::Auto {
        return (display, rest);
    }
    let (word, rest) = typed.split_word(text);
    // `full=NAME`, `sum: NAME`; with a blank before the sign as well.
    let (word, rest) = match typed.split_joint(text, word) {
        Some((first, joined)) => (first, joined),
        None => (word, after_joint(typed, rest)),
    };
    match () {
        () if typed.is(word, &["full"]) => (Display::Full, rest),
        () if typed.is(word, &["sum", "summary"]) => (Display::List, rest),
        () => (Display::Auto, text),
    }
}

/// What follows a sign that stands by itself after a word. Two colons begin an address.
pub(super) fn after_joint(typed: Typed, text: &str) -> &str {
    let Some(rest) = text.strip_prefix(|c| matches!(narrow(c), '=' | ':')) else { return text };
    if rest.starts_with(|c| narrow(c) == ':') { text } else { typed.trim(rest) }
}

pub(super) fn sign_before(typed: Typed, text: &str) -> (Display, &str) {
    if let Some(rest) = typed.after_sign(text, '=') {
        return (Display::Full, rest);
    }
    if let Some(rest) = typed.after_sign(text, '$') {
        return (Display::List, rest);
    }
    (Display::Auto, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::question::Question;
    use crate::query::whois::parse::{Target, parse};

    fn targets(line: &str) -> Result<Target<'_>, Refusal> {
        parse(line.as_bytes()).map(|line| line.target)
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
            "－r x.demo",
            "－－charset ＵＴＦ－８ x.demo",
            "-Ｔ dn x.demo",
        ];
        for line in lines {
            let expected = if line.contains(" domain x") && !line.contains("T domain") {
                Question::Domain("x.demo")
            } else {
                Question::Name("x.demo")
            };
            assert_eq!(targets(line), Ok(Target::Records(expected)), "{line}");
        }
        for line in ["-r", "-T x.demo", "--charset x.demo", "--"] {
            assert_eq!(targets(line), Err(Refusal::Option), "{line}");
        }
        for line in ["-h", "--help", "-?", "/?", "HELP", "-q version", "\"help\"", "-H", "Ｈｅｌｐ"]
        {
            assert_eq!(targets(line), Ok(Target::Help), "{line}");
        }
        assert_eq!(targets("-h x.demo"), Ok(Target::Records(Question::Name("x.demo"))));
    }
}
