//! What a column is: field elements (RFC 9022 sections 4.6.2.2 and 5) as values.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::object::Disclose;

use super::definition::{Definition, FieldDefinition};
use crate::vet::element::Space;

/// A table of the CSV model: the `name` of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) enum Table {
    Domain,
    DomainContacts,
    DomainStatuses,
    DomainNameServers,
    DomainNameServersAddresses,
    Dnssec,
    DomainTransfer,
    Host,
    HostStatuses,
    HostAddresses,
    Contact,
    ContactStatuses,
    ContactPostal,
    ContactTransfer,
    ContactDisclose,
    Registrar,
    IdnLanguage,
    Nndn,
}

impl Table {
    /// The table of a definition's name; `None`: RFC 9022 does not know it.
    pub(in crate::import) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "domain" => Self::Domain,
            "domainContacts" => Self::DomainContacts,
            "domainStatuses" => Self::DomainStatuses,
            "domainNameServers" => Self::DomainNameServers,
            "domainNameServersAddresses" => Self::DomainNameServersAddresses,
            "dnssec" => Self::Dnssec,
            "domainTransfer" => Self::DomainTransfer,
            "host" => Self::Host,
            "hostStatuses" => Self::HostStatuses,
            "hostAddresses" => Self::HostAddresses,
            "contact" => Self::Contact,
            "contactStatuses" => Self::ContactStatuses,
            "contactPostal" => Self::ContactPostal,
            "contactTransfer" => Self::ContactTransfer,
            "contactDisclose" => Self::ContactDisclose,
            "registrar" => Self::Registrar,
            "idnLanguage" => Self::IdnLanguage,
            "NNDN" => Self::Nndn,
            _ => return None,
        })
    }

    /// Whether its rows are about hosts.
    pub(super) const fn is_host(self) -> bool {
        matches!(self, Self::Host | Self::HostStatuses | Self::HostAddresses)
    }

    /// Whether its rows are about contacts.
    pub(super) const fn is_contact(self) -> bool {
        matches!(
            self,
            Self::Contact
                | Self::ContactStatuses
                | Self::ContactPostal
                | Self::ContactTransfer
                | Self::ContactDisclose
        )
    }

    /// One of these columns has to be there: the key of the object.
    pub(super) const fn keys(self) -> &'static [Column] {
        match self {
            Self::Host => &[Column::HostName],
            Self::HostStatuses | Self::HostAddresses => &[Column::Roid, Column::HostName],
            Self::Registrar => &[Column::RegistrarId, Column::Gurid],
            Self::IdnLanguage => &[Column::IdnTableId],
            Self::Nndn => &[Column::AName],
            _ if self.is_contact() => &[Column::ContactId],
            _ => &[Column::DomainName],
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) enum Column {
    DomainName,
    HostName,
    PostalName,
    RegistrarName,
    AName,
    Roid,
    UName,
    IdnTableId,
    OriginalName,
    Registrant,
    ClId,
    Gurid,
    CrRr,
    CrId,
    CrDate,
    UpRr,
    UpId,
    UpDate,
    ExDate,
    TrDate,
    ContactId,
    RegistrarId,
    ContactType,
    Status,
    RgpStatus,
    Addr,
    AddrVersion,
    MaxSigLife,
    KeyTag,
    DsAlg,
    DigestType,
    Digest,
    Flags,
    Protocol,
    KeyAlg,
    PubKey,
    TrStatus,
    ReRr,
    ReId,
    ReDate,
    AcRr,
    AcId,
    AcDate,
    Voice,
    VoiceExt,
    Fax,
    FaxExt,
    Email,
    PostalType,
    Org,
    Street(u8),
    City,
    Sp,
    Pc,
    Cc,
    DiscloseFlag,
    Disclose(u16),
    Url,
    WhoisUrl,
    NameState,
    MirroringNs,
    /// A custom field, or one of another namespace: an extra of domains.
    Custom,
    /// The custom field `whoisName` of registrars: `whoisInfo/name` of the XML model.
    WhoisName,
    /// The custom field `urlPolicy` of IDN tables: `urlPolicy` of the XML model.
    UrlPolicy,
    /// Known, and nothing that is served.
    Ignored,
    /// Not a field of its namespace.
    Unknown,
}

/// A column, and what its definition says of it.
#[derive(Debug, Clone)]
pub(in crate::import) struct ColumnUse {
    pub(super) column: Column,
    /// Name of the field element, for findings; of a custom field, its key.
    pub(super) word: String,
    /// Whether the definition says that it must not be empty.
    pub(super) required: bool,
    /// Whether it is the localised form.
    pub(super) localised: bool,
}

/// The columns of a definition of `table`.
pub(super) fn columns(table: Table, definition: &Definition) -> Vec<ColumnUse> {
    definition.fields.iter().map(|field| column_use(table, field)).collect()
}

fn column_use(table: Table, field: &FieldDefinition) -> ColumnUse {
    let column = column(field);
    let custom = column == Column::Custom && !field.custom.is_empty();
    ColumnUse {
        column: if custom { custom_column(table, &field.custom) } else { column },
        word: if custom { field.custom.clone() } else { field.local.clone() },
        required: field.required == Some(true),
        localised: field.localised == Some(true),
    }
}

/// Custom fields that stand for what the XML model has elements for, and the CSV model lacks.
fn custom_column(table: Table, name: &str) -> Column {
    match (table, name) {
        (Table::Registrar, "whoisName") => Column::WhoisName,
        (Table::IdnLanguage, "urlPolicy") => Column::UrlPolicy,
        _ => Column::Custom,
    }
}

fn column(field: &FieldDefinition) -> Column {
    if field.space == Space::Foreign {
        return Column::Custom;
    }
    match (field.local.as_str(), field.space) {
        ("fName", Space::CsvDomain) => Column::DomainName,
        ("fName", Space::CsvHost) => Column::HostName,
        ("fName", Space::CsvContact) => Column::PostalName,
        ("fName", Space::CsvRegistrar) => Column::RegistrarName,
        ("fId", Space::CsvContact) => Column::ContactId,
        ("fId", Space::CsvRegistrar) => Column::RegistrarId,
        ("fAName", _) => Column::AName,
        ("fRoid", _) => Column::Roid,
        ("fUName", _) => Column::UName,
        ("fIdnTableId", _) => Column::IdnTableId,
        ("fOriginalName", _) => Column::OriginalName,
        ("fRegistrant", _) => Column::Registrant,
        ("fClID", _) => Column::ClId,
        ("fGurid", _) => Column::Gurid,
        ("fCrRr", _) => Column::CrRr,
        ("fCrID", _) => Column::CrId,
        ("fCrDate", _) => Column::CrDate,
        ("fUpRr", _) => Column::UpRr,
        ("fUpID", _) => Column::UpId,
        ("fUpDate", _) => Column::UpDate,
        ("fExDate", _) => Column::ExDate,
        ("fTrDate", _) => Column::TrDate,
        ("fContactType", _) => Column::ContactType,
        ("fStatus", _) => Column::Status,
        ("fRgpStatus", _) => Column::RgpStatus,
        ("fNameState", _) => Column::NameState,
        ("fMirroringNS", _) => Column::MirroringNs,
        ("fUrl", _) => Column::Url,
        ("fWhoisUrl", _) => Column::WhoisUrl,
        ("fCustom", _) => Column::Custom,
        ("fStatusDescription" | "fLang" | "fIsRegistrarContact" | "fStatusName", _) => {
            Column::Ignored
        }
        (local, _) => secondary_column(local, field.index),
    }
}

/// Columns of the tables beside the main ones, and of addresses.
fn secondary_column(local: &str, index: Option<u8>) -> Column {
    match local {
        "fAddr" => Column::Addr,
        "fAddrVersion" => Column::AddrVersion,
        "fMaxSigLife" => Column::MaxSigLife,
        "fKeyTag" => Column::KeyTag,
        "fDsAlg" => Column::DsAlg,
        "fDigestType" => Column::DigestType,
        "fDigest" => Column::Digest,
        "fFlags" => Column::Flags,
        "fProtocol" => Column::Protocol,
        "fKeyAlg" => Column::KeyAlg,
        "fPubKey" => Column::PubKey,
        "fTrStatus" => Column::TrStatus,
        "fReRr" => Column::ReRr,
        "fReID" => Column::ReId,
        "fReDate" => Column::ReDate,
        "fAcRr" => Column::AcRr,
        "fAcID" => Column::AcId,
        "fAcDate" => Column::AcDate,
        "fVoice" => Column::Voice,
        "fVoiceExt" => Column::VoiceExt,
        "fFax" => Column::Fax,
        "fFaxExt" => Column::FaxExt,
        "fEmail" => Column::Email,
        "fPostalType" => Column::PostalType,
        "fOrg" => Column::Org,
        "fStreet" => Column::Street(index.unwrap_or(0).min(2)),
        "fCity" => Column::City,
        "fSp" => Column::Sp,
        "fPc" => Column::Pc,
        "fCc" => Column::Cc,
        "fDiscloseFlag" => Column::DiscloseFlag,
        "fDiscloseNameLoc" => Column::Disclose(Disclose::NAME_LOC),
        "fDiscloseNameInt" => Column::Disclose(Disclose::NAME_INT),
        "fDiscloseOrgLoc" => Column::Disclose(Disclose::ORG_LOC),
        "fDiscloseOrgInt" => Column::Disclose(Disclose::ORG_INT),
        "fDiscloseAddrLoc" => Column::Disclose(Disclose::ADDR_LOC),
        "fDiscloseAddrInt" => Column::Disclose(Disclose::ADDR_INT),
        "fDiscloseVoice" => Column::Disclose(Disclose::VOICE),
        "fDiscloseFax" => Column::Disclose(Disclose::FAX),
        "fDiscloseEmail" => Column::Disclose(Disclose::EMAIL),
        _ => Column::Unknown,
    }
}
