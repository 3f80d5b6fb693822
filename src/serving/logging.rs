//! The query log of a running server: its writer, and each shard's end of it.
//!
//! # Invariants
//!
//! - `after the shards`: the writer ends once the shards have, with all that they recorded.
//!
//! # Does not
//!
//! Write: `querylog` does.

use std::sync::Arc;

use crossbeam::channel::{Receiver, bounded};

use super::Failure;
use crate::config::Settings;
use crate::control::{Part, PartError};
use crate::place::aside::{Place, Weight};
use crate::querylog::{self, Changer, Figures, Prepared, Recorder, Writer};

/// The writer, if queries are logged.
pub struct Logging {
    writer: Option<Writer>,
    recorders: Vec<Receiver<Recorder>>,
}

impl Logging {
    /// Starts the writer beside the shards, if there is to be one.
    pub fn start(settings: &Settings, cores: &[usize]) -> Result<Self, Failure> {
        if !settings.query_log.is_on() {
            return Ok(Self { writer: None, recorders: Vec::new() });
        }
        let place = Place { core: None, shard_cores: cores, weight: Weight::Full };
        let (all, writer) =
            querylog::start(&settings.query_log, cores.len(), place).map_err(Failure::failed)?;
        let handed = |recorder| {
            let (place, taken) = bounded(1);
            // There is room for it.
            let _ = place.send(recorder);
            taken
        };
        let recorders = all.into_iter().map(handed).collect();
        Ok(Self { writer: Some(writer), recorders })
    }

    /// The shards' ends, each in the place of its core: figures are reported in that order.
    pub fn recorders(&self) -> Vec<Receiver<Recorder>> {
        self.recorders.clone()
    }

    /// What a reload can put in force.
    pub fn part(&self) -> Option<Box<dyn Part>> {
        let changer = self.writer.as_ref()?.changer();
        Some(Box::new(Reloaded { changer, prepared: None }))
    }

    /// What the log tells about itself.
    pub fn figures(&self) -> Option<Arc<Figures>> {
        self.writer.as_ref().map(Writer::figures)
    }

    /// Writes what shards have recorded, and ends.
    pub fn stop(self) {
        if let Some(writer) = self.writer {
            writer.stop();
        }
    }
}

/// The log as a reload reads it.
struct Reloaded {
    changer: Changer,
    prepared: Option<Prepared>,
}

impl Part for Reloaded {
    fn takes(&self, key: &str) -> bool {
        let fixed = ["query_log.dir", "query_log.ring_bytes"];
        key.starts_with("query_log.")
            && !key.starts_with("query_log.nats.")
            && !fixed.contains(&key)
    }

    fn prepare(&mut self, settings: &Settings) -> Result<(), PartError> {
        self.prepared = Some(self.changer.prepare(&settings.query_log)?);
        Ok(())
    }

    fn commit(&mut self) {
        if let Some(prepared) = self.prepared.take() {
            self.changer.commit(prepared);
        }
    }
}
