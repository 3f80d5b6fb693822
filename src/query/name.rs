//! Names as people and programs type them, mapped to the form in which records have them.
//!
//! # Invariants
//!
//! - A [`Name`] is in lower case, without a final dot, of labels with 1 to 63 bytes, with at most
//!   253 bytes in all.
//!
//! # Does not
//!
//! Validate A-labels: a name that the registry registered is found, whatever IDNA says of it.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use idna::uts46::{AsciiDenyList, ErrorPolicy, Hyphens, ProcessingError, ProcessingSuccess, Uts46};

use super::number::Short;

/// Longest name, bytes: RFC 1035 section 3.1 without the root.
pub(super) const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// A domain name in the form of the records' keys.
pub(super) type Name = Short<NAME_BYTES_MAX>;

/// Maps a typed name: ASCII is folded to lower case, anything else goes through UTS 46
/// (non-transitional). `None` if it is no domain name.
pub(super) fn canonical(typed: &str) -> Option<Name> {
    let mut name = if typed.is_ascii() { of_ascii(typed)? } else { of_unicode(typed)? };
    if name.as_bytes().ends_with(b".") {
        name.pop();
    }
    let labels_fit = |name: &str| {
        name.split('.').all(|label| !label.is_empty() && label.len() <= LABEL_BYTES_MAX)
    };
    labels_fit(name.as_str()).then_some(name)
}

fn of_ascii(typed: &str) -> Option<Name> {
    let mut name = Name::new();
    for byte in typed.strip_suffix('.').unwrap_or(typed).bytes() {
        let byte = byte.to_ascii_lowercase();
        let allowed = byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        if !allowed || !name.push(byte) {
            return None;
        }
    }
    Some(name)
}

/// UTS 46. The `idna` crate works in buffers on its stack for names of at most 253 characters
/// with labels of at most 59; it allocates for longer ones. So nothing longer is given to it.
fn of_unicode(typed: &str) -> Option<Name> {
    if typed.chars().count() > NAME_BYTES_MAX {
        return None;
    }
    let mut name = Name::new();
    let result = Uts46::new().process(
        typed.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::Allow,
        ErrorPolicy::FailFast,
        |_label, _tld, _is_bidi| false,
        &mut name,
        None,
    );
    match result {
        Ok(ProcessingSuccess::WroteToSink) => Some(name),
        // Only ASCII passes through, and that does not come here.
        Ok(ProcessingSuccess::Passthrough)
        | Err(ProcessingError::ValidityError | ProcessingError::SinkError) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(typed: &str) -> Option<String> {
        canonical(typed).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn names_are_folded_and_mapped_without_transition() {
        assert_eq!(mapped("Example.DEMO.").as_deref(), Some("example.demo"));
        assert_eq!(mapped("XN--MNCHEN-3YA.demo").as_deref(), Some("xn--mnchen-3ya.demo"));
        assert_eq!(mapped("MÜNCHEN.demo").as_deref(), Some("xn--mnchen-3ya.demo"));
        assert_eq!(mapped("faß.demo").as_deref(), Some("xn--fa-hia.demo"));
        assert_eq!(mapped("例え。テスト。").as_deref(), Some("xn--r8jz45g.xn--zckzah"));
        assert_eq!(mapped("ｅｘａｍｐｌｅ.demo").as_deref(), Some("example.demo"));
        assert_eq!(mapped("r3---sn-x.demo").as_deref(), Some("r3---sn-x.demo"));
    }

    #[test]
    fn what_is_no_name_is_no_name() {
        for typed in ["", ".", "a..b", "a b", "a/b", "ü/b", "a\0b", ".a", "ü..b", "a_b.demo", "ü "]
        {
            assert_eq!(mapped(typed), None, "{typed:?}");
        }
        assert_eq!(mapped(&"a".repeat(64)), None);
        assert_eq!(mapped(&"ü".repeat(64)), None);
        assert_eq!(mapped(&format!("{}a", "a.".repeat(127))), None);
        assert!(mapped(&format!("{}a.", "a.".repeat(126))).is_some());
    }
}
