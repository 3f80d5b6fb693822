//! The options of HTTP, and the settings that they make.
//!
//! # Does not
//!
//! Speak it: [`crate::http`] does.

use clap::Args;

use crate::http::HttpSettings;
use crate::protocol::Protocol;

/// How HTTP is spoken.
#[derive(Debug, Args)]
pub(super) struct HttpOptions {
    /// What http and http2 ask for; {rdap} in it stands for the query's path of RDAP, {query} for
    /// the query line
    #[arg(long, value_name = "PATH", default_value = "/")]
    http_path: String,
    /// Host of HTTP requests, with its port if that is not the usual one, and server's name in TLS
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    http_host: String,
    /// Speak TLS 1.2 or 1.3; every certificate is taken. A connection resumes an earlier one
    #[arg(long)]
    tls: bool,
    /// Do not resume: each connection makes a whole handshake
    #[arg(long, requires = "tls")]
    tls_whole: bool,
    /// Connections of a core that are kept, and asked on in turn, 1 to 30000; without, each query
    /// has its own. A query that finds none free waits, and counts as late
    #[arg(long, value_name = "COUNT", conflicts_with = "in_flight_max",
        value_parser = clap::value_parser!(u32).range(1..=30_000))]
    pub(super) keep_alive: Option<u32>,
}

impl HttpOptions {
    /// The settings.
    pub(super) fn settings(&self, protocol: Protocol) -> Result<HttpSettings, String> {
        let (path, host) = (&self.http_path, &self.http_host);
        if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("--http-path: {path} is none; / and printable ASCII is allowed"));
        }
        let is_host = |byte: u8| byte.is_ascii_graphic() && !b"/?#@".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_host) {
            return Err(format!("--http-host: {host:?} is none; expected HOST or HOST:PORT"));
        }
        if protocol.http().is_none() {
            let given = [
                (path != "/", "--http-path"),
                (self.tls, "--tls"),
                (self.keep_alive.is_some(), "--keep-alive"),
            ];
            if let Some((_, option)) = given.into_iter().find(|(is_given, _)| *is_given) {
                return Err(format!("{option}: needs --protocol http or http2"));
            }
        }
        Ok(HttpSettings {
            path: path.clone(),
            host: host.clone(),
            is_tls: self.tls,
            resumes: !self.tls_whole,
            is_kept: self.keep_alive.is_some(),
        })
    }

    /// The port of a target that names none.
    pub(super) const fn port(&self, protocol: Protocol) -> u16 {
        match (protocol, self.tls) {
            (Protocol::Whois, _) => 43,
            (Protocol::Dns, _) => 53,
            (Protocol::Http | Protocol::Http2, false) => 80,
            (Protocol::Http | Protocol::Http2, true) => 443,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        http: HttpOptions,
        #[arg(long)]
        in_flight_max: Option<u32>,
    }

    fn settings(protocol: Protocol, line: &str) -> Result<HttpSettings, String> {
        let words = ["x"].into_iter().chain(line.split_ascii_whitespace());
        Line::try_parse_from(words).map_err(|error| error.to_string())?.http.settings(protocol)
    }

    #[test]
    fn options_of_http_are_refused_where_another_protocol_is_spoken() {
        for (line, part) in [
            ("--tls", "--tls: needs --protocol http or http2"),
            ("--keep-alive 4", "--keep-alive: needs --protocol http or http2"),
            ("--http-path /{rdap}", "--http-path: needs --protocol http or http2"),
        ] {
            let error = settings(Protocol::Whois, line).unwrap_err();
            assert!(error.contains(part), "{error}");
            assert!(settings(Protocol::Http, line).is_ok(), "{line}");
        }
        for (line, part) in [
            ("--http-path domain", "--http-path: domain is none"),
            ("--http-host a/b", "--http-host: \"a/b\" is none"),
            ("--tls-whole", "--tls"),
            ("--keep-alive 0", "0 is not in 1..=30000"),
            ("--keep-alive 4 --in-flight-max 4", "cannot be used with"),
        ] {
            let error = settings(Protocol::Http2, line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
