//! Fields of a domain, and of a name that is kept back.
//!
//! # Does not
//!
//! Have the blocks of contacts: `contact` does.

use super::{Field, Form, Stored};

/// Where RDAP has the name of a record's registrar.
pub(super) const REGISTRAR_NAME: &str =
    "$.entities[?(@.roles[0]=='registrar')].vcardArray[1][?(@[0]=='fn')][3]";
/// The link to the web site of a record's registrar.
pub(super) const REGISTRAR_URL: &str =
    "$.entities[?(@.roles[0]=='registrar')].links[?(@.rel=='about')].href";
/// The event of a registration (RFC 9083 section 10.2.3).
pub(super) const REGISTERED: &str = "$.events[?(@.eventAction=='registration')].eventDate";
/// The event of a change.
pub(super) const CHANGED: &str = "$.events[?(@.eventAction=='last changed')].eventDate";
const EXPIRES: &str = "$.events[?(@.eventAction=='expiration')].eventDate";

/// The lines of a domain's record, but for those of its contacts, which follow the statuses.
pub const FIELDS: &[Field] = &[
    Field::own(
        "name",
        "Domain Name",
        Stored::new("name", ("domain", "csvDomain:fName"), "name"),
        "$.ldhName",
    ),
    Field::own(
        "u_name",
        "Internationalized Domain Name",
        Stored::new("uName", ("domain", "rdeCsv:fUName"), "U-label"),
        "$.unicodeName",
    ),
    Field::own(
        "id",
        "Registry Domain ID",
        Stored::new("roid", ("domain", "rdeCsv:fRoid"), "roid"),
        "$.handle",
    ),
    Field::of_registrar("registrar_whois_server", "Registrar WHOIS Server", "whois_server", ""),
    Field::of_registrar("registrar_url", "Registrar URL", "url", REGISTRAR_URL),
    Field::own(
        "updated",
        "Updated Date",
        Stored::new("upDate", ("domain", "rdeCsv:fUpDate"), "updated").form(Form::Time),
        CHANGED,
    ),
    Field::own(
        "created",
        "Creation Date",
        Stored::new("crDate", ("domain", "rdeCsv:fCrDate"), "created").form(Form::Time),
        REGISTERED,
    ),
    Field::own(
        "expires",
        "Registry Expiry Date",
        Stored::new("exDate", ("domain", "rdeCsv:fExDate"), "expires").form(Form::Time),
        EXPIRES,
    ),
    Field::none(
        "registrar_expires",
        "Registrar Registration Expiration Date",
        "only the registrar knows it",
    ),
    Field::of_registrar("registrar", "Registrar", "name", REGISTRAR_NAME),
    Field::of_registrar(
        "registrar_iana_id",
        "Registrar IANA ID",
        "iana_id",
        "$.entities[?(@.roles[0]=='registrar')].publicIds[0].identifier",
    ),
    Field::of_registrar(
        "abuse_email",
        "Registrar Abuse Contact Email",
        "abuse_email",
        concat!(
            "$.entities[?(@.roles[0]=='registrar')].entities[?(@.roles[0]=='abuse')]",
            ".vcardArray[1][?(@[0]=='email')][3]",
        ),
    ),
    Field::of_registrar(
        "abuse_phone",
        "Registrar Abuse Contact Phone",
        "abuse_phone",
        concat!(
            "$.entities[?(@.roles[0]=='registrar')].entities[?(@.roles[0]=='abuse')]",
            ".vcardArray[1][?(@[0]=='tel')][3]",
        ),
    ),
    Field::none("reseller", "Reseller", "deposits do not hold any"),
    Field::own(
        "status",
        "Domain Status",
        Stored::new("status/@s", ("domainStatuses", "csvDomain:fStatus"), "status")
            .form(Form::Status),
        "$.status",
    ),
    Field::own(
        "nameserver",
        "Name Server",
        Stored::new("ns/hostObj", ("domainNameServers", "csvHost:fName"), "nameserver"),
        "$.nameservers[*].ldhName",
    ),
    Field::computed(
        "nameserver_address",
        "IP Address",
        "the addresses of its nameservers",
        "$.nameservers[*].ipAddresses",
    ),
    Field::computed(
        "dnssec",
        "DNSSEC",
        "whether it has DS or key data",
        "$.secureDNS.delegationSigned",
    ),
    Field::computed(
        "ds",
        "DNSSEC DS Data",
        "key tag, algorithm, digest type and digest in one line",
        "$.secureDNS.dsData",
    ),
    Field::computed(
        "key",
        "DNSSEC Key Data",
        "flags, protocol, algorithm and key in one line",
        "$.secureDNS.keyData",
    ),
    Field::own(
        "idn_table",
        "IDN Table",
        Stored::new("idnTableId", ("domain", "rdeCsv:fIdnTableId"), "IDN table"),
        "",
    ),
    Field::computed("code_points", "Unicode Code Points", "those of the first label", ""),
    Field::own(
        "variant_of",
        "Variant Of",
        Stored::new("originalName", ("domain", "csvDomain:fOriginalName"), "original name"),
        "",
    ),
    Field::computed(
        "variant",
        "Active Variant",
        "the names that are variants of it",
        "$.variants[*].variantNames[*].ldhName",
    ),
    Field::none(
        "complaint_form",
        "URL of the ICANN Whois Inaccuracy Complaint Form",
        "the rule says whether it is there",
    ),
];

/// The lines of a name that is kept back.
pub const RESERVED_NAME_FIELDS: &[Field] = &[
    Field::own(
        "name",
        "Reserved Name",
        Stored::new("aName", ("NNDN", "csvNNDN:fAName"), "name"),
        "$.ldhName",
    ),
    Field::own(
        "u_name",
        "Internationalized Reserved Name",
        Stored::new("uName", ("NNDN", "rdeCsv:fUName"), "U-label"),
        "$.unicodeName",
    ),
    Field::own(
        "state",
        "Reserved Name State",
        Stored::new("nameState", ("NNDN", "csvNNDN:fNameState"), "state"),
        "",
    ),
    Field::own(
        "variant_of",
        "Variant Of",
        Stored::new("originalName", ("NNDN", "csvNNDN:fOriginalName"), "original name"),
        "",
    ),
    Field::own(
        "idn_table",
        "IDN Table",
        Stored::new("idnTableId", ("NNDN", "rdeCsv:fIdnTableId"), "IDN table"),
        "",
    ),
    Field::none("note", "Note", "a sentence of ours"),
];
