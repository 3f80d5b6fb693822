//! Blocks in a list, with the real clock: what the control socket works on in tests.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use whoisd::control::{Blocked, Blocks, ControlError, Explained, LimitLeft};
use whoisd::observe::clock;

#[derive(Default)]
pub(crate) struct Model {
    blocks: ArcSwap<Vec<Blocked>>,
    /// A request for all of them gets the answer that this is not possible now.
    pub(crate) busy: AtomicBool,
}

impl Model {
    /// Blocks that began in the past and last for the given time from now.
    pub(crate) fn since(&self, prefix: &str, past_s: i64, rest_s: i64) {
        let now_ms = clock::wall_ms();
        let mut blocks = self.in_force();
        blocks.push(Blocked {
            prefix: prefix.parse().unwrap(),
            since_ms: now_ms - past_s * 1000,
            until_ms: now_ms + rest_s * 1000,
            reason: "test".to_owned(),
            by: "limits".to_owned(),
            repetition: 2,
        });
        self.blocks.store(blocks.into());
    }

    fn in_force(&self) -> Vec<Blocked> {
        let now_ms = clock::wall_ms();
        self.blocks.load().iter().filter(|block| block.until_ms > now_ms).cloned().collect()
    }
}

impl Blocks for Model {
    fn block(&self, prefix: IpNet, seconds: u64, reason: &str) -> Result<Blocked, ControlError> {
        let since_ms = clock::wall_ms();
        let until_ms = since_ms + i64::try_from(seconds).unwrap() * 1000;
        let mut blocks = self.in_force();
        blocks.retain(|block| block.prefix != prefix);
        let (reason, by) = (reason.to_owned(), "operator".to_owned());
        let block = Blocked { prefix, since_ms, until_ms, reason, by, repetition: 0 };
        blocks.push(block.clone());
        self.blocks.store(blocks.into());
        Ok(block)
    }

    fn unblock(&self, prefix: IpNet) -> Result<Option<Blocked>, ControlError> {
        let (ended, rest): (Vec<_>, Vec<_>) =
            self.in_force().into_iter().partition(|block| block.prefix == prefix);
        self.blocks.store(rest.into());
        Ok(ended.into_iter().next())
    }

    fn list(&self) -> Result<Vec<Blocked>, ControlError> {
        if self.busy.load(Ordering::Relaxed) {
            Err(ControlError::Busy)
        } else {
            Ok(self.in_force())
        }
    }

    fn explain(&self, address: IpAddr) -> Explained {
        let block = self.in_force().into_iter().find(|block| block.prefix.contains(&address));
        let prefix = IpNet::from(address);
        let limit = LimitLeft { prefix, queries_per_min: 60, burst: 60, left: 59 };
        Explained { block, kept: None, limits: vec![limit] }
    }
}
