//! Fields of a nameserver.

use super::domain::{REGISTRAR_NAME, REGISTRAR_URL};
use super::{Field, Form, Stored};

/// The lines of a nameserver's record.
pub const FIELDS: &[Field] = &[
    Field::own(
        "name",
        "Server Name",
        Stored::new("name", ("host", "csvHost:fName"), "name"),
        "$.ldhName",
    ),
    Field::own(
        "address",
        "IP Address",
        Stored::new("addr", ("hostAddresses", "csvHost:fAddr"), "address").form(Form::Address),
        "$.ipAddresses",
    ),
    Field::of_registrar("registrar", "Registrar", "name", REGISTRAR_NAME),
    Field::of_registrar("registrar_whois_server", "Registrar WHOIS Server", "whois_server", ""),
    Field::of_registrar("registrar_url", "Registrar URL", "url", REGISTRAR_URL),
];
