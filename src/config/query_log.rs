//! `[query_log]` and `[query_log.nats]`: where queries are logged, what of clients is shown.
//!
//! # Does not
//!
//! Look at directories, keys or servers: whether they are there shows when the log starts.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;

use super::feed::{check_servers, no_servers};
use super::file;
use super::value::{Refused, ValueError};
use crate::querylog::{Settings, StreamSettings};

/// Subject without another one.
const SUBJECT: &str = "whoisd.queries";

/// Puts what the file says, apart from numbers, over `settings`; gives back what cannot be used.
pub(super) fn set(file: &file::QueryLog, settings: &mut Settings) -> Vec<Refused> {
    let mut all = Vec::new();
    if let Some(dir) = &file.dir {
        let dir = path("query_log.dir", "directory", dir);
        settings.dir = dir.map_err(|refused| all.push(refused)).ok();
    }
    if let Some(format) = &file.format {
        match format.get_ref().parse() {
            Ok(read) => settings.format = read,
            Err(problem) => all.push(Refused::new("query_log.format", format, problem)),
        }
    }
    if let Some(privacy) = &file.privacy {
        match privacy.get_ref().parse() {
            Ok(read) => settings.privacy.privacy = read,
            Err(problem) => all.push(Refused::new("query_log.privacy", privacy, problem)),
        }
    }
    if let Some(key_file) = &file.privacy_key_file {
        let key_file = path("query_log.privacy_key_file", "file", key_file);
        settings.privacy.key_file = key_file.map_err(|refused| all.push(refused)).ok();
    }
    match stream(&file.nats) {
        Ok(stream) => settings.stream = stream,
        Err(refused) => all.extend(refused),
    }
    all
}

fn path(key: &str, what: &'static str, written: &Spanned<PathBuf>) -> Result<PathBuf, Refused> {
    let path = written.get_ref();
    if path.as_os_str().is_empty() {
        return Err(Refused::new(key, written, ValueError::Empty { what }));
    }
    Ok(path.clone())
}

fn stream(file: &file::QueryLogNats) -> Result<Option<StreamSettings>, Vec<Refused>> {
    let file::QueryLogNats { servers, subject, credentials } = file;
    let Some(servers) = servers else {
        if subject.is_some() || credentials.is_some() {
            return Err(vec![no_servers("query_log.nats.servers", "query_log.nats")]);
        }
        return Ok(None);
    };
    let default = || SUBJECT.to_owned();
    let stream = StreamSettings {
        servers: servers.get_ref().iter().map(|server| server.get_ref().clone()).collect(),
        subject: subject.as_ref().map_or_else(default, |subject| subject.get_ref().clone()),
        credentials: credentials.as_ref().map(|path| path.get_ref().clone()),
    };
    let mut all = check_servers("query_log.nats.servers", servers);
    if let Some(subject) = subject
        && let Err(problem) = stream.check_subject()
    {
        all.push(Refused::new("query_log.nats.subject", subject, problem));
    }
    if all.is_empty() { Ok(Some(stream)) } else { Err(all) }
}

/// Where each key stands that is not a number.
pub(super) fn spans(file: &file::QueryLog) -> [(&'static str, Option<Range<usize>>); 7] {
    [
        ("query_log.dir", file.dir.as_ref().map(Spanned::span)),
        ("query_log.format", file.format.as_ref().map(Spanned::span)),
        ("query_log.privacy", file.privacy.as_ref().map(Spanned::span)),
        ("query_log.privacy_key_file", file.privacy_key_file.as_ref().map(Spanned::span)),
        ("query_log.nats.servers", file.nats.servers.as_ref().map(Spanned::span)),
        ("query_log.nats.subject", file.nats.subject.as_ref().map(Spanned::span)),
        ("query_log.nats.credentials", file.nats.credentials.as_ref().map(Spanned::span)),
    ]
}

/// The same keys with their values, as TOML.
pub(super) fn rows(settings: &Settings) -> [(&'static str, Option<String>); 7] {
    let string = |text: &str| toml::Value::from(text).to_string();
    let path = |path: &PathBuf| string(&path.to_string_lossy());
    let stream = settings.stream.as_ref();
    let servers = stream.map(|stream| {
        let servers: Vec<_> = stream.servers.iter().map(|server| string(server)).collect();
        format!("[{}]", servers.join(", "))
    });
    [
        ("query_log.dir", settings.dir.as_ref().map(path)),
        ("query_log.format", Some(string(settings.format.word()))),
        ("query_log.privacy", Some(string(settings.privacy.privacy.word()))),
        ("query_log.privacy_key_file", settings.privacy.key_file.as_ref().map(path)),
        ("query_log.nats.servers", servers),
        ("query_log.nats.subject", stream.map(|stream| string(&stream.subject))),
        (
            "query_log.nats.credentials",
            stream.and_then(|stream| stream.credentials.as_ref().map(path)),
        ),
    ]
}
