//! WHOIS servers and URLs of registrars in the form that programs follow: a bare host name; a URL
//! with its scheme.
//!
//! # Invariants
//!
//! - [`whois_server`] and [`url`] change nothing in their own output.
//!
//! # Does not
//!
//! Look anything up: a host may not exist.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use snapshot_format::limits::TEXT_BYTES_MAX;
use snapshot_format::object::Registrar;

use super::findings::Defects;
use super::rule::Rule;
use super::value::{self, Read};

/// Most repeated schemes that are taken off.
const SCHEMES_MAX: usize = 4;

/// What a text is to a program that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// Of the right form as it is.
    Right,
    /// This is the right form of it.
    Other(String),
    /// There is none.
    None,
}

impl Form {
    /// What `text`, which is of this form, is to be.
    fn of(self, text: &str) -> Option<String> {
        match self {
            Self::Right => Some(text.to_owned()),
            Self::Other(right) => Some(right),
            Self::None => None,
        }
    }
}

/// Brings a registrar's WHOIS server and URLs into the form that programs follow; a text that
/// cannot be followed is removed. Deposits, change records and the publisher all come here; the
/// configuration has the same forms.
pub(crate) fn registrar(registrar: &mut Registrar, defects: &mut Defects) {
    let Registrar { url, whois_name, whois_url, .. } = registrar;
    let server = (Rule::WhoisServerForm, Rule::WhoisServerBad);
    settle("whoisInfo name", whois_name, whois_server, server, defects);
    for (field, text) in [("url", url), ("whoisInfo url", whois_url)] {
        settle(field, text, self::url, (Rule::UrlForm, Rule::UrlBad), defects);
    }
}

fn settle(
    field: &'static str,
    text: &mut String,
    form: fn(&str) -> Form,
    (other, none): (Rule, Rule),
    defects: &mut Defects,
) {
    if text.is_empty() {
        return;
    }
    let (rule, right) = match form(text) {
        Form::Right => return,
        Form::Other(right) if right.len() <= TEXT_BYTES_MAX => (other, right),
        Form::Other(_) | Form::None => (none, String::new()),
    };
    defects.add(rule, field, std::mem::replace(text, right));
}

/// A registrar's WHOIS server as records have it; `None` if programs cannot follow it.
pub(crate) fn whois_server_in_form(text: &str) -> Option<String> {
    whois_server(text).of(text)
}

/// A registrar's URL as records have it; `None` if programs cannot follow it.
pub(crate) fn url_in_form(text: &str) -> Option<String> {
    url(text).of(text)
}

/// A WHOIS server as a host name. An address is not one: answers have a host name there (ICANN's
/// grammar of them), and a machine that only an address names is in somebody's own network.
fn whois_server(text: &str) -> Form {
    let mut rest = text.trim();
    for _ in 0..SCHEMES_MAX {
        rest = ["http", "https", "whois", "rwhois"]
            .iter()
            .find_map(|scheme| after_scheme(rest, scheme))
            .unwrap_or(rest);
    }
    // Of several servers the first one.
    let ends = |c: char| matches!(c, '/' | '?' | '#' | ',' | ';') || c.is_whitespace();
    let first = rest.trim_start_matches('/').split(ends).next().unwrap_or_default();
    let host = host_and_port(first).and_then(|(host, _)| host_name(host));
    let Some(host) = host.filter(|host| host.parse::<Ipv4Addr>().is_err()) else {
        return Form::None;
    };
    if text.eq_ignore_ascii_case(&host) { Form::Right } else { Form::Other(host) }
}

/// A URL with the scheme `http` or `https`.
fn url(text: &str) -> Form {
    let trimmed = text.trim();
    let unusable = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '{' | '}' | '|' | '\\')
    };
    if trimmed.contains(unusable) {
        return Form::None;
    }
    let (mut scheme, mut rest) = ("http", trimmed);
    for _ in 0..SCHEMES_MAX {
        let found = ["https", "http"]
            .into_iter()
            .find_map(|scheme| Some((scheme, after_scheme(rest, scheme)?)));
        let Some((found, after)) = found else { break };
        (scheme, rest) = (found, after);
    }
    let rest = rest.trim_start_matches('/');
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    // A mail address, or credentials: neither is to be followed.
    let parts = host_and_port(authority).filter(|_| !authority.contains('@'));
    let Some((host, port)) = parts else { return Form::None };
    let Some(host) = ip_literal(host).or_else(|| host_name(host)) else { return Form::None };
    let mut right = format!("{scheme}://{host}");
    if !port.is_empty() {
        right.push(':');
        right.push_str(port);
    }
    let head = right.len();
    right.push_str(path);
    // Scheme and host are the same whatever the case of their letters.
    let start = right.get(..head).unwrap_or_default();
    let same = text.get(..head).is_some_and(|text| text.eq_ignore_ascii_case(start));
    if same && text.get(head..) == Some(path) { Form::Right } else { Form::Other(right) }
}

/// What follows a scheme, also one whose colon or slashes were left out: `http//`, `http:/`.
fn after_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let start = text.get(..scheme.len())?;
    let after = text.get(scheme.len()..).filter(|_| start.eq_ignore_ascii_case(scheme))?;
    match after.strip_prefix(':') {
        // `http:80` would be a host and its port.
        Some(rest) if !rest.starts_with(|c: char| c.is_ascii_digit()) => {
            Some(rest.trim_start_matches('/'))
        }
        Some(_) => None,
        None => after.strip_prefix("//").map(|rest| rest.trim_start_matches('/')),
    }
}

/// A host, and its port if it has one, 1 to 65,535.
fn host_and_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (text, ""),
    };
    let digits = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_port = port.is_empty() || (digits && port.parse::<NonZeroU16>().is_ok());
    is_port.then_some((host, port))
}

/// A host name in A-label form: at least two labels, or an IPv4 address.
fn host_name(text: &str) -> Option<String> {
    let mut host = String::new();
    if value::name(text, &mut host) == Read::Bad {
        return None;
    }
    let (_, last) = host.rsplit_once('.')?;
    let number = last.bytes().all(|byte| byte.is_ascii_digit());
    (!number || host.parse::<Ipv4Addr>().is_ok()).then_some(host)
}

/// An IPv6 address in brackets.
fn ip_literal(text: &str) -> Option<String> {
    let address = text.strip_prefix('[')?.strip_suffix(']')?;
    address.parse::<Ipv6Addr>().ok().map(|address| format!("[{address}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(form: fn(&str) -> Form, text: &str) -> String {
        match form(text) {
            Form::Right => text.to_owned(),
            Form::Other(right) => {
                assert_ne!(right, text);
                assert_eq!(form(&right), Form::Right, "{right}");
                right
            }
            Form::None => String::new(),
        }
    }

    #[test]
    fn a_whois_server_is_a_bare_host_name() {
        for (text, host) in [
            ("whois.one.example", "whois.one.example"),
            ("WHOIS.One.example", "WHOIS.One.example"),
            ("whois.one.example.", "whois.one.example"),
            ("http://whois.one.example/", "whois.one.example"),
            ("HTTPS://whois.one.example/lookup?d=%s", "whois.one.example"),
            ("whois://whois.one.example:43", "whois.one.example"),
            ("rwhois:whois.one.example", "whois.one.example"),
            ("whois:whois.one.example", "whois.one.example"),
            ("whois.one.example:4343", "whois.one.example"),
            ("who.one.example/", "who.one.example"),
            ("//whois.one.example", "whois.one.example"),
            ("http//whois.one.example", "whois.one.example"),
            (" whois.one.example port 43", "whois.one.example"),
            ("whois.one.example, whois.two.example", "whois.one.example"),
            ("whois.b\u{fc}cher.example", "whois.xn--bcher-kva.example"),
            ("192.0.2.1", ""),
            ("127.0.0.1:43", ""),
            ("whois.one.example:0", ""),
            ("whois.one.example:65536", ""),
            ("n/a", ""),
            ("none", ""),
            ("-", ""),
            ("whois", ""),
            ("1.2.3", ""),
            ("help@one.example", ""),
            ("http://", ""),
            ("2001:db8::1", ""),
            ("[2001:db8::1]:43", ""),
            ("a..example", ""),
        ] {
            assert_eq!(shown(whois_server, text), host, "{text}");
        }
    }

    #[test]
    fn a_url_has_its_scheme_and_a_host() {
        for (text, url) in [
            ("http://www.one.example", "http://www.one.example"),
            ("https://www.one.example/a?b=c#d", "https://www.one.example/a?b=c#d"),
            ("HTTPS://WWW.one.example/A", "HTTPS://WWW.one.example/A"),
            ("http://one.example:8080/", "http://one.example:8080/"),
            ("http://[2001:db8::1]/", "http://[2001:db8::1]/"),
            ("http://192.0.2.1/", "http://192.0.2.1/"),
            ("www.one.example", "http://www.one.example"),
            ("one.example/contact", "http://one.example/contact"),
            ("one.example:8080/x", "http://one.example:8080/x"),
            ("//one.example", "http://one.example"),
            ("http//one.example", "http://one.example"),
            ("https:/one.example", "https://one.example"),
            ("https:one.example", "https://one.example"),
            ("http:///one.example", "http://one.example"),
            ("http://http://one.example/x", "http://one.example/x"),
            ("http://https://one.example", "https://one.example"),
            ("http://one.example.", "http://one.example"),
            ("https://b\u{fc}cher.example/\u{fc}", "https://xn--bcher-kva.example/\u{fc}"),
            (" http://one.example", "http://one.example"),
            ("n/a", ""),
            ("none", ""),
            ("http://", ""),
            ("http://localhost", ""),
            ("ftp://one.example", ""),
            ("mailto:help@one.example", ""),
            ("help@one.example", ""),
            ("http://user:word@one.example/", ""),
            ("http://one example", ""),
            ("http://one.example/<b>", ""),
            ("http://one.example:65535/", "http://one.example:65535/"),
            ("http://one.example:/", "http://one.example/"),
            ("http://one.example:99x/", ""),
            ("http://one.example:99999/", ""),
            ("http://one.example:0/", ""),
            ("javascript:alert(1)", ""),
        ] {
            assert_eq!(shown(self::url, text), url, "{text}");
        }
    }

    #[test]
    fn what_is_changed_or_taken_away_is_a_defect_of_its_field() {
        let mut one = Registrar {
            url: "www.one.example".to_owned(),
            whois_name: "whois.one.example:43".to_owned(),
            whois_url: "n/a".to_owned(),
            ..Registrar::default()
        };
        let mut defects = Defects::default();
        registrar(&mut one, &mut defects);
        assert_eq!(one.url, "http://www.one.example");
        assert_eq!(one.whois_name, "whois.one.example");
        assert_eq!(one.whois_url, "");
        let said: Vec<_> = defects.list.iter().map(|one| (one.rule, &*one.got)).collect();
        let expected = [
            (Rule::WhoisServerForm, "whois.one.example:43"),
            (Rule::UrlForm, "www.one.example"),
            (Rule::UrlBad, "n/a"),
        ];
        assert_eq!(said, expected);
        registrar(&mut one, &mut defects);
        assert_eq!(defects.list.len(), 3);
        // A text that would grow beyond its bound is removed.
        one.url = format!("one.example/{}", "x".repeat(TEXT_BYTES_MAX - 12));
        registrar(&mut one, &mut defects);
        assert_eq!(one.url, "");
    }
}
