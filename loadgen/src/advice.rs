//! What an operator does about the errors of a run.

use crate::check::{REFUSED_BLOCK, REFUSED_LIMIT, REFUSED_LIST};

/// What to do about an error of a run, where that is known.
pub(crate) fn advice(error: &str) -> Option<&'static str> {
    Some(match error {
        REFUSED_LIMIT => {
            "the server's limits refuse this generator, so the figures are those of refusals; \
             allow its addresses in a list of the server (policy.lists, action = \"allow\"), or \
             measure with limits.mode = \"off\""
        }
        REFUSED_BLOCK => {
            "the server blocks this generator; end that with `whoisd unblock PREFIX`, and allow \
             its addresses in a list (policy.lists, action = \"allow\")"
        }
        REFUSED_LIST => "a list of the server denies this generator; take its addresses out of it",
        "refused" => "nobody listens there: is the server running, and is that its port?",
        "timeout" => {
            "no whole answer within --timeout-ms: the server is overloaded or out of reach"
        }
        "reset" => {
            "the server, or something before it, closes connections: look at its limits and log"
        }
        "unavailable" => {
            "the server says that it cannot answer now (503): its search index may still be built, \
             or it ends"
        }
        "not-found" => {
            "names that exist are 404: is --http-path right, and are --names those of this server?"
        }
        "malformed" => {
            "answers are not of this protocol: is --protocol right, and does the port want --tls?"
        }
        "cut-short" => {
            "the server closes before an answer has ended: is --protocol right? Look at its log"
        }
        "status-4xx" => "the server refuses such requests: is --http-path right, {rdap} in it?",
        "status-5xx" => "the server fails or does not offer this: look at its log",
        "tls-failed" => "TLS cannot be opened: does this port speak it, and know --http-host?",
        "no-http2" => "the server does not speak HTTP/2 over TLS on this port; see --protocol http",
        "not-sent" => {
            "the generator had no free connection: give it more --cores or --in-flight-max"
        }
        "wrong-object" => "answers are not about what was asked: are --names those of this server?",
        "differs" => {
            "answers are not those of --expect-from: is it what the server serves, with --rules?"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_by_policy_has_its_advice() {
        let all = [REFUSED_LIMIT, REFUSED_BLOCK, REFUSED_LIST];
        assert!(all.into_iter().all(|name| advice(name).is_some()));
        assert_eq!(advice("an error of another kind"), None);
    }
}
