//! What is accepted, what is refused and how the refusal reads, and the example file.

use std::path::{Path, PathBuf};

use super::file::Source;
use super::keys::{NUMBERS, OTHERS};
use super::load::merge;
use super::{Effective, Flags, Origin, Settings, changes};
use crate::bounds::Bound;

const EXAMPLE: &str = include_str!("../../deploy/whoisd.toml");

fn loaded(text: &str, flags: &Flags) -> Effective {
    let source = Source::parse(Path::new("whoisd.toml"), text.to_owned()).unwrap();
    merge(&source, flags).unwrap()
}

fn refusal(text: &str) -> String {
    let source = match Source::parse(Path::new("whoisd.toml"), text.to_owned()) {
        Ok(source) => source,
        Err(error) => return error.to_string(),
    };
    merge(&source, &Flags::default()).unwrap_err().to_string()
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let effective = loaded("", &Flags::default());
    assert_eq!(effective.settings, Settings::default());
    assert_eq!(effective.origin("port43.line_ms"), &Origin::Default);
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let flags = Flags { cores: Some("1".to_owned()), ..Flags::default() };
    let effective =
        loaded("[server]\ndir = \"/a\"\ncores = \"0\"\n[port43]\nline_ms = 700\n", &flags);
    assert_eq!(effective.settings.cores, Some(vec![1]));
    assert_eq!(effective.settings.dir, Some(PathBuf::from("/a")));
    assert_eq!(effective.settings.port43.line_ms, 700);
    assert_eq!(effective.origin("server.cores").to_string(), "--cores");
    assert_eq!(effective.origin("server.dir").to_string(), "whoisd.toml:2");
    assert_eq!(effective.origin("port43.line_ms").to_string(), "whoisd.toml:5");
}

#[test]
fn an_unknown_key_is_refused_with_line_and_table() {
    let message = refusal("[port43]\nline_ms = 100\nlime_ms = 100\n");
    assert!(message.starts_with("whoisd.toml:3: port43.lime_ms: unknown key `lime_ms`; known are"));
    assert!(refusal("[prot43]\n").starts_with("whoisd.toml:1: prot43: unknown key `prot43`"));
}

#[test]
fn a_number_out_of_bounds_is_refused_with_key_value_and_bound() {
    for number in NUMBERS {
        let (table, name) = number.key.rsplit_once('.').unwrap();
        let text = |value: u64| format!("# first line\n[{table}]\n{name} = {value}\n");
        let message = refusal(&text(number.bound.max + 1));
        let expected = format!(
            "whoisd.toml:3: {}: {} is too large, at most {} {} is allowed",
            number.key,
            number.bound.max + 1,
            number.bound.max,
            number.unit
        );
        assert_eq!(message, expected);
        if let Some(small) = number.bound.min.checked_sub(1) {
            let message = refusal(&text(small));
            assert!(message.contains(&format!("{small} is too small")), "{message}");
        }
        for value in [number.bound.min, number.bound.max] {
            let effective = loaded(&text(value), &Flags::default());
            assert_eq!((number.value)(&effective.settings), value);
        }
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_its_key() {
    let message = refusal("[port43]\nline_ms = \"5s\"\n");
    let expected = "whoisd.toml:2: port43.line_ms: invalid type: string \"5s\", \
                    expected a whole number from 0";
    assert_eq!(message, expected);
    let message = refusal("[port43]\nline_ms = -1\n");
    assert!(message.contains("port43.line_ms") && message.contains("-1"), "{message}");
    assert!(refusal("[server\n").starts_with("whoisd.toml:1: "));
}

#[test]
fn addresses_cores_and_words_are_refused_with_what_is_expected() {
    let message = refusal("[server]\nlisten = [\n\"127.0.0.1:43\",\n\"localhost:43\"]\n");
    let expected = "whoisd.toml:4: server.listen: \"localhost:43\" is not an address and port; \
                    write \"192.0.2.1:43\" or \"[2001:db8::1]:43\"";
    assert_eq!(message, expected);
    let message = refusal("[server]\nlisten = []\n");
    assert_eq!(message, "whoisd.toml:2: server.listen: 0 addresses, expected 1 to 64");
    let message = refusal("[server]\nlisten = [\"[::]:43\", \"[::]:43\"]\n");
    assert_eq!(message, "whoisd.toml:2: server.listen: [::]:43 is named twice");
    let message = refusal("[server]\ncores = \"2-\"\n");
    assert_eq!(message, "whoisd.toml:2: server.cores: \"2-\" is not a core from 0 to 1023");
    for url in ["redis://:secret@127.0.0.1", "redis://secret@a", "unix:///a?pass=secret"] {
        let message = refusal(&format!("[site]\nredis = {url:?}\n"));
        assert!(message.contains("site.credentials") && !message.contains("secret"), "{message}");
    }
    for url in ["redis://:secret@a:port", "secret@a", ""] {
        let message = refusal(&format!("[site]\nredis = {url:?}\n"));
        assert!(message.contains("expected") && !message.contains("secret"), "{message}");
    }
    let message = refusal("[log]\nformat = \"xml\"\n");
    assert_eq!(message, "whoisd.toml:2: log.format: \"xml\" is none of text, json");
    assert_eq!(
        refusal("[server]\ndir = \"\"\n"),
        "whoisd.toml:2: server.dir: \"\" is not a directory"
    );
}

#[test]
fn what_show_writes_gives_the_same_settings_again() {
    let flags = Flags { dir: Some("/var/lib/a \"b\"".into()), ..Flags::default() };
    let effective = loaded("[server]\ncores = \"0,2-3\"\n[log]\nlevel = \"warn\"\n", &flags);
    let shown = effective.show();
    assert_eq!(loaded(&shown, &Flags::default()).settings, effective.settings);
    assert!(shown.contains("# --dir"), "{shown}");
    assert!(shown.contains("# whoisd.toml:4"), "{shown}");
    for key in NUMBERS.iter().map(|number| number.key).chain(OTHERS.iter().copied()) {
        let name = key.rsplit_once('.').unwrap().1;
        assert!(shown.contains(name), "{key} is missing");
    }
}

#[test]
fn how_answers_read_is_checked_with_table_key_and_line() {
    let message = refusal("[[tld]]\nsuffix = \"a\"\n[[tld]]\n# second\nsuffix = \"a..b\"\n");
    assert!(message.starts_with("whoisd.toml:5: tld[2].suffix: \"a..b\""), "{message}");
    let message = refusal("[defaults]\nmodel = \"fat\"\n");
    assert!(message.starts_with("whoisd.toml:2: defaults.model: "), "{message}");
    let message = refusal("[defaults]\ndisclaimer = \"not found\"\n");
    assert!(message.starts_with("whoisd.toml:2: defaults.disclaimer: "), "{message}");
    let text = "[[tld]]\nsuffix = \"example\"\nextras = \"all\"\n[tld.registrant]\n\
                name = \"shown\"\n[[registrar]]\nid = \"R1\"\nabuse_phone = \"+1.7035555555\"\n";
    let effective = loaded(text, &Flags::default());
    assert_eq!(effective.settings.answers.written().tld.len(), 1);
    assert_eq!(loaded(&effective.show(), &Flags::default()).settings, effective.settings);
}

#[test]
fn tiers_are_checked_with_table_key_and_line_and_shown_as_they_were_set() {
    let text = "[[tier]]\nname = \"a\"\n[[tier.tld]]\nsuffix = \"x\"\n[[tier]]\nname = \"b\"\n\
                [tier.tech]\nname = \"always\"\n[[tier.tld]]\nsuffix = \"y\"\n\
                [[tier.tld]]\nmodel = \"thin\"\nsuffix = \"z\"\n";
    let effective = loaded(text, &Flags::default());
    assert_eq!(effective.settings.answers.written().tier.len(), 2);
    assert_eq!(loaded(&effective.show(), &Flags::default()).settings, effective.settings);
    let message = refusal(&text.replace("\"z\"", "\"a..z\""));
    assert!(message.starts_with("whoisd.toml:13: tier[2].tld[2].suffix: \"a..z\""), "{message}");
    let message = refusal(&text.replace("\"always\"", "\"text:x\""));
    assert!(message.starts_with("whoisd.toml:8: tier[2].tech.name: \"text:x\""), "{message}");
    let message = refusal(&text.replace("\"b\"", "\"public\""));
    assert!(message.starts_with("whoisd.toml:6: tier[2].name: \"public\""), "{message}");
    let message = refusal("[[tier]]\nname = \"a\"\nfooter = \"x\"\n");
    assert!(message.starts_with("whoisd.toml:3: tier.footer: unknown key `footer`"), "{message}");
}

#[test]
fn a_stream_is_checked_with_its_names_and_shown_as_it_was_set() {
    let text = "[feed.nats]\nservers = [\"nats://a:4222\", \"tls://b\"]\ndurable = \"node-1\"\n\
                trusted_keys = [\"/etc/feed.key.pub\"]\nobjects = \"file:///srv/snapshots\"\n";
    let effective = loaded(text, &Flags::default());
    let nats = effective.settings.nats.clone().unwrap();
    assert_eq!((nats.address.servers.len(), nats.address.stream.as_str()), (2, "WHOISD"));
    assert_eq!(effective.origin("feed.nats.durable").to_string(), "whoisd.toml:3");
    assert_eq!(loaded(&effective.show(), &Flags::default()).settings, effective.settings);
    for (text, expected) in [
        ("servers = []\n", "2: feed.nats.servers: 0 servers, expected 1 to 16"),
        ("servers = [\"http://a\"]\n", "2: feed.nats.servers: a server's address"),
        ("servers = [\"nats://a\"]\nstream = \"a.b\"\n", "3: feed.nats.stream: \"a.b\" is no"),
        ("servers = [\"nats://a\"]\ndurable = \"\"\n", "3: feed.nats.durable: \"\" is not a name"),
        ("servers = [\"nats://a\"]\nobjects = \"x://\"\n", "3: feed.nats.objects: \"x://\" is no"),
        ("stream = \"A\"\n", "1: feed.nats.servers: is not set"),
        ("server = []\n", "2: feed.nats.server: unknown key `server`"),
    ] {
        let message = refusal(&format!("[feed.nats]\n{text}"));
        assert!(message.starts_with(&format!("whoisd.toml:{expected}")), "{message}");
    }
}

#[test]
fn lists_and_the_kernels_sets_are_checked_and_shown_as_they_were_set() {
    let text = "[server]\ncontrol = \"/run/whoisd.sock\"\n[policy]\n\
                lists = [\"/etc/whoisd/lists.d/*.toml\", \"own.toml\"]\n\
                [policy.nftables]\ntable = \"inet whoisd\"\nset6 = \"six\"\nmin_s = 60\n";
    let effective = loaded(text, &Flags::default());
    let nftables = effective.settings.policy.nftables.clone().unwrap();
    assert_eq!((nftables.set4.as_str(), nftables.set6.as_str()), ("blocked4", "six"));
    assert_eq!(effective.settings.policy.lists.len(), 2);
    assert_eq!(effective.settings.policy.nftables_min_s, 60);
    assert_eq!(effective.settings.control_path(), Some("/run/whoisd.sock".into()));
    assert_eq!(loaded(&effective.show(), &Flags::default()).settings, effective.settings);
    for (text, expected) in [
        ("[policy]\nlists = [\"/etc/*/a.toml\"]\n", "2: policy.lists: \"/etc/*/a.toml\" is no"),
        ("[policy]\nlists = [\"/\"]\n", "2: policy.lists: \"/\" names no file"),
        ("[policy.nftables]\nset4 = \"a\"\n", "1: policy.nftables.table: is not set"),
        ("[policy.nftables]\ntable = \"whoisd\"\n", "2: policy.nftables.table: \"whoisd\" is no"),
        (
            "[policy.nftables]\ntable = \"inet a\"\nset4 = \"a;\"\n",
            "3: policy.nftables.set4: \"a;\" is not a name of a set",
        ),
    ] {
        let message = refusal(text);
        assert!(message.starts_with(&format!("whoisd.toml:{expected}")), "{message}");
    }
    let dir = Settings { dir: Some("/d".into()), ..Settings::default() };
    assert_eq!(dir.control_path(), Some("/d/control.sock".into()));
    assert_eq!(Settings { control: Some("".into()), ..dir }.control_path(), None);
}

#[test]
fn what_guards_the_service_is_checked_also_for_what_it_says_to_clients() {
    for (text, expected) in [
        ("[limits]\ncontact = \"a name not found? ask\"\n", "2: limits.contact: holds \"not found"),
        ("[limits]\ncontact = \"a\u{2028}b\"\n", "2: limits.contact: '\\u{2028}' is not allowed"),
        ("[mining]\ncanaries = [\"m\u{fc}nchen.demo\"]\n", "2: mining.canaries: \"m\u{fc}nchen"),
    ] {
        let message = refusal(text);
        assert!(message.starts_with(&format!("whoisd.toml:{expected}")), "{message}");
    }
}

#[test]
fn changes_name_each_setting_with_both_values() {
    let old = loaded("[port43]\nline_ms = 700\n", &Flags::default()).settings;
    let text = "[server]\ncores = \"1\"\n[defaults]\nmodel = \"thin\"\n";
    let new = loaded(text, &Flags::default()).settings;
    let lines: Vec<_> = changes(&old, &new).iter().map(ToString::to_string).collect();
    let expected = [
        "server.cores: changed from not set to \"1\"",
        "port43.line_ms: changed from 700 to 5000",
        "how answers read ([defaults], [[tld]], [[registrar]], [[tier]]): changed",
    ];
    assert_eq!(lines, expected);
    assert!(changes(&old, &old).is_empty());
    let proxied = |from: &str| {
        let listen = "[server]\nlisten = [\"127.0.0.1:43\"]\n";
        let text = format!(
            "{listen}[[proxy]]\nlisten = \"127.0.0.1:43\"\nfrom = [{from}]\n\
                            header = \"v2\"\n"
        );
        loaded(&text, &Flags::default()).settings
    };
    let changed = changes(&proxied("\"10.0.0.1\", \"10.0.0.2\""), &proxied("\"10.0.0.1\""));
    let lines: Vec<_> = changed.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["listeners behind proxies ([[proxy]]): changed"]);
    // IPv4 written as IPv6 is the same balancer.
    let mapped = proxied("\"::ffff:10.0.0.1\"");
    assert!(mapped.proxies[0].trusts("10.0.0.1".parse().unwrap()));
    assert!(changes(&mapped, &proxied("\"10.0.0.1\"")).is_empty());
}

#[test]
fn listeners_with_tls_need_certificates_and_ports_of_their_own() {
    let certificates = "certificates = [{ chain = \"/tls/chain.pem\", key = \"/tls/key.pem\" }]\n";
    let text = format!("[web]\nlisten = []\ntls_listen = [\"0.0.0.0:443\"]\n{certificates}");
    let effective = loaded(&text, &Flags::default());
    let web = &effective.settings.web;
    assert_eq!((web.listen.len(), web.tls_listen.len(), web.certificates.len()), (0, 1, 1));
    assert_eq!(loaded(&effective.show(), &Flags::default()).settings, effective.settings);
    assert_eq!(effective.settings.clone().of_web().listen, web.tls_listen);
    for (table, expected) in [
        ("listen = []\n".to_owned(), "2: web.listen: 0 addresses, expected 1 to 64"),
        (
            "tls_listen = [\"[::1]:443\"]\n".to_owned(),
            "2: web.tls_listen: [::1]:443 speaks TLS and needs a certificate; write",
        ),
        (certificates.to_owned(), "2: web.certificates: no address speaks TLS; write tls_listen ="),
        (
            format!("tls_listen = [\"127.0.0.1\"]\n{certificates}"),
            "2: web.tls_listen: \"127.0.0.1\" is not an address and port",
        ),
        (
            format!("tls_listen = [\"0.0.0.0:8080\"]\n{certificates}"),
            "2: web.tls_listen: 0.0.0.0:8080 is taken by web.listen, 127.0.0.1:8080; choose",
        ),
        (
            "status_listen = \"[::]:8080\"\n".to_owned(),
            "2: web.status_listen: [::]:8080 is taken by web.listen, 127.0.0.1:8080; choose",
        ),
        ("certificates = [{ chain = \"a\" }]\n".to_owned(), "missing field `key`"),
    ] {
        let message = refusal(&format!("[web]\n{table}"));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn listeners_behind_proxies_are_checked_with_table_key_and_line() {
    let listen = "[server]\nlisten = [\"127.0.0.1:43\", \"[::1]:43\"]\n";
    let text = format!(
        "{listen}[[proxy]]\nlisten = \"127.0.0.1:43\"\nfrom = [\"10.0.0.0/8\", \"192.0.2.1\"]\n\
         header = \"v2\"\n[[proxy]]\nlisten = \"[::1]:43\"\nfrom = [\"2001:db8::/32\"]\n\
         header = \"either\"\n"
    );
    let effective = loaded(&text, &Flags::default());
    let rules = &effective.settings.proxies;
    assert_eq!((rules.len(), rules[0].from.len()), (2, 2));
    assert!(rules[0].trusts("192.0.2.1".parse().unwrap()));
    assert!(!rules[0].trusts("192.0.2.2".parse().unwrap()));
    assert_eq!(loaded(&effective.show(), &Flags::default()).settings, effective.settings);
    for (table, expected) in [
        ("", "3: proxy[1].listen: is not set; write listen = "),
        (
            "listen = \"127.0.0.1:44\"\nfrom = [\"10.0.0.0/8\"]\nheader = \"v1\"\n",
            "4: proxy[1].listen: \"127.0.0.1:44\" is not listened on",
        ),
        ("listen = \"127.0.0.1:43\"\n", "3: proxy[1].from: is not set; write from = "),
        (
            "listen = \"127.0.0.1:43\"\nfrom = []\nheader = \"v1\"\n",
            "5: proxy[1].from: 0 networks, expected 1 to 64",
        ),
        (
            "listen = \"127.0.0.1:43\"\nfrom = [\n\"10.0.0.1/8\"]\nheader = \"v1\"\n",
            "6: proxy[1].from: 10.0.0.1/8 has bits behind its prefix; write \"10.0.0.0/8\"",
        ),
        (
            "listen = \"127.0.0.1:43\"\nfrom = [\"0.0.0.0/0\"]\nheader = \"v1\"\n",
            "5: proxy[1].from: 0.0.0.0/0 is everybody",
        ),
        (
            "listen = \"127.0.0.1:43\"\nfrom = [\"balancer\"]\nheader = \"v1\"\n",
            "5: proxy[1].from: \"balancer\" is not a network",
        ),
        (
            "listen = \"127.0.0.1:43\"\nfrom = [\"10.0.0.0/8\"]\nheader = \"v3\"\n",
            "6: proxy[1].header: \"v3\" is none of v1, v2, either",
        ),
        (
            "listen = \"127.0.0.1:43\"\nfrom = [\"10.0.0.0/8\"]\n",
            "3: proxy[1].header: is not set; write header = ",
        ),
    ] {
        let message = refusal(&format!("{listen}[[proxy]]\n{table}"));
        assert!(message.starts_with(&format!("whoisd.toml:{expected}")), "{message}");
    }
    let message = refusal(&text.replace("[::1]:43\"\nfrom", "127.0.0.1:43\"\nfrom"));
    assert!(message.contains("proxy[2].listen: 127.0.0.1:43 has a table already"), "{message}");
}

#[test]
fn a_query_log_is_checked_and_shown_as_it_was_set() {
    let text = "[query_log]\ndir = \"/var/log/q\"\nformat = \"both\"\nprivacy = \"hash\"\n\
                privacy_key_file = \"/etc/q.key\"\nrotate_s = 60\n[query_log.nats]\n\
                servers = [\"nats://a:4222\"]\n";
    let effective = loaded(text, &Flags::default());
    let log = effective.settings.query_log.clone();
    assert!(log.is_on() && log.format == crate::querylog::Format::Both && log.rotate_s == 60);
    assert_eq!(log.stream.unwrap().subject, "whoisd.queries");
    assert_eq!(effective.origin("query_log.privacy").to_string(), "whoisd.toml:4");
    assert_eq!(loaded(&effective.show(), &Flags::default()).settings, effective.settings);
    for (text, expected) in [
        ("dir = \"\"\n", "2: query_log.dir: \"\" is not a directory"),
        ("format = \"csv\"\n", "2: query_log.format: \"csv\" is none of jsonl, parquet, both"),
        ("privacy = \"x\"\n", "2: query_log.privacy: \"x\" is none of none, truncate, hash"),
        ("ring_entries = 1\n", "2: query_log.ring_entries: unknown key"),
        ("[query_log.nats]\nsubject = \"a\"\n", "2: query_log.nats.servers: is not set"),
        ("[query_log.nats]\nservers = []\n", "3: query_log.nats.servers: 0 servers"),
        (
            "[query_log.nats]\nservers = [\"nats://a\"]\nsubject = \"a.*\"\n",
            "4: query_log.nats.subject: \"a.*\" is not a subject",
        ),
    ] {
        let message = refusal(&format!("[query_log]\n{text}"));
        assert!(message.starts_with(&format!("whoisd.toml:{expected}")), "{message}");
    }
}

/// The keys that a table of serde's may have, from its own refusal of another one.
fn keys_of<T: serde::de::DeserializeOwned>() -> Vec<String> {
    let message = match toml::from_str::<T>("no_such_key = 1") {
        Ok(_) => panic!("an unknown key is accepted"),
        Err(error) => error.message().to_owned(),
    };
    let keys: Vec<_> = message.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert!(keys.len() > 2, "{message}");
    keys
}

#[test]
fn the_example_lists_every_key_of_the_answers_and_the_proxies() {
    for (table, keys) in [
        ("proxy", keys_of::<super::file::Proxy>()),
        ("defaults", keys_of::<crate::policy::display::settings::Tld>()),
        ("defaults.registrant", keys_of::<crate::policy::display::settings::Block>()),
        ("registrar", keys_of::<crate::policy::display::settings::Registrar>()),
        ("tier", keys_of::<crate::policy::display::tier::Tier>()),
        ("tier.tld", keys_of::<crate::policy::display::tier::TierTld>()),
    ] {
        for key in keys {
            // Blocks are tables of their own.
            let is_block = EXAMPLE.lines().any(|line| {
                line.trim_start_matches(['#', '[']).starts_with(&format!("{table}.{key}]"))
            });
            let found = example_keys(table).iter().any(|(name, _)| *name == key);
            assert!(is_block || found || key == "suffix", "{table}.{key} is missing");
        }
    }
}

/// The lines of the example's table `table`, and for each key the comment above it.
fn example_keys(table: &str) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    let (mut inside, mut comment) = (false, String::new());
    for line in EXAMPLE.lines() {
        let header = line.trim_start_matches('#');
        if header.starts_with('[') {
            inside = header.trim_matches(['[', ']']) == table;
            comment.clear();
        } else if let Some(text) = line.strip_prefix("# ") {
            comment.push_str(text);
            comment.push(' ');
        } else if line.trim().is_empty() {
            comment.clear();
        } else if let Some((key, _)) = line.trim_start_matches('#').split_once(" = ")
            && inside
        {
            keys.push((key.trim().to_owned(), comment.clone()));
        }
    }
    keys
}

#[test]
fn the_example_lists_every_key_with_default_bounds_and_unit() {
    for number in NUMBERS {
        let (table, name) = number.key.rsplit_once('.').unwrap();
        let keys = example_keys(table);
        let (_, comment) = keys.iter().find(|(key, _)| key == name).expect(number.key);
        let Bound { default, min, max } = number.bound;
        for part in
            [format!("Default {default}"), format!("{min} to {max}"), number.unit.to_owned()]
        {
            assert!(comment.contains(&part), "{}: {part:?} is not in {comment:?}", number.key);
        }
    }
    for key in OTHERS {
        let (table, name) = key.rsplit_once('.').unwrap();
        let found = example_keys(table).iter().any(|(key, _)| key == name);
        assert!(found, "{key} is missing in deploy/whoisd.toml");
    }
}

#[test]
fn the_example_is_accepted_and_holds_the_defaults() {
    let settings = loaded(EXAMPLE, &Flags::default()).settings;
    let expected = Settings { dir: Some("/var/lib/whoisd".into()), ..Settings::default() };
    assert_eq!(settings, expected);
}

#[test]
fn every_line_of_the_example_that_is_commented_out_is_accepted_too() {
    let in_force = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    let text: Vec<_> = EXAMPLE.lines().map(in_force).collect();
    // Files of registrars are read where they are named.
    let folder = tempfile::tempdir().unwrap();
    let list = "ID,Registrar Name,Status,RDAP Base URL\n1,One,Accredited,https://a.example/\n";
    std::fs::write(folder.path().join("registrar-ids-1.csv"), list).unwrap();
    std::fs::write(folder.path().join("registrars.toml"), "").unwrap();
    let mut text = text.join("\n");
    for name in ["registrar-ids-1.csv", "registrars.toml"] {
        let there = folder.path().join(name).to_str().unwrap().to_owned();
        assert!(text.contains(name), "{name}");
        text = text.replace(&format!("\"/etc/whoisd/{name}\""), &format!("{there:?}"));
    }
    let settings = loaded(&text, &Flags::default()).settings;
    assert_eq!(settings.answers.written().listed.iana.len(), 1);
    assert_eq!(settings.cores, Some(vec![0, 1, 2, 3]));
    assert_eq!(settings.nats.unwrap().address.servers.len(), 2);
    let answers = settings.answers.written();
    assert_eq!((answers.tld.len(), answers.registrar.len()), (1, 1));
    let tiers = &answers.tier;
    assert_eq!((tiers.len(), tiers[0].tld.len()), (1, 1));
    assert_eq!(settings.proxies.len(), 1);
}
