//! The fields of a change record as paths, out of its own schema.
//!
//! # Invariants
//!
//! - A path names fields from the object inwards with dots between; lists are passed through, so
//!   `postalInfo.addr.city` is the city of every address.
//! - Leaves are fields without fields of their own.
//!
//! # Does not
//!
//! Know values.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;
use snapshot_format::Kind;

/// The schema, and what of it is read: the definitions.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../feed/change-record.schema.json");
    // A test reads it; a text that is not a schema has no fields.
    serde_json::from_str(text).unwrap_or_default()
});

/// Deepest nesting of a definition; the schema has 3.
const DEPTH_MAX: u32 = 8;

/// Leaves by path, of one kind of object.
pub(super) type Leaves = BTreeSet<String>;

/// Why a path cannot be dropped or filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathProblem {
    /// There is no such field.
    Unknown,
    /// The object that has it requires it.
    Required,
}

const fn definition(kind: Kind) -> &'static str {
    match kind {
        Kind::Registrar => "registrar",
        Kind::IdnTable => "idnTable",
        Kind::Contact => "contact",
        Kind::Nameserver => "host",
        Kind::Nndn => "nndn",
        Kind::Domain => "domain",
    }
}

/// All leaves of a kind.
pub(super) fn leaves(kind: Kind) -> Leaves {
    let mut found = Leaves::new();
    collect(defined(definition(kind)), "", DEPTH_MAX, &mut found);
    found
}

/// The fields of a kind, without those within them.
pub(super) fn names(kind: Kind) -> Leaves {
    let first = |leaf: String| leaf.split('.').next().map(str::to_owned);
    leaves(kind).into_iter().filter_map(first).collect()
}

/// The leaves at and below a path that may be absent.
pub(super) fn optional(kind: Kind, path: &str) -> Result<Leaves, PathProblem> {
    let mut at = defined(definition(kind));
    let mut required = false;
    for part in path.split('.') {
        let at_fields = inner(at);
        let Some(field) = at_fields.and_then(|object| object.get("properties")?.get(part)) else {
            return Err(PathProblem::Unknown);
        };
        let needs = at_fields.and_then(|object| object.get("required")?.as_array());
        required = needs.is_some_and(|needs| needs.iter().any(|name| name == part));
        at = Some(field);
    }
    if required {
        return Err(PathProblem::Required);
    }
    let mut found = Leaves::new();
    collect(at, path, DEPTH_MAX, &mut found);
    Ok(found)
}

fn defined(name: &str) -> Option<&'static Value> {
    SCHEMA.get("$defs")?.get(name)
}

/// The definition with the fields of `schema`, through references and lists; `None`: a leaf.
fn inner(schema: Option<&'static Value>) -> Option<&'static Value> {
    let mut schema = schema?;
    for _ in 0..DEPTH_MAX {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            schema = defined(reference.strip_prefix("#/$defs/")?)?;
        } else if let Some(items) = schema.get("items") {
            schema = items;
        } else {
            break;
        }
    }
    schema.get("properties").map(|_| schema)
}

fn collect(schema: Option<&'static Value>, path: &str, depth: u32, found: &mut Leaves) {
    let fields = inner(schema).and_then(|object| object.get("properties")?.as_object());
    let (Some(fields), Some(depth)) = (fields, depth.checked_sub(1)) else {
        found.insert(path.to_owned());
        return;
    };
    for (name, field) in fields {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(Some(field), &below, depth, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_the_fields_of_the_schema_down_to_the_last() {
        let contact = leaves(Kind::Contact);
        for leaf in ["id", "postalInfo.addr.street", "postalInfo.type", "voice.x", "disclose.flag"]
        {
            assert!(contact.contains(leaf), "{leaf}");
        }
        assert!(!contact.contains("postalInfo") && !contact.contains(""));
        assert!(leaves(Kind::Domain).contains("ns"));
        for kind in Kind::ALL {
            assert!(leaves(kind).len() >= 3, "{kind:?}");
        }
    }

    #[test]
    fn a_path_is_dropped_whole_and_never_what_is_required() {
        let addr = optional(Kind::Contact, "postalInfo.addr").unwrap();
        assert_eq!(addr.len(), 5);
        assert_eq!(optional(Kind::Contact, "id"), Err(PathProblem::Required));
        assert_eq!(optional(Kind::Contact, "postalInfo.type"), Err(PathProblem::Required));
        assert!(optional(Kind::Contact, "postalInfo").unwrap().contains("postalInfo.type"));
        assert_eq!(optional(Kind::Contact, "phone"), Err(PathProblem::Unknown));
        assert_eq!(optional(Kind::Contact, "email.x"), Err(PathProblem::Unknown));
    }
}
