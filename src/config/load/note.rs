//! What a value of the file leaves behind: where it was set, or the error with its place.

use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;

use super::super::error::ValueError;
use super::super::settings::Origin;
use super::super::{ConfigError, policy};
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

    /// The value of `[policy]`, or a note of why there is none.
    pub(super) fn taken<T>(&mut self, value: Result<T, policy::Refused<'_>>) -> Option<T> {
        let value = value.map_err(|refused| {
            let policy::Refused { key, span, problem, table } = refused;
            self.located(key, span, table, problem)
        });
        self.noted(value)
    }

    /// An error at `span`, or at the header of `table`.
    pub(super) fn located(
        &self,
        key: &str,
        span: Option<Range<usize>>,
        table: &str,
        problem: String,
    ) -> ConfigError {
        let line = match &span {
            Some(span) => self.source.line(span),
            None => self.source.line_of_table(table),
        };
        let place = format!("{}:{line}", self.source.path.display());
        ConfigError::Setting { place, key: key.to_owned(), problem }
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
        let checked = check(value.get_ref())
            .map_err(|error| self.refused(key, &value.span(), error.to_string()));
        self.noted(checked)?;
        self.plain(key, written)
    }

    pub(super) fn refused_key(&mut self, key: String, problem: String) {
        let line = self.source.line_of_key(&key);
        let place = format!("{}:{line}", self.source.path.display());
        self.errors.push(ConfigError::Setting { place, key, problem });
    }

    pub(super) fn word<T: FromStr<Err = UnknownWord>>(
        &mut self,
        key: &'static str,
        written: Option<&Spanned<String>>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = written else { return Ok(None) };
        let refused = |error: UnknownWord| self.refused(key, &text.span(), error.to_string());
        let word = text.get_ref().parse().map_err(refused)?;
        self.set_in_file(key, &text.span());
        Ok(Some(word))
    }

    pub(super) fn refused(&self, key: &str, span: &Range<usize>, problem: String) -> ConfigError {
        let place = format!("{}:{}", self.source.path.display(), self.source.line(span));
        ConfigError::Setting { place, key: key.to_owned(), problem }
    }

    pub(super) fn set_in_file(&mut self, key: &'static str, span: &Range<usize>) {
        let origin = Origin::File { path: self.source.path.clone(), line: self.source.line(span) };
        self.effective.origins.insert(key, origin);
    }

    pub(super) fn set_by_flag(&mut self, key: &'static str, flag: &'static str) {
        self.effective.origins.insert(key, Origin::Flag(flag));
    }
}
