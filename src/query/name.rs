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

use crate::idn;

pub(super) use crate::idn::Name;

const LABEL_BYTES_MAX: usize = 63;

/// Maps a typed name: ASCII is folded to lower case, anything else goes through UTS 46
/// (non-transitional), label by label. `None` if it is not a domain name. Names of hosts may have
/// underscores.
pub(super) fn canonical(typed: &str) -> Option<Name> {
    let mut name = Name::new();
    map(typed, &mut name).then_some(name)
}

/// As [`canonical`], in the room that the caller has; `false` if it is not a domain name, and
/// `name` holds nothing of use then.
#[inline]
pub(super) fn map(typed: &str, name: &mut Name) -> bool {
    if typed.is_ascii() {
        return of_ascii(typed.strip_suffix('.').unwrap_or(typed).as_bytes(), name);
    }
    let mapped = idn::typed_to_ascii(typed);
    mapped.inspect(|mapped| *name = *mapped).is_some()
}

fn of_ascii(typed: &[u8], name: &mut Name) -> bool {
    name.clear();
    if !name.push_all(typed) {
        return false;
    }
    let mut label_bytes = 0_usize;
    for byte in name.as_bytes_mut() {
        let canonical = CANONICAL.get(usize::from(*byte)).copied().unwrap_or(0);
        if canonical == 0 {
            return false;
        }
        *byte = canonical;
        if canonical != b'.' {
            label_bytes = label_bytes.wrapping_add(1);
            continue;
        }
        if !(1..=LABEL_BYTES_MAX).contains(&label_bytes) {
            return false;
        }
        label_bytes = 0;
    }
    (1..=LABEL_BYTES_MAX).contains(&label_bytes)
}

/// By byte of a typed name: what records have for it; 0 for what no name has.
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const CANONICAL: [u8; 256] = {
    let mut canonical = [0; 256];
    let mut typed = 0_u8;
    while typed.is_ascii() {
        if typed.is_ascii_alphanumeric() || matches!(typed, b'-' | b'_' | b'.') {
            canonical[typed as usize] = typed.to_ascii_lowercase();
        }
        typed += 1;
    }
    canonical
};

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
        for typed in ["", ".", "a..b", "a b", "a/b", "ü/b", "a\0b", ".a", "ü..b", "ü "] {
            assert_eq!(mapped(typed), None, "{typed:?}");
        }
        assert_eq!(mapped(&"a".repeat(64)), None);
        assert_eq!(mapped(&"ü".repeat(64)), None);
        // Beyond what the `idna` crate may write.
        assert_eq!(mapped(&"ü.".repeat(120)), None);
        assert_eq!(mapped(&format!("{}.{}", "é".repeat(50), "ü例".repeat(29))), None);
        assert_eq!(mapped(&format!("{}a", "a.".repeat(127))), None);
        assert!(mapped(&format!("{}a.", "a.".repeat(126))).is_some());
    }
}
