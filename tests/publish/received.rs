//! A sink in memory, with the registry that its records make.

use std::collections::BTreeMap;

use snapshot_format::object::{Contact, Domain, Nameserver, Registrar};
use snapshot_format::{Change, Kind, Object};
use whoisd::feed::{Body, ChangeRecord};
use whoisd::publish::{Last, Sink, SinkError, Told};

/// What was received.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) records: Vec<ChangeRecord>,
    pub(crate) batches: Vec<usize>,
    pub(crate) objects: BTreeMap<(Kind, String), Object>,
    /// How many of the next batches are lost.
    pub(crate) failures: u32,
}

impl Sink for Received {
    fn last(&mut self, _: &str) -> Result<Option<Last>, SinkError> {
        let last = self.records.last();
        Ok(last.map(|record| Last { serial: record.serial, told: Some(Told::of(record)) }))
    }

    fn send(&mut self, records: &[ChangeRecord]) -> Result<(), SinkError> {
        if self.failures > 0 {
            self.failures -= 1;
            return Err(SinkError::Transient("the network is gone".into()));
        }
        self.batches.push(records.len());
        for record in records {
            let last = self.records.last().map(|record| record.serial);
            if last.is_some_and(|last| record.serial <= last) {
                continue;
            }
            assert_eq!(record.serial, last.map_or(record.serial, |last| last + 1));
            let mut line = Vec::new();
            record.write_json(&mut line);
            let read = ChangeRecord::parse(&line).unwrap();
            assert_eq!(read, *record);
            if let Body::Change(change) = &record.body {
                let key = (change.kind(), change.key().to_owned());
                match &**change {
                    Change::Upsert(object) => {
                        self.objects.insert(key, Object::clone(object));
                    }
                    Change::Delete { .. } => {
                        self.objects.remove(&key);
                    }
                }
            }
            self.records.push(read);
        }
        Ok(())
    }
}

/// `kind key`, `-kind key`, or `heartbeat`.
pub(crate) fn said(record: &ChangeRecord) -> String {
    let word = |kind: Kind| format!("{kind:?}").to_lowercase();
    match &record.body {
        Body::Heartbeat => "heartbeat".to_owned(),
        Body::Change(change) => {
            let sign = if matches!(**change, Change::Delete { .. }) { "-" } else { "" };
            format!("{sign}{} {}", word(change.kind()), change.key())
        }
    }
}

macro_rules! getter {
    ($name:ident $kind:ident $object:ident) => {
        pub(crate) fn $name(&self, key: &str) -> $object {
            match self.objects.get(&(Kind::$kind, key.to_owned())) {
                Some(Object::$kind(object)) => object.clone(),
                other => panic!("{key}: {other:?}"),
            }
        }
    };
}

impl Received {
    getter!(domain Domain Domain);
    getter!(contact Contact Contact);
    getter!(host Nameserver Nameserver);
    getter!(registrar Registrar Registrar);

    pub(crate) fn has(&self, kind: Kind, key: &str) -> bool {
        self.objects.contains_key(&(kind, key.to_owned()))
    }

    /// The records from the one at `from` on.
    pub(crate) fn said(&self, from: usize) -> Vec<String> {
        self.records[from..].iter().map(said).collect()
    }
}
