//! The elements that a deposit may have: namespaces and local names as small values.
//!
//! # Does not
//!
//! Know which element may stand where.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

macro_rules! table {
    ($(#[$doc:meta])* $kind:ident { $($item:ident = $word:literal),* $(,)? } else $other:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub(crate) enum $kind { $($item,)* $other }

        impl $kind {
            /// The value of a word of the table.
            pub(crate) fn of(word: &str) -> Self {
                match word {
                    $($word => Self::$item,)*
                    _ => Self::$other,
                }
            }
        }
    };
}

table! {
    /// Namespaces, by what follows `urn:ietf:params:xml:ns:`.
    Space {
        Rde = "rde-1.0", RdeHeader = "rdeHeader-1.0", RdePolicy = "rdePolicy-1.0",
        RdeEppParams = "rdeEppParams-1.0", RdeCommon = "rdeDnrdCommon-1.0",
        RdeDomain = "rdeDomain-1.0", RdeHost = "rdeHost-1.0", RdeContact = "rdeContact-1.0",
        RdeRegistrar = "rdeRegistrar-1.0", RdeIdn = "rdeIDN-1.0", RdeNndn = "rdeNNDN-1.0",
        RdeCsv = "rdeCsv-1.0", CsvDomain = "csvDomain-1.0", CsvHost = "csvHost-1.0",
        CsvContact = "csvContact-1.0", CsvRegistrar = "csvRegistrar-1.0", CsvIdn = "csvIDN-1.0",
        CsvNndn = "csvNNDN-1.0", Domain = "domain-1.0", Host = "host-1.0", Contact = "contact-1.0",
        SecDns = "secDNS-1.1", Rgp = "rgp-1.0", Epp = "epp-1.0", EppCommon = "eppcom-1.0",
    } else Foreign
}

/// What the namespaces of RFC 8909, RFC 9022 and EPP begin with.
const NAMESPACE_START: &str = "urn:ietf:params:xml:ns:";

impl Space {
    /// The value of a namespace name.
    pub(crate) fn of_uri(uri: &str) -> Self {
        uri.strip_prefix(NAMESPACE_START).map_or(Self::Foreign, Self::of)
    }
}

table! {
    /// Local names.
    #[expect(clippy::enum_variant_names, reason = "variants are the words of the schemas")]
    Name {
        Deposit = "deposit", Watermark = "watermark", RdeMenu = "rdeMenu", Version = "version",
        ObjUri = "objURI", Deletes = "deletes", Delete = "delete", Contents = "contents",
        Header = "header",
        Tld = "tld", Registrar = "registrar", Ppsp = "ppsp", Reseller = "reseller",
        Count = "count", ContentTag = "contentTag", Policy = "policy", EppParams = "eppParams",
        Domain = "domain", Host = "host", Contact = "contact", IdnTableRef = "idnTableRef",
        Nndn = "NNDN", NameElement = "name", Roid = "roid", UName = "uName",
        IdnTableId = "idnTableId", OriginalName = "originalName", Status = "status",
        RgpStatus = "rgpStatus", Registrant = "registrant", Ns = "ns", HostObj = "hostObj",
        HostAttr = "hostAttr", HostName = "hostName", HostAddr = "hostAddr", ClId = "clID",
        CrRr = "crRr", CrDate = "crDate", ExDate = "exDate", UpRr = "upRr", UpDate = "upDate",
        SecDns = "secDNS", MaxSigLife = "maxSigLife", DsData = "dsData", KeyTag = "keyTag",
        Alg = "alg", DigestType = "digestType", Digest = "digest", KeyData = "keyData",
        Flags = "flags", Protocol = "protocol", PubKey = "pubKey", TrDate = "trDate",
        TrnData = "trnData", TrStatus = "trStatus", ReRr = "reRr", ReDate = "reDate",
        AcRr = "acRr", AcDate = "acDate", Addr = "addr", Id = "id", PostalInfo = "postalInfo",
        Org = "org", Street = "street", City = "city", Sp = "sp", Pc = "pc", Cc = "cc",
        Voice = "voice", Fax = "fax", Email = "email", Disclose = "disclose", Gurid = "gurid",
        Url = "url", WhoisInfo = "whoisInfo", UrlPolicy = "urlPolicy", AName = "aName",
        NameState = "nameState", Csv = "csv", Fields = "fields", Files = "files", File = "file",
        AuthInfo = "authInfo",
    } else Other
}

/// An element: its namespace and its local name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Element {
    pub(crate) space: Space,
    pub(crate) name: Name,
}
