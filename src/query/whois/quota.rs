//! What answers say about limits: that little is left, how much one may ask, why one is refused.
//!
//! # Invariants
//!
//! - `one grammar`: a refusal's first line is `%ERROR:CODE key=value ...`, its keys in a fixed
//!   order; every further line begins with `% `. Texts for people follow, which are not part of the
//!   grammar.
//! - No text of ours holds words from which client programs conclude that a name is free; every
//!   refusal holds those by which they know one (`Quota exceeded`): some take whatever has no
//!   `Domain Name:` for a free name otherwise (`deploy/PARSERS.md`).
//!
//! # Does not
//!
//! Count or decide: `policy::guard` does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt::{self, Display, Write};
use std::net::IpAddr;

use ipnet::IpNet;

use super::answer::Answer;
use crate::idn::Short;
use crate::policy::limit::{Over, Use};
use crate::query::number::TimeText;

/// Longest line of this file without texts of an operator, bytes.
const LINE_BYTES_MAX: usize = 160;

/// How a caller stands.
#[derive(Clone, Copy, Debug)]
pub enum Limits<'a> {
    /// Nobody is limited here.
    Nobody,
    /// Others are, not this one.
    Free(IpAddr),
    /// So much is left at each limit.
    Some(IpAddr, &'a [Use]),
}

/// Why a query is refused before it is looked at.
#[derive(Clone, Copy, Debug)]
pub enum Refused<'a> {
    /// It is over a limit.
    Quota(Over),
    /// Its source is blocked.
    Blocked {
        /// Who is.
        scope: IpNet,
        /// Until when, ms since the epoch.
        until_ms: i64,
        /// How long still, seconds.
        wait_s: u64,
        /// What led to it: `limit`, `mining`, `operator`.
        cause: &'a str,
        /// In the operator's words; may be empty.
        reason: &'a str,
    },
    /// A list denies it.
    Denied {
        /// Who is denied.
        scope: IpNet,
        /// In the operator's words; may be empty.
        reason: &'a str,
    },
}

/// Writes a line made of what `text` writes.
fn line(out: &mut Answer, text: impl FnOnce(&mut Short<LINE_BYTES_MAX>) -> fmt::Result) {
    let mut short = Short::new();
    // Text that does not fit is left out; the bounds above ensure that all of it fits.
    let _ = text(&mut short);
    out.line_of(&[short.as_bytes()]);
}

/// Seconds in words: `1 second`, `12 seconds`, `5 minutes`, `3 hours`.
struct Spell(u64);

impl Display for Spell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, word) = match self.0 {
            seconds if seconds < 120 => (seconds, "second"),
            seconds if seconds < 7_200 => (seconds.div_ceil(60), "minute"),
            seconds if seconds < 172_800 => (seconds.div_ceil(3_600), "hour"),
            seconds => (seconds.div_ceil(86_400), "day"),
        };
        write!(f, "{count} {word}{}", if count == 1 { "" } else { "s" })
    }
}

/// The line that says how little is left; it follows the last-update line.
pub(super) fn scarce(left: &Use, out: &mut Answer) {
    line(out, |text| {
        write!(
            text,
            ">>> Queries left: {} of {} per minute for {}; all again in {} <<<",
            left.left,
            left.level.queries_per_min,
            left.prefix,
            Spell(left.full_s)
        )
    });
}

/// How much the caller may ask.
pub(super) fn limits(limits: Limits<'_>, out: &mut Answer) {
    let (address, uses) = match limits {
        Limits::Nobody => return out.raw(b"% Nobody has limits here.\r\n"),
        Limits::Free(address) => {
            return line(out, |text| write!(text, "% You ask as {address}, without limits."));
        }
        Limits::Some(address, uses) => (address, uses),
    };
    line(out, |text| write!(text, "% You ask as {address}. What is left of your limits:"));
    out.raw(b"%\r\n%         left   at once  per minute  all again in  for\r\n");
    for one in uses {
        line(out, |text| {
            write!(
                text,
                "% {:>12} {:>9} {:>11} {:>11} s  {}",
                one.left, one.level.burst, one.level.queries_per_min, one.full_s, one.prefix
            )
        });
    }
    out.raw(
        b"%\r\n% Wildcards, lists of registrars, contacts and addresses cost more than one\r\n\
          % query. The limit that has least left decides. To ask for limits costs\r\n\
          % nothing.\r\n",
    );
}

/// Why the query is refused, and what to do.
pub(super) fn refused(refused: &Refused<'_>, contact: &str, out: &mut Answer) {
    match refused {
        Refused::Quota(over) => quota(over, out),
        Refused::Blocked { scope, until_ms, wait_s, cause, reason } => {
            let until = TimeText::of(until_ms.saturating_sub(until_ms % 1000));
            let until = until.as_ref().map_or(&b"-"[..], TimeText::as_bytes);
            let until = std::str::from_utf8(until).unwrap_or_default();
            line(out, |text| {
                write!(text, "%ERROR:BLOCKED scope={scope} until={until} wait={wait_s} ")?;
                write!(text, "cause={cause}")
            });
            line(out, |text| {
                write!(text, "% Quota exceeded: blocked for {} still, until ", Spell(*wait_s))?;
                write!(text, "{until}.")
            });
            if *cause == "limit" {
                out.raw(b"% The query rate limit was exceeded again and again.\r\n");
            }
            said(b"% Reason: ", reason, out);
        }
        Refused::Denied { scope, reason } => {
            line(out, |text| write!(text, "%ERROR:DENIED scope={scope}"));
            out.raw(
                b"% Quota exceeded: this network has none here. The operator of this server\r\n\
                  % does not answer its queries.\r\n",
            );
            said(b"% Reason: ", reason, out);
        }
    }
    said(b"% Contact: ", contact, out);
}

fn quota(over: &Over, out: &mut Answer) {
    line(out, |text| {
        write!(
            text,
            "%ERROR:QUOTA limit={}/min scope={} wait={}",
            over.level.queries_per_min, over.prefix, over.wait_s
        )
    });
    let whose = if over.own { "for you" } else { "for the network that you are in" };
    line(out, |text| {
        write!(
            text,
            "% Quota exceeded. Query rate limit exceeded: {} a minute {whose} ({}).",
            over.level.queries_per_min, over.prefix
        )
    });
    line(out, |text| {
        write!(text, "% This query is answered again in {}. ", Spell(over.wait_s))?;
        text.write_str("Send limits, at no cost, to see all of yours.")
    });
}

/// A line with an operator's text, if there is one.
fn said(label: &[u8], text: &str, out: &mut Answer) {
    if !text.is_empty() && out.start_line(label.len().saturating_add(text.len()).saturating_add(2))
    {
        out.part(label);
        out.part_of_data(text);
        out.end_line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::policy::limit::Level;

    const LONGEST: Level = Level { length: 128, queries_per_min: 6_000_000, burst: 6_000_000 };

    fn text(write: impl FnOnce(&mut Answer)) -> String {
        let mut out = Answer::new();
        out.begin(0);
        write(&mut out);
        String::from_utf8(out.bytes().to_vec()).unwrap()
    }

    fn longest_use() -> Use {
        let prefix = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128".parse().unwrap();
        Use { prefix, level: LONGEST, left: 6_000_000, full_s: 359_999_999 }
    }

    #[test]
    fn the_longest_lines_fit() {
        let one = longest_use();
        let over = Over { prefix: one.prefix, level: LONGEST, wait_s: 359_999_999, own: false };
        let lines = text(|out| {
            scarce(&one, out);
            limits(Limits::Some(one.prefix.addr(), &[one]), out);
            refused(&Refused::Quota(over), "", out);
            let (until_ms, wait_s) = (253_402_300_799_999, 253_402_300_799);
            let (scope, cause, reason) = (one.prefix, "operator", "");
            refused(&Refused::Blocked { scope, until_ms, wait_s, cause, reason }, "", out);
            refused(&Refused::Denied { scope, reason }, "", out);
        });
        for whole in [
            " <<<\r\n",
            "for ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128; all",
            "%ERROR:QUOTA limit=6000000/min scope=ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128 \
             wait=359999999\r\n",
            "(ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128).\r\n",
            "wait=253402300799 cause=operator\r\n",
            "Send limits, at no cost, to see all of yours.\r\n",
        ] {
            assert!(lines.contains(whole), "{whole:?} in {lines}");
        }
    }

    #[test]
    fn operators_texts_are_one_line_each_and_absent_without_a_text() {
        let scope: IpNet = "192.0.2.0/24".parse().unwrap();
        let denied =
            |reason, contact| text(|out| refused(&Refused::Denied { scope, reason }, contact, out));
        assert_eq!(denied("", "").lines().count(), 3);
        let lines = denied("spam\r\nDomain Name: evil.demo", "abuse@registry.demo");
        assert!(lines.contains("% Reason: spam  Domain Name: evil.demo\r\n"), "{lines}");
        assert!(lines.ends_with("% Contact: abuse@registry.demo\r\n"));
    }

    #[test]
    fn times_are_told_in_the_unit_that_people_use() {
        let told: Vec<_> =
            [1, 119, 120, 7_199, 7_200, 172_799, 172_800].map(|s| Spell(s).to_string()).into();
        let expected = ["1 second", "119 seconds", "2 minutes", "120 minutes", "2 hours"];
        assert_eq!(told[..5], expected);
        assert_eq!(told[5..], ["48 hours", "2 days"]);
    }
}
