//! Fields of a contact: of its block in a domain's record, and of its own record.
//!
//! # Invariants
//!
//! - [`BLOCK`] is in the order of [`ShownField`], [`ROLES`] in that of the blocks of a rule.
//!
//! # Does not
//!
//! Say what is shown: `policy` does.

use snapshot_format::object::Disclose;
use snapshot_format::record::ContactField;

use super::{Field, Form, Source, Stored};

/// How RDAP says that a value is hidden (RFC 9537 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The member or property is left out.
    Removal,
    /// It is there with an empty text.
    EmptyValue,
}

/// How RDAP says that a field of a contact is hidden: as appendix E of ICANN's RDAP response
/// profile 2.2 does for the fields that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redaction {
    /// What is done with the value.
    pub method: Method,
    /// Where: a JSONPath below the contact's entity.
    pub path: &'static str,
    /// Whether the profile names the field of a registrant, and of a technical contact. It knows no
    /// others; their names are descriptions, not types.
    pub named: [bool; 2],
}

/// The lines of a street.
pub const STREET: [ContactField; 3] =
    [ContactField::Street1, ContactField::Street2, ContactField::Street3];
/// Those after the first.
pub const MORE_STREET: [ContactField; 2] = [STREET[1], STREET[2]];

/// Fields of a contact block.
pub const FIELD_COUNT: usize = 13;
/// Blocks: one a role, and that of no role.
pub const ROLE_COUNT: usize = 5;

/// A field of a contact block, in the order of its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownField {
    /// Identifier.
    Id,
    /// Name.
    Name,
    /// Organisation.
    Org,
    /// Street, up to three lines.
    Street,
    /// City.
    City,
    /// State or province.
    Sp,
    /// Postal code.
    Pc,
    /// Country code.
    Cc,
    /// Voice number.
    Phone,
    /// Its extension.
    PhoneExt,
    /// Fax number.
    Fax,
    /// Its extension.
    FaxExt,
    /// E-mail address.
    Email,
}

/// A role of a contact, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// Its word in the configuration.
    pub key: &'static str,
    /// What stands before the labels of its block.
    pub whois: &'static str,
    /// Its word in RDAP (RFC 9083 section 10.2.4); empty for no role.
    pub rdap: &'static str,
}

/// The roles, in the order of a rule's blocks; the last one is that of an answer to `contact ID`.
pub const ROLES: [Role; ROLE_COUNT] = [
    Role { key: "registrant", whois: "Registrant", rdap: "registrant" },
    Role { key: "admin", whois: "Admin", rdap: "administrative" },
    Role { key: "tech", whois: "Tech", rdap: "technical" },
    Role { key: "billing", whois: "Billing", rdap: "billing" },
    Role { key: "contact", whois: "Contact", rdap: "" },
];

/// A row of a contact block.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which one.
    pub shown: ShownField,
    /// How outputs name it.
    pub field: Field,
    /// Where the record has it; of a street its first line.
    pub stored: ContactField,
    /// Whether the line is there without a value.
    pub required: bool,
    /// The field in a wish on disclosure (RFC 5733 section 2.9): of the internationalised form.
    pub wish_int: u16,
    /// The same of the localised form.
    pub wish_loc: u16,
    /// How RDAP says that it is hidden.
    pub redaction: Redaction,
}

/// The path of a jCard property (RFC 7095) below an entity, without what stands before it.
macro_rules! below {
    ($property:literal, $rest:literal) => {
        concat!(".vcardArray[1][?(@[0]=='", $property, "')]", $rest)
    };
}

/// As the profile writes it: properties with a type are the numbers.
const VOICE_PATH: &str = ".vcardArray[1][?(@[1].type=='voice')]";
const FAX_PATH: &str = ".vcardArray[1][?(@[1].type=='fax')]";

/// The rows of a block.
#[rustfmt::skip]
pub const BLOCK: [Row; FIELD_COUNT] = {
    use ContactField as F;
    use Disclose as D;
    use ShownField as S;
    const MAIN: &str = "contact";
    const POSTAL: &str = "contactPostal";
    const fn row(
        shown: S, stored: F, required: bool, wish: (u16, u16), field: Field, redaction: Redaction,
    ) -> Row {
        let (wish_int, wish_loc) = wish;
        Row { shown, field, stored, required, wish_int, wish_loc, redaction }
    }
    const fn removed(path: &'static str, named: [bool; 2]) -> Redaction {
        Redaction { method: Method::Removal, path, named }
    }
    const fn emptied(path: &'static str, named: [bool; 2]) -> Redaction {
        Redaction { method: Method::EmptyValue, path, named }
    }
    const BOTH: [bool; 2] = [true, true];
    const REGISTRANT: [bool; 2] = [true, false];
    const NEITHER: [bool; 2] = [false, false];
    const fn field(
        key: &'static str, whois: &'static str, epp: &'static str,
        csv: (&'static str, &'static str), dump: &'static str, rdap: &'static str,
    ) -> Field {
        Field::own(key, whois, Stored::new(epp, csv, dump), rdap)
    }
    const NAME: (u16, u16) = (D::NAME_INT, D::NAME_LOC);
    const ORG: (u16, u16) = (D::ORG_INT, D::ORG_LOC);
    const ADDR: (u16, u16) = (D::ADDR_INT, D::ADDR_LOC);
    const VOICE: (u16, u16) = (D::VOICE, D::VOICE);
    const FAX: (u16, u16) = (D::FAX, D::FAX);
    const EMAIL: (u16, u16) = (D::EMAIL, D::EMAIL);
    [
        row(S::Id, F::Roid, true, (0, 0), field("id", "ID", "roid", (MAIN, "rdeCsv:fRoid"), "roid",
            "$.handle"), removed(".handle", BOTH)),
        row(S::Name, F::Name, true, NAME, field("name", "Name", "postalInfo/name",
            (POSTAL, "csvContact:fName"), "name", jcard!("fn", "[3]")),
            emptied(below!("fn", "[3]"), BOTH)),
        row(S::Org, F::Org, false, ORG, field("organization", "Organization", "postalInfo/org",
            (POSTAL, "csvContact:fOrg"), "org", jcard!("org", "[3]")),
            removed(below!("org", ""), REGISTRANT)),
        row(S::Street, F::Street1, true, ADDR, field("street", "Street", "postalInfo/addr/street",
            (POSTAL, "csvContact:fStreet"), "street", jcard!("adr", "[3][2]")),
            // With the two members before it, of which addresses make no use.
            emptied(below!("adr", "[3][:3]"), REGISTRANT)),
        row(S::City, F::City, true, ADDR, field("city", "City", "postalInfo/addr/city",
            (POSTAL, "csvContact:fCity"), "city", jcard!("adr", "[3][3]")),
            emptied(below!("adr", "[3][3]"), REGISTRANT)),
        row(S::Sp, F::Sp, false, ADDR, field("state", "State/Province", "postalInfo/addr/sp",
            (POSTAL, "csvContact:fSp"), "sp", jcard!("adr", "[3][4]")),
            emptied(below!("adr", "[3][4]"), NEITHER)),
        row(S::Pc, F::Pc, false, ADDR, field("postal_code", "Postal Code", "postalInfo/addr/pc",
            (POSTAL, "csvContact:fPc"), "pc", jcard!("adr", "[3][5]")),
            emptied(below!("adr", "[3][5]"), REGISTRANT)),
        // RFC 8605 section 3.1.
        row(S::Cc, F::Cc, true, ADDR, field("country", "Country", "postalInfo/addr/cc",
            (POSTAL, "csvContact:fCc"), "cc", jcard!("adr", "[1].cc")),
            removed(below!("adr", "[1].cc"), NEITHER)),
        row(S::Phone, F::Voice, false, VOICE, field("phone", "Phone", "voice",
            (MAIN, "csvContact:fVoice"), "voice", jcard!(tel "voice", "[3]")),
            removed(VOICE_PATH, BOTH)),
        row(S::PhoneExt, F::VoiceExt, false, VOICE, field("phone_ext", "Phone Ext", "voice/@x",
            (MAIN, "csvContact:fVoiceExt"), "voice ext", jcard!(tel "voice", "[3]")),
            removed(VOICE_PATH, BOTH)),
        row(S::Fax, F::Fax, false, FAX, field("fax", "Fax", "fax",
            (MAIN, "csvContact:fFax"), "fax", jcard!(tel "fax", "[3]")),
            removed(FAX_PATH, REGISTRANT)),
        row(S::FaxExt, F::FaxExt, false, FAX, field("fax_ext", "Fax Ext", "fax/@x",
            (MAIN, "csvContact:fFaxExt"), "fax ext", jcard!(tel "fax", "[3]")),
            removed(FAX_PATH, REGISTRANT)),
        row(S::Email, F::Email, true, EMAIL, field("email", "Email", "email",
            (MAIN, "csvContact:fEmail"), "email", jcard!("email", "[3]")),
            removed(below!("email", ""), BOTH)),
    ]
};

/// What a contact's own record has besides its block.
pub const RECORD_FIELDS: &[Field] = &[
    Field::own(
        "contact_id",
        "Contact ID",
        Stored::new("id", ("contact", "csvContact:fId"), "id"),
        // Its handle there is the repository object identifier.
        "",
    ),
    Field::own(
        "status",
        "Contact Status",
        Stored::new("status/@s", ("contactStatuses", "csvContact:fStatus"), "status")
            .form(Form::Status),
        "$.status",
    ),
    Field::of_registrar("registrar", "Registrar", "name", super::domain::REGISTRAR_NAME),
    Field::own(
        "created",
        "Creation Date",
        Stored::new("crDate", ("contact", "rdeCsv:fCrDate"), "created").form(Form::Time),
        super::domain::REGISTERED,
    ),
    Field::own(
        "updated",
        "Updated Date",
        Stored::new("upDate", ("contact", "rdeCsv:fUpDate"), "updated").form(Form::Time),
        super::domain::CHANGED,
    ),
];

const _: () = {
    let mut index = 0;
    while index < FIELD_COUNT {
        assert!(BLOCK[index].shown as usize == index, "rows are in the order of ShownField");
        index += 1;
    }
};

impl Row {
    /// Its label in the block of a role, without the colon.
    #[must_use]
    pub fn label(&self, role: Role) -> String {
        let before = if self.shown == ShownField::Id { "Registry " } else { "" };
        format!("{before}{} {}", role.whois, self.field.whois)
    }

    /// Whether the profile names it where it is hidden: by the role's place in [`ROLES`].
    #[must_use]
    pub const fn is_named(&self, role: usize) -> bool {
        let [registrant, tech] = self.redaction.named;
        (role == 0 && registrant) || (role == 2 && tech)
    }

    /// Whether it is a part of the postal information, of which a contact has two forms.
    #[must_use]
    pub const fn is_postal(&self) -> bool {
        let stored = self.stored as u8;
        (ContactField::Name as u8) <= stored && stored <= (ContactField::Cc as u8)
    }

    /// Whether it is a part of the address: street to country code.
    #[must_use]
    pub const fn is_address(&self) -> bool {
        self.is_postal() && (ContactField::Street1 as u8) <= (self.stored as u8)
    }

    /// Its column in the CSV model, if it is one of `table`.
    #[must_use]
    pub fn column(&self, table: &str) -> Option<&'static str> {
        match self.field.source {
            Source::Own(stored) if stored.table == table => Some(stored.column),
            _ => None,
        }
    }
}

/// Whether a line of a block has this label, whatever the case.
pub(super) fn is_label(label: &str) -> bool {
    let of_role = |role: &Role, text: &str| {
        let rest = text.get(role.whois.len()..)?.strip_prefix(' ')?;
        text.get(..role.whois.len())?.eq_ignore_ascii_case(role.whois).then_some(())?;
        Some(BLOCK.iter().any(|row| row.field.whois.eq_ignore_ascii_case(rest)))
    };
    let is_one = |text| ROLES.iter().any(|role| of_role(role, text) == Some(true));
    let begins =
        label.get(.."registry ".len()).is_some_and(|b| b.eq_ignore_ascii_case("registry "));
    // `Registrant ID` without `Registry` is a label of older layouts.
    is_one(label) || (begins && label.get("registry ".len()..).is_some_and(is_one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_its_role_before_it_and_that_of_an_identifier_the_registry() {
        let label = |row: usize, role: usize| BLOCK[row].label(ROLES[role]);
        assert_eq!(label(0, 0), "Registry Registrant ID");
        assert_eq!(label(6, 2), "Tech Postal Code");
        for role in ROLES {
            for row in BLOCK {
                assert!(is_label(&row.label(role).to_uppercase()));
            }
        }
        assert!(!is_label("Owner Name") && !is_label("Tech") && !is_label("Tech  Name"));
        assert!(!is_label("Ünique Name"));
    }
}
