//! Values that are good each, and cannot be together.
//!
//! # Does not
//!
//! Look at single values against their bounds: `load` does.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::web::Web;
use super::{Effective, Origin, Settings, apart};
use crate::policy::guard::Mode;
use crate::querylog::Privacy;

/// Why two values that are good each cannot be together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The first block would be longer than the longest.
    #[error(
        "{first_s} s is longer than blocks.longest_s, {longest_s} s: the first block is the \
         shortest"
    )]
    FirstBlock {
        /// The first block, seconds.
        first_s: u64,
        /// The longest block, seconds.
        longest_s: u64,
    },
    /// A connection would end before its first byte has to be there.
    #[error(
        "{total_ms} ms are fewer than a client has for its first byte, port43.first_byte_ms = \
         {first_byte_ms}"
    )]
    FirstByte {
        /// Deadline of the connection, milliseconds.
        total_ms: u64,
        /// Deadline of the first byte, milliseconds.
        first_byte_ms: u64,
    },
    /// Both kinds of addresses would be in one set.
    #[error(
        "{set:?} is the set of IPv4 addresses already, policy.nftables.set4; a set of nftables has \
         one kind of addresses"
    )]
    OneSet {
        /// The set.
        set: String,
    },
    /// Less would be kept than one file has.
    #[error("{kept} {unit} are fewer than one file has, {rotate} = {rotated}; 0 keeps all")]
    Kept {
        /// What is kept.
        kept: u64,
        /// What is counted.
        unit: &'static str,
        /// The key that says what a file has.
        rotate: &'static str,
        /// What a file has.
        rotated: u64,
    },
    /// A listener has TLS and lacks a certificate.
    #[error(
        "{address} speaks TLS and needs a certificate; write certificates = [{{ chain = \
         \"/etc/whoisd/tls/chain.pem\", key = \"/etc/whoisd/tls/key.pem\" }}]"
    )]
    NoCertificate {
        /// The listener.
        address: SocketAddr,
    },
    /// There is a certificate, and no listener has TLS.
    #[error("no address speaks TLS; write tls_listen = [\"0.0.0.0:443\", \"[::]:443\"]")]
    NoTls,
    /// Another listener has the address.
    #[error("{address} is taken by {other}, {taken}; choose another port")]
    Taken {
        /// The address.
        address: SocketAddr,
        /// The key of the other listener.
        other: &'static str,
        /// Its address.
        taken: SocketAddr,
    },
    /// Both programs would write one place.
    #[error("{} is {what} of {other} already; name another one", place.display())]
    OneFor {
        /// The place.
        place: PathBuf,
        /// What it is for.
        what: &'static str,
        /// The program that has it.
        other: &'static str,
    },
}

/// The contradictions: the key to change, and what is wrong. Two values contradict each other only
/// if both were set; a default gives way.
pub(super) fn find(effective: &Effective) -> Vec<(&'static str, Contradiction)> {
    let settings = &effective.settings;
    let are_set =
        |keys: [&str; 2]| keys.iter().all(|key| effective.origin(key) != &Origin::Default);
    let mut found = Vec::new();
    listeners(settings, &mut found);
    encrypted(settings, &mut found);
    apart::find(effective, &mut found);
    let terms = &settings.warden.terms;
    if are_set(["blocks.first_s", "blocks.longest_s"]) && terms.first_s > terms.longest_s {
        let (first_s, longest_s) = (terms.first_s, terms.longest_s);
        found.push(("blocks.first_s", Contradiction::FirstBlock { first_s, longest_s }));
    }
    let port43 = &settings.port43;
    if are_set(["port43.total_ms", "port43.first_byte_ms"])
        && port43.total_ms < port43.first_byte_ms
    {
        let (total_ms, first_byte_ms) = (port43.total_ms, port43.first_byte_ms);
        found.push(("port43.total_ms", Contradiction::FirstByte { total_ms, first_byte_ms }));
    }
    if let Some(nftables) = settings.policy.nftables.as_ref()
        && nftables.set4 == nftables.set6
    {
        let set = nftables.set6.clone();
        found.push(("policy.nftables.set6", Contradiction::OneSet { set }));
    }
    let log = &settings.query_log;
    for (keep, kept, rotate, rotated, unit) in [
        ("query_log.keep_s", log.keep_s, "query_log.rotate_s", log.rotate_s, "s"),
        (
            "query_log.keep_bytes",
            log.keep_bytes,
            "query_log.rotate_bytes",
            log.rotate_bytes,
            "bytes",
        ),
    ] {
        if are_set([keep, rotate]) && kept > 0 && kept < rotated {
            found.push((keep, Contradiction::Kept { kept, unit, rotate, rotated }));
        }
    }
    found
}

/// Settings that work, and hardly as they are meant.
pub(super) fn doubtful(settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    prices(settings, &mut found);
    registrars(settings, &mut found);
    let privacy = &settings.query_log.privacy;
    if let (Privacy::None, Some(file)) = (privacy.privacy, &privacy.key_file) {
        let problem = format!(
            "{} is not read: query_log.privacy is \"none\", and the log shows whole addresses",
            file.display()
        );
        found.push(("query_log.privacy_key_file".to_owned(), problem));
    }
    found.into_iter().map(|(key, problem)| format!("{key}: {problem}")).collect()
}

/// Listeners with TLS, and certificates for them: the one needs the other.
fn encrypted(settings: &Settings, found: &mut Vec<(&'static str, Contradiction)>) {
    let web = &settings.web;
    found.extend(match (web.tls_listen.as_slice(), web.certificates.as_slice()) {
        ([address, ..], []) => {
            Some(("web.tls_listen", Contradiction::NoCertificate { address: *address }))
        }
        ([], [_, ..]) => Some(("web.certificates", Contradiction::NoTls)),
        _ => None,
    });
}

/// Listeners of which the second could not be opened.
fn listeners(settings: &Settings, found: &mut Vec<(&'static str, Contradiction)>) {
    let (status, health) = (settings.status_listen, settings.health_listen);
    let port43 = settings.listen.iter().map(|address| ("server.listen", *address));
    let named = [("status.listen", status), ("status.health_listen", health)];
    let mut known: Vec<_> = port43.collect();
    for (key, address) in named {
        let Some(address) = address else { continue };
        if let Some((other, taken)) = known.iter().find(|(_, taken)| overlap(*taken, address)) {
            found.push((key, Contradiction::Taken { address, other, taken: *taken }));
        }
        known.push((key, address));
    }
    of_web(&settings.web, found);
}

/// The same for `whoisd-web`, which is a process of its own.
fn of_web(web: &Web, found: &mut Vec<(&'static str, Contradiction)>) {
    let with = |key, all: &[SocketAddr]| all.iter().map(|at| (key, *at)).collect::<Vec<_>>();
    let mut known = with("web.listen", &web.listen);
    // Listeners of one key may overlap, as those of port 43: 0.0.0.0 beside [::].
    for of_key in [
        with("web.tls_listen", &web.tls_listen),
        with("web.status_listen", web.status_listen.as_slice()),
    ] {
        for (key, address) in &of_key {
            if let Some((other, taken)) = known.iter().find(|(_, taken)| overlap(*taken, *address))
            {
                let (address, taken) = (*address, *taken);
                found.push((key, Contradiction::Taken { address, other, taken }));
            }
        }
        known.extend(of_key);
    }
}

/// Whether two sockets cannot listen at these addresses: `0.0.0.0` has all of IPv4, and `[::]` all
/// of both, unless the system is set otherwise.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    if one.port() != other.port() || one.port() == 0 {
        return false;
    }
    let covers = |whole: IpAddr, part: IpAddr| {
        whole == part
            || (whole.is_unspecified() && (whole.is_ipv6() || whole.is_ipv4() == part.is_ipv4()))
    };
    covers(one.ip(), other.ip()) || covers(other.ip(), one.ip())
}

/// WHOIS servers and URLs that answers show in another form.
fn registrars(settings: &Settings, found: &mut Vec<(String, String)>) {
    for (table, registrar) in (1_usize..).zip(&settings.answers.written().registrar) {
        for (key, text, shown, _) in registrar.followed() {
            let Some(shown) = shown.filter(|shown| !shown.eq_ignore_ascii_case(text)) else {
                continue;
            };
            let problem = format!("{text:?} is shown as {shown:?}");
            found.push((format!("registrar[{table}].{key}"), problem));
        }
    }
}

/// Prices above a burst: such a query costs all of it (`payable`, `policy::limit`), less than was
/// set.
fn prices(settings: &Settings, found: &mut Vec<(String, String)>) {
    let guard = &settings.guard;
    if guard.mode == Mode::Off {
        return;
    }
    let v4 = guard.levels.v4.iter().map(|level| ("v4", level));
    let levels = v4.chain(guard.levels.v6.iter().map(|level| ("v6", level)));
    let Some((family, least)) = levels.min_by_key(|(_, level)| level.burst) else { return };
    let prices = [
        ("limits.price_exact", guard.prices.exact),
        ("limits.price_wildcard", guard.prices.wildcard),
        ("limits.price_contact", guard.prices.contact),
        ("limits.price_address", guard.prices.address),
    ];
    for (key, price) in prices.into_iter().filter(|(_, price)| *price > least.burst) {
        let problem = format!(
            "{price} queries are more than limits.{family}_{}_burst, {}: such a query costs all of \
             the burst, and waits until all of it is there",
            least.length, least.burst
        );
        found.push((key.to_owned(), problem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::display::Answers;
    use crate::policy::display::settings::{Registrar, Settings as Tables};

    #[test]
    fn a_price_above_a_burst_is_said_to_cost_all_of_it() {
        let mut settings = Settings::default();
        settings.guard.levels.v4[0].burst = 3;
        settings.guard.prices.wildcard = 5;
        let [said] = doubtful(&settings).try_into().unwrap();
        assert!(said.starts_with("limits.price_wildcard: 5 queries are more than limits.v4_"));
        assert!(said.contains("_burst, 3: such a query costs all of the burst"), "{said}");
    }

    #[test]
    fn a_form_that_answers_change_is_told() {
        let registrar = |whois_server: &str, url: &str| Registrar {
            iana_id: 9998,
            whois_server: whois_server.to_owned(),
            url: url.to_owned(),
            ..Registrar::default()
        };
        let mut settings = Settings::default();
        let registrar = vec![
            registrar("whois.one.example", "https://www.one.example"),
            registrar("w.two.example:43", "www.two.example"),
        ];
        let written = Tables { registrar, ..Tables::default() };
        (settings.answers, _) = Answers::compile(written);
        assert_eq!(
            doubtful(&settings),
            [
                r#"registrar[2].whois_server: "w.two.example:43" is shown as "w.two.example""#,
                r#"registrar[2].url: "www.two.example" is shown as "http://www.two.example""#,
            ]
        );
    }

    #[test]
    fn addresses_overlap_where_the_second_socket_could_not_be_opened() {
        let overlap = |one: &str, other: &str| {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(overlap(one, other), overlap(other, one));
            overlap(one, other)
        };
        assert!(overlap("127.0.0.1:43", "127.0.0.1:43"));
        assert!(overlap("0.0.0.0:43", "127.0.0.1:43"));
        assert!(overlap("[::]:43", "127.0.0.1:43"));
        assert!(overlap("[::]:43", "[::1]:43"));
        assert!(!overlap("0.0.0.0:43", "[::1]:43"));
        assert!(!overlap("127.0.0.1:43", "127.0.0.2:43"));
        assert!(!overlap("127.0.0.1:43", "127.0.0.1:44"));
        assert!(!overlap("127.0.0.1:0", "127.0.0.1:0"));
    }
}
