//! What one record cannot answer: which domains refer to a nameserver, a registrar or a contact,
//! and which contacts have a name, an address of mail or a handle. An [`Index`] of these says so.
//!
//! # Invariants
//!
//! - `what is hidden is not looked at`: a term of a contact begins with what the contact has asked
//!   for about that field, and a reference to a contact ends with the suffix of its domain. So an
//!   index looks at nothing that the mask of the asker hides, and neither results nor the work for
//!   them depend on it.
//! - `the record decides`: an index may be a moment behind. What it names is read from the view and
//!   compared again.
//!
//! # Does not
//!
//! Keep an index: another program does, from these terms.

mod terms;

pub use terms::{
    CONTACT_KEY_HEAD, DOMAIN_KEY_HEAD, Reference, TERMS_VERSION, contact_key, contact_terms,
    domain_key, domain_terms,
};
pub(super) use terms::{HeadSet, KeyText};

/// Why an index does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// It is being built.
    #[error("the index is being built")]
    Building,
    /// It cannot be read; it is built anew.
    #[error("the index cannot be read")]
    Failed,
}

/// A text that contacts are looked for by.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// First bytes of the terms: each is looked at by itself, and nothing else.
    pub heads: &'a [[u8; 3]],
    /// What follows them, folded.
    pub text: &'a str,
    /// Whether nothing may follow the text.
    pub exact: bool,
}

/// An index over the terms of domains and contacts.
pub trait Index: std::fmt::Debug {
    /// Hands the names of the domains that have one of these references to `visit`, in order, from
    /// the first one after `after`, until it says `false`. `is_meant` says of each reference and
    /// each suffix (all of a name after its first label) whether they count.
    ///
    /// # Errors
    ///
    /// The index is not there yet, or cannot be read.
    fn domains_of(
        &self,
        references: &[Reference],
        is_meant: &dyn Fn(Reference, &str) -> bool,
        after: &str,
        visit: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(), IndexError>;

    /// Hands the folded texts of contacts and their ordinals to `visit`, in the order of both, from
    /// the first one after `after`, until it says `false`.
    ///
    /// # Errors
    ///
    /// The index is not there yet, or cannot be read.
    fn contacts(
        &self,
        wanted: &Wanted<'_>,
        after: Option<(&str, u32)>,
        visit: &mut dyn FnMut(&str, u32) -> bool,
    ) -> Result<(), IndexError>;
}

/// Stands for an index that is being built.
#[derive(Debug)]
pub struct Awaited;

impl Index for Awaited {
    fn domains_of(
        &self,
        _references: &[Reference],
        _is_meant: &dyn Fn(Reference, &str) -> bool,
        _after: &str,
        _visit: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(), IndexError> {
        Err(IndexError::Building)
    }

    fn contacts(
        &self,
        _wanted: &Wanted<'_>,
        _after: Option<(&str, u32)>,
        _visit: &mut dyn FnMut(&str, u32) -> bool,
    ) -> Result<(), IndexError> {
        Err(IndexError::Building)
    }
}
