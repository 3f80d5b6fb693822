//! EPP and RGP statuses as bits, and their words: the one table that importer, renderer and
//! exporter share.
//!
//! # Invariants
//!
//! - A bit never changes its meaning within a format version: bits are on disk.
//! - The position of a word in its table is its bit.
//!
//! # Does not
//!
//! Know which statuses may go together: that is the importer's rule.

use rkyv::{Archive, Deserialize, Serialize};

macro_rules! statuses {
    (
        $(#[$doc:meta])* $name:ident, $words:ident,
        [$($(#[$bitdoc:meta])* $konst:ident = $bit:literal, $word:literal;)*]
    ) => {
        $(#[$doc])*
        #[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name {
            /// One bit per status.
            pub bits: u32,
        }

        /// Words of the statuses, by bit.
        pub const $words: &[&str] = &[$($word),*];

        impl $name {
            $($(#[$bitdoc])* pub const $konst: u32 = 1 << $bit;)*

            /// The bit of a status word, exactly as the RFC writes it.
            #[must_use]
            pub fn bit(word: &str) -> Option<u32> {
                $words.iter().position(|&w| w == word).map(|position| 1u32 << position)
            }

            /// Whether any of `bits` is set.
            #[must_use]
            pub const fn any(self, bits: u32) -> bool {
                self.bits & bits != 0
            }

            /// The words of the statuses that are set, in the order of the table.
            pub fn words(self) -> impl Iterator<Item = &'static str> {
                words_of(self.bits, $words)
            }
        }
    };
}

/// The words of `table` whose bits are set in `bits`, in the order of the table.
pub fn words_of(bits: u32, table: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    table.iter().enumerate().filter(move |&(bit, _)| bits >> bit & 1 == 1).map(|(_, &word)| word)
}

statuses! {
    /// Statuses of a domain: RFC 5731 section 2.3, then RFC 3915 section 3.1.
    ///
    /// EPP and RGP both have a `pendingDelete`: [`Self::PENDING_DELETE`] is EPP's,
    /// [`Self::RGP_PENDING_DELETE`] RGP's. The table is in alphabetical order of the EPP words,
    /// which is the order in which answers show them.
    DomainStatuses, DOMAIN_STATUS_WORDS, [
        /// RGP: within the add grace period.
        ADD_PERIOD = 0, "addPeriod";
        /// RGP: within the auto-renew grace period.
        AUTO_RENEW_PERIOD = 1, "autoRenewPeriod";
        /// EPP.
        CLIENT_DELETE_PROHIBITED = 2, "clientDeleteProhibited";
        /// EPP.
        CLIENT_HOLD = 3, "clientHold";
        /// EPP.
        CLIENT_RENEW_PROHIBITED = 4, "clientRenewProhibited";
        /// EPP.
        CLIENT_TRANSFER_PROHIBITED = 5, "clientTransferProhibited";
        /// EPP.
        CLIENT_UPDATE_PROHIBITED = 6, "clientUpdateProhibited";
        /// EPP: no delegation.
        INACTIVE = 7, "inactive";
        /// EPP.
        OK = 8, "ok";
        /// EPP.
        PENDING_CREATE = 9, "pendingCreate";
        /// EPP.
        PENDING_DELETE = 10, "pendingDelete";
        /// EPP.
        PENDING_RENEW = 11, "pendingRenew";
        /// RGP: restore asked for, report awaited.
        PENDING_RESTORE = 12, "pendingRestore";
        /// EPP.
        PENDING_TRANSFER = 13, "pendingTransfer";
        /// EPP.
        PENDING_UPDATE = 14, "pendingUpdate";
        /// RGP: deleted, may be restored.
        REDEMPTION_PERIOD = 15, "redemptionPeriod";
        /// RGP: within the renew grace period.
        RENEW_PERIOD = 16, "renewPeriod";
        /// EPP.
        SERVER_DELETE_PROHIBITED = 17, "serverDeleteProhibited";
        /// EPP.
        SERVER_HOLD = 18, "serverHold";
        /// EPP.
        SERVER_RENEW_PROHIBITED = 19, "serverRenewProhibited";
        /// EPP.
        SERVER_TRANSFER_PROHIBITED = 20, "serverTransferProhibited";
        /// EPP.
        SERVER_UPDATE_PROHIBITED = 21, "serverUpdateProhibited";
        /// RGP: within the transfer grace period.
        TRANSFER_PERIOD = 22, "transferPeriod";
    ]
}

impl HostStatuses {
    /// Not of EPP: host attributes of domains alone state the nameserver, so that it is gone once
    /// no domain names it.
    pub const ATTRIBUTE: u32 = 1 << 30;
    /// Not of EPP: a domain names the nameserver, and nothing else is known of it. It is shown with
    /// the domain, and is not an answer of its own.
    pub const NAMED: u32 = 1 << 31;
}

impl DomainStatuses {
    /// Not of EPP: the domain has DNSSEC data that could not be read. It is not unsigned.
    pub const SEC_DNS_UNREAD: u32 = 1 << 24;
    /// Not of EPP, and in no record: the domain has a status that is not known.
    pub const UNKNOWN: u32 = 1 << 25;

    /// RGP's `pendingDelete` (RFC 3915): the last days before the purge. It always comes with
    /// EPP's, and answers show the word once.
    pub const RGP_PENDING_DELETE: u32 = 1 << 23;

    /// The RGP statuses (RFC 3915 section 3.1) other than `pendingDelete`.
    pub const RGP: u32 = Self::ADD_PERIOD
        | Self::AUTO_RENEW_PERIOD
        | Self::PENDING_RESTORE
        | Self::REDEMPTION_PERIOD
        | Self::RENEW_PERIOD
        | Self::TRANSFER_PERIOD;

    /// The bit of an EPP domain status word (RFC 5731 section 2.3).
    #[must_use]
    pub fn epp_bit(word: &str) -> Option<u32> {
        Self::bit(word).filter(|bit| bit & Self::RGP == 0)
    }

    /// The bit of an RGP status word (RFC 3915 section 3.1).
    #[must_use]
    pub fn rgp_bit(word: &str) -> Option<u32> {
        if word == "pendingDelete" {
            return Some(Self::RGP_PENDING_DELETE);
        }
        Self::bit(word).filter(|bit| bit & Self::RGP != 0)
    }
}

statuses! {
    /// Statuses of a nameserver: RFC 5732 section 2.3.
    HostStatuses, HOST_STATUS_WORDS, [
        /// Deletion by the client is refused.
        CLIENT_DELETE_PROHIBITED = 0, "clientDeleteProhibited";
        /// Update by the client is refused.
        CLIENT_UPDATE_PROHIBITED = 1, "clientUpdateProhibited";
        /// A domain refers to it.
        LINKED = 2, "linked";
        /// Nothing prevents anything.
        OK = 3, "ok";
        /// Creation is under way.
        PENDING_CREATE = 4, "pendingCreate";
        /// Deletion is under way.
        PENDING_DELETE = 5, "pendingDelete";
        /// Transfer of its superordinate domain is under way.
        PENDING_TRANSFER = 6, "pendingTransfer";
        /// Update is under way.
        PENDING_UPDATE = 7, "pendingUpdate";
        /// Deletion is refused by the registry.
        SERVER_DELETE_PROHIBITED = 8, "serverDeleteProhibited";
        /// Update is refused by the registry.
        SERVER_UPDATE_PROHIBITED = 9, "serverUpdateProhibited";
    ]
}

statuses! {
    /// Statuses of a contact: RFC 5733 section 2.2.
    ContactStatuses, CONTACT_STATUS_WORDS, [
        /// Deletion by the client is refused.
        CLIENT_DELETE_PROHIBITED = 0, "clientDeleteProhibited";
        /// Transfer by the client is refused.
        CLIENT_TRANSFER_PROHIBITED = 1, "clientTransferProhibited";
        /// Update by the client is refused.
        CLIENT_UPDATE_PROHIBITED = 2, "clientUpdateProhibited";
        /// A domain refers to it.
        LINKED = 3, "linked";
        /// Nothing prevents anything.
        OK = 4, "ok";
        /// Creation is under way.
        PENDING_CREATE = 5, "pendingCreate";
        /// Deletion is under way.
        PENDING_DELETE = 6, "pendingDelete";
        /// Transfer is under way.
        PENDING_TRANSFER = 7, "pendingTransfer";
        /// Update is under way.
        PENDING_UPDATE = 8, "pendingUpdate";
        /// Deletion is refused by the registry.
        SERVER_DELETE_PROHIBITED = 9, "serverDeleteProhibited";
        /// Transfer is refused by the registry.
        SERVER_TRANSFER_PROHIBITED = 10, "serverTransferProhibited";
        /// Update is refused by the registry.
        SERVER_UPDATE_PROHIBITED = 11, "serverUpdateProhibited";
    ]
}

/// Status of a registrar (RFC 9022 section 5.4.1.1).
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum RegistrarStatus {
    /// Not given.
    #[default]
    None = 0,
    /// Operational.
    Ok = 1,
    /// May read only.
    ReadOnly = 2,
    /// Accreditation ended.
    Terminated = 3,
}

impl RegistrarStatus {
    /// The status of a word of RFC 9022.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "ok" => Some(Self::Ok),
            "readonly" => Some(Self::ReadOnly),
            "terminated" => Some(Self::Terminated),
            _ => None,
        }
    }

    /// The word of RFC 9022; empty if the status was not given.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Ok => "ok",
            Self::ReadOnly => "readonly",
            Self::Terminated => "terminated",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_domain_bit_is_the_position_of_its_word_and_words_are_sorted() {
        assert_eq!(DomainStatuses::bit("transferPeriod"), Some(DomainStatuses::TRANSFER_PERIOD));
        assert_eq!(DomainStatuses::bit("ok"), Some(DomainStatuses::OK));
        assert!(DOMAIN_STATUS_WORDS.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(DOMAIN_STATUS_WORDS.len(), 23);
    }

    #[test]
    fn epp_and_rgp_words_are_told_apart() {
        assert_eq!(DomainStatuses::epp_bit("addPeriod"), None);
        assert_eq!(DomainStatuses::rgp_bit("ok"), None);
        assert_eq!(DomainStatuses::epp_bit("pendingDelete"), Some(DomainStatuses::PENDING_DELETE));
        assert_eq!(
            DomainStatuses::rgp_bit("pendingDelete"),
            Some(DomainStatuses::RGP_PENDING_DELETE)
        );
    }
}
