//! `[[proxy]]`: which listeners are behind balancers that speak the PROXY protocol, and which peers
//! they believe.
//!
//! # Does not
//!
//! Know what a header looks like.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use ipnet::IpNet;
use serde::Serialize;
use toml::Spanned;

use super::file;
use super::value::{Refused, ValueError};
use crate::bounds::UnknownWord;
use crate::policy::lists::unmapped;
use crate::port43::proxy::{Expected, FROM_COUNT_MAX, Rule};

/// The listeners of port 43, and those of RDAP.
type Listeners<'a> = [&'a [SocketAddr]; 2];

/// The rules of the tables, for servers that listen on `listen`, and all that cannot be used.
/// Where they listen is `None` if that cannot be used itself: then nothing is held against it.
pub(super) fn rules(
    tables: &[file::Proxy],
    listen: Option<Listeners<'_>>,
) -> (Vec<Rule>, Vec<Refused>) {
    let (mut rules, mut all, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for (index, table) in (1..).zip(tables) {
        let refused = |name: &str, span: Option<Range<usize>>, problem: ValueError| Refused {
            key: format!("proxy[{index}].{name}"),
            span,
            problem: Box::new(problem),
        };
        let mut noted = |refused: Refused| all.push(refused);
        let listener = listener(table, listen, &refused).and_then(|listener| {
            if seen.contains(&listener) {
                let problem = ValueError::ProxyTwice { listener };
                return Err(refused("listen", table.listen.as_ref().map(Spanned::span), problem));
            }
            seen.push(listener);
            Ok(listener)
        });
        let listener = listener.map_err(&mut noted).ok();
        let from = from(table, &refused, &mut noted);
        let header = header(table, &refused).map_err(noted).ok();
        if let (Some(listen), Some(from), Some(header)) = (listener, from, header) {
            rules.push(Rule { listen, from, header });
        }
    }
    (rules, all)
}

/// Makes an error of a key of the table, where it stands, and what is wrong.
type Refuse<'r> = &'r dyn Fn(&str, Option<Range<usize>>, ValueError) -> Refused;

fn missing(name: &'static str, example: &'static str, refused: Refuse<'_>) -> Refused {
    refused(name, None, ValueError::Unset { name, example })
}

fn listener(
    table: &file::Proxy,
    listen: Option<Listeners<'_>>,
    refused: Refuse<'_>,
) -> Result<SocketAddr, Refused> {
    let missing = || missing("listen", "\"192.0.2.1:43\"", refused);
    let text = table.listen.as_ref().ok_or_else(missing)?;
    let (got, parsed) = (text.get_ref(), text.get_ref().parse::<SocketAddr>());
    let problem = match (parsed, listen) {
        (Ok(address), None) => return Ok(address),
        (Ok(address), Some(listen)) if listen.concat().contains(&address) => return Ok(address),
        (Err(_), None) => no_address(got),
        (_, Some(listen)) => {
            let [port43, web] = listen.map(<[_]>::to_vec);
            ValueError::NotListened { got: got.clone(), port43, web }
        }
    };
    Err(refused("listen", Some(text.span()), problem))
}

/// The networks; each text that is not one is noted.
fn from(
    table: &file::Proxy,
    refused: Refuse<'_>,
    noted: &mut dyn FnMut(Refused),
) -> Option<Vec<IpNet>> {
    let Some(from) = &table.from else {
        noted(missing("from", "[\"10.0.0.0/8\"]", refused));
        return None;
    };
    let count = from.get_ref().len();
    if count == 0 || count > FROM_COUNT_MAX {
        let problem = ValueError::Count { got: count, what: "networks", max: FROM_COUNT_MAX };
        noted(refused("from", Some(from.span()), problem));
        return None;
    }
    let mut networks = Vec::with_capacity(count);
    for text in from.get_ref() {
        match network(text.get_ref()) {
            Ok(network) => networks.push(network),
            Err(error) => noted(refused("from", Some(text.span()), error)),
        }
    }
    (networks.len() == count).then_some(networks)
}

fn header(table: &file::Proxy, refused: Refuse<'_>) -> Result<Expected, Refused> {
    let header = table.header.as_ref().ok_or_else(|| missing("header", "\"v2\"", refused))?;
    let word = header.get_ref().parse();
    word.map_err(|unknown: UnknownWord| refused("header", Some(header.span()), unknown.into()))
}

/// What is wrong with a text that is not an address to listen on.
pub(super) fn no_address(got: &str) -> ValueError {
    ValueError::Listen { got: got.to_owned() }
}

/// A network of balancers, or the address of one.
pub(super) fn network(text: &str) -> Result<IpNet, ValueError> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let Ok(network) = text.parse::<IpNet>().or(address) else {
        return Err(ValueError::Network { text: text.to_owned() });
    };
    let network = unmapped(network);
    if network != network.trunc() {
        return Err(ValueError::HostBits { text: text.to_owned(), network });
    }
    if network.prefix_len() == 0 {
        return Err(ValueError::Everybody { text: text.to_owned() });
    }
    Ok(network)
}

/// A rule as it is written.
#[derive(Serialize)]
pub(super) struct Shown {
    listen: String,
    from: Vec<String>,
    header: &'static str,
}

/// The rules as tables again.
pub(super) fn shown(rules: &[Rule]) -> Vec<Shown> {
    let shown = |rule: &Rule| Shown {
        listen: rule.listen.to_string(),
        from: rule.from.iter().map(ToString::to_string).collect(),
        header: rule.header.word(),
    };
    rules.iter().map(shown).collect()
}
