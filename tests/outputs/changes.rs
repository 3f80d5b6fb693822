//! A registry as the changes that make it: one line of JSON a record, as feeds carry them.

use serde_json::Value;
use snapshot_format::delta::Chosen;
use snapshot_format::layout::Kind;
use snapshot_format::{Change, Object};
use whoisd::feed::ChangeRecord;
use whoisd::view::View;

use super::Record;

/// The lines, in order of their serials from 1.
pub(crate) struct Changes(Vec<String>);

impl Changes {
    /// What makes the registry of a view out of an empty one: what others refer to comes first.
    pub(super) fn of(view: &View) -> Self {
        let kinds = [
            Kind::Registrar,
            Kind::IdnTable,
            Kind::Contact,
            Kind::Nameserver,
            Kind::Nndn,
            Kind::Domain,
        ];
        let mut lines = Vec::new();
        for kind in kinds {
            let mut add = |object: Object| {
                let record = ChangeRecord {
                    serial: lines.len() as u64 + 1,
                    committed_ms: view.as_of_ms(),
                    transaction: String::new(),
                    body: Change::Upsert(Box::new(object)).into(),
                };
                let mut line = Vec::new();
                record.write_json(&mut line);
                lines.push(String::from_utf8(line).unwrap());
                Ok(())
            };
            view.data().objects(kind, &Chosen::all(), &mut add).unwrap();
        }
        Self(lines)
    }

    /// A file of them.
    pub(super) fn text(&self) -> String {
        self.0.concat()
    }

    /// The object of a record.
    pub(crate) fn object(&self, record: &Record) -> Value {
        let lines = self.0.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut lines = lines.filter(|line| {
            line["kind"] == record.element.to_lowercase()
                && line["upsert"][record.key_at] == record.key
        });
        lines.next().unwrap()["upsert"].take()
    }
}

/// The values at a path of EPP's local names: members have these names, too, but that a list of
/// elements is one member, and what an element has beside attributes is `number`.
pub(crate) fn at(value: &Value, path: &str) -> Vec<String> {
    let (step, rest) = path.split_once('/').unwrap_or((path, ""));
    match (value, step) {
        (Value::Null, _) => Vec::new(),
        (Value::Array(all), _) => all.iter().flat_map(|value| at(value, path)).collect(),
        (Value::String(text), "" | "@s" | "hostObj") => vec![text.clone()],
        (Value::Number(number), "") => vec![number.to_string()],
        (Value::Object(all), "") => match all.get("number") {
            Some(number) => at(number, ""),
            None => all.values().flat_map(|value| at(value, "")).collect(),
        },
        (Value::Object(_), _) => at(&value[step.trim_start_matches('@')], rest),
        _ => panic!("{path}: {value}"),
    }
}
