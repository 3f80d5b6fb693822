//! What one row of a CSV table adds to a domain: small, since there are a dozen to a domain.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use rkyv::{Archive, Deserialize, Serialize};
use snapshot_format::object::{ContactLink, Domain, HostLink, SecDns, Transfer};
use snapshot_format::status::DomainStatuses;

/// A part of a domain.
#[derive(Debug, Archive, Serialize, Deserialize)]
pub(super) enum DomainPart {
    /// Statuses; none where the row was of no use, since its domain has to exist all the same.
    Statuses(DomainStatuses),
    Contact(ContactLink),
    Nameserver(HostLink),
    SecDns(SecDns),
    Transfer(Transfer),
}

impl DomainPart {
    /// The part that a domain holds which was made from one row.
    pub(super) fn of(domain: &mut Domain) -> Self {
        if let Some(link) = domain.contacts.pop() {
            return Self::Contact(link);
        }
        if let Some(link) = domain.nameservers.pop() {
            return Self::Nameserver(link);
        }
        if let Some(sec_dns) = domain.sec_dns.take() {
            return Self::SecDns(sec_dns);
        }
        match domain.transfer.take() {
            Some(transfer) => Self::Transfer(transfer),
            None => Self::Statuses(domain.statuses),
        }
    }
}
