//! Keys of answers: the labels of contact blocks, and which keys an extra may not use.
//!
//! # Invariants
//!
//! - A key-value extra never has a key that a standard line, a line of ours or a line of the
//!   older layout has, nor one that a program could mistake for such a key, for a free name or for
//!   a limit.
//!
//! # Does not
//!
//! Render.

use super::phrases::is_misleading_key;

/// Longest key of an extra, bytes.
const EXTRA_KEY_BYTES_MAX: usize = 64;

macro_rules! contact_labels {
    ($role:literal) => {
        [
            concat!("Registry ", $role, " ID: "),
            concat!($role, " Name: "),
            concat!($role, " Organization: "),
            concat!($role, " Street: "),
            concat!($role, " City: "),
            concat!($role, " State/Province: "),
            concat!($role, " Postal Code: "),
            concat!($role, " Country: "),
            concat!($role, " Phone: "),
            concat!($role, " Phone Ext: "),
            concat!($role, " Fax: "),
            concat!($role, " Fax Ext: "),
            concat!($role, " Email: "),
        ]
    };
}

/// Labels of the contact blocks with colon and blank: registrant, administrative, technical,
/// billing, and the contact of no role.
pub(super) const CONTACT_LABELS: [[&str; 13]; 5] = [
    contact_labels!("Registrant"),
    contact_labels!("Admin"),
    contact_labels!("Tech"),
    contact_labels!("Billing"),
    contact_labels!("Contact"),
];

/// Keys of all other lines, and those of the layout before the consistent labels of 2017.
const RESERVED: &[&str] = &[
    "Domain Name",
    "Internationalized Domain Name",
    "Registry Domain ID",
    "Registrar WHOIS Server",
    "Registrar URL",
    "Updated Date",
    "Creation Date",
    "Registry Expiry Date",
    "Registrar Registration Expiration Date",
    "Registrar",
    "Registrar IANA ID",
    "Registrar Abuse Contact Email",
    "Registrar Abuse Contact Phone",
    "Reseller",
    "Domain Status",
    "Name Server",
    "IP Address",
    "DNSSEC",
    "DNSSEC DS Data",
    "DNSSEC Key Data",
    "URL of the ICANN Whois Inaccuracy Complaint Form",
    "URL of the ICANN RDDS Inaccuracy Complaint Form",
    "Server Name",
    "Street",
    "City",
    "State/Province",
    "Postal Code",
    "Country",
    "Phone Number",
    "Phone Ext",
    "Fax Number",
    "Fax Ext",
    "Email",
    "Admin Contact",
    "Technical Contact",
    "Domain ID",
    "WHOIS Server",
    "Referral URL",
    "Sponsoring Registrar",
    "Sponsoring Registrar IANA ID",
    "Registrant ID",
    "Admin ID",
    "Tech ID",
    "Billing ID",
    "IDN Table",
    "Unicode Code Points",
    "Active Variant",
    "Contact ID",
    "Contact Status",
    "Reserved Name",
    "Internationalized Reserved Name",
    "Reserved Name State",
    "Variant Of",
    "Note",
    "Query matched more than one name server",
];

/// Whether a key-value extra with this key may be shown: letters, digits, single blanks and
/// `-_/.()`, at most 64 bytes, and none of the reserved keys or of those by which programs conclude
/// something ([`super::phrases`]), whatever the case.
#[must_use]
pub fn is_extra_key(key: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b" -_/.()".contains(&b);
    !key.is_empty()
        && key.len() <= EXTRA_KEY_BYTES_MAX
        && key.bytes().all(allowed)
        && !key.starts_with(' ')
        && !key.ends_with(' ')
        && !key.as_bytes().windows(2).any(|pair| pair == b"  ")
        && !is_misleading_key(key)
        && !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(key))
        && !CONTACT_LABELS
            .as_flattened()
            .iter()
            .any(|label| label.trim_end_matches(": ").eq_ignore_ascii_case(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_extra_takes_the_key_of_a_standard_line() {
        for key in ["domain name", "Registrant Name", "TECH EMAIL", "DNSSEC", "Registrant ID"] {
            assert!(!is_extra_key(key), "{key}");
        }
        assert!(!is_extra_key("My Domain Name"));
        assert!(!is_extra_key("Former REGISTRAR"));
        assert!(!is_extra_key("status"));
        assert!(!is_extra_key("Eligibility Status"));
        assert!(!is_extra_key("Trademark Registrant"));
        assert!(!is_extra_key("Domain Name: x\r\nFoo"));
        assert!(!is_extra_key("Domain  Name"));
        assert!(!is_extra_key(""));
        assert!(!is_extra_key(" Eligibility"));
        assert!(is_extra_key("Eligibility Type"));
        assert!(is_extra_key("Canonical Name"));
    }

    #[test]
    fn no_extra_has_a_key_from_which_programs_conclude_something() {
        for key in
            ["Not Found", "NO MATCH", "Quota exceeded", "Is Free", "Available", "Last Modified"]
        {
            assert!(!is_extra_key(key), "{key}");
        }
        for key in ["Available From", "Freedom", "Language", "Match", "Not After", "Trademark No"] {
            assert!(is_extra_key(key), "{key}");
        }
    }
}
