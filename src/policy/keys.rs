//! Which keys a key-value extra may not use.
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
use crate::field;

/// Longest key of an extra, bytes.
const EXTRA_KEY_BYTES_MAX: usize = 64;

/// Keys of lines in the layout before the consistent labels of 2017, and those of newer policies.
const OTHER_LAYOUTS: &[&str] = &[
    "Admin Contact",
    "Technical Contact",
    "Domain ID",
    "WHOIS Server",
    "Referral URL",
    "Sponsoring Registrar",
    "Sponsoring Registrar IANA ID",
    "URL of the ICANN RDDS Inaccuracy Complaint Form",
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
        && !OTHER_LAYOUTS.iter().any(|reserved| reserved.eq_ignore_ascii_case(key))
        && !field::is_label(key)
        && !field::is_heading(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_extra_takes_the_key_of_a_standard_line() {
        for key in ["domain name", "Registrant Name", "TECH EMAIL", "DNSSEC", "Registrant ID"] {
            assert!(!is_extra_key(key), "{key}");
        }
        for key in ["Query matched one domain", "Query matched more than one Name Server", "Note"] {
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
