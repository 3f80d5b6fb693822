//! Texts as their types want them.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

/// Collapses white space as xs:token does, and drops control characters; says whether it dropped
/// some.
pub(in crate::import) fn collapse(raw: &str, out: &mut String) -> bool {
    out.clear();
    let trimmed = raw.trim_matches([' ', '\t', '\r', '\n']);
    // Without a branch, so that it takes many bytes at a time; 0xc2 may begin a control character.
    let special = |byte: u8| (byte <= b' ') | (byte == 0x7f) | (byte == 0xc2);
    let plain = !trimmed.bytes().fold(false, |found, byte| found | special(byte));
    if plain || has_single_spaces(trimmed) {
        out.push_str(trimmed);
        return false;
    }
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

/// Whether spaces stand alone and nothing else has to be cleaned.
fn has_single_spaces(text: &str) -> bool {
    let mut previous = b'x';
    for byte in text.bytes() {
        if byte < b' ' || byte == 0x7f || byte == 0xc2 || byte == b' ' && previous == b' ' {
            return false;
        }
        previous = byte;
    }
    true
}
