//! Registry objects as a deposit, a feed or a sample states them: whole, with references by key.
//!
//! # Invariants
//!
//! - An empty `String` and [`Time::NONE`] mean "absent": no object distinguishes an absent text
//!   from an empty one.
//! - Names are A-labels in lower case without a final dot. The code that makes an object ensures
//!   that.
//!
//! # Does not
//!
//! Hold ordinals or offsets: those are [`crate::record`]'s. Validate: that is the importer's work.

use rkyv::{Archive, Deserialize, Serialize};

use crate::status::{ContactStatuses, DomainStatuses, HostStatuses, RegistrarStatus};

/// A time in milliseconds since 1970-01-01T00:00:00Z, or [`Time::NONE`].
#[derive(
    Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub struct Time {
    /// Milliseconds since the Unix epoch; `i64::MIN` is "absent".
    pub ms: i64,
}

impl Time {
    /// No time given.
    pub const NONE: Self = Self { ms: i64::MIN };

    /// A time `ms` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self { ms }
    }

    /// A time `s` seconds after the Unix epoch.
    #[must_use]
    pub const fn from_s(s: i64) -> Self {
        Self { ms: s.saturating_mul(1000) }
    }

    /// Whether a time was given.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.ms != i64::MIN
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::NONE
    }
}

/// The actor: a registrar and, within it, the client that logged in (`rrType`, RFC 9022 section
/// 4.2). Both may be empty.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Actor {
    /// Registrar identifier (`clID`).
    pub registrar: String,
    /// Client identifier, `rrType@client`.
    pub client: String,
}

/// The role of a contact in a domain (RFC 5731 `contactAttrType`, and the registrant).
#[derive(
    Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[repr(u8)]
pub enum ContactRole {
    /// The holder.
    Registrant = 0,
    /// Administrative contact.
    Admin = 1,
    /// Technical contact.
    Tech = 2,
    /// Billing contact.
    Billing = 3,
}

/// A domain's reference to a contact.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct ContactLink {
    /// What the contact is to the domain.
    pub role: ContactRole,
    /// Contact identifier, as the deposit writes it.
    pub id: String,
}

/// A domain's reference to a nameserver.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub enum HostLink {
    /// By host name.
    Name(String),
    /// By repository object identifier (CSV model, RFC 9022 section 5.2.2.1.1).
    Roid(String),
}

/// One DS record (RFC 5910 section 4.1).
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Ds {
    /// Key tag of the DNSKEY.
    pub key_tag: u16,
    /// DNSSEC algorithm number.
    pub algorithm: u8,
    /// Digest type number.
    pub digest_type: u8,
    /// Digest, binary.
    pub digest: Vec<u8>,
}

/// One DNSKEY record (RFC 5910 section 4.2).
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct DnsKey {
    /// Flags field.
    pub flags: u16,
    /// Protocol field, 3.
    pub protocol: u8,
    /// DNSSEC algorithm number.
    pub algorithm: u8,
    /// Public key, binary.
    pub public_key: Vec<u8>,
}

/// Delegation signer information of a domain.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct SecDns {
    /// Maximum signature lifetime in seconds; 0 is "not given".
    pub max_sig_life_s: u32,
    /// DS data interface.
    pub ds: Vec<Ds>,
    /// Key data interface.
    pub keys: Vec<DnsKey>,
}

/// State of the last transfer request (`trnData`, RFC 9022 section 5.1.1.1).
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    /// `trStatusType` of RFC 5730: `pending`, `clientApproved`, ...
    pub status: String,
    /// The registrar that requested it.
    pub requester: Actor,
    /// When.
    pub requested: Time,
    /// The registrar that has to act, or acted.
    pub actor: Actor,
    /// When an answer was given, or is due.
    pub acted: Time,
    /// Expiry after the transfer; domains only.
    pub expires: Time,
}

/// A domain name registration.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Domain {
    /// A-label form.
    pub name: String,
    /// Repository object identifier.
    pub roid: String,
    /// U-label form, where it differs from `name`.
    pub u_name: String,
    /// Identifier of the IDN table.
    pub idn_table: String,
    /// A-label of the name that this one is a variant of.
    pub original_name: String,
    /// EPP and RGP statuses.
    pub statuses: DomainStatuses,
    /// Registrant, admin, tech and billing contacts, in the deposit's order, registrant first.
    pub contacts: Vec<ContactLink>,
    /// Delegation, in the deposit's order.
    pub nameservers: Vec<HostLink>,
    /// Sponsoring registrar (`clID`).
    pub registrar: String,
    /// `crRr`.
    pub creator: Actor,
    /// `upRr`.
    pub updater: Actor,
    /// `crDate`.
    pub created: Time,
    /// `upDate`.
    pub updated: Time,
    /// `exDate`.
    pub expires: Time,
    /// `trDate`.
    pub transferred: Time,
    /// DNSSEC data, if signed.
    pub sec_dns: Option<SecDns>,
    /// Last transfer request.
    pub transfer: Option<Transfer>,
    /// Key-value extras, in order.
    pub extras: Vec<(String, String)>,
}

/// A host object: a nameserver.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Nameserver {
    /// A-label form.
    pub name: String,
    /// Repository object identifier; empty where the deposit uses host attributes.
    pub roid: String,
    /// EPP host statuses.
    pub statuses: HostStatuses,
    /// IPv4 glue.
    pub v4: Vec<[u8; 4]>,
    /// IPv6 glue.
    pub v6: Vec<[u8; 16]>,
    /// Sponsoring registrar (`clID`).
    pub registrar: String,
    /// `crRr`.
    pub creator: Actor,
    /// `upRr`.
    pub updater: Actor,
    /// `crDate`.
    pub created: Time,
    /// `upDate`.
    pub updated: Time,
    /// `trDate`.
    pub transferred: Time,
}

/// Which form a postal address has (RFC 5733 section 2.3).
#[derive(
    Archive, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord,
)]
#[repr(u8)]
pub enum PostalKind {
    /// Internationalised: ASCII.
    #[default]
    Int = 0,
    /// Localised: any Unicode.
    Loc = 1,
}

/// A postal address with the name it belongs to.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Postal {
    /// Form of the address.
    pub kind: PostalKind,
    /// Person or role; empty for registrars.
    pub name: String,
    /// Organisation.
    pub org: String,
    /// Street lines.
    pub street: [String; 3],
    /// City.
    pub city: String,
    /// State or province.
    pub sp: String,
    /// Postal code.
    pub pc: String,
    /// ISO 3166-1 alpha-2 country code.
    pub cc: String,
}

/// A telephone number (E.164 with `.` after the country code) and an extension.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Phone {
    /// Number, `+1.7035555555`.
    pub number: String,
    /// Extension.
    pub ext: String,
}

/// The contact's own wish on disclosure (RFC 5733 section 2.9).
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disclose {
    /// `true`: may be shown against the policy; `false`: may not be shown.
    pub allow: bool,
    /// Bits of [`Disclose::NAME_INT`] and its neighbours: the fields that the wish names.
    pub fields: u16,
}

impl Disclose {
    /// Internationalised name.
    pub const NAME_INT: u16 = 1;
    /// Localised name.
    pub const NAME_LOC: u16 = 1 << 1;
    /// Internationalised organisation.
    pub const ORG_INT: u16 = 1 << 2;
    /// Localised organisation.
    pub const ORG_LOC: u16 = 1 << 3;
    /// Internationalised address.
    pub const ADDR_INT: u16 = 1 << 4;
    /// Localised address.
    pub const ADDR_LOC: u16 = 1 << 5;
    /// Voice number.
    pub const VOICE: u16 = 1 << 6;
    /// Fax number.
    pub const FAX: u16 = 1 << 7;
    /// Electronic mail address.
    pub const EMAIL: u16 = 1 << 8;
    /// All of them.
    pub const ALL: u16 = (1 << 9) - 1;
}

/// A contact.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// Identifier; case is kept, look-up ignores it.
    pub id: String,
    /// Repository object identifier.
    pub roid: String,
    /// EPP contact statuses.
    pub statuses: ContactStatuses,
    /// One or two addresses, of different kinds.
    pub postal: Vec<Postal>,
    /// Voice number.
    pub voice: Phone,
    /// Fax number.
    pub fax: Phone,
    /// Electronic mail address.
    pub email: String,
    /// Sponsoring registrar (`clID`).
    pub registrar: String,
    /// `crRr`.
    pub creator: Actor,
    /// `upRr`.
    pub updater: Actor,
    /// `crDate`.
    pub created: Time,
    /// `upDate`.
    pub updated: Time,
    /// `trDate`.
    pub transferred: Time,
    /// Last transfer request.
    pub transfer: Option<Transfer>,
    /// The contact's wish on disclosure.
    pub disclose: Option<Disclose>,
}

/// A registrar.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Registrar {
    /// Identifier (`clID` of what it sponsors).
    pub id: String,
    /// Name.
    pub name: String,
    /// IANA registrar identifier (`gurid`); 0 is "none".
    pub iana_id: u32,
    /// `ok`, `readonly`, `terminated`, or not given.
    pub status: RegistrarStatus,
    /// Up to two addresses, of different kinds; their `name` and `org` are empty.
    pub postal: Vec<Postal>,
    /// Voice number.
    pub voice: Phone,
    /// Fax number.
    pub fax: Phone,
    /// Electronic mail address.
    pub email: String,
    /// Web site.
    pub url: String,
    /// Host name of its WHOIS server.
    pub whois_name: String,
    /// Web address of its WHOIS service.
    pub whois_url: String,
    /// `crDate`.
    pub created: Time,
    /// `upDate`.
    pub updated: Time,
}

/// A reference to an IDN table (RFC 9022 section 5.5).
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct IdnTable {
    /// Identifier, often a language tag.
    pub id: String,
    /// Where the table is published.
    pub url: String,
    /// Where its policy is published.
    pub policy_url: String,
}

/// Why a name is not a domain name (RFC 9022 section 5.6).
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum NndnState {
    /// May not be registered by anyone.
    #[default]
    Blocked = 0,
    /// Withheld from registration, for the registry or the holder of the original name.
    Withheld = 1,
    /// In the DNS as a mirror of the original name.
    Mirrored = 2,
    /// Not of the RFC: the deposit has none, or one that is not known. It is shown without.
    Unknown = 3,
}

/// A name that is not a domain name (NNDN).
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Nndn {
    /// A-label form.
    pub name: String,
    /// U-label form, where it differs.
    pub u_name: String,
    /// Identifier of the IDN table.
    pub idn_table: String,
    /// A-label of the name that this one is a variant of.
    pub original_name: String,
    /// Why it is not a domain name.
    pub state: NndnState,
    /// `mirroringNS`: a mirrored name uses the original's nameservers; RFC 9022's default is true.
    pub mirroring_ns: bool,
    /// `crDate`.
    pub created: Time,
}
