//! `whoisd fetch-snapshot`: the newest snapshot of an object store into a directory.

use std::path::{Path, PathBuf};

use clap::Args;

use super::publish_snapshot::bar;
use super::{Failure, output, standard};
use crate::feed::key::Trusted;
use crate::feed::message::Source;
use crate::feed::nats::{POSITION, Wanted, note_source, source_of};
use crate::feed::objects::{NotPermitted, Objects};
use crate::observe::clock;
use crate::serving::fresh::Fresh;
use crate::store::{self, FEWER_PERCENT, Permit, Permits, Settings, Writer};
use crate::view::{self, Data, Disk};

/// Fetch the newest snapshot of an object store into a snapshot directory
///
/// It becomes the directory's next generation once its length, SHA-256, checksums and, where a key
/// is trusted, its signature are right; a damaged one is passed over for the next older one, and so
/// is one with a lower serial than the directory has, but for --allow feed. What would lose much of
/// a registry is refused unless --allow permits it: no or far fewer domains, of any TLD, older
/// data, a state that does not read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whoisd fetch-snapshot --from /srv/snapshots --into /var/lib/whoisd
  whoisd fetch-snapshot --from file:///srv/snapshots --into new --trusted feed.key.pub

Exit status: 0 fetched; 1 there is none that can be used, or the object store or the directory
fails; 2 wrong usage; 3 a key is none, or the snapshot may not take the place of what there is.")]
pub(super) struct Options {
    /// Object store: a directory, file:///DIRECTORY, or s3://BUCKET/PATH in a build with S3
    #[arg(long, value_name = "URL")]
    from: String,
    /// Snapshot directory; it is made if it does not exist. No server may be writing it
    #[arg(long, value_name = "DIR", value_parser = super::kinds::directory())]
    into: PathBuf,
    /// Take only what the public key in FILE has signed; may be given several times. Default
    /// feed.nats.trusted_keys of the configuration
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    trusted: Vec<PathBuf>,
    /// Configuration file whose feed.nats.trusted_keys are meant. Default
    /// /etc/whoisd/whoisd.toml, if it is there
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    #[arg(conflicts_with = "trusted")]
    config: Option<PathBuf>,
    /// Take only a snapshot with the serials of this source. Default the source that the directory
    /// follows, if it follows one
    #[arg(long, value_name = "NAME")]
    source: Option<Source>,
    /// Permit what would lose much of the registry that there is
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    allow: Vec<Permit>,
    /// Domains that may be missing, of a hundred that there are
    #[arg(long, value_name = "PERCENT", default_value_t = FEWER_PERCENT)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    fewer_max: u8,
    /// Older states to keep for `whoisd rollback`, each as large as a snapshot
    #[arg(long, value_name = "N", default_value_t = 1)]
    keep: usize,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// The note on a snapshot whose signature nobody has checked.
const NOT_VOUCHED: &str = "not verified: no key is trusted, and anybody with access to the object \
    store can change it; --trusted FILE checks the signature";

/// The keys of `--trusted`, or else those that a server with the configuration trusts.
fn trusted(options: &Options) -> Result<Trusted, Failure> {
    if !options.trusted.is_empty() {
        return Ok(Trusted::read(&options.trusted)?);
    }
    let settings = standard::settings(options.config.as_deref(), None)?;
    let keys = settings.nats.map(|nats| nats.trusted_keys).unwrap_or_default();
    Ok(Trusted::read(&keys)?)
}

/// The directory that an address names, if it names one.
fn local(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("file://").or_else(|| (!url.contains("://")).then_some(url));
    path.map(Path::new)
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let trusted = trusted(options)?;
    // A directory that the first snapshot would make is not a place to fetch from.
    if let Some(path) = local(&options.from).filter(|path| !path.is_dir()) {
        let path = path.display();
        let problem =
            "there is no such directory, expected one that `whoisd publish-snapshot` made";
        return Err(Failure::failed(format!("{path}: {problem}")));
    }
    let objects = Objects::open(&options.from)?;
    let _fresh = Fresh::of(&options.into);
    let settings = Settings { keep: options.keep, ..Settings::default() };
    let writer = Writer::lock(Disk::new(&options.into), settings)?;
    let there = store::standing(&Disk::new(&options.into))?;
    let writer = writer.over_damage(there.damage.is_some());
    let named = options.allow.clone();
    let serial = there.generation.as_ref().map_or(0, |data| data.state().serial);
    let serial_min = if named.contains(&Permit::Feed) { 0 } else { serial };
    let permits = Permits { named, fewer_percent: options.fewer_max };
    let damage = there.damage.map(|error| error.to_string());
    let old = there.generation;
    let mut vet = |made: &Data| {
        let weighed =
            view::weigh(damage.as_deref(), old.as_deref(), made, &permits, clock::wall_ms());
        weighed.map_err(NotPermitted::from)
    };
    // A directory that follows one source's stream cannot go on with the serials of another one.
    let followed = source_of(&options.into).filter(|_| options.source.is_none());
    let unnamed = followed.is_some();
    let source = options.source.clone().or(followed);
    let wanted = Wanted { serial_min, source, unnamed, why: String::new() };
    let bar = bar(options.quiet, "fetching")?;
    let arrived = objects.fetch(&wanted, &trusted, &writer, &mut vet, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
        true
    });
    bar.finish_and_clear();
    let arrived = arrived?;
    if let Some(source) = &arrived.object.source {
        note_source(&options.into, source).map_err(|error| {
            let path = options.into.join(POSITION);
            Failure::failed(format!("{}: cannot note the source: {error}", path.display()))
        })?;
    }
    if options.quiet {
        return Ok(());
    }
    let mut text = String::new();
    for problem in &arrived.passed_over {
        text.push_str(&format!("passed over: {problem}\n"));
    }
    let (object, manifest) = (&arrived.object, &arrived.manifest);
    text.push_str(&format!(
        "fetched serial {}, {} bytes, as generation {}; {}\n",
        object.serial,
        object.bytes,
        manifest.current.base_generation,
        if trusted.is_empty() { NOT_VOUCHED } else { "signed by a trusted key" }
    ));
    output::print(text.as_bytes())
}
