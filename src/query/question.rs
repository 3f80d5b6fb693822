//! What is asked for, whichever protocol asks.
//!
//! # Invariants
//!
//! - `mapped once`: a [`Settled`] question has its name in the form of the records' keys; finding,
//!   showing and the query log use that one. The protocol lends the room for it.
//!
//! # Does not
//!
//! Know how questions are written, or how answers read.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use super::find::is_many;
use super::name::{self, Name};
use super::{QueryKind, registrar, suffix};
use crate::view::View;

/// What is asked for, as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question<'a> {
    /// A name alone: a domain, or else a nameserver.
    Name(&'a str),
    NamePattern(&'a str),
    Domain(&'a str),
    DomainPattern(&'a str),
    Nameserver(&'a str),
    NameserverPattern(&'a str),
    Address(IpAddr),
    Registrar(&'a str),
    /// A registrar's name with wildcards, or a part of one.
    RegistrarPart(&'a str),
    Contact(&'a str),
    Roid(&'a str),
    /// A registrar by IANA identifier, name or identifier, or a contact by handle or identifier.
    Entity(&'a str),
}

impl<'a> Question<'a> {
    /// What kind of query it is.
    pub(super) const fn kind(self) -> QueryKind {
        match self {
            Self::Name(_) | Self::Domain(_) => QueryKind::Domain,
            Self::NamePattern(_) | Self::DomainPattern(_) => QueryKind::DomainPattern,
            Self::Nameserver(_) => QueryKind::Nameserver,
            Self::NameserverPattern(_) => QueryKind::NameserverPattern,
            Self::Address(_) => QueryKind::Address,
            Self::Registrar(_) | Self::Entity(_) => QueryKind::Registrar,
            Self::RegistrarPart(_) => QueryKind::RegistrarPattern,
            Self::Contact(_) => QueryKind::Contact,
            Self::Roid(_) => QueryKind::Roid,
        }
    }

    /// The name, pattern or identifier that is asked for, as it was typed; empty for an address.
    pub(super) const fn subject(self) -> &'a str {
        match self {
            Self::Name(text)
            | Self::NamePattern(text)
            | Self::Domain(text)
            | Self::DomainPattern(text)
            | Self::Nameserver(text)
            | Self::NameserverPattern(text)
            | Self::Registrar(text)
            | Self::RegistrarPart(text)
            | Self::Contact(text)
            | Self::Roid(text)
            | Self::Entity(text) => text,
            Self::Address(_) => "",
        }
    }

    /// Makes it the question that is meant, with its name in the form of the records' keys in
    /// `name`; `false` if it has none. A pattern that is the name of a record asks for that record;
    /// a registrar's name that no registrar has asks for a list. Names without wildcards, the usual
    /// question, are mapped and not looked up. A damaged record settles nothing: finding reports
    /// it.
    #[inline]
    pub(super) fn settle(&mut self, view: &View, name: &mut Name) -> bool {
        match *self {
            Self::Name(typed) | Self::Domain(typed) | Self::Nameserver(typed) => {
                name::map(typed, name)
            }
            Self::Address(_)
            | Self::RegistrarPart(_)
            | Self::Contact(_)
            | Self::Roid(_)
            | Self::Entity(_) => false,
            Self::NamePattern(_)
            | Self::DomainPattern(_)
            | Self::NameserverPattern(_)
            | Self::Registrar(_) => self.look_up(view, name),
        }
    }

    #[cold]
    fn look_up(&mut self, view: &View, name: &mut Name) -> bool {
        if let Self::Registrar(typed) = *self {
            if !registrar::is_one(view, typed) {
                *self = Self::RegistrarPart(typed);
            }
            return false;
        }
        if self.subject().contains(is_many) || !name::map(self.subject(), name) {
            return false;
        }
        *self = self.of_record(view, name.as_str()).unwrap_or(*self);
        true
    }

    /// The question for the record of this name that a pattern asks for, if there is one.
    fn of_record(self, view: &View, name: &str) -> Option<Self> {
        let data = view.data();
        let is_nameserver = || matches!(data.find_nameserver(name), Ok(Some(_)));
        let is_domain = || {
            matches!(data.find_domain(name), Ok(Some(_)))
                || matches!(data.find_nndn(name), Ok(Some(_)))
        };
        match self {
            Self::NamePattern(typed) | Self::DomainPattern(typed) if is_domain() => {
                Some(Self::Domain(typed))
            }
            Self::NamePattern(typed) | Self::NameserverPattern(typed) if is_nameserver() => {
                Some(Self::Nameserver(typed))
            }
            _ => None,
        }
    }
}

/// A question as it is meant: see [`Question::settle`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled<'q> {
    pub(super) question: Question<'q>,
    /// The name that it is about, in the form of the records' keys; none if what was typed is not
    /// the name of a domain or a host.
    pub(super) name: Option<&'q str>,
}

impl Settled<'_> {
    /// The suffix of the snapshot that its name, or its pattern, lies under.
    pub(super) fn suffix<'v>(&self, view: &'v View) -> Option<&'v str> {
        match (self.name, self.question) {
            (Some(name), _) => suffix::of_canonical(view, name),
            (
                None,
                Question::NamePattern(typed)
                | Question::DomainPattern(typed)
                | Question::NameserverPattern(typed),
            ) => suffix::suffix_of(view, typed),
            (None, _) => None,
        }
    }
}
