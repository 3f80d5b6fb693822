//! Everything that the database has, as a base of a snapshot directory.
//!
//! # Invariants
//!
//! - `contained`: the base is one state of the database, and its serial the last one that was given
//!   in that state: changes that the base does not show have greater serials.
//! - A row that cannot be read is left out, named and noted for the publisher to take up, like one
//!   that is not a record; see `rows` and `unread`.
//! - Memory is bounded by [`BootstrapOptions::memory_bytes`]; the rest lies in scratch files of the
//!   directory.
//!
//! # Does not
//!
//! Hold up publishing: serials go on while the base is made.

use std::hash::{BuildHasher, Hasher};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rkyv::rancor::Error as RkyvError;
use snapshot_format::builder::{Builder, Defect, NamedHosts, Options};
use snapshot_format::error::BuildError;
use snapshot_format::layout::{SECTION_ALIGN_BYTES_MAX, SECTION_ALIGN_BYTES_MIN};
use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};
use snapshot_format::record::Meta;
use snapshot_format::sort::{Scratch, Sorted};
use snapshot_format::suffixes::Suffixes;
use snapshot_format::verify::verify;
use snapshot_format::{Kind, Summary};
use tokio_postgres::{IsolationLevel, Transaction};

use super::address::Address;
use super::assign;
use super::contract;
use super::error::{BaseError, Broken, PublishError};
use super::everything::{LOGGED_COUNT_MAX, scratch};
use super::rules::Rules;
use super::run::runtime;
use super::session::{self, Session, Statements};
use crate::feed::word;
use crate::observe::clock;
use crate::store::{self, DiskScratch, Permits, Settings as StoreSettings, Writer};
use crate::view::{self, Disk, View};

/// Registries of this size get sections aligned for huge pages.
const LARGE_DOMAINS: u64 = 100_000;

/// How a base is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapOptions {
    /// Address of the database, `postgres://..`.
    pub from: String,
    /// Snapshot directory; it is made if it does not exist.
    pub into: PathBuf,
    /// Memory for sorting and building, bytes.
    pub memory_bytes: usize,
    /// Older states of the directory to keep.
    pub keep: usize,
    /// What it may do to a registry that the directory has.
    pub permits: Permits,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrapped {
    /// The source of the serials, as a sink gets it.
    pub source: String,
    /// Last serial that is contained.
    pub serial: u64,
    /// Number of the generation.
    pub generation: u64,
    /// Records, and the length of the file.
    pub summary: Summary,
    /// Rows that are not records, and were left out.
    pub refused_count: u64,
    /// References to what is not there, which were left out.
    pub dangling_count: u64,
    /// Contacts that may not leave.
    pub hidden_count: u64,
}

/// Makes a base of everything that the database has, checks it in full, and publishes it as the
/// next generation of the directory.
///
/// # Errors
///
/// The database or the directory refuses; the directory is as it was.
pub fn bootstrap(options: &BootstrapOptions, rules: &Rules) -> Result<Bootstrapped, PublishError> {
    let address = Address::read(&options.from)?;
    let settings = StoreSettings { keep: options.keep, ..StoreSettings::default() };
    let disk = Disk::new(&options.into);
    let writer = Writer::lock(disk.clone(), settings).map_err(base)?;
    let there = store::standing(&disk).map_err(base)?;
    // It is weighed once all reasons are known.
    let writer = writer.over_damage(there.damage.is_some());
    let mut new = writer.begin().map_err(base)?;
    let generation = new.generation();
    let mut made = runtime()?.block_on(async {
        let giver = Session::open(&address, rules).await?;
        let reader = Session::open(&address, rules).await?;
        let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(&options.into));
        let mut pass = Pass::begin(giver, rules, scratch, options.memory_bytes);
        pass.run(reader, &mut new, generation).await
    })?;
    let view = check(&options.into.join(new.aside()))?;
    let damage = there.damage.map(|error| error.to_string());
    let (old, permits) = (there.generation.as_deref(), &options.permits);
    view::weigh(damage.as_deref(), old, view.data(), permits, clock::wall_ms())
        .map_err(|problem| PublishError::Kept { problem })?;
    made.generation = writer.publish(new).map_err(base)?.current.base_generation;
    Ok(made)
}

pub(super) fn base(error: impl Into<BaseError>) -> PublishError {
    PublishError::Base(Box::new(error.into()))
}

/// Checks the new base in full: every reader relies on it.
fn check(path: &Path) -> Result<View, PublishError> {
    let view = View::open(path).map_err(base)?;
    verify(view.base(), &mut |_, _| {}).map_err(|error| base(BaseError::Check(error)))?;
    Ok(view)
}

/// One state of the database, with the last serial that it has.
struct State {
    serial: u64,
    taken_ms: i64,
    domains: u64,
}

pub(super) struct Pass<'p> {
    /// Gives serials, and notes contacts as published.
    pub(super) giver: Session,
    pub(super) rules: &'p Rules,
    pub(super) scratch: Rc<dyn Scratch>,
    pub(super) memory_bytes: usize,
    pub(super) suffixes: Suffixes,
    /// Nameservers that domains name, while domains are read.
    pub(super) named: Option<NamedHosts>,
    pub(super) made: Bootstrapped,
}

impl<'p> Pass<'p> {
    fn begin(
        giver: Session,
        rules: &'p Rules,
        scratch: Rc<dyn Scratch>,
        memory_bytes: usize,
    ) -> Self {
        let made = Bootstrapped {
            source: giver.source.clone(),
            serial: 0,
            generation: 0,
            summary: Summary::default(),
            refused_count: 0,
            dangling_count: 0,
            hidden_count: 0,
        };
        // Half for the builder, half for the kind that is being sorted beside it.
        let memory_bytes = memory_bytes / 2;
        let suffixes = Suffixes::default();
        Self { giver, rules, scratch, memory_bytes, suffixes, named: None, made }
    }

    async fn run<W: Write + Seek>(
        &mut self,
        mut reader: Session,
        out: W,
        generation: u64,
    ) -> Result<Bootstrapped, PublishError> {
        reader.client.batch_execute("SET statement_timeout = 0").await?;
        let Session { client, statements, .. } = &mut reader;
        // Between the export and the import the giver's transaction has to stay open.
        let given = assign::begin(&mut self.giver.client, self.giver.durable).await?;
        let giver = &self.giver.statements;
        // The base shows what was seen here: its commit waits until the disk has it.
        given.query_one(&giver.durable, &[]).await?;
        while assign::assign(&given, giver, self.giver.exact_times).await?
            == i64::from(assign::TAKEN_COUNT_MAX)
        {}
        let (state, snapshot) = state(&given, giver).await?;
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        transaction.batch_execute(&format!("SET TRANSACTION SNAPSHOT '{snapshot}'")).await?;
        given.commit().await?;
        self.made.serial = state.serial;
        let large = state.domains >= LARGE_DOMAINS;
        let align = if large { SECTION_ALIGN_BYTES_MAX } else { SECTION_ALIGN_BYTES_MIN };
        let options = Options {
            memory_bytes: self.memory_bytes,
            section_align_bytes: align,
            // Registrants choose names: the seed must not be known to them.
            hash_seed: std::hash::RandomState::new().build_hasher().finish(),
            generation,
            serial: state.serial,
            watermark_ms: state.taken_ms,
        };
        let seed = options.hash_seed;
        let builder = Builder::new(out, Rc::clone(&self.scratch), options).map_err(base)?;
        // Domains are read first: which nameservers they name has to be known before these are
        // written. They wait in the sorter, which a share of the memory is for.
        let share = self.memory_bytes / 4;
        let named = NamedHosts::new(seed, Rc::clone(&self.scratch), share);
        self.named = Some(named);
        self.memory_bytes = share;
        let mut domains = Some(self.sorted(&transaction, statements, Kind::Domain).await?);
        let mut builder = match self.named.take() {
            Some(named) => builder.with_named(named).map_err(base)?,
            None => builder,
        };
        for kind in Kind::ALL {
            let sorted = match domains.take_if(|_| kind == Kind::Domain) {
                Some(domains) => domains,
                None => self.sorted(&transaction, statements, kind).await?,
            };
            self.build(&mut builder, kind, sorted)?;
            tracing::info!(kind = word(kind), "everything of a kind is written");
        }
        // A view that was replaced meanwhile.
        contract::check(&self.giver.client, self.rules).await?;
        let suffixes = self.suffixes.all().iter().map(|suffix| suffix.to_string()).collect();
        let source = "whoisd publish --bootstrap".to_owned();
        let meta = Meta { suffixes, deposits: Vec::new(), source };
        let mut dangling = 0u64;
        let (_, summary) = builder
            .finish(&meta, &mut |_, _| dangling = dangling.saturating_add(1))
            .map_err(base)?;
        self.made.dangling_count = self.made.dangling_count.saturating_add(dangling);
        self.made.summary = summary;
        Ok(self.made.clone())
    }

    fn build<W: Write + Seek>(
        &mut self,
        builder: &mut Builder<W>,
        kind: Kind,
        mut sorted: Sorted,
    ) -> Result<(), PublishError> {
        let dangling = &mut self.made.dangling_count;
        let mut last: Vec<u8> = Vec::new();
        while let Some((key, archive)) = sorted.next().map_err(scratch)? {
            if key == last {
                let view = session::view(kind).0;
                let key = String::from_utf8_lossy(key).into_owned();
                return Err(Broken::Twice { view, key }.into());
            }
            last.clear();
            last.extend_from_slice(key);
            write(builder, kind, archive, &mut |defect| {
                if *dangling < LOGGED_COUNT_MAX {
                    let key = String::from_utf8_lossy(key);
                    tracing::warn!(%key, ?defect, "left out of the base");
                }
                *dangling = dangling.saturating_add(1);
            })
            .map_err(base)?;
        }
        Ok(())
    }
}

async fn state(
    given: &Transaction<'_>,
    statements: &Statements,
) -> Result<(State, String), PublishError> {
    let row = given.query_one(&statements.position, &[]).await?;
    let serial: i64 = row.try_get(0)?;
    let row = given
        .query_one(
            "SELECT (extract(epoch FROM now()) * 1000)::bigint, pg_export_snapshot(), \
             (SELECT count(*) FROM (SELECT FROM whoisd.domains LIMIT 100000) counted)",
            &[],
        )
        .await?;
    let domains: i64 = row.try_get(2)?;
    let state = State {
        serial: u64::try_from(serial).unwrap_or(0),
        taken_ms: row.try_get(0)?,
        domains: u64::try_from(domains).unwrap_or(0),
    };
    Ok((state, row.try_get(1)?))
}

fn write<W: Write + Seek>(
    builder: &mut Builder<W>,
    kind: Kind,
    archive: &[u8],
    heard: &mut dyn FnMut(Defect<'_>),
) -> Result<u32, BuildError> {
    macro_rules! read {
        ($kind:ty) => {
            rkyv::from_bytes::<$kind, RkyvError>(archive)
                .map_err(|_| io::Error::other("a scratch file changed; the disk is faulty"))?
        };
    }
    let mut heard = |defect: Defect<'_>| heard(defect);
    match kind {
        Kind::Registrar => builder.registrar(&read!(Registrar)),
        Kind::IdnTable => builder.idn_table(&read!(IdnTable)),
        Kind::Contact => builder.contact(&read!(Contact), &mut heard),
        Kind::Nameserver => builder.nameserver(&read!(Nameserver), &mut heard),
        Kind::Nndn => builder.nndn(&read!(Nndn), &mut heard),
        Kind::Domain => builder.domain(&read!(Domain), &mut heard),
    }
}
