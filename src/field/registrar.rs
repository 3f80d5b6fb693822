//! Fields of a registrar.

use super::{Field, Stored};

const TABLE: &str = "registrar";

/// The lines of a registrar's record.
pub const FIELDS: &[Field] = &[
    own("name", "Registrar", ("name", "csvRegistrar:fName", "name"), jcard!("fn", "[3]")),
    own(
        "street",
        "Street",
        ("postalInfo/addr/street", "csvContact:fStreet", "street"),
        jcard!("adr", "[3][2]"),
    ),
    own(
        "city",
        "City",
        ("postalInfo/addr/city", "csvContact:fCity", "city"),
        jcard!("adr", "[3][3]"),
    ),
    own(
        "state",
        "State/Province",
        ("postalInfo/addr/sp", "csvContact:fSp", "sp"),
        jcard!("adr", "[3][4]"),
    ),
    own(
        "postal_code",
        "Postal Code",
        ("postalInfo/addr/pc", "csvContact:fPc", "pc"),
        jcard!("adr", "[3][5]"),
    ),
    own(
        "country",
        "Country",
        ("postalInfo/addr/cc", "csvContact:fCc", "cc"),
        jcard!("adr", "[1].cc"),
    ),
    own(
        "phone",
        "Phone Number",
        ("voice", "csvContact:fVoice", "voice"),
        jcard!(tel "voice", "[3]"),
    ),
    own(
        "phone_ext",
        "Phone Ext",
        ("voice/@x", "csvContact:fVoiceExt", "voice ext"),
        jcard!(tel "voice", "[3]"),
    ),
    own("fax", "Fax Number", ("fax", "csvContact:fFax", "fax"), jcard!(tel "fax", "[3]")),
    own(
        "fax_ext",
        "Fax Ext",
        ("fax/@x", "csvContact:fFaxExt", "fax ext"),
        jcard!(tel "fax", "[3]"),
    ),
    own("email", "Email", ("email", "csvContact:fEmail", "email"), jcard!("email", "[3]")),
    own(
        "whois_server",
        "Registrar WHOIS Server",
        ("whoisInfo/name", "whoisName", "whois server"),
        "$.port43",
    ),
    own("url", "Registrar URL", ("url", "rdeCsv:fUrl", "url"), jcard!("url", "[3]")),
    own(
        "iana_id",
        "Registrar IANA ID",
        ("gurid", "csvRegistrar:fGurid", "IANA id"),
        "$.publicIds[0].identifier",
    ),
    Field::none("abuse_email", "Registrar Abuse Contact Email", "the configuration has it")
        .at("$.entities[?(@.roles[0]=='abuse')].vcardArray[1][?(@[0]=='email')][3]"),
    Field::none("abuse_phone", "Registrar Abuse Contact Phone", "the configuration has it")
        .at("$.entities[?(@.roles[0]=='abuse')].vcardArray[1][?(@[0]=='tel')][3]"),
];

const fn own(
    key: &'static str,
    whois: &'static str,
    (epp, column, dump): (&'static str, &'static str, &'static str),
    rdap: &'static str,
) -> Field {
    Field::own(key, whois, Stored::new(epp, (TABLE, column), dump), rdap)
}
