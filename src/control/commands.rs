//! Carries out what the control socket is asked.
//!
//! # Invariants
//!
//! - This file checks a block's reason, which refusals show later: one printable line, bounded.
//!
//! # Does not
//!
//! Hold anything: lists, blocks and figures are others'.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use serde_json::{Value, json};
use snapshot_format::dump::Utc;

use super::blocks::Blocks;
use super::error::ControlError;
use super::protocol::{Handler, Request};
use super::reload::Handle;
use crate::policy::display::settings::answer_line;
use crate::policy::lists::{Action, Entry, Lists, NOTE_BYTES_MAX, prefix};
use crate::policy::mining::Flag;

/// How long a block lasts if nobody says, seconds.
pub const BLOCK_S_DEFAULT: u64 = 3600;
/// Longest block, seconds: a year; what is to last is denied in a list.
pub const BLOCK_S_MAX: u64 = 31_536_000;
/// Most entries and most blocks that `list` shows.
pub const LISTED_MAX: usize = 10_000;
/// Shortest prefixes that a command may block: shorter ones are typing errors, or belong in a list.
const BLOCK_LEN_MIN_V4: u8 = 8;
const BLOCK_LEN_MIN_V6: u8 = 16;
const REASON_DEFAULT: &str = "blocked by the operator";

/// Tells what it knows, as JSON.
pub type Told = Box<dyn Fn() -> Value + Send + Sync>;

/// What commands work on.
pub struct Commands {
    /// The lists in force.
    pub lists: Arc<ArcSwap<Lists>>,
    /// The blocks.
    pub blocks: Arc<dyn Blocks>,
    /// Reads configuration and lists again.
    pub keeper: Handle,
    /// How the server is.
    pub status: Told,
    /// Figures of its shards.
    pub figures: Told,
}

impl Handler for Commands {
    fn handle(&self, request: Request) -> Result<Value, ControlError> {
        match request {
            Request::List => self.list(),
            Request::Block { prefix, seconds, reason } => {
                self.block(&prefix, seconds, reason.as_deref())
            }
            Request::Unblock { prefix } => self.unblock(&prefix),
            Request::Explain { address } => Ok(self.explain(address)),
            Request::Reload => self.keeper.reload(),
            Request::Status => Ok((self.status)()),
            Request::Figures => Ok((self.figures)()),
        }
    }
}

impl Commands {
    fn list(&self) -> Result<Value, ControlError> {
        let lists = self.lists.load();
        let blocks = self.blocks.list()?;
        let shown: Vec<_> = blocks.iter().take(LISTED_MAX).map(super::Blocked::json).collect();
        let entries: Vec<_> = lists.entries_in_force().take(LISTED_MAX).map(entry_json).collect();
        let flags: Vec<_> = self.blocks.flags()?.iter().map(flag_json).collect();
        Ok(json!({
            "flags": flags,
            "blocks_left_out": blocks.len() - shown.len(),
            "entries_left_out": lists.count() - entries.len(),
            "blocks": shown,
            "entries": entries,
        }))
    }

    fn block(
        &self,
        text: &str,
        seconds: Option<u64>,
        reason: Option<&str>,
    ) -> Result<Value, ControlError> {
        let prefix = prefix(text)?;
        let shortest = if prefix.addr().is_ipv4() { BLOCK_LEN_MIN_V4 } else { BLOCK_LEN_MIN_V6 };
        if prefix.prefix_len() < shortest {
            return Err(ControlError::Wide { prefix, shortest });
        }
        let seconds = seconds.unwrap_or(BLOCK_S_DEFAULT);
        if !(1..=BLOCK_S_MAX).contains(&seconds) {
            return Err(ControlError::Seconds { seconds });
        }
        let reason = reason.unwrap_or(REASON_DEFAULT);
        answer_line(reason, NOTE_BYTES_MAX).map_err(|source| ControlError::Reason { source })?;
        let block = self.blocks.block(prefix, seconds, reason)?;
        tracing::info!(%prefix, seconds, reason, "blocked by command");
        let mut told = block.json();
        let (effect, note) = self.effect(prefix);
        if let Some(told) = told.as_object_mut() {
            told.insert("effect".to_owned(), effect.into());
            if let Some(note) = note {
                told.insert("note".to_owned(), note.into());
            }
        }
        Ok(told)
    }

    /// How far a block changes what its prefix gets (`full`, `partial`, `none`), and why not fully.
    fn effect(&self, prefix: IpNet) -> (&'static str, Option<String>) {
        let lists = self.lists.load();
        let within: Vec<&Entry> = lists
            .entries_in_force()
            .filter(|entry| prefix.contains(&entry.prefix) && prefix != entry.prefix)
            .filter(|entry| entry.action != Action::None)
            .collect();
        let around = lists.standing(prefix.addr()).entry;
        if let Some(entry) = around.filter(|entry| entry.prefix.contains(&prefix)) {
            let verb = match entry.action {
                Action::Allow => "allows",
                Action::Deny => "denies",
                Action::Limits(_) | Action::None => "",
            };
            let Entry { prefix: of, file, line, .. } = entry;
            let others = within.iter().filter(|other| other.action != entry.action).count();
            if !verb.is_empty() && others == 0 {
                let note = format!("{file}:{line} {verb} {of}, and lists come before blocks");
                return ("none", Some(note));
            }
            if !verb.is_empty() {
                let note = format!("{file}:{line} {verb} {of}, but for {others} entries within");
                return ("partial", Some(note));
            }
        }
        if self.blocks.loopback_is_free() && is_loopback(prefix) {
            let note = "queries from this machine itself are never blocked (limits.loopback_free)";
            return ("none", Some(note.to_owned()));
        }
        let allowed: Vec<_> = within.iter().filter(|entry| entry.action == Action::Allow).collect();
        let Some(first) = allowed.first() else { return ("full", None) };
        let more = match allowed.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let Entry { prefix: of, file, line, .. } = first;
        let note = format!("{file}:{line} allows {of}{more}: these are answered all the same");
        ("partial", Some(note))
    }

    fn unblock(&self, text: &str) -> Result<Value, ControlError> {
        let prefix = prefix(text)?;
        match self.blocks.unblock(prefix)? {
            Some(block) => {
                tracing::info!(%prefix, "unblocked by command");
                Ok(block.json())
            }
            None => Ok(json!({ "not_blocked": prefix.to_string(), "near": self.near(prefix)? })),
        }
    }

    /// Blocks around or within a prefix that is not blocked itself: what may have been meant.
    fn near(&self, prefix: IpNet) -> Result<Vec<String>, ControlError> {
        let meets = |other: &IpNet| other.contains(&prefix) || prefix.contains(other);
        let blocks = self.blocks.list()?;
        let near = blocks.iter().map(|block| block.prefix).filter(meets);
        Ok(near.take(LISTED_MAX).map(|prefix| prefix.to_string()).collect())
    }

    fn explain(&self, address: IpAddr) -> Value {
        let address = address.to_canonical();
        let mut told = explain_lists(&self.lists.load(), address);
        let explained = self.blocks.explain(address);
        let limits: Vec<_> = explained
            .limits
            .iter()
            .map(|limit| {
                json!({
                    "prefix": limit.prefix.to_string(),
                    "queries_per_min": limit.queries_per_min,
                    "burst": limit.burst,
                    "left": limit.left,
                })
            })
            .collect();
        if let Some(told) = told.as_object_mut() {
            let block = explained.block.as_ref().map_or(Value::Null, super::Blocked::json);
            told.insert("block".to_owned(), block);
            let kept = explained.kept.as_ref().map_or(Value::Null, super::Blocked::json);
            told.insert("kept_block".to_owned(), kept);
            told.insert("limits".to_owned(), limits.into());
        }
        told
    }
}

/// Whether a prefix holds addresses of the machine itself alone.
fn is_loopback(prefix: IpNet) -> bool {
    match prefix {
        IpNet::V4(net) => net.addr().is_loopback() && net.prefix_len() >= 8,
        IpNet::V6(net) => net.addr().is_loopback() && net.prefix_len() == 128,
    }
}

/// What lists say of an address, as `explain` shows it.
#[must_use]
pub fn explain_lists(lists: &Lists, address: IpAddr) -> Value {
    let standing = lists.standing(address);
    json!({
        "address": address.to_canonical().to_string(),
        "entry": standing.entry.map(entry_json),
        "tier": standing.tier,
        "tier_entry": lists.tier_entry(address).map(entry_json),
    })
}

fn flag_json(flag: &Flag) -> Value {
    json!({
        "prefix": flag.prefix.to_string(),
        "signal": flag.signal.word(),
        "at": Utc(flag.at_ms).to_string(),
        "evidence": flag.evidence,
    })
}

fn entry_json(entry: &Entry) -> Value {
    let limits = match entry.action {
        Action::Limits(limits) => Some(json!({
            "queries_per_min": limits.queries_per_min,
            "burst": limits.burst,
            "per": limits.per.word(),
        })),
        _ => None,
    };
    json!({
        "prefix": entry.prefix.to_string(),
        "action": entry.action.word(),
        "limits": limits,
        "tier": entry.tier.as_deref(),
        "reason": entry.reason.as_deref(),
        "contact": entry.contact.as_deref(),
        "expires": entry.expires_ms.map(|ms| Utc(ms).to_string()),
        "file": &*entry.file,
        "line": entry.line,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::blocks::model::Model;
    use super::super::reload::{Keeper, start};
    use super::super::watch::ListWatcher;
    use super::*;
    use crate::config::{ConfigError, Settings};
    use crate::place::aside::{Place, Weight};
    use crate::policy::lists::parse;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn commands(list: &str) -> (Commands, Arc<Model>) {
        let entries = parse("a.toml", list).unwrap();
        let lists = Lists::new(vec![entries], &|_| true, NOW_MS).unwrap();
        let lists = Arc::new(ArcSwap::from_pointee(lists));
        let keeper = Keeper {
            load: Box::new(|| Err(ConfigError::Missing { key: "server.dir", flag: "--dir DIR" })),
            started: Settings::default(),
            parts: Vec::new(),
            watch: ListWatcher::new(Vec::new(), Arc::clone(&lists), Box::new(|_| true)),
            now_ms: || NOW_MS,
            reloading: |_| {},
        };
        let place = Place { core: None, shard_cores: &[], weight: Weight::Full };
        let (handle, _) = start(keeper, Arc::new(AtomicBool::new(false)), place).unwrap();
        let model = Arc::new(Model::default());
        model.now_ms.store(NOW_MS, Ordering::Relaxed);
        let blocks: Arc<dyn Blocks> = Arc::<Model>::clone(&model);
        let (status, figures): (Told, Told) = (Box::new(|| json!(1)), Box::new(|| json!(2)));
        (Commands { lists, blocks, keeper: handle, status, figures }, model)
    }

    fn ask(commands: &Commands, request: Value) -> Result<Value, ControlError> {
        commands.handle(serde_json::from_value(request).unwrap())
    }

    #[test]
    fn a_block_is_made_listed_explained_and_ended() {
        let (commands, model) = commands("");
        let block = json!({"command": "block", "prefix": "192.0.2.0/24", "seconds": 60,
            "reason": "floods"});
        let told = ask(&commands, block).unwrap();
        let expected = json!({"prefix": "192.0.2.0/24", "since": "2027-01-15T08:00:00Z",
            "until": "2027-01-15T08:01:00Z", "reason": "floods", "by": "operator",
            "repetition": 0});
        let mut with_effect = expected.clone();
        with_effect["effect"] = "full".into();
        assert_eq!(told, with_effect);
        let listed = ask(&commands, json!({"command": "list"})).unwrap();
        assert_eq!(listed["blocks"], json!([expected]));
        let explain = json!({"command": "explain", "address": "::ffff:192.0.2.7"});
        let told = ask(&commands, explain).unwrap();
        assert_eq!((&told["block"], &told["address"]), (&expected, &json!("192.0.2.7")));
        assert_eq!(told["limits"][0]["left"], 59);
        let unblock = |prefix| ask(&commands, json!({"command": "unblock", "prefix": prefix}));
        let told = unblock("192.0.2.7").unwrap();
        assert_eq!(told, json!({"not_blocked": "192.0.2.7/32", "near": ["192.0.2.0/24"]}));
        assert_eq!(unblock("192.0.2.0/24").unwrap(), expected);
        assert_eq!(model.list().unwrap(), Vec::new());
    }

    #[test]
    fn what_cannot_be_blocked_is_refused_with_the_bound() {
        let (commands, model) = commands("");
        for (prefix, seconds, reason, part) in [
            ("192.0.2.1/24", 60, "a", "write \"192.0.2.0/24\""),
            ("host", 60, "a", "\"host\" is not a prefix"),
            ("11.0.0.0/7", 60, "a", "has bits behind"),
            ("0.0.0.0/0", 60, "a", "0.0.0.0/0 is too wide, /8 is the shortest"),
            ("2000::/3", 60, "a", "2000::/3 is too wide, /16 is the shortest"),
            ("192.0.2.1", 0, "a", "0 s is out of bounds, 1 to 31536000 s"),
            ("192.0.2.1", 60, "a\r\nDomain Name: x", "reason: '\\r' is not allowed"),
            ("192.0.2.1", 60, "No Match", "reason: holds \"no match\""),
        ] {
            let request = json!({"command": "block", "prefix": prefix, "seconds": seconds,
                "reason": reason});
            let error = ask(&commands, request).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(model.list().unwrap(), Vec::new());
        let hour = ask(&commands, json!({"command": "block", "prefix": "2001:db8::1"})).unwrap();
        assert_eq!(hour["until"], "2027-01-15T09:00:00Z");
    }

    #[test]
    fn an_address_is_explained_with_file_and_line() {
        let (commands, _) = commands(
            "[[entry]]\nprefix = \"192.0.2.0/24\"\naction = \"limit\"\nqueries_per_min = 9\n\
             [[entry]]\nprefix = \"192.0.0.0/16\"\ntier = \"police\"\nreason = \"treaty\"\n",
        );
        let explain = json!({"command": "explain", "address": "192.0.2.7"});
        let told = ask(&commands, explain).unwrap();
        assert_eq!(
            told["entry"]["limits"],
            json!({"queries_per_min": 9, "burst": 9,
            "per": "address"})
        );
        assert_eq!((&told["entry"]["file"], &told["entry"]["line"]), (&json!("a.toml"), &json!(2)));
        assert_eq!((&told["tier"], &told["tier_entry"]["line"]), (&json!("police"), &json!(6)));
        assert_eq!(told["tier_entry"]["reason"], "treaty");
        assert_eq!(told["block"], Value::Null);
        let other = json!({"command": "explain", "address": "::1"});
        assert_eq!(ask(&commands, other).unwrap()["entry"], Value::Null);
    }

    #[test]
    fn a_block_of_who_is_allowed_says_that_the_list_comes_first() {
        let entry =
            |prefix, action| format!("[[entry]]\nprefix = \"{prefix}\"\naction = \"{action}\"\n");
        let (commands, _) = commands(
            &[
                entry("192.0.2.0/24", "allow"),
                entry("198.51.100.7", "allow"),
                entry("203.0.113.0/24", "deny"),
                entry("10.0.0.0/8", "allow"),
                entry("10.1.0.0/16", "deny"),
            ]
            .concat(),
        );
        for (prefix, effect, note) in [
            ("192.0.2.5", "none", "a.toml:2 allows 192.0.2.0/24, and lists come before blocks"),
            ("192.0.2.0/24", "none", "a.toml:2 allows 192.0.2.0/24, and lists come before blocks"),
            (
                "203.0.113.0/25",
                "none",
                "a.toml:8 denies 203.0.113.0/24, and lists come before blocks",
            ),
            (
                "198.51.100.0/24",
                "partial",
                "a.toml:5 allows 198.51.100.7/32: these are answered all the same",
            ),
            ("10.0.0.0/8", "partial", "a.toml:11 allows 10.0.0.0/8, but for 1 entries within"),
            ("127.0.0.1", "none", "queries from this machine itself are never blocked"),
            ("::1", "none", "queries from this machine itself are never blocked"),
        ] {
            let told = ask(&commands, json!({"command": "block", "prefix": prefix})).unwrap();
            assert_eq!(told["effect"], effect, "{prefix}");
            assert!(told["note"].as_str().unwrap().starts_with(note), "{prefix}: {told}");
        }
        for prefix in ["203.0.112.0/22", "2001:db8::/48"] {
            let told = ask(&commands, json!({"command": "block", "prefix": prefix})).unwrap();
            assert_eq!(
                (&told["effect"], &told["note"]),
                (&json!("full"), &Value::Null),
                "{prefix}"
            );
        }
        let error = ask(&commands, json!({"command": "reload"})).unwrap_err();
        assert!(matches!(error, ControlError::Config(_)), "{error}");
        assert_eq!(ask(&commands, json!({"command": "figures"})).unwrap(), json!(2));
    }
}
