//! Search patterns (RFC 9082 section 4.1): a text, or the beginning of one with `*` after it, which
//! whole labels may follow.
//!
//! # Does not
//!
//! Look anything up.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::idn;
use crate::query::name;
use crate::query::rdap::refusal::Refusal;

/// Characters that a pattern begins with at least, unless whole labels follow its `*`.
const BEGINNING_CHARS_MIN: usize = 2;

/// A pattern of names of domains or nameservers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamePattern {
    /// What names begin with, in the form that they are compared in.
    prefix: String,
    /// What follows the `*`: empty, or whole labels with a dot before them.
    suffix: String,
    has_star: bool,
    /// Compared with the Unicode form of names: nobody can know which part of an A-label a part of
    /// a word becomes.
    is_unicode: bool,
    /// What the A-label forms of all matching names begin with.
    range: String,
}

impl NamePattern {
    /// Reads a pattern; `ldh_only`: names in Unicode are refused (RFC 9082 section 3.2.1 of
    /// `nsLdhName`).
    pub(super) fn read(typed: &str, ldh_only: bool) -> Result<Self, Refusal> {
        if ldh_only && !typed.is_ascii() {
            return Err(Refusal::LdhName);
        }
        let Some((before, after)) = typed.split_once('*') else {
            let name = name::canonical(typed).ok_or(Refusal::Name)?.as_str().to_owned();
            let (prefix, range) = (name.clone(), name);
            let (suffix, has_star, is_unicode) = (String::new(), false, false);
            return Ok(Self { prefix, suffix, has_star, is_unicode, range });
        };
        let is_label_suffix = after.is_empty() || (after.starts_with('.') && after.len() > 1);
        if after.contains('*') {
            return Err(Refusal::TwoStars);
        }
        if !is_label_suffix {
            return Err(Refusal::Pattern);
        }
        let chars = before.chars().count();
        if chars < BEGINNING_CHARS_MIN && (after.is_empty() || chars == 0) {
            return Err(Refusal::Short);
        }
        let prefix: String = idn::mapped(before).ok_or(Refusal::Name)?.collect();
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c) || !c.is_ascii();
        if prefix.contains('\u{fffd}') || !prefix.chars().all(is_part) || prefix.contains("..") {
            return Err(Refusal::Name);
        }
        let is_unicode = !prefix.is_ascii();
        let ascii_suffix = match after.strip_prefix('.') {
            Some(labels) => {
                format!(".{}", name::canonical(labels).ok_or(Refusal::Name)?.as_str())
            }
            None => String::new(),
        };
        let range = if is_unicode {
            // Up to the label that is not ASCII.
            let ascii = prefix.find(|c: char| !c.is_ascii()).unwrap_or(0);
            let labels = prefix.get(..ascii).and_then(|labels| labels.rfind('.'));
            let labels = labels.map_or("", |dot| prefix.get(..=dot).unwrap_or_default());
            format!("{labels}xn--")
        } else {
            prefix.clone()
        };
        let in_unicode = || {
            let labels = ascii_suffix.strip_prefix('.').unwrap_or_default();
            idn::unicode(labels).map(|labels| format!(".{}", labels.as_str()))
        };
        let suffix = if is_unicode { in_unicode().unwrap_or(ascii_suffix) } else { ascii_suffix };
        Ok(Self { prefix, suffix, has_star: true, is_unicode, range })
    }

    /// What the names that match begin with, in their A-label forms.
    pub(super) fn range(&self) -> &str {
        &self.range
    }

    /// Whether it is the whole name of one object.
    pub(super) const fn is_exact(&self) -> bool {
        !self.has_star
    }

    /// Whether a name in A-label form matches; `unicode` is its other form, if there is one.
    pub(super) fn matches(&self, name: &str, unicode: &str) -> bool {
        let name = if self.is_unicode { unicode } else { name };
        if !self.has_star {
            return name == self.prefix;
        }
        let Some(rest) = name.strip_prefix(&*self.prefix) else { return false };
        // With labels after it the `*` completes a label, not those between.
        self.suffix.is_empty()
            || rest.strip_suffix(&*self.suffix).is_some_and(|between| !between.contains('.'))
    }
}

/// A pattern of names of entities, handles or addresses of mail, folded as these are
/// (RFC 9082 section 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextPattern {
    text: String,
    has_star: bool,
}

impl TextPattern {
    pub(super) fn read(typed: &str) -> Result<Self, Refusal> {
        let (before, has_star) = match typed.split_once('*') {
            None => (typed, false),
            Some((before, "")) => (before, true),
            Some((_, after)) if after.contains('*') => return Err(Refusal::TwoStars),
            Some(_) => return Err(Refusal::Pattern),
        };
        if has_star && before.trim_start().chars().count() < BEGINNING_CHARS_MIN {
            return Err(Refusal::Short);
        }
        let mut text = idn::folded(before).ok_or(Refusal::Long)?.as_str().to_owned();
        if text.is_empty() {
            return Err(Refusal::Text);
        }
        // Folding takes the blank that ends a word.
        if has_star && before.ends_with(char::is_whitespace) {
            text.push(' ');
        }
        Ok(Self { text, has_star })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) const fn is_exact(&self) -> bool {
        !self.has_star
    }

    /// Whether a folded text matches.
    pub(super) fn matches(&self, folded: &str) -> bool {
        if self.has_star { folded.starts_with(&*self.text) } else { folded == self.text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(typed: &str) -> Result<NamePattern, Refusal> {
        NamePattern::read(typed, false)
    }

    fn matches(typed: &str, ascii: &str) -> bool {
        let unicode = idn::unicode(ascii);
        let unicode = unicode.as_ref().map_or(ascii, |unicode| unicode.as_str());
        name(typed).unwrap().matches(ascii, unicode)
    }

    #[test]
    fn a_star_completes_a_label_and_labels_may_follow_it() {
        for (typed, yes, no) in [
            ("exam*.example", "example.example", "example.co.example"),
            ("exam*.example", "exam.example", "exam.test"),
            ("EXAM*.Example.", "example.example", "xample.example"),
            ("ns1.exam*", "ns1.example", "ns2.example"),
            ("e*.example", "e.example", "f.example"),
            ("münch*.example", "xn--mnchen-3ya.example", "munchen.example"),
            ("www.münch*", "www.xn--mnchen-3ya", "xn--mnchen-3ya"),
            ("xn--mnch*.example", "xn--mnchen-3ya.example", "xn--mller-kva.example"),
            ("München.example", "xn--mnchen-3ya.example", "munchen.example"),
        ] {
            assert!(matches(typed, yes), "{typed} {yes}");
            assert!(!matches(typed, no), "{typed} {no}");
            assert!(yes.starts_with(name(typed).unwrap().range()), "{typed}");
        }
        assert!(matches("ex*", "example.example"));
    }

    #[test]
    fn a_pattern_that_is_not_offered_says_why() {
        for (typed, refusal) in [
            ("*", Refusal::Short),
            ("a*", Refusal::Short),
            ("*.example", Refusal::Short),
            ("ex*ple.example", Refusal::Pattern),
            ("ex*.", Refusal::Pattern),
            ("ex*am*", Refusal::TwoStars),
            ("ex am*", Refusal::Name),
            ("ex..am*", Refusal::Name),
            ("", Refusal::Name),
            ("exam*.a..b", Refusal::Name),
        ] {
            assert_eq!(name(typed), Err(refusal), "{typed}");
        }
        assert_eq!(NamePattern::read("nsü.example", true), Err(Refusal::LdhName));
        for (typed, refusal) in [
            ("", Refusal::Text),
            (" .", Refusal::Text),
            ("a*", Refusal::Short),
            ("*", Refusal::Short),
            ("ab*c", Refusal::Pattern),
            ("ab*c*", Refusal::TwoStars),
        ] {
            assert_eq!(TextPattern::read(typed), Err(refusal), "{typed}");
        }
    }

    #[test]
    fn texts_are_compared_folded() {
        let text = |typed: &str| TextPattern::read(typed).unwrap();
        let folded = |name: &str| idn::folded(name).unwrap().as_str().to_owned();
        assert!(text("JÜRG müller").matches(&folded("Jürg  Müller")));
        assert!(text("Jürg*").matches(&folded("jürgen")));
        assert!(!text("Jürg *").matches(&folded("jürgen")));
        assert!(text("Jürg *").matches(&folded("Jürg Müller")));
        assert!(!text("Jürg").matches(&folded("Jürg Müller")));
    }
}
