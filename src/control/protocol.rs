//! Requests and replies of the control socket: one JSON object a line.
//!
//! ```text
//! {"command":"block","prefix":"192.0.2.0/24","seconds":3600,"reason":"floods"}
//! {"ok":{"prefix":"192.0.2.0/24","until":"2027-01-01T00:00:00Z",...}}
//! {"error":"..."}
//! ```
//!
//! # Does not
//!
//! Check what a request asks for: the handler does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ControlError;

/// Longest request with its line end, bytes: a reason and a prefix are a few hundred.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;
/// Longest reply that a client takes, bytes: a full `list` is a few million.
pub(super) const REPLY_BYTES_MAX: usize = 64 << 20;

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Blocks and entries of lists in force.
    List,
    /// Refuse the queries of a prefix for a time.
    Block {
        /// The prefix, or one address.
        prefix: String,
        /// For how long; `None`: an hour.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// Why; refusals show it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// End a block.
    Unblock {
        /// The prefix, as `list` shows it.
        prefix: String,
    },
    /// What applies to an address, and why.
    Explain {
        /// The address.
        address: IpAddr,
    },
    /// Read configuration and lists again.
    Reload,
    /// How the server is.
    Status,
    /// Figures of its shards.
    Figures,
}

/// Carries requests out, one or several at a time, on a thread that may wait.
pub trait Handler: Send + Sync {
    /// Does what is asked.
    ///
    /// # Errors
    ///
    /// Why it cannot be done, in words for people.
    fn handle(&self, request: Request) -> Result<Value, ControlError>;
}

/// Reads a line of a client.
pub(super) fn read_request(line: &[u8]) -> Result<Request, ControlError> {
    serde_json::from_slice(line).map_err(|source| ControlError::NoRequest { source })
}

/// A reply as a line.
pub(super) fn reply_line(outcome: Result<Value, ControlError>) -> Vec<u8> {
    let reply = match outcome {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    let mut line = reply.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// What a server has replied.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// What comes of the request.
    Done(Value),
    /// Why it is not carried out, in the server's words.
    Refused(String),
    /// Neither: another program answers.
    Neither,
}

/// Reads a line of the server.
pub(super) fn read_reply(line: &[u8]) -> Result<Reply, serde_json::Error> {
    let mut reply: Value = serde_json::from_slice(line)?;
    if let Some(Value::String(problem)) = reply.get("error") {
        return Ok(Reply::Refused(problem.clone()));
    }
    Ok(reply.get_mut("ok").map_or(Reply::Neither, |value| Reply::Done(value.take())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_written_and_read_the_same() {
        let block =
            |seconds, reason| Request::Block { prefix: "192.0.2.0/24".to_owned(), seconds, reason };
        for request in [
            Request::List,
            block(None, None),
            block(Some(60), Some("a \"b\"\n".to_owned())),
            Request::Unblock { prefix: "::1".to_owned() },
            Request::Explain { address: "2001:db8::1".parse().unwrap() },
            Request::Reload,
            Request::Status,
            Request::Figures,
        ] {
            let line = serde_json::to_string(&request).unwrap();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(read_request(line.as_bytes()).unwrap(), request, "{line}");
        }
    }

    #[test]
    fn what_is_no_request_is_named() {
        for (line, part) in [
            ("", "no request: EOF"),
            ("{\"command\":\"halt\"}", "unknown variant `halt`, expected one of `list`"),
            ("{\"command\":\"unblock\"}", "missing field `prefix`"),
            ("{\"command\":\"unblock\",\"prefix\":\"a\",\"x\":1}", "unknown field `x`"),
            ("{\"command\":\"explain\",\"address\":\"a\"}", "invalid IP address"),
        ] {
            let error = read_request(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn a_reply_is_a_value_or_a_reason() {
        let read = |outcome| read_reply(&reply_line(outcome)).unwrap();
        assert_eq!(read(Ok(json!({"a": 1}))), Reply::Done(json!({"a": 1})));
        let refused = read(Err(ControlError::Ending));
        assert_eq!(refused, Reply::Refused("the server is ending".to_owned()));
        assert_eq!(read_reply(b"{}").unwrap(), Reply::Neither);
        assert!(read_reply(b"{").is_err());
    }
}
