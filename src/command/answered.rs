//! The exit status that says how a query was answered: one rule for `query`, which has the bytes,
//! and for `lookup` and `policy simulate`, which have the outcome.
//!
//! # Does not
//!
//! Print the answer.

use super::Failure;
use crate::policy::phrases::{FREE, FREE_AT_START, KEYS, LAST_UPDATE, folded};
use crate::query::whois::{AnswerResult, Refusal};

/// The line of a name that is kept back.
const RESERVED: &str = "reserved name:";

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

/// How a query of a server ends: by the lines before its last-update line, since a header may come
/// before them, and legal texts after them.
pub(super) fn of_bytes(answer: &[u8]) -> Result<(), Failure> {
    let answer = String::from_utf8_lossy(answer);
    let lines = answer.lines().map(folded).take_while(|line| !line.starts_with(LAST_UPDATE));
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with("%error:internal") {
            return Err(damaged());
        }
        let refused = line.starts_with("%error:") || line.starts_with(RESERVED);
        if refused || begins_as_free(line, index == 0) {
            return Err(Failure::nothing_found());
        }
    }
    // A record may hold such words anywhere, as the header of another server before it may.
    let is_record = lines.iter().any(|line| KEYS.iter().any(|key| line.starts_with(key)));
    if !is_record && lines.iter().any(|line| holds_free(line)) {
        return Err(Failure::nothing_found());
    }
    Ok(())
}

/// Whether a line begins with words for a free name, perhaps as a comment.
fn begins_as_free(line: &str, is_first: bool) -> bool {
    let said = line.trim_start_matches(['%', '#', '*', ' ']);
    FREE.iter().any(|phrase| said.starts_with(phrase))
        || said.trim_end_matches(['.', '!']) == FREE_AT_START
        || (is_first && said.starts_with(FREE_AT_START))
}

/// Whether a line holds words for a free name, other than in the value of a key.
fn holds_free(line: &str) -> bool {
    let key = line.find(':').unwrap_or(line.len());
    FREE.iter().any(|phrase| line.find(phrase).is_some_and(|at| at < key))
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
            (">>> Welcome <<<\r\n\r\nNo Data Found\r\n>>> Last update\r\n", 4),
            ("AVAILABLE\r\n>>> Last update\r\n", 4),
            ("Welcome.\r\n\r\nAvailable.\r\n", 4),
            ("Available for all names\r\n", 4),
            ("Domain x.demo is available for registration\r\n", 4),
            ("Domain: x.de\nStatus: free\n", 4),
            ("%% No entries found in the selected source(s).\n", 4),
            ("Domain Name: x.demo\r\nRegistrant Name: No Match\r\nTier: is free\r\n", 0),
            ("% More is available at the site.\n\ndomain: x.fr\n", 0),
            ("Contact Name: Not Found\r\nAvailable From: 2020\r\n", 0),
            ("", 0),
        ] {
            assert_eq!(status(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn every_phrase_of_a_free_name_is_known_as_a_comment_too() {
        for phrase in FREE.iter().chain([&FREE_AT_START]) {
            for text in [(*phrase).to_owned(), format!("% {phrase}."), format!("%{phrase}")] {
                let answer = format!("Welcome.\r\n\r\n{text}\r\n% Domain.\r\n>>> Last update\r\n");
                assert_eq!(status(&answer), 4, "{answer}");
            }
            let inside = format!("This name {phrase}\r\n>>> Last update\r\n");
            assert_eq!(status(&inside), if *phrase == FREE_AT_START { 0 } else { 4 }, "{inside}");
        }
    }
}
