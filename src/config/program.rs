//! Which of the two programs the settings are for, and the keys that are its own.
//!
//! # Does not
//!
//! Read anything: `load` does.

/// A program that serves under the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Program {
    /// The server of port 43.
    #[default]
    Whoisd,
    /// The server of RDAP.
    Web,
}

/// The keys by which a program has something for itself, and the names that hold without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Of the cores.
    pub cores: &'static str,
    /// Of the control socket.
    pub control: &'static str,
    /// Name of that socket in the snapshot directory.
    pub control_name: &'static str,
    /// Of the file of blocks.
    pub blocks_state: &'static str,
    /// Name of that file in the snapshot directory.
    pub blocks_name: &'static str,
    /// Of the folder of the query log.
    pub query_log_dir: &'static str,
    /// Of the address of health and figures.
    pub status_listen: &'static str,
}

const OF_WHOISD: Keys = Keys {
    cores: "server.cores",
    control: "server.control",
    control_name: "control.sock",
    blocks_state: "blocks.state",
    blocks_name: "blocks.json",
    query_log_dir: "query_log.dir",
    status_listen: "status.listen",
};

const OF_WEB: Keys = Keys {
    cores: "web.cores",
    control: "web.control",
    control_name: "web.sock",
    blocks_state: "web.blocks_state",
    blocks_name: "web-blocks.json",
    query_log_dir: "web.query_log_dir",
    status_listen: "web.status_listen",
};

/// Keys, and beginnings of keys, that the server of RDAP does not read.
const NOT_OF_WEB: [&str; 15] = [
    "server.listen",
    "server.cores",
    "server.engine",
    "server.control",
    "port43.",
    "snapshot.check",
    "snapshot.keep",
    "updater.",
    "policy.nftables.",
    "status.listen",
    "status.health_listen",
    "blocks.state",
    "query_log.dir",
    "query_log.nats.",
    "feed.",
];

impl Program {
    /// As people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whoisd => "whoisd",
            Self::Web => "whoisd-web",
        }
    }

    /// What it has for itself.
    #[must_use]
    pub const fn keys(self) -> &'static Keys {
        match self {
            Self::Whoisd => &OF_WHOISD,
            Self::Web => &OF_WEB,
        }
    }

    /// Whether a key, with its table, is one of its settings.
    #[must_use]
    pub fn reads(self, key: &str) -> bool {
        match self {
            Self::Whoisd => !key.starts_with("web."),
            Self::Web => !NOT_OF_WEB
                .iter()
                .any(|other| key == *other || (other.ends_with('.') && key.starts_with(other))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::show::rows;
    use super::super::{Settings, changes};
    use super::*;

    #[test]
    fn every_key_that_one_program_alone_reads_is_a_setting() {
        let settings = Settings::default();
        let rows = rows(&settings);
        let is_known = |of: &str| rows.iter().any(|(key, _)| *key == of || key.starts_with(of));
        let of = |keys: &Keys| {
            let Keys { cores, control, blocks_state, query_log_dir, status_listen, .. } = *keys;
            [cores, control, blocks_state, query_log_dir, status_listen]
        };
        let named = [of(&OF_WHOISD), of(&OF_WEB)].concat();
        for key in NOT_OF_WEB.iter().chain(&named) {
            assert!(is_known(key), "{key}");
        }
        for (program, own) in [(Program::Whoisd, of(&OF_WHOISD)), (Program::Web, of(&OF_WEB))] {
            let other = if program == Program::Web { Program::Whoisd } else { Program::Web };
            assert!(own.iter().all(|key| program.reads(key) && !other.reads(key)), "{own:?}");
        }
    }

    #[test]
    fn a_change_is_named_by_the_key_of_the_program_that_reads_it() {
        let old = Settings::default();
        let mut new = old.clone();
        new.web.listen.clear();
        new.web.cores = Some(vec![1]);
        new.web.control = Some("/run/web.sock".into());
        new.web.blocks_state = Some("/run/web.json".into());
        new.web.status_listen = Some(([127, 0, 0, 1], 1).into());
        new.web.query_log_dir = Some("/run/log".into());
        new.port43.line_ms = 700;
        new.shutdown_ms = 5;
        let keys = |old: &Settings, new: &Settings| {
            changes(old, new).iter().map(|change| change.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(&old, &new), ["server.shutdown_ms", "port43.line_ms"]);
        let expected = [
            "server.shutdown_ms",
            "web.listen",
            "web.cores",
            "web.control",
            "web.blocks_state",
            "web.status_listen",
            "web.query_log_dir",
        ];
        assert_eq!(keys(&old.of_web(), &new.of_web()), expected);
    }
}
