//! An object store, directories that publish into it, and one that fetches from it.
#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use snapshot_format::object::Domain;
use snapshot_format::record::Meta;
use snapshot_format::{Builder, Change, Object, Options, delta};
use whoisd::feed::key::{SecretKey, Trusted};
use whoisd::feed::nats::Wanted;
use whoisd::feed::objects::{Arrived, How, ObjectError, Objects};
use whoisd::store::{DiskScratch, Files, Live, Settings, Stamp, Writer};
use whoisd::view::{Disk, View};

/// The writer of a directory. A program that another test starts at this moment holds the lock
/// until it has become that program, so it is tried for a while.
pub(crate) fn lock(path: &Path) -> Writer<Disk> {
    let tried = (0..6_000).find_map(|_| {
        let locked = Writer::lock(Disk::new(path), Settings::default()).ok();
        if locked.is_none() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        locked
    });
    tried.unwrap()
}

/// A directory whose current base has one domain, as of a serial.
pub(crate) fn directory(path: &Path, serial: u64, name: &str) {
    directory_of(path, serial, name, 1_764_000_000_000);
}

pub(crate) fn directory_of(path: &Path, serial: u64, name: &str, watermark_ms: i64) {
    let writer = lock(path);
    let mut base = writer.begin().unwrap();
    let options =
        Options { generation: base.generation(), serial, watermark_ms, ..Options::default() };
    let scratch = Rc::new(DiskScratch::new(writer.files().path()));
    let mut builder = Builder::new(&mut base, scratch, options).unwrap();
    builder.domain(&Domain { name: name.into(), ..Domain::default() }, &mut |_| {}).unwrap();
    builder.finish(&Meta::default(), &mut |_, _| {}).unwrap();
    writer.publish(base).unwrap();
}

/// Appends one domain to a directory, as of a serial.
pub(crate) fn append(path: &Path, serial: u64, name: &str) {
    let writer = lock(path);
    let mut live = Live::open(writer).unwrap();
    let domain = Domain { name: name.into(), ..Domain::default() };
    let change = Change::Upsert(Box::new(Object::Domain(domain)));
    let encoded = delta::encode(live.generation(), [&change], &mut |_, _| {}).unwrap();
    let stamp = Stamp { serial, committed_ms: 1_764_000_000_001, heartbeat_ms: i64::MIN };
    live.append(&encoded, stamp).unwrap();
}

/// Appends a heartbeat to a directory, as of a serial.
pub(crate) fn beat(path: &Path, serial: u64) {
    let mut live = Live::open(lock(path)).unwrap();
    let state = live.generation().state();
    let (committed_ms, heartbeat_ms) = (state.committed_ms, 1_764_000_005_000);
    let encoded = delta::encode(live.generation(), [], &mut |_, _| {}).unwrap();
    live.append(&encoded, Stamp { serial, committed_ms, heartbeat_ms }).unwrap();
}

/// An object store and a directory that fetches from it.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) objects: Objects,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().join("store").display());
        let objects = Objects::open(&url).unwrap();
        Self { folder, objects }
    }

    pub(crate) fn node(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    pub(crate) fn publish(&self, serial: u64, source: Option<&str>, key: Option<&SecretKey>) {
        let path = self.folder.path().join(format!("registry-{serial}"));
        directory(&path, serial, &format!("of-{serial}.demo"));
        let view = View::open(&path).unwrap();
        let source = source.map(|source| source.parse().unwrap());
        let how = How { source: source.as_ref(), key, replace: true };
        let published = self.objects.publish(view.base(), how, &mut |_, _| true);
        assert_eq!(published.unwrap().manifest.serial, serial);
    }

    /// The object whose name begins with a serial, and ends so.
    pub(crate) fn object(&self, serial: u64, ending: &str) -> PathBuf {
        let files = fs::read_dir(self.folder.path().join("store")).unwrap();
        let is_it = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(&format!("{serial:020}-")) && name.ends_with(ending)
        };
        files.map(|entry| entry.unwrap().path()).find(is_it).unwrap()
    }

    pub(crate) fn fetch(
        &self,
        serial_min: u64,
        source: Option<&str>,
    ) -> Result<Arrived, ObjectError> {
        self.fetch_trusting(serial_min, source, &Trusted::default())
    }

    pub(crate) fn fetch_trusting(
        &self,
        serial_min: u64,
        source: Option<&str>,
        trusted: &Trusted,
    ) -> Result<Arrived, ObjectError> {
        let source = source.map(|source| source.parse().unwrap());
        let wanted = Wanted { serial_min, source, unnamed: false, why: String::new() };
        let writer = lock(&self.node());
        self.objects.fetch(&wanted, trusted, &writer, &mut |_| Ok(()), &mut |_, _| true)
    }

    pub(crate) fn refusal(&self, serial_min: u64, source: Option<&str>) -> String {
        self.fetch(serial_min, source).unwrap_err().to_string()
    }

    /// The serial that the node serves, whose base is whole.
    pub(crate) fn serves(&self) -> u64 {
        let view = View::open(&self.node()).unwrap();
        view.prepare().unwrap();
        let serial = view.state().serial;
        let name = format!("of-{serial}.demo");
        assert!(view.base().find_domain(&name).unwrap().is_some(), "{name}");
        let files: Vec<_> = fs::read_dir(self.node()).unwrap().flatten().collect();
        assert!(files.iter().all(|file| !file.file_name().to_string_lossy().ends_with(".new")));
        serial
    }
}
