//! What commands ask of the part that holds the blocks and limits.
//!
//! # Does not
//!
//! Hold any.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};
use snapshot_format::dump::Utc;

use super::error::ControlError;
use crate::policy::mining::Flag;

/// A prefix whose queries are refused for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The prefix.
    pub prefix: IpNet,
    /// Since when, ms since the epoch.
    pub since_ms: i64,
    /// Until when, ms since the epoch.
    pub until_ms: i64,
    /// Why, in one printable line.
    pub reason: String,
    /// What blocked it: `operator`, `limit`, `mining`.
    pub by: String,
    /// How often it was blocked before, as far as that is not forgiven.
    pub repetition: u32,
}

impl Blocked {
    pub(super) fn json(&self) -> Value {
        json!({
            "prefix": self.prefix.to_string(),
            "since": Utc(self.since_ms).to_string(),
            "until": Utc(self.until_ms).to_string(),
            "reason": self.reason,
            "by": self.by,
            "repetition": self.repetition,
        })
    }
}

/// A limit that an address is under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitLeft {
    /// The prefix whose addresses share it.
    pub prefix: IpNet,
    /// Its rate.
    pub queries_per_min: u32,
    /// Queries at once after a pause.
    pub burst: u32,
    /// Queries that would be answered now.
    pub left: u32,
}

/// What holds for an address besides the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    /// The block that it is under.
    pub block: Option<Blocked>,
    /// A block around it that is kept and does not count: a list, or the address itself, comes
    /// first.
    pub kept: Option<Blocked>,
    /// Its limits, from the longest prefix to the shortest.
    pub limits: Vec<LimitLeft>,
}

/// Holds the blocks, and knows the limits.
pub trait Blocks: Send + Sync {
    /// Blocks a prefix for so many seconds from now, or until later if it is blocked already.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    fn block(&self, prefix: IpNet, seconds: u64, reason: &str) -> Result<Blocked, ControlError>;

    /// Ends the block of exactly this prefix; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Why it cannot be ended.
    fn unblock(&self, prefix: IpNet) -> Result<Option<Blocked>, ControlError>;

    /// Every block in force.
    ///
    /// # Errors
    ///
    /// Why they cannot be had now.
    fn list(&self) -> Result<Vec<Blocked>, ControlError>;

    /// What holds for an address.
    fn explain(&self, address: IpAddr) -> Explained;

    /// Whether blocks and limits never hold for queries from the machine itself.
    fn loopback_is_free(&self) -> bool {
        true
    }

    /// Sources that seem to mine, newest last.
    ///
    /// # Errors
    ///
    /// Why they cannot be had now.
    fn flags(&self) -> Result<Vec<Flag>, ControlError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
pub(super) mod model {
    //! Blocks in a list, with a clock that a test moves.

    use std::sync::atomic::{AtomicI64, Ordering};

    use arc_swap::ArcSwap;

    use super::*;

    #[derive(Default)]
    pub(in crate::control) struct Model {
        pub(in crate::control) now_ms: AtomicI64,
        blocks: ArcSwap<Vec<Blocked>>,
    }

    impl Blocks for Model {
        fn block(
            &self,
            prefix: IpNet,
            seconds: u64,
            reason: &str,
        ) -> Result<Blocked, ControlError> {
            let since_ms = self.now_ms.load(Ordering::Relaxed);
            let until_ms = since_ms + i64::try_from(seconds).unwrap() * 1000;
            let mut blocks = self.list()?;
            blocks.retain(|block| block.prefix != prefix);
            let (reason, by) = (reason.to_owned(), "operator".to_owned());
            let block = Blocked { prefix, since_ms, until_ms, reason, by, repetition: 0 };
            blocks.push(block.clone());
            self.blocks.store(blocks.into());
            Ok(block)
        }

        fn unblock(&self, prefix: IpNet) -> Result<Option<Blocked>, ControlError> {
            let (ended, rest): (Vec<_>, Vec<_>) =
                self.list()?.into_iter().partition(|block| block.prefix == prefix);
            self.blocks.store(rest.into());
            Ok(ended.into_iter().next())
        }

        fn list(&self) -> Result<Vec<Blocked>, ControlError> {
            let now_ms = self.now_ms.load(Ordering::Relaxed);
            let blocks = self.blocks.load();
            Ok(blocks.iter().filter(|block| block.until_ms > now_ms).cloned().collect())
        }

        fn explain(&self, address: IpAddr) -> Explained {
            let block =
                self.list().unwrap().into_iter().find(|block| block.prefix.contains(&address));
            let prefix = IpNet::from(address);
            let limit = LimitLeft { prefix, queries_per_min: 60, burst: 60, left: 59 };
            Explained { block, kept: None, limits: vec![limit] }
        }
    }
}
