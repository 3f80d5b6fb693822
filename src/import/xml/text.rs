//! Texts as their types want them.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

/// Bit of [`CLASSES`]: collapsing may have to do something about the byte. 0xc2 may begin a
/// control character.
pub(super) const UNCLEAN: u8 = 1;
/// Bit of [`CLASSES`]: the byte ends a text, or begins a reference.
pub(super) const MARKUP: u8 = 2;
/// Bit of [`CLASSES`]: the byte ends the value of an attribute.
pub(super) const QUOTE: u8 = 4;

/// What each byte is to a text.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < classes.len() {
        #[expect(clippy::indexing_slicing, reason = "bounded by the loop")]
        let class = &mut classes[byte];
        *class = match byte {
            0..=0x20 | 0x7f | 0xc2 => UNCLEAN,
            // & and <
            0x26 | 0x3c => MARKUP,
            // "
            0x22 => QUOTE,
            _ => 0,
        };
        byte = byte.wrapping_add(1);
    }
    classes
};

/// Length of the start of `bytes` that stays as it is when it is collapsed, before the first byte
/// of the classes of `stop`. Single blanks within are part of it.
pub(super) fn plain_start(bytes: &[u8], stop: u8) -> usize {
    let class = |byte: &u8| CLASSES.get(usize::from(*byte)).copied().unwrap_or(UNCLEAN);
    let stops = |byte: &u8| class(byte) & stop != 0;
    let plain_chunk =
        |chunk: &&[u8; 8]| chunk.iter().fold(0, |all, byte| all | class(byte)) & stop == 0;
    let mut at = 0usize;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        // Eight at a time: a branch for each byte costs more than the look-up.
        let chunks = rest.as_chunks().0.iter().take_while(plain_chunk).count();
        let chunks_bytes = chunks.saturating_mul(8);
        let tail = rest.get(chunks_bytes..).unwrap_or_default();
        let tail_bytes = tail.iter().position(stops).unwrap_or(tail.len());
        let plain = chunks_bytes.saturating_add(tail_bytes);
        at = at.saturating_add(plain);
        match rest.get(plain..) {
            Some([b' ', next, ..]) if at > 0 && !stops(next) => at = at.saturating_add(2),
            _ => return at,
        }
    }
}

/// Collapses white space as xs:token does, and drops control characters; says whether it dropped
/// some.
pub(in crate::import) fn collapse(raw: &str, out: &mut String) -> bool {
    out.clear();
    if plain_start(raw.as_bytes(), UNCLEAN) == raw.len() {
        out.push_str(raw);
        return false;
    }
    let trimmed = raw.trim_matches([' ', '\t', '\r', '\n']);
    let mut dropped = false;
    let mut space = false;
    for character in trimmed.chars() {
        match character {
            ' ' | '\t' | '\r' | '\n' => space = true,
            character if character.is_control() => dropped = true,
            character => {
                if space && !out.is_empty() {
                    out.push(' ');
                }
                space = false;
                out.push(character);
            }
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_collapsing_leaves_alone_is_found_in_one_pass() {
        let all = UNCLEAN | MARKUP;
        for (text, plain) in [
            ("", 0),
            ("abc", 3),
            ("a b c</x>", 5),
            (" a", 0),
            ("a ", 1),
            ("a <", 1),
            ("a  b", 1),
            ("a &amp;", 1),
            ("a&amp;", 1),
            ("a\tb", 1),
            ("ü ß", 5),
            ("a\u{85}", 1),
        ] {
            assert_eq!(plain_start(text.as_bytes(), all), plain, "{text:?}");
        }
        assert_eq!(plain_start(b"a<b&c", UNCLEAN), 5);
    }

    #[test]
    fn texts_come_out_with_single_blanks_and_without_controls() {
        let mut out = String::new();
        for (raw, clean, dropped) in [
            ("a b", "a b", false),
            (" a  b\n", "a b", false),
            ("a\tb", "a b", false),
            ("a\u{1}b\u{85} ", "ab", true),
            ("\u{a0}é", "\u{a0}é", false),
            ("  ", "", false),
        ] {
            assert_eq!(collapse(raw, &mut out), dropped, "{raw:?}");
            assert_eq!(out, clean, "{raw:?}");
        }
    }
}
