//! Writes the effective configuration as TOML, with where each value comes from as a comment.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::keys::NUMBERS;
use super::{Effective, Settings, proxy, query_log, web};
use crate::place::cores;
use crate::policy::display;

impl Effective {
    /// The effective configuration: a configuration file that gives the same settings again.
    #[must_use]
    pub fn show(&self) -> String {
        let mut text = String::new();
        let mut table = "";
        for (key, value) in rows(&self.settings) {
            let (row_table, name) = key.rsplit_once('.').unwrap_or(("", key));
            if row_table != table {
                let gap = if table.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{gap}[{row_table}]");
                table = row_table;
            }
            let origin = self.origin(key);
            let line = match value {
                Some(value) => format!("{name} = {value}"),
                None => format!("# {name} is not set"),
            };
            let _ = writeln!(text, "{line:<44} # {origin}");
        }
        let proxies = ShownProxies { proxy: proxy::shown(&self.settings.proxies) };
        if !proxies.proxy.is_empty() {
            text.push_str("\n# Listeners behind proxies, from the file.\n");
            text.push_str(&toml::to_string(&proxies).unwrap_or_default());
        }
        let answers = self.settings.answers.written();
        let shown = ShownAnswers {
            defaults: (answers.defaults != display::settings::Tld::default())
                .then_some(&answers.defaults),
            tld: &answers.tld,
            registrar: &answers.registrar,
            tier: &answers.tier,
        };
        text.push_str(
            "\n# How answers read, from the file; what is absent is as its preset says.\n",
        );
        // Every value of these tables has a form in TOML.
        text.push_str(&toml::to_string(&shown).unwrap_or_default());
        text
    }
}

/// The tables of listeners behind proxies.
#[derive(Serialize)]
struct ShownProxies {
    proxy: Vec<proxy::Shown>,
}

/// The tables that say how answers read, those that are there.
#[derive(Serialize)]
struct ShownAnswers<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    defaults: Option<&'a display::settings::Tld>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tld: &'a [display::settings::Tld],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    registrar: &'a [display::settings::Registrar],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tier: &'a [display::tier::Tier],
}

/// Every key with its value as TOML, table by table.
pub(super) fn rows(settings: &Settings) -> Vec<(&'static str, Option<String>)> {
    let string = |text: &str| toml::Value::from(text).to_string();
    let listen: Vec<_> =
        settings.listen.iter().map(|address| string(&address.to_string())).collect();
    let mut rows = vec![
        ("server.dir", settings.dir.as_ref().map(|dir| string(&dir.to_string_lossy()))),
        ("server.listen", Some(format!("[{}]", listen.join(", ")))),
        ("server.cores", settings.cores.as_ref().map(|list| string(&cores::format(list)))),
        ("server.engine", Some(string(settings.port43.engine.word()))),
        ("server.control", settings.control.as_ref().map(|at| string(&at.to_string_lossy()))),
    ];
    rows.extend(NUMBERS.iter().map(|number| {
        let value = (number.value)(settings);
        (number.key, Some(value.to_string()))
    }));
    rows.push(("snapshot.check", Some(string(settings.check.word()))));
    rows.push(("updater.spool", Some(settings.spool.to_string())));
    rows.push(("updater.core", settings.updater_core.map(|core| string(&core.to_string()))));
    rows.push(("status.listen", settings.status_listen.map(|at| string(&at.to_string()))));
    let health = settings.health_listen.map(|at| string(&at.to_string()));
    rows.push(("status.health_listen", health));
    rows.push(("log.format", Some(string(&settings.log.format.to_string()))));
    rows.push(("log.level", Some(string(&settings.log.level.to_string()))));
    rows.extend(guard_rows(settings));
    rows.extend(policy_rows(settings));
    rows.extend(feed_rows(settings));
    rows.extend(query_log::rows(&settings.query_log));
    rows.extend(web::rows(&settings.web));
    let path = |path: &Option<PathBuf>| path.as_ref().map(|at| string(&at.to_string_lossy()));
    rows.push(("registrars.iana", path(&settings.registrars.iana)));
    rows.push(("registrars.overlay", path(&settings.registrars.overlay)));
    // A table is written once: its rows have to be neighbours.
    rows.sort_by_key(|(key, _)| {
        let table = key.rsplit_once('.').map_or("", |(table, _)| table);
        TABLES.iter().position(|known| *known == table)
    });
    rows
}

/// Tables in the order in which they are shown.
const TABLES: &[&str] = &[
    "server",
    "port43",
    "snapshot",
    "updater",
    "policy",
    "policy.nftables",
    "limits",
    "blocks",
    "mining",
    "site",
    "query_log",
    "query_log.nats",
    "web",
    "status",
    "log",
    "feed.nats",
    "registrars",
];

fn guard_rows(settings: &Settings) -> [(&'static str, Option<String>); 11] {
    let string = |text: &str| toml::Value::from(text).to_string();
    let (guard, warden) = (&settings.guard, &settings.warden);
    let canaries: Vec<_> = warden.mining.canaries.iter().map(|name| string(name)).collect();
    let credentials = warden.site.credentials.as_ref();
    let state = warden.state.as_ref().map(|path| string(&path.to_string_lossy()));
    [
        ("limits.mode", Some(string(guard.mode.word()))),
        ("limits.loopback_free", Some(guard.loopback_free.to_string())),
        ("limits.contact", (!guard.contact.is_empty()).then(|| string(&guard.contact))),
        ("blocks.enabled", Some(guard.blocks.to_string())),
        ("blocks.state", state),
        ("mining.enabled", Some(warden.mining_enabled.to_string())),
        ("mining.block", Some(warden.mining_blocks.to_string())),
        ("mining.canaries", Some(format!("[{}]", canaries.join(", ")))),
        ("site.redis", warden.site.redis.as_deref().map(string)),
        ("site.credentials", credentials.map(|path| string(&path.to_string_lossy()))),
        ("site.channel", Some(string(&warden.site.channel))),
    ]
}

fn policy_rows(settings: &Settings) -> [(&'static str, Option<String>); 5] {
    let string = |text: &str| toml::Value::from(text).to_string();
    let policy = &settings.policy;
    let lists: Vec<_> = policy.lists.iter().map(|path| string(&path.to_string_lossy())).collect();
    let nft = policy.nftables.as_ref();
    [
        ("policy.lists", Some(format!("[{}]", lists.join(", ")))),
        ("policy.nftables.table", nft.map(|nft| string(&nft.table))),
        ("policy.nftables.set4", nft.map(|nft| string(&nft.set4))),
        ("policy.nftables.set6", nft.map(|nft| string(&nft.set6))),
        ("policy.nftables.program", nft.map(|nft| string(&nft.program.to_string_lossy()))),
    ]
}

fn feed_rows(settings: &Settings) -> [(&'static str, Option<String>); 6] {
    let string = |text: &str| toml::Value::from(text).to_string();
    let path = |path: &PathBuf| string(&path.to_string_lossy());
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    let nats = settings.nats.as_ref();
    let address = nats.map(|nats| &nats.address);
    let servers = address.map(|address| address.servers.iter().map(|one| string(one)).collect());
    let keys = nats.map(|nats| nats.trusted_keys.iter().map(path).collect());
    [
        ("feed.nats.servers", servers.map(list)),
        ("feed.nats.stream", address.map(|address| string(&address.stream))),
        ("feed.nats.durable", nats.and_then(|nats| nats.durable.as_deref().map(string))),
        (
            "feed.nats.credentials",
            address.and_then(|address| address.credentials.as_ref().map(path)),
        ),
        ("feed.nats.trusted_keys", keys.map(list)),
        ("feed.nats.objects", nats.and_then(|nats| nats.objects.as_deref().map(string))),
    ]
}
