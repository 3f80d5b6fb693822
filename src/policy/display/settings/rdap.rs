//! What the configuration says about RDAP answers: `rdap` of `[defaults]` and of `[[tld]]`.
//!
//! # Does not
//!
//! Say what of a record is shown: the same rules as on port 43 do.

use serde::{Deserialize, Serialize};

use super::{Problems, VALUE_BYTES_MAX, lines};
use crate::policy::display::error::{SettingProblem, TextError};
use crate::vet::web;

/// What RDAP answers about names of a suffix say of the service. A key that is absent has the value
/// of `[defaults]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rdap {
    /// Public base URL, as IANA's bootstrap registry has it: `https://rdap.example/`, with a final
    /// slash, at most 255 bytes. Every link of an answer begins with it. Default that of the
    /// server's first listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Terms of service, in the notice that every answer has: paragraphs, an empty line between
    /// them, at most 4,096 bytes. Default the disclaimer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// Web page of the terms, at most 255 bytes. Default `help` below the base URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms_url: Option<String>,
}

impl Rdap {
    pub(super) fn check(&self, path: &str, problems: &mut Problems) {
        let urls = [("url", &self.url, true), ("terms_url", &self.terms_url, false)];
        for (key, url, is_base) in urls {
            let Some(url) = url else { continue };
            if !is_followed(url) || (is_base && !url.ends_with('/')) {
                let expected = if is_base {
                    "a base URL such as https://rdap.example/, with its final slash"
                } else {
                    "a URL such as https://www.example/terms"
                };
                let problem = SettingProblem::Followed { text: url.clone(), expected };
                problems.add(&format!("{path}.{key}"), problem);
            }
        }
        if let Some(terms) = &self.terms {
            problems.note(&format!("{path}.terms"), paragraphs(terms));
        }
    }
}

/// Whether a URL can be followed as it is written.
pub fn is_followed(url: &str) -> bool {
    let is_followed = web::url_in_form(url).as_deref() == Some(url);
    is_followed && url.len() <= VALUE_BYTES_MAX && url.is_ascii()
}

fn paragraphs(text: &str) -> Result<(), TextError> {
    if text.trim().is_empty() { Err(TextError::Blank) } else { lines(text) }
}
