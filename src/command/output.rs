//! Writes to standard output; a reader that has gone away (`| head`) is not an error.

use std::io::{self, IsTerminal};

use super::Failure;
pub(super) use crate::serving::programs::print;

/// Writes an answer of port 43: as it is, but for a terminal without carriage returns and without
/// the control characters by which a server could play with it.
pub(super) fn print_answer(answer: &[u8]) -> Result<(), Failure> {
    if io::stdout().is_terminal() { print(&for_terminal(answer)) } else { print(answer) }
}

fn for_terminal(answer: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer).replace("\r\n", "\n");
    text.replace(|c: char| c.is_control() && c != '\n', " ").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_line_feeds_and_no_control_characters() {
        assert_eq!(for_terminal(b"a: \x1b[2Jb\r\nc\r\n"), b"a:  [2Jb\nc\n");
        assert_eq!(for_terminal("ü\r\n".as_bytes()), "ü\n".as_bytes());
    }
}
