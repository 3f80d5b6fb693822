//! The exit status that says how a query was answered: one rule for `query`, which has the bytes,
//! and for `lookup` and `policy simulate`, which have the outcome.
//!
//! # Does not
//!
//! Print the answer.

use super::Failure;
use crate::query::{AnswerResult, Refusal};

/// Beginnings of lines by which servers say that there is no such record: ours, which the rules
/// of a suffix may replace, and what others say.
const NOTHING: [&[u8]; 7] = [
    b"no data found",
    b"not found",
    b"domain not found",
    b"no match",
    b"no entries found",
    b"no object found",
    b"reserved name:",
];

/// How a look-up ends.
pub(super) fn of_result(result: AnswerResult) -> Result<(), Failure> {
    match result {
        AnswerResult::Found | AnswerResult::Listed | AnswerResult::Help => Ok(()),
        AnswerResult::Refused(Refusal::Damaged) => Err(damaged()),
        AnswerResult::Reserved | AnswerResult::NotFound | AnswerResult::Refused(_) => {
            Err(Failure::nothing_found())
        }
    }
}

/// How a query of a server ends: by the lines before its last-update line, since a header may stand
/// before them, and legal texts behind.
pub(super) fn of_bytes(answer: &[u8]) -> Result<(), Failure> {
    let lines = answer.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    for line in lines.take_while(|line| !line.starts_with(b">>> ")) {
        if line.starts_with(b"%ERROR:INTERNAL") {
            return Err(damaged());
        }
        let begins = |with: &[u8]| {
            line.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
        };
        if line.starts_with(b"%ERROR:") || NOTHING.into_iter().any(begins) {
            return Err(Failure::nothing_found());
        }
    }
    Ok(())
}

fn damaged() -> Failure {
    Failure::refused("a record of the answer is damaged; `whoisd verify` says where")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(answer: &str) -> u8 {
        of_bytes(answer.as_bytes()).map_or_else(|failure| failure.status, |()| 0)
    }

    #[test]
    fn the_bytes_of_an_answer_say_how_a_query_ended() {
        for (answer, expected) in [
            ("Domain Name: example.demo\r\n>>> Last update of WHOIS database: x <<<\r\n", 0),
            ("% Send one line.\r\n>>> Last update\r\n\r\nnot found\r\n", 0),
            ("No Data Found\r\n% Domain not found.\r\n>>> Last update\r\n", 4),
            ("Welcome.\r\n\r\nNo Data Found\r\n", 4),
            ("%ERROR:QUERY several words need a keyword\r\n", 4),
            ("Welcome.\r\n\r\n%ERROR:QUOTA limit=60/min scope=192.0.2.7/32 wait=1\r\n", 4),
            ("%ERROR:INTERNAL the record cannot be read\r\n", 3),
            ("Reserved Name: x.demo\r\n", 4),
            ("NOT FOUND\n", 4),
            ("No match for \"X.COM\".\r\n", 4),
            ("", 0),
        ] {
            assert_eq!(status(answer), expected, "{answer:?}");
        }
    }
}
