//! Domains and NNDNs that a deposit may not say anything of: they are of a TLD that others are of.
//!
//! # Does not
//!
//! Know which names these are: the context of a deposit does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::collect::{Rank, damaged, next_part, split};
use super::model::Stop;
use crate::vet::check::Context;
use crate::vet::findings::{Findings, ObjectKind};
use crate::vet::rule::Rule;

/// The deposit whose object of the name at hand was left out.
#[derive(Default)]
pub(super) struct LeftOut(Option<u8>);

/// A sorted entry: kind and key of its object, and the deposit that has it.
#[derive(Clone, Copy)]
pub(super) struct Entry<'e> {
    /// `None`: it stays beside the deposits.
    pub(super) context: Option<&'e Context<'e>>,
    pub(super) stem: &'e [u8],
    pub(super) deposit: u8,
}

impl LeftOut {
    /// Whether an object, or a part of it, is left out; the object says why.
    pub(super) fn takes(
        &mut self,
        entry: Entry<'_>,
        rank: Rank,
        mut payload: &[u8],
        findings: &mut Findings<'_>,
    ) -> Result<bool, Stop> {
        let (Some(context), [kind, name @ .., 0]) = (entry.context, entry.stem) else {
            return Ok(false);
        };
        let (kind, field) = match *kind {
            5 => (ObjectKind::Nndn, "aName"),
            6 => (ObjectKind::Domain, "name"),
            _ => return Ok(false),
        };
        if context.others.is_empty() || self.0 == Some(entry.deposit) {
            return Ok(self.0 == Some(entry.deposit));
        }
        let name = std::str::from_utf8(name).map_err(|_| damaged())?;
        if !context.is_of_other(name) {
            return Ok(false);
        }
        if rank == Rank::Part {
            while let Some((place, _)) = next_part(&mut payload)? {
                findings.add(Rule::RowOrphan, place, kind, name, "", name);
            }
            return Ok(true);
        }
        let (place, _) = split(payload)?;
        findings.add(Rule::NameOfOther, place, kind, name, field, name);
        self.0 = Some(entry.deposit);
        Ok(true)
    }
}
