//! Texts as their types want them.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

/// Collapses white space as xs:token does, and drops control characters; says whether it dropped
/// some.
pub(in crate::import) fn collapse(raw: &str, out: &mut String) -> bool {
    out.clear();
    let trimmed = raw.trim_matches([' ', '\t', '\r', '\n']);
    // A single space between words is fine; a second one is not. 0xc2 may begin a control
    // character.
    let mut previous = b'x';
    let mut odd = false;
    for &byte in trimmed.as_bytes() {
        odd |= byte < b' ' || byte == 0x7f || byte == 0xc2 || byte == b' ' && previous == b' ';
        previous = byte;
    }
    if !odd {
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
