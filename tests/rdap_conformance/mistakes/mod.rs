//! Mistakes that are planted into good answers, each with the code that has to come of it.

mod classes;
mod profile;
mod redaction;
mod standard;

use serde_json::Value;

use crate::good::Of;

/// A planted mistake.
pub(crate) struct Mistake {
    pub(crate) code: i32,
    pub(crate) what: &'static str,
    pub(crate) of: Of,
    pub(crate) plant: fn(&mut Value),
    /// Codes that come along: the same value breaks a second rule.
    pub(crate) also: &'static [i32],
}

const fn mistake(code: i32, of: Of, what: &'static str, plant: fn(&mut Value)) -> Mistake {
    with(code, &[], of, what, plant)
}

const fn with(
    code: i32,
    also: &'static [i32],
    of: Of,
    what: &'static str,
    plant: fn(&mut Value),
) -> Mistake {
    Mistake { code, what, of, plant, also }
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Mistake> {
    [standard::MISTAKES, classes::MISTAKES, profile::MISTAKES, redaction::MISTAKES]
        .into_iter()
        .flatten()
}

/// Takes a member out.
fn remove(object: &mut Value, member: &str) {
    object.as_object_mut().unwrap().remove(member).unwrap();
}

fn list(value: &mut Value) -> &mut Vec<Value> {
    value.as_array_mut().unwrap()
}

/// The first entity with a role, right below an object.
fn entity<'v>(object: &'v mut Value, role: &str) -> &'v mut Value {
    list(&mut object["entities"]).iter_mut().find(|entity| entity["roles"][0] == role).unwrap()
}

/// A property of an entity's jCard; of telephones, that of a type: `tel voice`.
fn property<'v>(entity: &'v mut Value, name: &str) -> &'v mut Value {
    let (name, of_type) = name.split_once(' ').unwrap_or((name, ""));
    let properties = list(&mut entity["vcardArray"][1]).iter_mut();
    let mut found = properties.filter(|property| property[0] == name);
    found.find(|property| of_type.is_empty() || property[1]["type"] == of_type).unwrap()
}

/// Takes the properties of a name out of a jCard.
fn remove_properties(entity: &mut Value, name: &str) {
    let properties = list(&mut entity["vcardArray"][1]);
    let before = properties.len();
    properties.retain(|property| property[0] != name);
    assert!(properties.len() < before, "{name}");
}

/// The entry of `redacted` with a name.
fn entry<'v>(json: &'v mut Value, name: &str) -> &'v mut Value {
    list(&mut json["redacted"]).iter_mut().find(|entry| entry["name"]["type"] == name).unwrap()
}

/// Takes the entry of a name out.
fn remove_entry(json: &mut Value, name: &str) {
    entry(json, name);
    list(&mut json["redacted"]).retain(|entry| entry["name"]["type"] != name);
}

fn notice<'v>(json: &'v mut Value, title: &str) -> &'v mut Value {
    list(&mut json["notices"]).iter_mut().find(|notice| notice["title"] == title).unwrap()
}
