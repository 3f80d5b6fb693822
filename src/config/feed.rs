//! `[feed.nats]`: which stream a node follows, whom it trusts, where it fetches snapshots.
//!
//! # Does not
//!
//! Connect, or look at the object store: whether they are there shows when the feed runs.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::file;
use super::value::{Refused, ValueError};
use crate::feed::key::{KeyError, Trusted};
use crate::feed::nats::{self, Address, POSITION, STREAM, Timing};

/// Most keys that are trusted: an old and a new one of each publisher are a handful.
const KEY_COUNT_MAX: usize = 16;
/// Longest address of an object store, bytes.
const OBJECTS_BYTES_MAX: usize = 1024;

/// The stream that a node follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nats {
    /// Servers, stream and credentials.
    pub address: Address,
    /// Name of the node's durable consumer; `None`: made from the host's name.
    pub durable: Option<String>,
    /// Files of the public keys that batches and snapshots have to be signed with; none: signatures
    /// are not looked at.
    pub trusted_keys: Vec<PathBuf>,
    /// Address of the object store with snapshots; `None`: a node that is too far behind waits
    /// until somebody imports or fetches one.
    pub objects: Option<String>,
}

impl Nats {
    /// What the feed runs with: reads the key files.
    ///
    /// # Errors
    ///
    /// A key file cannot be read, or holds no public key.
    pub fn settings(
        &self,
        dir: &Path,
        host: &str,
        now_ms: fn() -> i64,
    ) -> Result<nats::Settings, KeyError> {
        Ok(nats::Settings {
            address: self.address.clone(),
            durable: self.durable.clone().unwrap_or_else(|| nats::durable_of_host(host)),
            trusted: Trusted::read(&self.trusted_keys)?,
            position: Some(dir.join(POSITION)),
            now_ms,
            timing: Timing::default(),
        })
    }
}

/// Reads the table; `None` if nothing is set in it. Every value that cannot be used is reported.
pub(super) fn nats(file: &file::Nats) -> Result<Option<Nats>, Vec<Refused>> {
    let file::Nats { servers, stream, durable, credentials, trusted_keys, objects } = file;
    let Some(servers) = servers else {
        let others = [stream.is_some(), durable.is_some(), credentials.is_some()];
        if others.contains(&true) || trusted_keys.is_some() || objects.is_some() {
            return Err(vec![no_servers("feed.nats.servers", "feed.nats")]);
        }
        return Ok(None);
    };
    let address = Address {
        servers: servers.get_ref().iter().map(|server| server.get_ref().clone()).collect(),
        stream: stream.as_ref().map_or_else(|| STREAM.to_owned(), |name| name.get_ref().clone()),
        credentials: credentials.as_ref().map(|path| path.get_ref().clone()),
    };
    let mut all = Vec::new();
    if let Some(stream) = stream
        && let Err(problem) = nats::check_name("stream", stream.get_ref())
    {
        all.push(Refused::new("feed.nats.stream", stream, problem));
    }
    all.extend(check_servers("feed.nats.servers", servers));
    if let Some(durable) = durable
        && let Err(problem) = nats::check_name("durable consumer", durable.get_ref())
    {
        all.push(Refused::new("feed.nats.durable", durable, problem));
    }
    if let Some(keys) = trusted_keys.as_ref().filter(|keys| keys.get_ref().len() > KEY_COUNT_MAX) {
        let got = keys.get_ref().len();
        let problem = ValueError::TooMany { got, what: "keys", max: KEY_COUNT_MAX };
        all.push(Refused::new("feed.nats.trusted_keys", keys, problem));
    }
    if let Some(url) = objects.as_ref().filter(|url| !is_address(url.get_ref())) {
        let got = url.get_ref().chars().take(OBJECTS_BYTES_MAX).collect();
        all.push(Refused::new("feed.nats.objects", url, ValueError::Objects { got }));
    }
    if !all.is_empty() {
        return Err(all);
    }
    Ok(Some(Nats {
        address,
        durable: durable.as_ref().map(|name| name.get_ref().clone()),
        trusted_keys: trusted_keys.as_ref().map_or_else(Vec::new, |keys| keys.get_ref().clone()),
        objects: objects.as_ref().map(|url| url.get_ref().clone()),
    }))
}

/// Servers are missing, and other keys of their table are there.
pub(super) fn no_servers(key: &str, table: &'static str) -> Refused {
    let what = "the servers, such as [\"nats://127.0.0.1:4222\"]";
    Refused::missing(key, ValueError::Headless { table, what })
}

/// What is wrong with addresses of servers, each by itself, or with their number.
pub(super) fn check_servers(key: &str, servers: &Spanned<Vec<Spanned<String>>>) -> Vec<Refused> {
    let problem = |servers: &[Spanned<String>]| {
        let servers = servers.iter().map(|server| server.get_ref().clone()).collect();
        Address { servers, stream: STREAM.to_owned(), credentials: None }.check().err()
    };
    let several = servers.get_ref().len() > 1;
    // They are not quoted: an address may hold a password, although it should not.
    let each = (1..).zip(servers.get_ref()).filter_map(|(number, server)| {
        let source = problem(std::slice::from_ref(server))?;
        let problem = if several { ValueError::Server { number, source } } else { source.into() };
        Some(Refused::new(key, server, problem))
    });
    let each: Vec<_> = each.collect();
    if !each.is_empty() {
        return each;
    }
    let together = problem(servers.get_ref());
    together.map(|problem| Refused::new(key, servers, problem)).into_iter().collect()
}

fn is_address(url: &str) -> bool {
    let known = match url.split_once("://") {
        None => true,
        Some(("file", path)) => path.starts_with('/'),
        Some((scheme, rest)) => scheme == "s3" && !rest.is_empty(),
    };
    known && !url.is_empty() && url.len() <= OBJECTS_BYTES_MAX
}
