//! Values of a deposit: numbers, names, addresses, digests, and the forms of texts.
//!
//! # Invariants
//!
//! - Nothing here panics, whatever the bytes.
//! - A name that comes out of [`name`] is an A-label form: lower case, no final dot, at most 253
//!   bytes, labels of 1 to 63 bytes.
//!
//! # Does not
//!
//! Report: callers turn an outcome into a finding.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::idn;

/// Longest domain name without a final dot, bytes (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 253;
/// Longest label, bytes (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A value as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read<T> {
    /// As it should be.
    Good(T),
    /// Usable, but not of the expected form.
    Odd(T),
    /// Unusable.
    Bad,
}

/// Reads a domain name into `out`: A-label form, lower case, no final dot. `Odd`: it was in
/// Unicode. `out` is unspecified when the outcome is `Bad`.
pub(crate) fn name(text: &str, out: &mut String) -> Read<()> {
    out.clear();
    let text = text.strip_suffix('.').unwrap_or(text);
    if !text.is_ascii() {
        return match idn::to_ascii(text) {
            Some(ascii) if is_name(ascii.as_str()) => {
                out.push_str(ascii.as_str());
                Read::Odd(())
            }
            _ => Read::Bad,
        };
    }
    if !is_name(text) {
        return Read::Bad;
    }
    out.push_str(text);
    out.make_ascii_lowercase();
    Read::Good(())
}

/// Whether `text` is a host name: labels of letters, digits, hyphens and underscores.
fn is_name(text: &str) -> bool {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return false;
    }
    let of_name = |&byte: &u8| NAME_BYTES.get(usize::from(byte)).copied().unwrap_or(false);
    // To the end, without a branch for each byte: texts that are not names are rare.
    text.as_bytes().iter().fold(true, |all, byte| all & of_name(byte))
        && text.as_bytes().split(|&byte| byte == b'.').all(|label| {
            (1..=LABEL_BYTES_MAX).contains(&label.len())
                && !label.starts_with(b"-")
                && !label.ends_with(b"-")
        })
}

/// Bytes of labels, and the dot between them; a table, since an import looks at hundreds of
/// millions of them.
const NAME_BYTES: [bool; 256] = {
    let mut bytes = [false; 256];
    let mut byte = 0;
    while byte < u8::MAX {
        #[expect(clippy::indexing_slicing, reason = "there are 256 bytes")]
        let known = &mut bytes[byte as usize];
        *known = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        byte = byte.wrapping_add(1);
    }
    bytes
};

/// Whether a name in A-label form has an internationalised label.
pub(crate) fn is_idn(name: &str) -> bool {
    name.as_bytes().split(|&byte| byte == b'.').any(|label| label.starts_with(b"xn--"))
}

/// The Unicode form of a name in A-label form: `None` if one of its `xn--` labels is no A-label.
pub(crate) fn unicode(name: &str) -> Option<String> {
    idn::unicode(name).map(|unicode| unicode.as_str().to_owned())
}

/// Whether `u_name` is a Unicode form of `name`.
pub(crate) fn is_unicode_of(u_name: &str, name: &str) -> bool {
    idn::to_ascii(u_name).is_some_and(|ascii| ascii.as_str() == name)
}

/// Reads base64 (RFC 4648 section 4); white space within is skipped, as xs:base64Binary does.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut held, mut padding) = (0u32, 0u32, 0u32);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding = padding.saturating_add(1);
                continue;
            }
            b' ' => continue,
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = (bits.wrapping_shl(6) | u32::from(six)) & 0xff_ffff;
        held = held.wrapping_add(6);
        if held >= 8 {
            held = held.wrapping_sub(8);
            out.push(u8::try_from(bits.wrapping_shr(held) & 0xff).ok()?);
        }
    }
    let complete = match held {
        0 => padding == 0,
        4 => padding == 2,
        2 => padding == 1,
        _ => false,
    };
    (complete && !out.is_empty()).then_some(out)
}

/// Reads an integer as XML Schema writes one: a sign and leading zeros are allowed.
pub(crate) fn integer<T: std::str::FromStr>(text: &str) -> Option<T> {
    // The one negative number that every type of the schemas has.
    let zero = |digits: &&str| !digits.is_empty() && digits.bytes().all(|byte| byte == b'0');
    text.strip_prefix('-').filter(zero).unwrap_or(text).parse().ok()
}

/// Reads an xs:boolean.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Whether `text` is a repository object identifier (RFC 5730 section 2.8).
pub(crate) fn is_roid(text: &str) -> bool {
    let Some((local, repository)) = text.rsplit_once('-') else { return false };
    let word = |c: char| c.is_alphanumeric() || c == '_';
    (1..=80).contains(&local.chars().count())
        && local.chars().all(word)
        && (1..=8).contains(&repository.chars().count())
        && repository.chars().all(word)
}

/// Whether `text` is a telephone number of EPP (RFC 5733 section 2.5).
pub(crate) fn is_phone(text: &str) -> bool {
    let Some((country, number)) = text.strip_prefix('+').and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    let digits = |part: &str, max: usize| {
        (1..=max).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    digits(country, 3) && digits(number, 14) && text.len() <= 17
}

/// Whether `text` has the outline of an electronic mail address.
pub(crate) fn is_email(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains("..") && !text.contains(' ')
    })
}

/// Whether `text` is a country code of ISO 3166-1 alpha-2, or one that it reserves for a use in
/// addresses (`EU`, `UK`).
pub(crate) fn is_country(text: &str) -> bool {
    let [first @ b'A'..=b'Z', second @ b'A'..=b'Z'] = text.as_bytes() else { return false };
    let row = COUNTRY_BITS.get(usize::from(first.wrapping_sub(b'A'))).copied().unwrap_or(0);
    row.wrapping_shr(second.wrapping_sub(b'A').into()) & 1 == 1
}

/// A row for each first letter, a bit for each second one.
const COUNTRY_BITS: [u32; 26] = {
    let mut rows = [0u32; 26];
    let mut left = COUNTRIES.as_bytes();
    while let [first, second, rest @ ..] = left {
        #[expect(clippy::indexing_slicing, reason = "the codes are letters, checked when compiled")]
        let row = &mut rows[first.wrapping_sub(b'A') as usize];
        *row |= 1u32.wrapping_shl(second.wrapping_sub(b'A') as u32);
        left = rest;
    }
    rows
};

/// ISO 3166-1 alpha-2 codes, one after another, then `EU` and `UK`.
const COUNTRIES: &str = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBW\
BYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGI\
GLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLR\
LSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPL\
PMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTV\
TWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZWEUUK";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_signs_and_leading_zeros_as_in_xml_schema() {
        assert_eq!(integer::<u32>("+0008"), Some(8));
        assert_eq!(integer::<u16>("-00"), Some(0));
        assert_eq!(integer::<u8>("007"), Some(7));
        for bad in ["", "-", "+", "-1", "1.0", "0x1", "1 0", "--0", "+-0", "70000"] {
            assert_eq!(integer::<u16>(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_are_lower_case_a_labels_without_a_final_dot() {
        let mut out = String::new();
        assert_eq!(name("EXAMPLE.Test.", &mut out), Read::Good(()));
        assert_eq!(out, "example.test");
        assert_eq!(name("bücher.test", &mut out), Read::Odd(()));
        assert_eq!(out, "xn--bcher-kva.test");
        let long = format!("{}.test", "a".repeat(64));
        for bad in ["", ".", "a..b", "-a.b", "a-.b", "a b", "a.b..", ".a", "a.-", &long] {
            assert_eq!(name(bad, &mut out), Read::Bad, "{bad}");
        }
    }

    #[test]
    fn a_labels_decode_and_encode_again_to_themselves() {
        assert!(is_idn("a.xn--bcher-kva.test") && !is_idn("axn--b.test"));
        assert_eq!(unicode("xn--bcher-kva.test").as_deref(), Some("bücher.test"));
        assert_eq!(unicode("xn--a.test"), None);
        assert_eq!(unicode("xn--abc-.test"), None);
        assert!(is_unicode_of("Bücher.test", "xn--bcher-kva.test"));
        assert!(!is_unicode_of("bucher.test", "xn--bcher-kva.test"));
    }

    #[test]
    fn keys_and_forms_are_read() {
        assert_eq!(base64("AwEAAQ=="), Some(vec![3, 1, 0, 1]));
        assert_eq!(base64("Aw EA AQ=="), Some(vec![3, 1, 0, 1]));
        assert_eq!(
            (base64("A"), base64("AwEAAQ"), base64("A=wE"), base64("=")),
            (None, None, None, None)
        );
        assert!(is_roid("Dexample1-TEST") && !is_roid("Dexample1") && !is_roid("a-TOOLONGREP"));
        assert!(is_phone("+1.7035555555") && !is_phone("+1 703") && !is_phone("+1."));
        assert!(is_email("a@b") && !is_email("a") && !is_email("@b") && !is_email("a b@c"));
        assert!(is_country("US") && is_country("ZW") && !is_country("XX") && !is_country("us"));
        assert_eq!(COUNTRIES.len(), (249 + 2) * 2);
    }
}
