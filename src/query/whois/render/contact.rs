//! A contact: as a block of a domain's record, and as a record of its own.
//!
//! # Invariants
//!
//! - A field that the contact asked to hide (RFC 5733 section 2.9, `disclose flag="0"`) shows its
//!   value under no mask but one that says `always` for it: that of a tier, or of a preset for what
//!   its policy publishes in any case (state and country of the registrant under ICANN's).
//! - One that is not shown reads the same whether it has a value or not.
//!
//! # Does not
//!
//! Decide what may be shown: the rule does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::packed::Packed;
use snapshot_format::record::{ArchivedContact, ContactField, DISCLOSE_NO_WISH};
use snapshot_format::status::{CONTACT_STATUS_WORDS, words_of};

use super::registrar_of;
use crate::field::contact::{MORE_STREET, STREET, ShownField};
use crate::policy::{FieldRule, FieldStep, Label, SeenBlock, Step, TierRule, Wish};
use crate::query::contact::{self, SOURCES, Source};
use crate::query::copies::{is_clean_ascii, may_break_lines};
use crate::query::whois::answer::Answer;
use crate::query::whois::frame::Site;
use crate::query::whois::lines::Lines;

/// Writes a contact's block.
pub(super) fn block(block: &SeenBlock<'_>, view: &ContactLines<'_>, out: &mut Answer) {
    if view.plain && view.plain_block(block, out) {
        return;
    }
    if view.of.record.disclose != DISCLOSE_NO_WISH || block.usual.is_empty() {
        let fields = SOURCES.iter().zip(&block.rule.fields);
        for ((source, field), sees) in fields.zip(block.mask.fields()) {
            if sees.shows(view.of.wish(source)) {
                view.field(block.print_empty, source, field, out);
            } else {
                out.raw(field.hidden_line(sees));
            }
        }
        return;
    }
    for step in block.usual {
        match step {
            Step::Lines(lines) => out.raw(lines),
            Step::Field(step) => {
                let index = step.shown as usize;
                let field = block.rule.fields.get(index);
                if let (Some(source), Some(field)) = (SOURCES.get(index), field) {
                    view.field(block.print_empty, source, field, out);
                }
            }
            // The step before has written them.
            Step::More(_) => {}
        }
    }
}

/// Writes a contact as a record of its own.
pub(in crate::query::whois) fn contact(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedContact,
    out: &mut Answer,
) -> Result<(), Corrupt> {
    out.line(&label!("Contact ID: "), record.field(ContactField::Id));
    let shown = rule.contact();
    block(&shown, &ContactLines::of(rule, &shown, record), out);
    for word in words_of(record.statuses.to_native(), CONTACT_STATUS_WORDS) {
        let word = word.as_bytes();
        out.line_of(&[b"Contact Status: ", word, b" https://icann.org/epp#", word]);
    }
    let registrar = registrar_of(site, record.registrar.to_native());
    super::optional(rule, &label!("Registrar: "), registrar.name, out);
    out.time(&label!("Creation Date: "), record.created_ms.to_native());
    out.time(&label!("Updated Date: "), record.updated_ms.to_native());
    Ok(())
}

/// A contact as lines show it.
pub(super) struct ContactLines<'a> {
    of: contact::ContactView<'a>,
    /// Whether it has one address, no wish on disclosure, and texts that need no care, as most
    /// have: its lines are then copied without a further look.
    plain: bool,
}

impl<'a> ContactLines<'a> {
    pub(super) fn of(
        rule: TierRule<'_>,
        block: &SeenBlock<'_>,
        record: &'a ArchivedContact,
    ) -> Self {
        let of = contact::ContactView::of(rule, record);
        let pays = block.usual.is_empty() || block.usual.len() >= PLAIN_STEPS_MIN;
        let plain = pays
            && !of.is_second
            && record.disclose == DISCLOSE_NO_WISH
            && (is_clean_ascii(of.fields.text()) || is_clean_text(&of.fields));
        Self { of, plain }
    }

    /// Writes what [`block`] does, for a contact that is `plain`. `false`, and nothing is written,
    /// if there may not be room for all of it, or a value has blanks around it.
    #[inline]
    fn plain_block(&self, block: &SeenBlock<'_>, out: &mut Answer) -> bool {
        if block.usual.is_empty() {
            return self.plain_fields(block, out);
        }
        let Some(mut lines) = self.lines(block, out) else { return false };
        let mut blanks = false;
        for step in block.usual {
            let step = match step {
                Step::Lines(hidden) => {
                    lines.raw(hidden);
                    continue;
                }
                Step::Field(step) | Step::More(step) => step,
            };
            let FieldStep { label, shown, from, keeps_key } = step;
            blanks |= self.plain_line((label, *shown, *from, *keeps_key), &mut lines);
        }
        let written = lines.len();
        keep(written, blanks, out)
    }

    /// The same field by field, for a tier.
    #[inline(never)]
    fn plain_fields(&self, block: &SeenBlock<'_>, out: &mut Answer) -> bool {
        let Some(mut lines) = self.lines(block, out) else { return false };
        let mut blanks = false;
        let fields = SOURCES.iter().zip(&block.rule.fields);
        for ((source, field), sees) in fields.zip(block.mask.fields()) {
            if !sees.shows(Wish::None) {
                lines.raw(field.hidden_line(sees));
                continue;
            }
            let (label, shown) = (&field.label, source.field);
            let keeps_key = source.required || block.print_empty;
            blanks |= self.plain_line((label, shown, source.from, keeps_key), &mut lines);
            if shown == ShownField::Street {
                for from in MORE_STREET {
                    blanks |= self.plain_line((label, shown, from, false), &mut lines);
                }
            }
        }
        let written = lines.len();
        keep(written, blanks, out)
    }

    /// Room for all that a block can take.
    #[inline(always)]
    fn lines<'o>(&self, block: &SeenBlock<'_>, out: &'o mut Answer) -> Option<Lines<'o>> {
        out.lines(block.rule.bytes_max.saturating_add(self.of.fields.text().len()))
    }

    /// The line of a shown field, by its label, what it is, where the record has it, and whether it
    /// is there without a value. Whether the value has blanks around it.
    #[inline(always)]
    fn plain_line(
        &self,
        (label, shown, from, keeps_key): (&Label, ShownField, ContactField, bool),
        lines: &mut Lines<'_>,
    ) -> bool {
        let (rest, length) = self.of.fields.from_whole(from);
        if length > 0 {
            return lines.line(label, rest, length);
        }
        // `lines` is not handed on: it lives in registers.
        let instead = if keeps_key { self.instead(shown) } else { None };
        instead.is_some_and(|(rest, length)| lines.line(label, rest, length))
    }

    /// What stands for a field without a value, if its line is there: of a repository object
    /// identifier the client's own. A street may have further lines.
    #[inline(never)]
    fn instead(&self, shown: ShownField) -> Option<(&'a [u8], usize)> {
        match shown {
            ShownField::Id => Some(self.of.fields.from(ContactField::Id)),
            ShownField::Street if STREET.iter().any(|line| self.of.fields.from(*line).1 > 0) => {
                None
            }
            _ => Some((&[], 0)),
        }
    }

    /// Writes the line or lines of a field that may be shown.
    #[inline]
    fn field(&self, print_empty: bool, source: &Source, field: &FieldRule, out: &mut Answer) {
        if source.field == ShownField::Street {
            return self.street(field, out);
        }
        let (rest, length) = self.of.value(source);
        if length > 0 || source.required || print_empty {
            out.line_of_field(&field.label, rest, length);
        }
    }

    fn street(&self, rule: &FieldRule, out: &mut Answer) {
        let mut written = false;
        for field in STREET {
            let (rest, length) = self.of.postal.from(field);
            if length > 0 {
                out.line_of_field(&rule.label, rest, length);
                written = true;
            }
        }
        if !written {
            out.line_of_field(&rule.label, &[], 0);
        }
    }
}

/// Keeps lines that were written, unless a value had blanks around it.
#[inline(always)]
fn keep(written: usize, blanks: bool, out: &mut Answer) -> bool {
    if !blanks {
        out.keep(written);
    }
    !blanks
}

/// Whether a text that is not ASCII can be written as it is, whatever its fields are.
#[cold]
fn is_clean_text(fields: &Packed<'_>) -> bool {
    fields.has_whole_characters() && !may_break_lines(fields.text())
}

/// Steps of a block from which on it pays to look at all of a contact's text before.
const PLAIN_STEPS_MIN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    use std::rc::Rc;

    use snapshot_format::object::{Contact, Phone, Postal, PostalKind};
    use snapshot_format::record::Meta;
    use snapshot_format::sort::MemoryScratch;
    use snapshot_format::{Builder, Kind, Options, Snapshot};

    use crate::policy::display::settings;
    use crate::policy::{PUBLIC_TIER, Rules};

    /// Texts, among them those that need care.
    const TEXTS: [&str; 12] = [
        "",
        "",
        "",
        "A",
        "Example Street 7",
        "a value of exactly thirty-two by",
        "a value that is longer than thirty-two bytes are, by a good deal",
        " blank in front",
        "blank behind ",
        "tab\tand\r\nline end",
        "J\u{fc}rg M\u{fc}ller",
        "\u{202e}turned",
    ];

    /// A tier that sees values, redacted ones, and one that is left out.
    const TIER: &str = "[[tier]]\nname = \"tier\"\npreset = \"open\"\n\
        registrant = { fax = \"left-out\", email = \"redacted\" }\n";

    /// A contact of texts drawn from `seed`: of the first `kinds` ones.
    fn drawn(seed: u64, kinds: u64) -> Contact {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut text = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            TEXTS[usize::try_from(state.checked_rem(kinds).unwrap()).unwrap()].to_owned()
        };
        let postal = Postal {
            kind: PostalKind::Int,
            name: text(),
            org: text(),
            street: [text(), text(), text()],
            city: text(),
            sp: text(),
            pc: text(),
            cc: text(),
        };
        Contact {
            id: format!("C{seed:05}"),
            roid: text(),
            postal: vec![postal],
            voice: Phone { number: text(), ext: text() },
            fax: Phone { number: text(), ext: text() },
            email: text(),
            ..Contact::default()
        }
    }

    #[test]
    fn a_plain_block_reads_as_a_careful_one() {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut builder =
            Builder::new(&mut bytes, Rc::new(MemoryScratch), Options::default()).unwrap();
        for seed in 0..2_000 {
            let kinds = if seed % 2 == 0 { 7 } else { 12 };
            builder.contact(&drawn(seed, kinds), &mut |_defect| {}).unwrap();
        }
        builder.finish(&Meta::default(), &mut |_name, _defect| {}).unwrap();
        let snapshot = Snapshot::open(bytes.into_inner()).unwrap();
        let settings: settings::Settings = toml::from_str("[defaults]\npreset = \"open\"").unwrap();
        let mut plain_count = 0;
        let of_tier: settings::Settings = toml::from_str(TIER).unwrap();
        for (settings, tier) in [
            (settings, PUBLIC_TIER),
            (settings::Settings::default(), PUBLIC_TIER),
            (of_tier, "tier"),
        ] {
            let rules = Rules::compile(&settings).unwrap();
            let rule = rules.defaults().seen_by(rules.tier(tier).unwrap());
            for ordinal in 0..snapshot.count(Kind::Contact) {
                let record = snapshot.record(ordinal).unwrap();
                for rules in rule.blocks() {
                    let text = |view: &ContactLines<'_>| {
                        let mut out = Answer::new();
                        out.begin(0);
                        block(&rules, view, &mut out);
                        String::from_utf8(out.bytes().to_vec()).unwrap()
                    };
                    let view = ContactLines::of(rule, &rules, record);
                    plain_count += u32::from(view.plain);
                    assert_eq!(text(&view), text(&ContactLines { plain: false, ..view }));
                }
            }
        }
        assert!(plain_count > 1_000, "{plain_count}");
    }
}
