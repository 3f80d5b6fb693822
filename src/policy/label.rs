//! Keys of contact lines, ready to be copied.
//!
//! # Does not
//!
//! Know which keys there are: `field` does.

/// Bytes of a [`Label`]; the longest is `Registrant State/Province: `.
pub(crate) const LABEL_BYTES: usize = 32;

/// A key with its colon and a blank, in a piece of fixed size that is copied without a loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label {
    pub(crate) bytes: [u8; LABEL_BYTES],
    /// At most [`LABEL_BYTES`].
    pub(crate) len: usize,
}

impl Label {
    /// The first [`LABEL_BYTES`] of `text`; a test holds that every label fits.
    pub(super) fn new(text: &str) -> Self {
        let mut bytes = [b' '; LABEL_BYTES];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self { bytes, len: text.len().min(LABEL_BYTES) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::contact::{BLOCK, ROLES};

    #[test]
    fn every_label_fits_its_piece() {
        let labels = ROLES.iter().flat_map(|role| BLOCK.iter().map(|row| row.label(*role)));
        for label in labels.map(|label| format!("{label}: ")) {
            let piece = Label::new(&label);
            assert_eq!(&piece.bytes[..piece.len], label.as_bytes());
        }
    }
}
