//! The terms of records: bytes that an index keeps and finds.
//!
//! ```text
//! domain:   key       d NAME
//!           reference ROLE ORDINAL SUFFIX   (contacts: the suffix of the domain's name)
//!                     H ORDINAL             (nameservers), R ORDINAL (its registrar)
//! contact:  key       c ORDINAL
//!           text      FIELD FORM WISH FOLDED
//! ```
//!
//! Ordinals have four bytes, the highest first. Another layout needs another [`TERMS_VERSION`].
//!
//! # Does not
//!
//! Know who may see a text: the mask does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::record::{ArchivedContact, ArchivedDomain, NONE};

use crate::field::contact::ShownField;
use crate::idn;
use crate::policy::{SeenBlock, Sees, Wish};
use crate::query::contact::{ContactView, SOURCES};

/// Version of the layout of terms, and of how texts are folded.
pub const TERMS_VERSION: u32 = 1;
/// First byte of a domain's key.
pub const DOMAIN_KEY_HEAD: u8 = b'd';
/// First byte of a contact's key.
pub const CONTACT_KEY_HEAD: u8 = b'c';

/// The key of a domain.
#[must_use]
pub fn domain_key(name: &str) -> Vec<u8> {
    [&[DOMAIN_KEY_HEAD], name.as_bytes()].concat()
}

/// The key of a contact.
#[must_use]
pub fn contact_key(ordinal: u32) -> Vec<u8> {
    [&[CONTACT_KEY_HEAD][..], &ordinal.to_be_bytes()].concat()
}

/// What a domain refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// The first contact of a role, by `snapshot_format::object::ContactRole`.
    Contact {
        /// Which role.
        role: u8,
        /// Which contact.
        ordinal: u32,
    },
    /// A nameserver of the delegation.
    Nameserver(u32),
    /// The sponsoring registrar.
    Registrar(u32),
}

impl Reference {
    /// The term, or the beginning of all terms of a contact in a role, which the suffix follows.
    #[must_use]
    pub fn term(self) -> [u8; 5] {
        let (head, ordinal) = match self {
            Self::Contact { role, ordinal } => (role, ordinal),
            Self::Nameserver(ordinal) => (b'H', ordinal),
            Self::Registrar(ordinal) => (b'R', ordinal),
        };
        let [a, b, c, d] = ordinal.to_be_bytes();
        [head, a, b, c, d]
    }

    /// Whether suffixes follow its term.
    #[must_use]
    pub const fn has_suffixes(self) -> bool {
        matches!(self, Self::Contact { .. })
    }
}

/// Hands the references of a domain to `each`, as terms.
pub fn domain_terms(record: &ArchivedDomain, each: &mut dyn FnMut(&[u8])) {
    let suffix = record.name.split_once('.').map_or("", |(_, suffix)| suffix);
    for (role, ordinal) in (0_u8..).zip(record.contacts.iter()) {
        let ordinal = ordinal.to_native();
        if ordinal != NONE {
            let head = Reference::Contact { role, ordinal }.term();
            each(&[&head, suffix.as_bytes()].concat());
        }
    }
    for ordinal in record.nameservers.iter() {
        each(&Reference::Nameserver(ordinal.to_native()).term());
    }
    let registrar = record.registrar.to_native();
    if registrar != NONE {
        each(&Reference::Registrar(registrar).term());
    }
}

/// A field that contacts are looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::query) enum KeyText {
    Name = 1,
    Email = 2,
    Handle = 3,
}

impl KeyText {
    const ALL: [Self; 3] = [Self::Name, Self::Email, Self::Handle];

    /// The field of a block that shows it.
    pub(in crate::query) const fn field(self) -> ShownField {
        match self {
            Self::Name => ShownField::Name,
            Self::Email => ShownField::Email,
            Self::Handle => ShownField::Id,
        }
    }

    /// The value that a contact shows, where it is shown, folded; and what it has asked for.
    fn of(self, view: &ContactView<'_>) -> Option<(idn::Folded, Wish)> {
        let source = SOURCES.get(self.field() as usize)?;
        let (text, length) = view.value(source);
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        let folded = idn::folded(text).filter(|folded| !folded.as_str().is_empty())?;
        Some((folded, view.wish(source)))
    }

    /// Whether `block` shows the value of a contact, and `matches` says yes to it.
    pub(in crate::query) fn matches(
        self,
        block: &SeenBlock<'_>,
        view: &ContactView<'_>,
        matches: impl FnOnce(&str) -> bool,
    ) -> bool {
        let sees = block.mask.fields().nth(self.field() as usize);
        block.mask.is_shown()
            && self.of(view).is_some_and(|(text, wish)| {
                sees.is_some_and(|sees| sees.shows(wish)) && matches(text.as_str())
            })
    }
}

/// Which of a contact's two addresses a rule shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Form {
    /// The one of a rule without a preference for the localised form.
    First = 1,
    /// The other one.
    Localised = 2,
    /// Both read alike.
    Both = 3,
}

impl Wish {
    const ALL: [Self; 3] = [Self::None, Self::Show, Self::Hide];

    const fn byte(self) -> u8 {
        match self {
            Self::None => 1,
            Self::Show => 2,
            Self::Hide => 3,
        }
    }
}

/// The first bytes of a term.
type Head = [u8; 3];

/// First bytes of the terms that somebody may see.
#[derive(Debug, Default)]
pub(in crate::query) struct HeadSet(Vec<Head>);

impl HeadSet {
    /// Adds what a block shows of a field, under a rule that prefers the localised form or not.
    pub(in crate::query) fn add(
        &mut self,
        text: KeyText,
        block: &SeenBlock<'_>,
        prefer_localised: bool,
    ) {
        let sees = block.mask.fields().nth(text.field() as usize).unwrap_or(Sees::Redacted);
        let own = if prefer_localised { Form::Localised } else { Form::First };
        let wishes = Wish::ALL.iter().filter(|wish| block.mask.is_shown() && sees.shows(**wish));
        for wish in wishes {
            for form in [own, Form::Both] {
                let head = [text as u8, form as u8, wish.byte()];
                if !self.0.contains(&head) {
                    self.0.push(head);
                }
            }
        }
    }

    pub(in crate::query) fn as_slice(&self) -> &[Head] {
        &self.0
    }
}

/// Hands the texts of a contact to `each`, as terms.
pub fn contact_terms(record: &ArchivedContact, each: &mut dyn FnMut(&[u8])) {
    let [first, localised] = [false, true].map(|prefer| ContactView::of_form(prefer, record));
    for text in KeyText::ALL {
        let mut one = |form: Form, of: &Option<(idn::Folded, Wish)>| {
            if let Some((folded, wish)) = of {
                let head = [text as u8, form as u8, wish.byte()];
                each(&[&head, folded.as_bytes()].concat());
            }
        };
        let (of_first, of_localised) = (text.of(&first), text.of(&localised));
        let alike = match (&of_first, &of_localised) {
            (Some(a), Some(b)) => a.0.as_bytes() == b.0.as_bytes() && a.1 == b.1,
            (None, None) => true,
            _ => false,
        };
        if alike {
            one(Form::Both, &of_first);
        } else {
            one(Form::First, &of_first);
            one(Form::Localised, &of_localised);
        }
    }
}
