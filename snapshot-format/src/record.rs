//! The records of a snapshot: one small rkyv archive each, references as ordinals.
//!
//! # Invariants
//!
//! - `frozen`: the archived layout of these types *is* format versions 1 and 2 (FORMAT.md); sizes
//!   are asserted below, and a change of any of them is a new format version.
//! - An ordinal is the position of a record in its kind's heap; [`NONE`] is "no record".
//! - `packed ends`: `ends[i]` is the end of field `i` in `text`; ends ascend, the last one is
//!   `text.len()`. Readers check that on use: bytecheck does not know it.
//!
//! # Does not
//!
//! Know sections, files or indexes.

use rkyv::with::Niche;
use rkyv::{Archive, Serialize};

use crate::status::HostStatuses;

/// "No record" among ordinals.
pub const NONE: u32 = u32::MAX;

/// A domain. Everything that most domains lack is in `cold`.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Domain {
    /// `crDate`, ms since the epoch; `i64::MIN` is absent, here and below.
    pub created_ms: i64,
    /// `upDate`.
    pub updated_ms: i64,
    /// `exDate`.
    pub expires_ms: i64,
    /// Bits of [`crate::status::DomainStatuses`].
    pub statuses: u32,
    /// Sponsoring registrar.
    pub registrar: u32,
    /// Registrar that created it.
    pub creator: u32,
    /// Registrar that updated it last.
    pub updater: u32,
    /// First contact of each role, by [`crate::object::ContactRole`].
    pub contacts: [u32; 4],
    /// A-label form, lower case.
    pub name: String,
    /// Repository object identifier.
    pub roid: String,
    /// Delegation, in the deposit's order.
    pub nameservers: Vec<u32>,
    /// What most domains lack.
    #[rkyv(with = Niche)]
    pub cold: Option<Box<DomainCold>>,
}

/// The rarer parts of a domain.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct DomainCold {
    /// `trDate`.
    pub transferred_ms: i64,
    /// U-label form, where it differs from the name.
    pub u_name: String,
    /// A-label of the name that this one is a variant of.
    pub original_name: String,
    /// IDN table.
    pub idn_table: u32,
    /// Client within the creating registrar.
    pub creator_client: String,
    /// Client within the updating registrar.
    pub updater_client: String,
    /// Contacts beyond the first of their role: (role, contact).
    pub contacts_more: Vec<(u8, u32)>,
    /// Maximum signature lifetime, seconds; 0 is absent.
    pub max_sig_life_s: u32,
    /// DS data.
    pub ds: Vec<Ds>,
    /// Key data.
    pub keys: Vec<DnsKey>,
    /// Last transfer request.
    #[rkyv(with = Niche)]
    pub transfer: Option<Box<Transfer>>,
    /// Key-value extras, in order.
    pub extras: Vec<(String, String)>,
}

/// One DS record (RFC 5910 section 4.1).
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Ds {
    /// Key tag.
    pub key_tag: u16,
    /// Algorithm.
    pub algorithm: u8,
    /// Digest type.
    pub digest_type: u8,
    /// Digest, binary.
    pub digest: Vec<u8>,
}

/// One DNSKEY record (RFC 5910 section 4.2).
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct DnsKey {
    /// Flags.
    pub flags: u16,
    /// Protocol.
    pub protocol: u8,
    /// Algorithm.
    pub algorithm: u8,
    /// Public key, binary.
    pub public_key: Vec<u8>,
}

/// State of the last transfer request.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Transfer {
    /// Word of RFC 5730 `trStatusType`.
    pub status: String,
    /// Registrar that asked.
    pub requester: u32,
    /// Client within it.
    pub requester_client: String,
    /// When.
    pub requested_ms: i64,
    /// Registrar that has to act, or acted.
    pub actor: u32,
    /// Client within it.
    pub actor_client: String,
    /// When it acted, or has to.
    pub acted_ms: i64,
    /// Expiry after the transfer.
    pub expires_ms: i64,
}

/// A nameserver.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Nameserver {
    /// `crDate`.
    pub created_ms: i64,
    /// `upDate`.
    pub updated_ms: i64,
    /// Bits of [`crate::status::HostStatuses`].
    pub statuses: u32,
    /// Sponsoring registrar.
    pub registrar: u32,
    /// Registrar that created it.
    pub creator: u32,
    /// Registrar that updated it last.
    pub updater: u32,
    /// A-label form, lower case.
    pub name: String,
    /// Repository object identifier; may be empty.
    pub roid: String,
    /// IPv4 glue.
    pub v4: Vec<[u8; 4]>,
    /// IPv6 glue.
    pub v6: Vec<[u8; 16]>,
    /// What most nameservers lack.
    #[rkyv(with = Niche)]
    pub cold: Option<Box<NameserverCold>>,
}

impl Nameserver {
    /// What a domain names and nothing else is known of.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            created_ms: i64::MIN,
            updated_ms: i64::MIN,
            statuses: HostStatuses::NAMED,
            registrar: NONE,
            creator: NONE,
            updater: NONE,
            name: name.into(),
            roid: String::new(),
            v4: Vec::new(),
            v6: Vec::new(),
            cold: None,
        }
    }
}

impl ArchivedNameserver {
    /// Whether nothing is known of it but that a domain names it.
    #[must_use]
    #[inline]
    pub fn is_named_only(&self) -> bool {
        self.statuses.to_native() & HostStatuses::NAMED != 0
    }

    /// Whether host attributes of domains alone state it.
    #[must_use]
    pub fn is_attribute(&self) -> bool {
        self.statuses.to_native() & HostStatuses::ATTRIBUTE != 0
    }
}

/// The rarer parts of a nameserver.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct NameserverCold {
    /// `trDate`.
    pub transferred_ms: i64,
    /// Client within the creating registrar.
    pub creator_client: String,
    /// Client within the updating registrar.
    pub updater_client: String,
}

/// Fields of a contact's packed text, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ContactField {
    /// Identifier.
    Id,
    /// Repository object identifier.
    Roid,
    /// Name.
    Name,
    /// Organisation.
    Org,
    /// Street, first line.
    Street1,
    /// Street, second line.
    Street2,
    /// Street, third line.
    Street3,
    /// City.
    City,
    /// State or province.
    Sp,
    /// Postal code.
    Pc,
    /// Country code.
    Cc,
    /// Voice number.
    Voice,
    /// Its extension.
    VoiceExt,
    /// Fax number.
    Fax,
    /// Its extension.
    FaxExt,
    /// Electronic mail address.
    Email,
}

/// Number of packed fields of a contact.
pub const CONTACT_FIELDS: usize = ContactField::Email as usize + 1;
/// Number of packed fields of a second postal address: [`ContactField::Name`] to
/// [`ContactField::Cc`].
pub const POSTAL_FIELDS: usize = 9;

/// [`Contact::disclose`]: the contact has no wish on disclosure.
pub const DISCLOSE_NO_WISH: u8 = 0;
/// [`Contact::disclose`]: the named fields may be shown (RFC 5733 section 2.9, `flag="1"`).
pub const DISCLOSE_ALLOW: u8 = 1;
/// [`Contact::disclose`]: the named fields are to be hidden (`flag="0"`).
pub const DISCLOSE_DENY: u8 = 2;
/// [`Contact::postal_kind`] without an address; else a [`crate::object::PostalKind`].
pub const POSTAL_NONE: u8 = 2;

const _: () = {
    use crate::object::PostalKind;
    assert!(PostalKind::Int as u8 != POSTAL_NONE && PostalKind::Loc as u8 != POSTAL_NONE);
};

/// A contact.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Contact {
    /// `crDate`.
    pub created_ms: i64,
    /// `upDate`.
    pub updated_ms: i64,
    /// Bits of [`crate::status::ContactStatuses`].
    pub statuses: u32,
    /// Sponsoring registrar.
    pub registrar: u32,
    /// Registrar that created it.
    pub creator: u32,
    /// Registrar that updated it last.
    pub updater: u32,
    /// Ends of the packed fields in `text`, by [`ContactField`].
    pub ends: [u16; CONTACT_FIELDS],
    /// Bits of [`crate::object::Disclose`]'s fields.
    pub disclose_fields: u16,
    /// 0: no wish; 1: may be shown; 2: may not be shown.
    pub disclose: u8,
    /// [`crate::object::PostalKind`] of the packed address; 2: none was given.
    pub postal_kind: u8,
    /// The packed fields, one after another.
    pub text: String,
    /// What most contacts lack.
    #[rkyv(with = Niche)]
    pub cold: Option<Box<ContactCold>>,
}

/// The rarer parts of a contact.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct ContactCold {
    /// `trDate`.
    pub transferred_ms: i64,
    /// Ends of the second address's fields in `postal_text`: the localised one, if both are given.
    pub postal_ends: [u16; POSTAL_FIELDS],
    /// The second address's fields, one after another; empty if there is none.
    pub postal_text: String,
    /// Client within the creating registrar.
    pub creator_client: String,
    /// Client within the updating registrar.
    pub updater_client: String,
    /// Last transfer request.
    #[rkyv(with = Niche)]
    pub transfer: Option<Box<Transfer>>,
}

/// A postal address of a registrar.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Address {
    /// [`crate::object::PostalKind`].
    pub kind: u8,
    /// Street lines.
    pub street: [String; 3],
    /// City.
    pub city: String,
    /// State or province.
    pub sp: String,
    /// Postal code.
    pub pc: String,
    /// Country code.
    pub cc: String,
}

/// A registrar.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Registrar {
    /// `crDate`.
    pub created_ms: i64,
    /// `upDate`.
    pub updated_ms: i64,
    /// IANA registrar identifier; 0 means none.
    pub iana_id: u32,
    /// [`crate::status::RegistrarStatus`].
    pub status: u8,
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Addresses.
    pub postal: Vec<Address>,
    /// Voice number.
    pub voice: String,
    /// Its extension.
    pub voice_ext: String,
    /// Fax number.
    pub fax: String,
    /// Its extension.
    pub fax_ext: String,
    /// Electronic mail address.
    pub email: String,
    /// Web site.
    pub url: String,
    /// Host name of its WHOIS server.
    pub whois_name: String,
    /// Web address of its WHOIS service.
    pub whois_url: String,
}

/// A reference to an IDN table.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct IdnTable {
    /// Identifier.
    pub id: String,
    /// Where the table is published.
    pub url: String,
    /// Where its policy is published.
    pub policy_url: String,
}

/// A name that is not a domain name.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Nndn {
    /// `crDate`.
    pub created_ms: i64,
    /// IDN table.
    pub idn_table: u32,
    /// [`crate::object::NndnState`].
    pub state: u8,
    /// Whether a mirrored name uses the original's nameservers.
    pub mirroring_ns: bool,
    /// A-label form, lower case.
    pub name: String,
    /// U-label form, where it differs.
    pub u_name: String,
    /// A-label of the name that this one is a variant of.
    pub original_name: String,
}

/// What the snapshot was made from, and what it serves.
#[derive(Archive, Serialize, Debug, Clone, Default, PartialEq)]
pub struct Meta {
    /// Suffixes under which names are registered, sorted, without a leading dot.
    pub suffixes: Vec<String>,
    /// `rde:deposit@id` of what was imported, oldest first; empty for other sources.
    pub deposits: Vec<String>,
    /// Free text: which program made the snapshot, and from what.
    pub source: String,
}

/// Sizes of the archived roots, bytes: format versions 1 and 2.
const _: () = {
    assert!(size_of::<ArchivedDomain>() == 84 && align_of::<ArchivedDomain>() == 1);
    assert!(size_of::<ArchivedDomainCold>() == 84);
    assert!(size_of::<ArchivedNameserver>() == 68 && align_of::<ArchivedNameserver>() == 1);
    assert!(size_of::<ArchivedContact>() == 80 && align_of::<ArchivedContact>() == 1);
    assert!(size_of::<ArchivedContactCold>() == 54);
    assert!(size_of::<ArchivedRegistrar>() == 109);
    assert!(size_of::<ArchivedIdnTable>() == 24);
    assert!(size_of::<ArchivedNndn>() == 38);
    assert!(size_of::<ArchivedTransfer>() == 56);
    assert!(size_of::<ArchivedMeta>() == 24);
};
