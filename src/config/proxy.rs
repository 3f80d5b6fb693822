//! `[[proxy]]`: which listeners stand behind balancers that speak the PROXY protocol, and whom they
//! believe.
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
use crate::policy::lists::unmapped;
use crate::port43::proxy::{FROM_COUNT_MAX, Rule};

/// A value that cannot be used.
pub(super) struct Refused {
    /// The key with its table, which is counted from 1.
    pub(super) key: String,
    /// Where it is written; `None` if it is missing.
    pub(super) span: Option<Range<usize>>,
    pub(super) problem: String,
}

/// The rules of the tables, for a server that listens on `listen`, and what cannot be used.
pub(super) fn rules(tables: &[file::Proxy], listen: &[SocketAddr]) -> (Vec<Rule>, Vec<Refused>) {
    let (mut rules, mut all) = (Vec::<Rule>::new(), Vec::new());
    for (index, table) in (1..).zip(tables) {
        match rule(index, table, listen) {
            Ok(rule) if rules.iter().any(|other| other.listen == rule.listen) => {
                let span = table.listen.as_ref().map(Spanned::span);
                let problem = format!("{} has a table already; name all peers there", rule.listen);
                all.push(Refused { key: format!("proxy[{index}].listen"), span, problem });
            }
            Ok(rule) => rules.push(rule),
            Err(refused) => all.push(refused),
        }
    }
    (rules, all)
}

fn rule(index: usize, table: &file::Proxy, listen: &[SocketAddr]) -> Result<Rule, Refused> {
    let refused = |name: &str, span: Option<Range<usize>>, problem: String| Refused {
        key: format!("proxy[{index}].{name}"),
        span,
        problem,
    };
    let missing = |name: &str, example: &str| {
        refused(name, None, format!("is not set; write {name} = {example}"))
    };
    let text = table.listen.as_ref().ok_or_else(|| missing("listen", "\"192.0.2.1:43\""))?;
    let listener = text.get_ref().parse().ok().filter(|address| listen.contains(address));
    let Some(listener) = listener else {
        let all: Vec<_> = listen.iter().map(ToString::to_string).collect();
        let (got, all) = (text.get_ref(), all.join(", "));
        let problem = format!("{got:?} is not listened on; server.listen has {all}");
        return Err(refused("listen", Some(text.span()), problem));
    };
    let from = table.from.as_ref().ok_or_else(|| missing("from", "[\"10.0.0.0/8\"]"))?;
    let count = from.get_ref().len();
    if count == 0 || count > FROM_COUNT_MAX {
        let problem = format!("{count} networks, expected 1 to {FROM_COUNT_MAX}");
        return Err(refused("from", Some(from.span()), problem));
    }
    let network = |text: &Spanned<String>| {
        network(text.get_ref()).map_err(|problem| refused("from", Some(text.span()), problem))
    };
    let from = from.get_ref().iter().map(network).collect::<Result<_, _>>()?;
    let header = table.header.as_ref().ok_or_else(|| missing("header", "\"v2\""))?;
    let word = header.get_ref().parse();
    let header = word.map_err(|problem| refused("header", Some(header.span()), problem))?;
    Ok(Rule { listen: listener, from, header })
}

/// A network of balancers, or the address of one.
fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let Ok(network) = text.parse::<IpNet>().or(address) else {
        return Err(format!("{text:?} is no network; write \"10.0.0.0/8\" or \"2001:db8::1\""));
    };
    let network = unmapped(network);
    if network != network.trunc() {
        let whole = network.trunc();
        return Err(format!(
            "{text} has bits behind its prefix; write \"{whole}\" for the network"
        ));
    }
    if network.prefix_len() == 0 {
        return Err(format!(
            "{text} is everybody, who could then say to be anybody; name balancers"
        ));
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
