//! What fields a record has, for every output: one row an output field.
//!
//! ```text
//!                     ┌─▶ policy: configuration keys, labels, masks, reserved keys
//! table of a record ──┼─▶ query: which stored field a line takes
//!                     ├─▶ export: columns
//!                     └─▶ tests/fields.rs: WHOIS, deposits and `inspect` agree, row by row
//! ```
//!
//! # Invariants
//!
//! - `every label has its row`: no line of a record has a label that is not here; `tests/fields.rs`
//!   holds it against the answers.
//! - `order`: rows are in the order of the lines on port 43.
//!
//! # Does not
//!
//! Write anything: renderers and writers are straight-line code, and tests walk the table beside
//! them.

/// The path of a jCard property (RFC 7095) below an entity.
macro_rules! jcard {
    ($property:literal, $rest:literal) => {
        concat!("$.vcardArray[1][?(@[0]=='", $property, "')]", $rest)
    };
    (tel $kind:literal, $rest:literal) => {
        concat!("$.vcardArray[1][?(@[0]=='tel' && @[1].type=='", $kind, "')]", $rest)
    };
}

pub mod contact;
pub mod domain;
pub mod nameserver;
pub mod registrar;

/// A field of a record as outputs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its word in the configuration and in reports: `postal_code`.
    pub key: &'static str,
    /// Its label on port 43 without the colon; of a contact, without the role before it.
    pub whois: &'static str,
    /// Where its value comes from.
    pub source: Source,
    /// Where RDAP has it: a JSONPath (RFC 9535) below the object (RFC 9083, RFC 7095); empty where
    /// RDAP has no place for it.
    pub rdap: &'static str,
}

/// Where the value of a field comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The record itself.
    Own(Stored),
    /// The registrar of the record: the field of [`registrar::FIELDS`] with this key.
    Registrar(&'static str),
    /// Other records, or this one and a rule of ours, which the text names.
    Computed(&'static str),
    /// The configuration, or nothing, for the reason that the text gives.
    None(&'static str),
}

/// Where deposits and `whoisd inspect` have a stored value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Elements below the object in the XML model (RFC 9022 section 5), local names with `/`
    /// between them, and `@` before an attribute.
    pub epp: &'static str,
    /// Name of the CSV model's table.
    pub table: &'static str,
    /// Its column there; several columns with an index have one name.
    pub column: &'static str,
    /// Its word in `whoisd inspect`.
    pub dump: &'static str,
    /// How the text on port 43 differs from that of a deposit.
    pub form: Form,
}

/// How a value's text on port 43 differs from that of a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Not at all.
    Text,
    /// A time, without fractions of a second.
    Time,
    /// An EPP status, with the address of its explanation after it.
    Status,
    /// An IP address, in its canonical form.
    Address,
}

impl Field {
    pub(crate) const fn own(
        key: &'static str,
        whois: &'static str,
        stored: Stored,
        rdap: &'static str,
    ) -> Self {
        Self { key, whois, source: Source::Own(stored), rdap }
    }

    pub(crate) const fn of_registrar(
        key: &'static str,
        whois: &'static str,
        of: &'static str,
        rdap: &'static str,
    ) -> Self {
        Self { key, whois, source: Source::Registrar(of), rdap }
    }

    pub(crate) const fn computed(
        key: &'static str,
        whois: &'static str,
        how: &'static str,
        rdap: &'static str,
    ) -> Self {
        Self { key, whois, source: Source::Computed(how), rdap }
    }

    pub(crate) const fn none(key: &'static str, whois: &'static str, why: &'static str) -> Self {
        Self { key, whois, source: Source::None(why), rdap: "" }
    }

    /// The same with a place in RDAP.
    pub(crate) const fn at(mut self, rdap: &'static str) -> Self {
        self.rdap = rdap;
        self
    }
}

impl Stored {
    pub(crate) const fn new(
        epp: &'static str,
        (table, column): (&'static str, &'static str),
        dump: &'static str,
    ) -> Self {
        Self { epp, table, column, dump, form: Form::Text }
    }

    pub(crate) const fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }
}

/// What stands above a list of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// Above one name.
    pub one: &'static str,
    /// Above several.
    pub many: &'static str,
}

/// Above names of domains.
pub const DOMAIN_LIST: Heading =
    Heading { one: "Query matched one domain", many: "Query matched more than one domain" };
/// Above names of nameservers.
pub const NAMESERVER_LIST: Heading = Heading {
    one: "Query matched one name server",
    many: "Query matched more than one name server",
};
/// Above names of registrars.
pub const REGISTRAR_LIST: Heading =
    Heading { one: "Query matched one registrar", many: "Query matched more than one registrar" };

/// Whether a list stands below this heading, whatever the case.
#[must_use]
pub fn is_heading(text: &str) -> bool {
    let lists = [DOMAIN_LIST, NAMESERVER_LIST, REGISTRAR_LIST];
    let mut headings = lists.iter().flat_map(|list| [list.one, list.many]);
    headings.any(|heading| heading.eq_ignore_ascii_case(text))
}

/// Whether a line of a record has this label, whatever the case; of a contact with its role.
#[must_use]
pub fn is_label(label: &str) -> bool {
    let of_records = [
        domain::FIELDS,
        domain::RESERVED_NAME_FIELDS,
        nameserver::FIELDS,
        registrar::FIELDS,
        contact::RECORD_FIELDS,
    ];
    let is_one = |field: &Field| field.whois.eq_ignore_ascii_case(label);
    of_records.into_iter().flatten().any(is_one) || contact::is_label(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields that share a place: a number and its extension are one URI.
    const SHARED: [&str; 4] = ["phone", "phone_ext", "fax", "fax_ext"];

    #[test]
    fn each_field_has_its_own_key_label_and_place_in_rdap() {
        let contact: Vec<Field> = contact::BLOCK.iter().map(|row| row.field).collect();
        let tables: [&[Field]; 6] = [
            domain::FIELDS,
            domain::RESERVED_NAME_FIELDS,
            nameserver::FIELDS,
            registrar::FIELDS,
            contact::RECORD_FIELDS,
            &contact,
        ];
        for fields in tables {
            for (index, field) in fields.iter().enumerate() {
                let others = fields.iter().take(index);
                for other in others.filter(|other| !SHARED.contains(&other.key)) {
                    assert!(other.key != field.key && other.whois != field.whois, "{}", field.key);
                    assert!(field.rdap.is_empty() || other.rdap != field.rdap, "{}", field.key);
                }
                assert!(field.rdap.is_empty() || field.rdap.starts_with("$."), "{}", field.key);
            }
        }
    }
}
