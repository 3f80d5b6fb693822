//! Puts flags, file and defaults together; checks every value, and those that contradict others.
//!
//! # Invariants
//!
//! - `all-at-once`: a value that cannot be used is noted, and the others are looked at. Errors are
//!   in the order of lines.

mod note;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hashbrown::HashMap;
use toml::Spanned;

use super::file::Source;
use super::keys::NUMBERS;
use super::settings::{Effective, Flags, Settings};
use super::{
    ConfigError, ValueError, contradiction, feed, guard as checks, policy, proxy, query_log,
    registrars, web,
};
use crate::place::cores;
use crate::policy::display::Answers;
use crate::policy::display::settings::Listed;

/// Most addresses listened on; each costs every shard a listener.
pub(super) const LISTEN_COUNT_MAX: usize = 64;

/// Reads the file, if there is one, and puts the flags over it.
///
/// # Errors
///
/// Every value that cannot be used, with its place, key and bound.
pub fn load(path: Option<&Path>, flags: &Flags) -> Result<Effective, ConfigError> {
    let source = path.map(Source::read).transpose()?.unwrap_or_default();
    merge(&source, flags)
}

/// [`load`], with what can be used: what cannot has its default, and an error.
///
/// # Errors
///
/// The file cannot be read, or is not TOML.
pub fn look(
    path: Option<&Path>,
    flags: &Flags,
) -> Result<(Effective, Vec<ConfigError>), ConfigError> {
    let source = path.map(Source::read).transpose()?.unwrap_or_default();
    Ok(merged(&source, flags))
}

/// [`load`] after the file is read.
pub(super) fn merge(source: &Source, flags: &Flags) -> Result<Effective, ConfigError> {
    let (effective, errors) = merged(source, flags);
    ConfigError::of(errors)?;
    Ok(effective)
}

fn merged(source: &Source, flags: &Flags) -> (Effective, Vec<ConfigError>) {
    let mut merge = Merge {
        source,
        effective: Effective { settings: Settings::default(), origins: HashMap::default() },
        errors: Vec::new(),
    };
    merge.numbers();
    // Before the server: a [[proxy]] may name one of its listeners.
    merge.web();
    merge.server(flags);
    merge.snapshot(flags);
    merge.updater(flags);
    merge.policy();
    merge.log(flags);
    merge.feed();
    merge.status();
    merge.limits();
    merge.warden();
    merge.query_log();
    merge.answers();
    merge.contradictions();
    let Merge { effective, mut errors, .. } = merge;
    errors.splice(..0, source.errors());
    errors.sort_by_key(ConfigError::line);
    (effective, errors)
}

struct Merge<'a> {
    source: &'a Source,
    effective: Effective,
    errors: Vec<ConfigError>,
}

impl Merge<'_> {
    fn numbers(&mut self) {
        for number in NUMBERS {
            let Some(written) = (number.written)(&self.source.file) else { continue };
            let (value, bound) = (*written.get_ref(), number.bound);
            let problem = if value < bound.min {
                ValueError::Small { got: value, min: bound.min, unit: number.unit }
            } else if value > bound.max {
                ValueError::Large { got: value, max: bound.max, unit: number.unit }
            } else {
                (number.set)(&mut self.effective.settings, value);
                self.set_in_file(number.key, &written.span());
                continue;
            };
            self.errors.push(self.refused(number.key, &written.span(), problem));
        }
    }

    fn server(&mut self, flags: &Flags) {
        let server = &self.source.file.server;
        if let Some(dir) = &flags.dir {
            self.effective.settings.dir = Some(dir.clone());
            self.set_by_flag("server.dir", "--dir");
        } else if let Some(dir) = &server.dir {
            if dir.get_ref().as_os_str().is_empty() {
                let problem = ValueError::Empty { what: "directory" };
                self.errors.push(self.refused("server.dir", &dir.span(), problem));
            }
            self.effective.settings.dir = Some(dir.get_ref().clone());
            self.set_in_file("server.dir", &dir.span());
        }
        let listen = if !flags.listen.is_empty() {
            self.set_by_flag("server.listen", "--listen");
            let wrong = check_listen(flags.listen.len(), &flags.listen);
            let wrong: Vec<_> = wrong.into_iter().map(|one| flag("--listen", one)).collect();
            Some(self.all_noted(wrong).then(|| flags.listen.clone()))
        } else if let Some(listen) = &server.listen {
            self.set_in_file("server.listen", &listen.span());
            Some(self.listen(listen))
        } else {
            None
        };
        let are_known = listen.as_ref().is_none_or(Option::is_some);
        if let Some(listen) = listen.flatten() {
            self.effective.settings.listen = listen;
        }
        // Each table names one of the addresses.
        self.proxies(are_known);
        let engine = self.word("server.engine", server.engine.as_ref());
        if let Some(engine) = self.noted(engine).flatten() {
            self.effective.settings.port43.engine = engine;
        }
        if let Some(engine) = flags.engine {
            self.effective.settings.port43.engine = engine;
            self.set_by_flag("server.engine", "--engine");
        }
        let cores = self.cores(flags);
        if let Some(Some(cores)) = self.noted(cores) {
            self.effective.settings.cores = Some(cores);
        }
    }

    fn cores(&mut self, flags: &Flags) -> Result<Option<Vec<usize>>, ConfigError> {
        if let Some(text) = &flags.cores {
            self.set_by_flag("server.cores", "--cores");
            let cores = cores::parse(text).map(Some);
            return cores.map_err(|error| flag("--cores", error));
        }
        let Some(text) = &self.source.file.server.cores else { return Ok(None) };
        self.set_in_file("server.cores", &text.span());
        let cores = cores::parse(text.get_ref());
        cores.map(Some).map_err(|error| self.refused("server.cores", &text.span(), error))
    }

    fn policy(&mut self) {
        let file = &self.source.file;
        if let Some(path) = &file.server.control {
            self.effective.settings.control = Some(path.get_ref().clone());
            self.set_in_file("server.control", &path.span());
        }
        if let Some(written) = &file.policy.lists {
            for path in policy::lists(written) {
                if let Some(path) = self.taken(path) {
                    self.effective.settings.policy.lists.push(path);
                }
            }
            self.set_in_file("policy.lists", &written.span());
        }
        let nft = &file.policy.nftables;
        match policy::nftables(nft) {
            Ok(nftables) => self.effective.settings.policy.nftables = nftables,
            Err(all) => all.into_iter().for_each(|one| self.note(one)),
        }
        let spans = [
            ("policy.nftables.table", nft.table.as_ref().map(Spanned::span)),
            ("policy.nftables.set4", nft.set4.as_ref().map(Spanned::span)),
            ("policy.nftables.set6", nft.set6.as_ref().map(Spanned::span)),
            ("policy.nftables.program", nft.program.as_ref().map(Spanned::span)),
        ];
        self.set_spans(spans);
    }

    fn listen(&mut self, written: &Spanned<Vec<Spanned<String>>>) -> Option<Vec<SocketAddr>> {
        let (mut listen, mut wrong) = (Vec::new(), Vec::new());
        for text in written.get_ref() {
            let Ok(address) = text.get_ref().parse() else {
                let problem = proxy::no_address(text.get_ref());
                wrong.push(self.refused("server.listen", &text.span(), problem));
                continue;
            };
            listen.push(address);
        }
        for problem in check_listen(written.get_ref().len(), &listen) {
            wrong.push(self.refused("server.listen", &written.span(), problem));
        }
        self.all_noted(wrong).then_some(listen)
    }

    fn snapshot(&mut self, flags: &Flags) {
        let check = self.word("snapshot.check", self.source.file.snapshot.check.as_ref());
        if let Some(check) = self.noted(check).flatten() {
            self.effective.settings.check = check;
        }
        if let Some(check) = flags.check {
            self.effective.settings.check = check;
            self.set_by_flag("snapshot.check", "--check");
        }
    }

    fn updater(&mut self, flags: &Flags) {
        let file = &self.source.file.updater;
        if let Some(spool) = &file.spool {
            self.effective.settings.spool = *spool.get_ref();
            self.set_in_file("updater.spool", &spool.span());
        }
        if flags.spool {
            self.effective.settings.spool = true;
            self.set_by_flag("updater.spool", "--spool");
        }
        if let Some(text) = &file.core {
            let core = cores::parse_one(text.get_ref())
                .map_err(|error| self.refused("updater.core", &text.span(), error));
            self.effective.settings.updater_core = self.noted(core);
            self.set_in_file("updater.core", &text.span());
        }
    }

    fn log(&mut self, flags: &Flags) {
        let file = &self.source.file.log;
        let format = self.word("log.format", file.format.as_ref());
        if let Some(format) = self.noted(format).flatten() {
            self.effective.settings.log.format = format;
        }
        let level = self.word("log.level", file.level.as_ref());
        if let Some(level) = self.noted(level).flatten() {
            self.effective.settings.log.level = level;
        }
        if let Some(format) = flags.log_format {
            self.effective.settings.log.format = format;
            self.set_by_flag("log.format", "--log-format");
        }
        if let Some(level) = flags.log_level {
            self.effective.settings.log.level = level;
            self.set_by_flag("log.level", "--log-level");
        }
    }

    fn status(&mut self) {
        let file = &self.source.file.status;
        let listen = self.address("status.listen", file.listen.as_ref());
        self.effective.settings.status_listen = self.noted(listen).flatten();
        let health = self.address("status.health_listen", file.health_listen.as_ref());
        self.effective.settings.health_listen = self.noted(health).flatten();
    }

    fn address(
        &mut self,
        key: &'static str,
        written: Option<&Spanned<String>>,
    ) -> Result<Option<SocketAddr>, ConfigError> {
        let Some(text) = written else { return Ok(None) };
        let address = text.get_ref().parse().map_err(|_| {
            self.refused(key, &text.span(), ValueError::Status { got: text.get_ref().clone() })
        })?;
        self.set_in_file(key, &text.span());
        Ok(Some(address))
    }

    fn proxies(&mut self, are_known: bool) {
        let Settings { listen, web, .. } = &self.effective.settings;
        let of_web = [&*web.listen, &*web.tls_listen].concat();
        let listen = are_known.then_some([&**listen, &*of_web]);
        let (rules, all) = proxy::rules(&self.source.file.proxy, listen);
        all.into_iter().for_each(|one| self.note(one));
        self.effective.settings.proxies = rules;
    }

    fn limits(&mut self) {
        let file = &self.source.file.limits;
        let mode = self.word("limits.mode", file.mode.as_ref());
        if let Some(mode) = self.noted(mode).flatten() {
            self.effective.settings.guard.mode = mode;
        }
        if let Some(free) = self.plain("limits.loopback_free", file.loopback_free.as_ref()) {
            self.effective.settings.guard.loopback_free = free;
        }
        let contact =
            self.checked("limits.contact", file.contact.as_ref(), |text| checks::contact(text));
        if let Some(text) = contact {
            self.effective.settings.guard.contact = text.into();
        }
    }

    fn warden(&mut self) {
        let (blocks, mining, site) =
            (&self.source.file.blocks, &self.source.file.mining, &self.source.file.site);
        if let Some(enabled) = self.plain("blocks.enabled", blocks.enabled.as_ref()) {
            self.effective.settings.guard.blocks = enabled;
        }
        let state = self.plain("blocks.state", blocks.state.as_ref());
        let enabled = self.plain("mining.enabled", mining.enabled.as_ref());
        let block = self.plain("mining.block", mining.block.as_ref());
        let canaries = self
            .checked("mining.canaries", mining.canaries.as_ref(), |names| checks::canaries(names));
        let redis = self.checked("site.redis", site.redis.as_ref(), |url| checks::redis(url));
        let credentials = self.plain("site.credentials", site.credentials.as_ref());
        let channel =
            self.checked("site.channel", site.channel.as_ref(), |name| checks::channel(name));
        let warden = &mut self.effective.settings.warden;
        warden.state = state.or_else(|| warden.state.take());
        warden.mining_enabled = enabled.unwrap_or(warden.mining_enabled);
        warden.mining_blocks = block.unwrap_or(warden.mining_blocks);
        warden.mining.canaries = canaries.unwrap_or_default();
        warden.site.redis = redis;
        warden.site.credentials = credentials;
        if let Some(channel) = channel {
            warden.site.channel = channel;
        }
    }

    fn feed(&mut self) {
        let file = &self.source.file.feed.nats;
        match feed::nats(file) {
            Ok(nats) => self.effective.settings.nats = nats,
            Err(all) => all.into_iter().for_each(|one| self.note(one)),
        }
        self.set_spans([
            ("feed.nats.servers", file.servers.as_ref().map(Spanned::span)),
            ("feed.nats.stream", file.stream.as_ref().map(Spanned::span)),
            ("feed.nats.durable", file.durable.as_ref().map(Spanned::span)),
            ("feed.nats.credentials", file.credentials.as_ref().map(Spanned::span)),
            ("feed.nats.trusted_keys", file.trusted_keys.as_ref().map(Spanned::span)),
            ("feed.nats.objects", file.objects.as_ref().map(Spanned::span)),
        ]);
    }

    fn query_log(&mut self) {
        let file = &self.source.file.query_log;
        for refused in query_log::set(file, &mut self.effective.settings.query_log) {
            self.note(refused);
        }
        self.set_spans(query_log::spans(file));
    }

    fn web(&mut self) {
        let file = &self.source.file.web;
        for refused in web::set(file, &mut self.effective.settings.web) {
            self.note(refused);
        }
        self.set_spans(web::spans(file));
    }

    /// How answers read.
    fn answers(&mut self) {
        let mut written = self.source.file.answers();
        written.listed = self.registrars();
        let (answers, problems) = Answers::compile(written);
        for problem in problems {
            self.refused_key(problem.key, problem.problem);
        }
        self.effective.settings.answers = answers;
    }

    /// What the files of `[registrars]` say.
    fn registrars(&mut self) -> Listed {
        let mut listed = Listed::default();
        let file = &self.source.file.registrars;
        let (iana, overlay) = (file.iana.clone(), file.overlay.clone());
        if let Some(path) = iana {
            self.set_in_file("registrars.iana", &path.span());
            match registrars::read(path.get_ref()).and_then(|text| registrars::iana(&text)) {
                Ok((iana, passed_over)) => (listed.iana, listed.passed_over) = (iana, passed_over),
                Err(error) => self.refused_file("registrars.iana", &path, error),
            }
            self.effective.settings.registrars.iana = Some(path.into_inner());
        }
        if let Some(path) = overlay {
            self.set_in_file("registrars.overlay", &path.span());
            match registrars::read(path.get_ref()).and_then(|text| registrars::overlay(&text)) {
                Ok(overlay) => listed.overlay = overlay,
                Err(error) => self.refused_file("registrars.overlay", &path, error),
            }
            self.effective.settings.registrars.overlay = Some(path.into_inner());
        }
        listed
    }

    fn refused_file(
        &mut self,
        key: &'static str,
        path: &Spanned<PathBuf>,
        error: registrars::RegistrarsError,
    ) {
        let (file, source) = (path.get_ref().clone(), Box::new(error));
        let problem = ValueError::Registrars { path: file, source };
        let refused = self.refused(key, &path.span(), problem);
        self.errors.push(refused);
    }

    /// Values that are good each, and not together.
    fn contradictions(&mut self) {
        for (key, problem) in contradiction::find(&self.effective) {
            self.refused_key(key.to_owned(), problem);
        }
    }
}

fn flag(flag: &'static str, problem: impl Into<ValueError>) -> ConfigError {
    let (key, problem) = (flag.replace("--", "server."), Box::new(problem.into()));
    ConfigError::Setting { place: flag.to_owned(), key, problem }
}

/// What is wrong with `count` addresses, of which `listen` are some.
pub(super) fn check_listen(count: usize, listen: &[SocketAddr]) -> Vec<ValueError> {
    if count == 0 || count > LISTEN_COUNT_MAX {
        return vec![ValueError::Count { got: count, what: "addresses", max: LISTEN_COUNT_MAX }];
    }
    let twice = listen.iter().enumerate().filter(|(index, address)| {
        address.port() != 0 && listen.iter().take(*index).any(|other| other == *address)
    });
    twice.map(|(_, address)| ValueError::Twice { address: *address }).collect()
}
