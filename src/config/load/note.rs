//! What a value of the file leaves behind: where it was set, or the error with its place.

use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;

use super::super::ConfigError;
use super::super::settings::Origin;
use super::super::value::{Refused, ValueError};
use super::Merge;
use crate::bounds::UnknownWord;

impl Merge<'_> {
    /// The value, or a note of why there is none.
    pub(super) fn noted<T>(&mut self, value: Result<T, ConfigError>) -> Option<T> {
        value.map_err(|error| self.errors.push(error)).ok()
    }

    /// Notes errors; whether there are none.
    pub(super) fn all_noted(&mut self, errors: Vec<ConfigError>) -> bool {
        let are_none = errors.is_empty();
        self.errors.extend(errors);
        are_none
    }

    /// The value, or a note of why there is none.
    pub(super) fn taken<T>(&mut self, value: Result<T, Refused>) -> Option<T> {
        value.map_err(|refused| self.note(refused)).ok()
    }

    /// Notes that a value cannot be used.
    pub(super) fn note(&mut self, Refused { key, span, problem }: Refused) {
        let line = match &span {
            Some(span) => self.source.line(span),
            None => self.source.line_of_missing(&key),
        };
        let place = format!("{}:{line}", self.source.path.display());
        self.errors.push(ConfigError::Setting { place, key, problem });
    }

    pub(super) fn set_spans(
        &mut self,
        spans: impl IntoIterator<Item = (&'static str, Option<Range<usize>>)>,
    ) {
        for (key, span) in spans {
            if let Some(span) = span {
                self.set_in_file(key, &span);
            }
        }
    }

    /// A value that cannot be wrong.
    pub(super) fn plain<T: Clone>(
        &mut self,
        key: &'static str,
        written: Option<&Spanned<T>>,
    ) -> Option<T> {
        let written = written?;
        self.set_in_file(key, &written.span());
        Some(written.get_ref().clone())
    }

    /// A value that `check` accepts, or a note of why it does not.
    pub(super) fn checked<T: Clone>(
        &mut self,
        key: &'static str,
        written: Option<&Spanned<T>>,
        check: impl FnOnce(&T) -> Result<(), ValueError>,
    ) -> Option<T> {
        let value = written?;
        let checked =
            check(value.get_ref()).map_err(|error| self.refused(key, &value.span(), error));
        self.noted(checked)?;
        self.plain(key, written)
    }

    pub(super) fn refused_key(&mut self, key: String, problem: impl Into<ValueError>) {
        let line = self.source.line_of_key(&key);
        let place = format!("{}:{line}", self.source.path.display());
        let problem = Box::new(problem.into());
        self.errors.push(ConfigError::Setting { place, key, problem });
    }

    pub(super) fn word<T: FromStr<Err = UnknownWord>>(
        &mut self,
        key: &'static str,
        written: Option<&Spanned<String>>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = written else { return Ok(None) };
        let refused = |error: UnknownWord| self.refused(key, &text.span(), error);
        let word = text.get_ref().parse().map_err(refused)?;
        self.set_in_file(key, &text.span());
        Ok(Some(word))
    }

    pub(super) fn refused(
        &self,
        key: &str,
        span: &Range<usize>,
        problem: impl Into<ValueError>,
    ) -> ConfigError {
        let place = format!("{}:{}", self.source.path.display(), self.source.line(span));
        ConfigError::Setting { place, key: key.to_owned(), problem: Box::new(problem.into()) }
    }

    pub(super) fn set_in_file(&mut self, key: &'static str, span: &Range<usize>) {
        let origin = Origin::File { path: self.source.path.clone(), line: self.source.line(span) };
        self.effective.origins.insert(key, origin);
    }

    pub(super) fn set_by_flag(&mut self, key: &'static str, flag: &'static str) {
        self.effective.origins.insert(key, Origin::Flag(flag));
    }
}
