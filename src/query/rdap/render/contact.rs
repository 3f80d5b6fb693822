//! A contact: as an entity of a domain, and as an answer of its own.
//!
//! # Invariants
//!
//! - `hidden reads alike`: what the mask hides leaves the same bytes whether the record has a value
//!   or not.
//! - `entries match`: an entry of `redacted` whose path has to match has its property.
//!
//! # Does not
//!
//! Decide what may be shown: the rule does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::record::{ArchivedContact, DISCLOSE_NO_WISH};

use super::{Address, EMAIL, FAX, ORGANIZATION, VOICE, begin_card, property, telephone};
use super::{entities, registrar, statuses};
use crate::field::contact::{BLOCK, Method, ROLES, STREET, ShownField};
use crate::policy::{SeenBlock, Sees, TierRule};
use crate::query::contact::{ContactView, SOURCES};
use crate::query::rdap::document::Document;
use crate::query::rdap::prepared::parts;
use crate::query::rdap::redacted::{ADDRESS, Hidden, bit};
use crate::query::rdap::site::{self, Site};
use crate::query::sponsor::RegistrarView;

/// The place of a contact that is asked for by itself in [`ROLES`].
const NO_ROLE: usize = ROLES.len().wrapping_sub(1);
/// The place of a registrant.
const REGISTRANT: usize = 0;

/// Fields whose entries of `redacted` point at an empty value of the address.
#[expect(clippy::indexing_slicing, reason = "at compile time, below the length")]
const EMPTIED_ADDRESS: u16 = {
    let (mut bits, mut index) = (0, 0);
    while index < BLOCK.len() {
        if matches!(BLOCK[index].redaction.method, Method::EmptyValue) {
            bits |= 1 << index;
        }
        index = index.wrapping_add(1);
    }
    bits & ADDRESS
};

/// What a contact hides of itself under a block.
#[derive(Clone, Copy)]
pub(super) struct Veil {
    /// Fields whose values are not shown, a bit each.
    hidden: u16,
    /// Those that the answer names in `redacted`. A field that is left out, and that the profile
    /// does not name in this role, is not there at all.
    named: u16,
}

impl Veil {
    #[inline]
    fn of(block: &SeenBlock<'_>, role: usize, view: &ContactView<'_>) -> Self {
        if view.record.disclose == DISCLOSE_NO_WISH
            && let Some(hidden) = block.mask.usual_hidden()
        {
            return Self { hidden, named: hidden };
        }
        let (mut hidden, mut named, mut field_bit) = (0, 0, 1_u16);
        for ((source, row), sees) in SOURCES.iter().zip(&BLOCK).zip(block.mask.fields()) {
            if !sees.shows(view.wish(source)) {
                hidden |= field_bit;
                if sees != Sees::LeftOut || row.is_named(role) {
                    named |= field_bit;
                }
            }
            field_bit = field_bit.wrapping_shl(1);
        }
        Self { hidden, named }
    }

    /// Whether there is no address at all: one without a country code is not valid (ICANN's
    /// response profile 2.2, section 1.4). That of a registrant is there in any case, its parts
    /// empty (appendix E).
    const fn leaves_address_out(self, role: usize) -> bool {
        role != REGISTRANT && self.hidden & ADDRESS == ADDRESS
    }

    const fn hides(self, field: ShownField) -> bool {
        self.hidden & bit(field) != 0
    }
}

/// Writes a contact as an entity of a domain.
pub(super) fn entity(
    (block, role): (&SeenBlock<'_>, usize),
    view: &ContactView<'_>,
    hidden: &mut Hidden,
    out: &mut Document,
) {
    let veil = Veil::of(block, role, view);
    hidden.note(role, veil.named, veil.leaves_address_out(role));
    out.raw(b"{\"objectClassName\":\"entity\"");
    handle(view, veil, out);
    out.raw(b",\"roles\":[\"");
    out.raw(ROLES.get(role).map_or("", |role| role.rdap).as_bytes());
    out.raw(b"\"]");
    card(view, veil, role, out);
    out.raw(b"}");
}

/// Writes a contact as an answer of its own, all but what stands around it.
pub(in crate::query::rdap) fn contact(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedContact,
    hidden: &mut Hidden,
    out: &mut Document,
) -> Result<(), Corrupt> {
    let view = ContactView::of(rule, record);
    let veil = Veil::of(&rule.contact(), NO_ROLE, &view);
    hidden.note(NO_ROLE, veil.named, veil.leaves_address_out(NO_ROLE));
    out.raw(b"{\"objectClassName\":\"entity\"");
    handle(&view, veil, out);
    card(&view, veil, NO_ROLE, out);
    statuses(&parts().of_contact, record.statuses.to_native(), out);
    let mut events = site::events();
    site::event(&mut events, b"\"registration\"", record.created_ms.to_native(), out);
    site::event(&mut events, b"\"last changed\"", record.updated_ms.to_native(), out);
    site.last_update(&mut events, out);
    out.end(&events);
    let registrar = RegistrarView::of(site.view, site.rules, record.registrar.to_native());
    let mut list = entities();
    if !registrar.name.is_empty() {
        out.element(&mut list, |out| {
            registrar::entity(&registrar, registrar.id, out);
            Ok(())
        })?;
    }
    out.end(&list);
    Ok(())
}

/// As for a domain, of a contact: `brief` has its statuses. A contact that hides its handle has
/// nothing but its class.
pub(in crate::query::rdap) fn contact_in_short(
    rule: TierRule<'_>,
    record: &ArchivedContact,
    is_brief: bool,
    out: &mut Document,
) {
    let view = ContactView::of(rule, record);
    let veil = Veil::of(&rule.contact(), NO_ROLE, &view);
    out.raw(b"{\"objectClassName\":\"entity\"");
    handle(&view, veil, out);
    if is_brief {
        statuses(&parts().of_contact, record.statuses.to_native(), out);
    }
}

/// Whether the rule shows the handle of a contact.
pub(in crate::query::rdap) fn shows_handle(rule: TierRule<'_>, record: &ArchivedContact) -> bool {
    let view = ContactView::of(rule, record);
    !Veil::of(&rule.contact(), NO_ROLE, &view).hides(ShownField::Id)
}

/// The handle of a contact, by which it can be asked for.
pub(in crate::query::rdap) fn handle_of<'a>(view: &ContactView<'a>) -> &'a [u8] {
    let id = SOURCES.first().map(|source| view.value(source));
    id.and_then(|(text, length)| text.get(..length)).unwrap_or_default()
}

fn handle(view: &ContactView<'_>, veil: Veil, out: &mut Document) {
    let handle = handle_of(view);
    if !veil.hides(ShownField::Id) && !handle.is_empty() {
        out.raw(b",\"handle\":");
        out.string(handle);
    }
}

fn card(view: &ContactView<'_>, veil: Veil, role: usize, out: &mut Document) {
    let value = |field: ShownField| {
        let source = SOURCES.get(field as usize).filter(|_| !veil.hides(field));
        let value = source.map(|source| view.value(source));
        value.and_then(|(text, length)| text.get(..length)).unwrap_or_default()
    };
    begin_card(value(ShownField::Name), out);
    property(ORGANIZATION, value(ShownField::Org), out);
    let shows_street = !veil.hides(ShownField::Street);
    let address = Address {
        street: STREET.map(|line| if shows_street { view.postal.bytes(line) } else { &[] }),
        city: value(ShownField::City),
        state: value(ShownField::Sp),
        postal_code: value(ShownField::Pc),
        country: value(ShownField::Cc),
    };
    let is_emptied = veil.named & EMPTIED_ADDRESS != 0 && !veil.leaves_address_out(role);
    if role == REGISTRANT || is_emptied || !address.is_empty() {
        address.write(out);
    }
    telephone(VOICE, value(ShownField::Phone), value(ShownField::PhoneExt), out);
    telephone(FAX, value(ShownField::Fax), value(ShownField::FaxExt), out);
    property(EMAIL, value(ShownField::Email), out);
    out.raw(b"]]");
}
