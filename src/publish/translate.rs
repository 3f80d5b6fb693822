//! A row of a view into a change record: renamed, mapped, without what may not leave, clean.
//!
//! # Invariants
//!
//! - Rules for all objects of a kind come before those of the zone; within each, names before
//!   values, and fields are dropped last, under the names that a record has for them.
//! - Every record that comes out was read by [`ChangeRecord::parse`], so any node reads it.
//! - `own zone`: a name goes out by the rules of the zone that it lies in, or not at all.
//!
//! # Does not
//!
//! Decide what becomes of a row that is not a record: the callers leave it out, loudly.

use std::sync::Arc;

use serde_json::{Map, Value};
use snapshot_format::limits::TEXT_BYTES_MAX;
use snapshot_format::{Change, Kind, Object};

use super::error::RowError;
use super::fields::Leaves;
use super::rules::{Ready, Rules};
use crate::feed::{Body, ChangeRecord, VERSION, normal_name, word};

/// Fields of octets in hexadecimal or base64, which must not be cut.
const OCTETS: [&str; 2] = ["secDNS.dsData.digest", "secDNS.keyData.pubKey"];

/// What precedes an object in its record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) serial: u64,
    /// RFC 3339.
    pub(super) committed: String,
    pub(super) transaction: String,
}

/// A row of a view.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'r> {
    pub(super) kind: Kind,
    /// Zone of a domain or NNDN, as the view has it; empty for others.
    pub(super) zone: &'r str,
    /// The columns as JSON, at most 1 MiB.
    pub(super) document: &'r str,
    /// Fields that a contact does not show.
    pub(super) hidden: Option<&'r Leaves>,
}

/// The record that gives an object.
///
/// # Errors
///
/// Why the row is not a record, as the reader of records reports it.
pub(super) fn upsert(rules: &Rules, head: &Head, row: Row<'_>) -> Result<ChangeRecord, RowError> {
    let zone = match row.kind {
        Kind::Domain | Kind::Nndn => zone(row.zone)?,
        _ => String::new(),
    };
    let document = serde_json::from_str(row.document);
    let mut document: Value = document.map_err(|error| RowError::Json(Arc::new(error)))?;
    if let Some(ready) = rules.kind(row.kind) {
        document = applied(ready, document);
    }
    if let Some(ready) = rules.zoned(row.kind, &zone) {
        document = applied(ready, document);
    }
    if let Some(hidden) = row.hidden {
        let keep = |path: &str, value| (!hidden.contains(path)).then_some(value);
        document = walked(document, &keep);
    }
    let record = read(head, row.kind, "upsert", walked(document, &clean))?;
    if let Body::Change(change) = &record.body
        && !zone.is_empty()
    {
        check_zone(rules, &zone, change.key())?;
    }
    Ok(record)
}

/// The zone of a row, as rules name it.
///
/// # Errors
///
/// It is not a name: without its zone nobody knows what of an object may leave.
pub(super) fn zone(text: &str) -> Result<String, RowError> {
    normal_name(text).ok_or_else(|| RowError::NoZone { got: text.to_owned() })
}

/// Checks that a name lies in its zone, and in no closer one that has rules.
fn check_zone(rules: &Rules, zone: &str, name: &str) -> Result<(), RowError> {
    let lies_in = |zone: &str| {
        name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if !lies_in(zone) {
        return Err(RowError::OtherZone { zone: zone.to_owned() });
    }
    let mut closer = rules.zone_names().filter(|known| known.len() > zone.len() && lies_in(known));
    closer.next().map_or(Ok(()), |closer| {
        Err(RowError::CloserZone { zone: zone.to_owned(), closer: closer.to_owned() })
    })
}

/// The record that takes an object away.
///
/// # Errors
///
/// Why no record can have the key.
pub(super) fn delete(head: &Head, kind: Kind, key: &str) -> Result<ChangeRecord, RowError> {
    let key = clean("", Value::from(key)).unwrap_or_default();
    read(head, kind, "delete", key)
}

/// The record that says nothing but its time.
///
/// # Errors
///
/// The time is not one of a record.
pub(super) fn heartbeat(head: &Head) -> Result<ChangeRecord, RowError> {
    parse(head, "heartbeat", Map::new())
}

/// What precedes an object that has no serial; it is not kept.
pub(super) fn anytime() -> Head {
    Head { serial: 1, committed: "1970-01-01T00:00:00Z".to_owned(), ..Head::default() }
}

/// The transaction of a change, as its record names it.
pub(super) fn transaction(head: &Head) -> String {
    let cleaned = clean("", head.transaction.as_str().into());
    cleaned.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The object of a record.
pub(super) fn object(record: ChangeRecord) -> Option<Object> {
    let Body::Change(change) = record.body else { return None };
    match Arc::unwrap_or_clone(change) {
        Change::Upsert(object) => Some(*object),
        Change::Delete { .. } => None,
    }
}

fn read(head: &Head, kind: Kind, field: &str, value: Value) -> Result<ChangeRecord, RowError> {
    parse(head, word(kind), Map::from_iter([(field.to_owned(), value)]))
}

fn parse(head: &Head, kind: &str, mut line: Map<String, Value>) -> Result<ChangeRecord, RowError> {
    line.insert("v".to_owned(), VERSION.into());
    line.insert("serial".to_owned(), head.serial.into());
    line.insert("committed".to_owned(), head.committed.as_str().into());
    if !head.transaction.is_empty() && kind != "heartbeat" {
        line.insert("transaction".to_owned(), transaction(head).into());
    }
    line.insert("kind".to_owned(), kind.into());
    let line = Value::Object(line).to_string();
    Ok(ChangeRecord::parse(line.as_bytes())?)
}

fn applied(ready: &Ready, document: Value) -> Value {
    let Value::Object(columns) = document else { return document };
    let renamed = columns
        .into_iter()
        .map(|(column, value)| (ready.rename.get(&column).cloned().unwrap_or(column), value));
    let document = Value::Object(renamed.collect());
    if ready.map.is_empty() && ready.drop.is_empty() {
        return document;
    }
    walked(document, &|path, value| {
        if ready.drop.contains(path) {
            return None;
        }
        let becomes = value.as_str().and_then(|text| ready.map.get(path)?.get(text));
        match becomes {
            Some(text) if text.is_empty() => None,
            Some(text) => Some(Value::from(text.as_str())),
            None => Some(value),
        }
    })
}

/// A text without control characters, which records refuse, and within the bound of a text, as an
/// import cuts it.
fn clean(path: &str, value: Value) -> Option<Value> {
    let Value::String(mut text) = value else { return (!value.is_null()).then_some(value) };
    if text.chars().any(char::is_control) {
        let blank = |c: char| if c.is_control() { ' ' } else { c };
        text = text.chars().map(blank).collect::<String>().trim().to_owned();
    }
    if text.len() > TEXT_BYTES_MAX && !OCTETS.contains(&path) {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX);
        text.truncate(end);
    }
    Some(Value::String(text))
}

/// Hands each leaf with its path to `leaf`; lists and objects that end empty go. The depth is that
/// of the document, which its reader bounds.
fn walked(document: Value, leaf: &dyn Fn(&str, Value) -> Option<Value>) -> Value {
    walk(document, &mut String::new(), leaf).unwrap_or_else(|| Value::Object(Map::new()))
}

fn walk(
    value: Value,
    path: &mut String,
    leaf: &dyn Fn(&str, Value) -> Option<Value>,
) -> Option<Value> {
    match value {
        Value::Array(items) => {
            let kept: Vec<_> =
                items.into_iter().filter_map(|item| walk(item, path, leaf)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, field) in fields {
                let length = path.len();
                if length > 0 {
                    path.push('.');
                }
                path.push_str(&name);
                let field = walk(field, path, leaf);
                path.truncate(length);
                if let Some(field) = field {
                    kept.insert(name, field);
                }
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        value => leaf(path, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let committed = "2026-11-25T12:00:00Z".to_owned();
        Head { serial: 7, committed, transaction: "T\n1".to_owned() }
    }

    fn line(rules: &str, kind: Kind, zone: &str, document: &str) -> String {
        let rules = Rules::parse(rules).unwrap();
        let row = Row { kind, zone, document, hidden: None };
        let record = upsert(&rules, &head(), row).unwrap();
        let mut out = Vec::new();
        record.write_json(&mut out);
        let line: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(line["transaction"], "T 1");
        line["upsert"].to_string()
    }

    #[test]
    fn fields_are_renamed_mapped_and_dropped_first_for_all_then_for_the_zone() {
        let rules = r#"
            [domain.rename]
            holder_registrar = "clID"
            [domain.map.status]
            locked = "serverTransferProhibited"
            secret = ""
            [zone.demo.domain]
            drop = ["roid", "secDNS", "trnData.reRr"]
            [zone.demo.domain.map.clID]
            internal = "reg-1"
        "#;
        let document = r#"{"name":"a.demo","roid":"D1-X","holder_registrar":"internal",
            "status":["locked","secret","clientHold"],"secDNS":{"maxSigLife":1},
            "trnData":{"trStatus":"pending","reRr":{"id":"reg-2"}}}"#;
        let expected = concat!(
            r#"{"clID":"reg-1","name":"a.demo","#,
            r#""status":["clientHold","serverTransferProhibited"],"#,
            r#""trnData":{"trStatus":"pending"}}"#
        );
        assert_eq!(line(rules, Kind::Domain, "demo", document), expected);
        let other = line(rules, Kind::Domain, "test", &document.replace("a.demo", "a.test"));
        assert!(other.contains("D1-X") && other.contains("internal"), "{other}");
    }

    #[test]
    fn a_thin_zone_has_no_contacts() {
        let document = r#"{"name":"a.demo","contacts":[{"type":"admin","id":"C-1"}]}"#;
        let thin = line("[zone.demo]\nmodel = \"thin\"", Kind::Domain, "demo", document);
        assert_eq!(thin, r#"{"name":"a.demo"}"#);
        assert!(line("", Kind::Domain, "demo", document).contains("C-1"));
    }

    #[test]
    fn a_name_goes_out_by_the_rules_of_its_own_zone_or_not_at_all() {
        let rules =
            "[zone.demo]\nmodel = \"thin\"\n[zone.\"co.demo\"]\n[zone.xn--p1ai]\nmodel = \"thin\"";
        let document = |name: &str| {
            format!(r#"{{"name":"{name}","contacts":[{{"type":"admin","id":"C-1"}}]}}"#)
        };
        for zone in ["demo", "DEMO", "demo.", "Demo."] {
            let line = line(rules, Kind::Domain, zone, &document("a.demo"));
            assert_eq!(line, r#"{"name":"a.demo"}"#, "{zone}");
        }
        let unicode = line(rules, Kind::Domain, "РФ", &document("a.xn--p1ai"));
        assert!(!unicode.contains("C-1"), "{unicode}");
        let closer = line(rules, Kind::Domain, "co.demo", &document("a.co.demo"));
        assert!(closer.contains("C-1"), "{closer}");
        let rules = Rules::parse(rules).unwrap();
        for (name, zone, said) in [
            ("a.demo", "", "its zone is null or empty"),
            ("a.demo", ".", "its zone is \".\""),
            ("a.demo", "de mo", "its zone is \"de mo\""),
            ("a.demo", "test", "does not lie in it"),
            ("a.demo", "emo", "does not lie in it"),
            ("a.co.demo", "demo", "lies in \"co.demo\", which has rules"),
        ] {
            for (kind, document) in [
                (Kind::Domain, document(name)),
                (Kind::Nndn, format!(r#"{{"aName":"{name}","nameState":"blocked"}}"#)),
            ] {
                let row = Row { kind, zone, document: &document, hidden: None };
                let error = upsert(&rules, &head(), row).unwrap_err().to_string();
                assert!(error.contains(said), "{name} in {zone:?}: {error}");
            }
        }
    }

    #[test]
    fn control_characters_are_blanks_and_long_texts_are_cut() {
        let long = "ä".repeat(600);
        let document = format!(
            "{{\"id\":\"C-1\",\"email\":\"a\\u0000b@x.demo\\r\\n\",\"postalInfo\":[{{\"type\":\
             \"loc\",\"name\":\"{long}\",\"addr\":{{\"street\":[\"a\\nb\",\"\",\"c\"]}}}}]}}"
        );
        let line = line("", Kind::Contact, "", &document);
        assert!(line.contains("\"a b@x.demo\"") && line.contains(r#"["a b","","c"]"#), "{line}");
        assert!(line.contains(&"ä".repeat(512)) && !line.contains(&"ä".repeat(513)));
    }

    #[test]
    fn what_is_no_record_says_why() {
        let rules = Rules::default();
        for (document, said) in [
            ("{\"name\":\"a.demo\",\"color\":\"red\"}", "unknown field `color`"),
            ("{\"name\":\"a.demo\",\"status\":[\"open\"]}", "\"open\""),
            ("{\"name\":\"a.demo\",\"crDate\":\"infinity\"}", "infinity"),
            ("{\"roid\":\"D1-X\"}", "missing field `name`"),
            ("[", "EOF"),
            ("null", "missing field `name`"),
        ] {
            let row = Row { kind: Kind::Domain, zone: "demo", document, hidden: None };
            let error = upsert(&rules, &head(), row).unwrap_err().to_string();
            assert!(error.contains(said), "{document}: {error}");
        }
        assert!(delete(&head(), Kind::Domain, "a b").is_err());
        assert!(delete(&head(), Kind::Contact, "\n").is_err());
        assert_eq!(heartbeat(&head()).unwrap().serial, 7);
    }
}
