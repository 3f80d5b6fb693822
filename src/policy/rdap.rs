//! What RDAP answers under one rule say of the service, as JSON already.
//!
//! # Invariants
//!
//! - `whole`: each text is a whole JSON value, or the inside of a JSON string without anything to
//!   escape.
//!
//! # Does not
//!
//! Write answers: `query::rdap` does.

use super::display::settings::rdap::Rdap;

/// What answers under one rule say of the service.
#[derive(Debug)]
pub(crate) struct RdapRule {
    /// Public base URL, with its final slash; empty for that of the server.
    pub(crate) url: Box<str>,
    /// Paragraphs of the terms of service: an array of texts.
    pub(crate) terms: Box<str>,
    /// Web page of the terms; empty for `help` below the base URL.
    pub(crate) terms_url: Box<str>,
}

impl RdapRule {
    /// What `own` says, or else `defaults`; `disclaimer`: that of the configuration, if it has one.
    pub(super) fn new(own: Option<&Rdap>, defaults: Option<&Rdap>, disclaimer: &str) -> Self {
        let of = |key: fn(&Rdap) -> Option<&String>| {
            own.and_then(key).or_else(|| defaults.and_then(key)).map(String::as_str)
        };
        let terms = of(|rdap| rdap.terms.as_ref()).unwrap_or(disclaimer);
        Self {
            url: of(|rdap| rdap.url.as_ref()).unwrap_or_default().into(),
            terms: paragraphs(terms).into(),
            terms_url: of(|rdap| rdap.terms_url.as_ref()).unwrap_or_default().into(),
        }
    }

    /// What it takes at most in an answer, bytes.
    pub(crate) fn bytes_max(&self) -> usize {
        self.terms.len().saturating_add(self.terms_url.len())
    }
}

/// The paragraphs of a text, each in one line, as a JSON array.
fn paragraphs(text: &str) -> String {
    let mut all = vec![String::new()];
    for line in text.lines() {
        if line.trim().is_empty() {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            for word in line.split_whitespace() {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(word);
            }
        }
    }
    all.retain(|paragraph| !paragraph.is_empty());
    serde_json::Value::from(all).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_separates_paragraphs_and_other_line_ends_are_blanks() {
        assert_eq!(paragraphs("a  b\nc\n\n \nd \"e\"\n"), r#"["a b c","d \"e\""]"#);
        assert_eq!(paragraphs("\n\n"), "[]");
    }

    #[test]
    fn a_key_of_a_suffix_goes_before_that_of_the_defaults() {
        let of = |url: &str| Rdap { url: Some(url.to_owned()), ..Rdap::default() };
        let (own, defaults) = (of("https://own.example/"), of("https://defaults.example/"));
        let url = |own: Option<&Rdap>, defaults: Option<&Rdap>| {
            RdapRule::new(own, defaults, "text").url.into_string()
        };
        assert_eq!(url(Some(&own), Some(&defaults)), "https://own.example/");
        assert_eq!(url(Some(&Rdap::default()), Some(&defaults)), "https://defaults.example/");
        assert_eq!(url(None, None), "");
        assert_eq!(&*RdapRule::new(None, None, "text").terms, r#"["text"]"#);
    }
}
