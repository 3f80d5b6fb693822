//! Parts of answers that are the same for every record, written once: statuses (RFC 8056), entries
//! of `redacted` (RFC 9537).
//!
//! # Invariants
//!
//! - `from the table`: names, paths and methods of what is hidden are those of [`BLOCK`].
//!
//! # Does not
//!
//! Know records.

use std::sync::LazyLock;

use snapshot_format::status::{CONTACT_STATUS_WORDS, DOMAIN_STATUS_WORDS, HOST_STATUS_WORDS};

use crate::field::contact::{BLOCK, FIELD_COUNT, Method, ROLE_COUNT, ROLES, Role, Row};

/// An entry of `redacted`, in two parts: what lies between them is the path of the object in a list
/// of results, or nothing.
#[derive(Debug)]
pub(super) struct Redacted {
    pub(super) head: Box<str>,
    pub(super) rest: Box<str>,
}

/// The parts.
pub(super) struct Prepared {
    /// By role, and by field.
    pub(super) redacted: [[Redacted; FIELD_COUNT]; ROLE_COUNT],
    /// The same of an extension whose number is shown.
    pub(super) extensions: [[Redacted; FIELD_COUNT]; ROLE_COUNT],
    /// The same of a part of an address that is left out as a whole.
    pub(super) addresses: [[Redacted; FIELD_COUNT]; ROLE_COUNT],
    /// JSON strings by the bit of the status.
    pub(super) of_domain: Box<[Box<str>]>,
    pub(super) of_nameserver: Box<[Box<str>]>,
    pub(super) of_contact: Box<[Box<str>]>,
}

static PREPARED: LazyLock<Prepared> = LazyLock::new(|| Prepared {
    redacted: all_redacted(With::Itself),
    extensions: all_redacted(With::Number),
    addresses: all_redacted(With::Address),
    of_domain: statuses(DOMAIN_STATUS_WORDS),
    of_nameserver: statuses(HOST_STATUS_WORDS),
    of_contact: statuses(CONTACT_STATUS_WORDS),
});

/// Writes the parts, if nothing has yet.
pub(super) fn prepare() {
    LazyLock::force(&PREPARED);
}

/// The parts; they allocate when nothing has prepared them.
#[inline]
pub(super) fn parts() -> &'static Prepared {
    &PREPARED
}

/// What a value is hidden with.
#[derive(Clone, Copy)]
enum With {
    /// As the table has it.
    Itself,
    /// It is a part of a number that is shown.
    Number,
    /// It is a part of an address that is not there.
    Address,
}

/// The property of an address, below an entity.
const ADDRESS_PATH: &str = ".vcardArray[1][?(@[0]=='adr')]";

/// The entries of all fields, by role.
fn all_redacted(with: With) -> [[Redacted; FIELD_COUNT]; ROLE_COUNT] {
    let mut places = 0_usize..;
    ROLES.map(|role| {
        let place = places.next().unwrap_or_default();
        BLOCK.map(|row| redacted((place, &role), &row, with))
    })
}

const REASON: &str = r#""reason":{"description":"Server policy"}"#;

/// The entry of a field.
fn redacted((place, role): (usize, &Role), row: &Row, with: With) -> Redacted {
    let kind = if row.is_named(place) { "type" } else { "description" };
    let (path, method, below) = match (with, row.redaction.method) {
        (With::Number, _) => ("postPath", "partialValue", row.redaction.path),
        (With::Address, _) => ("prePath", "removal", ADDRESS_PATH),
        (With::Itself, Method::Removal) => ("prePath", "removal", row.redaction.path),
        (With::Itself, Method::EmptyValue) => ("postPath", "emptyValue", row.redaction.path),
    };
    // The object of `entity/ID` is the contact itself.
    let entity = match role.rdap {
        "" => String::new(),
        word => format!(".entities[?(@.roles[0]=='{word}')]"),
    };
    Redacted {
        head: format!(r#"{{"name":{{"{kind}":"{}"}},"{path}":"$"#, row.label(*role)).into(),
        rest: format!(r#"{entity}{below}","pathLang":"jsonpath","method":"{method}",{REASON}}}"#)
            .into(),
    }
}

/// The words of EPP that RDAP has another word for; the others are the same with blanks in them
/// (RFC 8056 section 2).
const OTHER_WORDS: [(&str, &str); 2] = [("ok", "active"), ("linked", "associated")];

fn statuses(words: &[&str]) -> Box<[Box<str>]> {
    words.iter().map(|word| format!("\"{}\"", status(word)).into()).collect()
}

/// RDAP's word for a status of EPP or RGP.
fn status(word: &str) -> String {
    if let Some((_, other)) = OTHER_WORDS.iter().find(|(epp, _)| *epp == word) {
        return (*other).to_owned();
    }
    let mut text = String::new();
    for c in word.chars() {
        if c.is_ascii_uppercase() {
            text.push(' ');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_those_of_rfc_8056() {
        let text = |word: &str| status(word);
        assert_eq!(text("ok"), "active");
        assert_eq!(text("linked"), "associated");
        assert_eq!(text("inactive"), "inactive");
        assert_eq!(text("clientTransferProhibited"), "client transfer prohibited");
        assert_eq!(text("autoRenewPeriod"), "auto renew period");
        assert_eq!(text("redemptionPeriod"), "redemption period");
    }

    #[test]
    fn entries_have_the_names_and_paths_of_the_profile() {
        let entry = |role: usize, field: usize| {
            let Redacted { head, rest } = &parts().redacted[role][field];
            serde_json::from_str::<serde_json::Value>(&format!("{head}{rest}")).unwrap()
        };
        let registrant_name = entry(0, 1);
        assert_eq!(registrant_name["name"]["type"], "Registrant Name");
        assert_eq!(registrant_name["method"], "emptyValue");
        assert_eq!(
            registrant_name["postPath"],
            "$.entities[?(@.roles[0]=='registrant')].vcardArray[1][?(@[0]=='fn')][3]"
        );
        let Redacted { head, rest } = &parts().addresses[2][3];
        let entry_of_address: serde_json::Value =
            serde_json::from_str(&format!("{head}{rest}")).unwrap();
        assert_eq!(entry_of_address["name"]["description"], "Tech Street");
        assert_eq!(entry_of_address["method"], "removal");
        assert_eq!(
            entry_of_address["prePath"],
            "$.entities[?(@.roles[0]=='technical')].vcardArray[1][?(@[0]=='adr')]"
        );
        let tech_id = entry(2, 0);
        assert_eq!(tech_id["name"]["type"], "Registry Tech ID");
        assert_eq!(tech_id["prePath"], "$.entities[?(@.roles[0]=='technical')].handle");
        assert_eq!(entry(1, 1)["name"]["description"], "Admin Name");
        assert_eq!(entry(4, 12)["prePath"], "$.vcardArray[1][?(@[0]=='email')]");
        let named =
            (0..ROLE_COUNT).flat_map(|role| (0..FIELD_COUNT).map(move |at| entry(role, at)));
        let named: Vec<_> =
            named.filter_map(|e| e["name"]["type"].as_str().map(str::to_owned)).collect();
        // Appendix E has seventeen; `Registry Domain ID` is of no contact.
        assert_eq!(named.len(), 16, "{named:?}");
    }
}
