//! Mistakes in what is redacted.

use serde_json::{Value, json};

use super::{
    Mistake, entity, entry, list, mistake, property, remove, remove_entry, remove_properties, with,
};
use crate::checks::redaction::NAMES;
use crate::good::Of;

const NO_PATH: &str = "$.entities[";
const NOWHERE: &str = "$.nowhere";

fn path(json: &mut Value, name: &str, member: &str, path: &str) {
    entry(json, name)[member] = path.into();
}

fn method(json: &mut Value, name: &str, method: &str) {
    entry(json, name)["method"] = method.into();
}

/// Gives an entity's jCard one property more.
fn add(json: &mut Value, role: &str, property: Value) {
    list(&mut entity(json, role)["vcardArray"][1]).push(property);
}

/// Adds an entry with a name of the profile as its description.
fn described<const PLACE: usize>(json: &mut Value) {
    list(&mut json["redacted"]).push(json!({"name": {"description": NAMES[PLACE]}}));
}

const R: Of = Of::Redacted;
const C: Of = Of::Consented;

/// Where a value is there, the path of its entry leads to something as well.
pub(super) const MISTAKES: &[Mistake] = &[
    // The form.
    mistake(-62000, Of::Help, "no identifier", |j| {
        list(&mut j["rdapConformance"]).retain(|id| id != "icann_rdap_response_profile_1");
    }),
    mistake(-62001, R, "no extension", |j| {
        list(&mut j["rdapConformance"]).retain(|id| id != "redacted");
    }),
    mistake(-62002, R, "a text among them", |j| list(&mut j["redacted"]).push("fn".into())),
    mistake(-62003, R, "a name of both kinds", |j| {
        entry(j, "Registrant Fax")["name"]["description"] = "Fax".into();
    }),
    mistake(-62003, R, "no name", |j| list(&mut j["redacted"]).push(json!({}))),
    mistake(-62004, R, "a path in a list", |j| {
        entry(j, "Registrant Fax")["prePath"] = json!([]);
    }),
    mistake(-62005, R, "another member", |j| {
        entry(j, "Registrant Fax")["reason"]["code"] = 1.into();
    }),
    mistake(-62006, Of::Help, "the old identifier", |j| {
        list(&mut j["rdapConformance"]).push("icann_rdap_response_profile_0".into());
    }),
    mistake(-62100, Of::Contact, "a country's name", |j| {
        property(j, "adr")[3][6] = "United Kingdom".into();
    }),
    mistake(-62101, Of::Contact, "no country", |j| property(j, "adr")[1]["cc"] = "UK".into()),
    // The registrant.
    mistake(-63100, Of::Open, "no repository", |j| {
        entity(j, "registrant")["handle"] = "C1".into();
    }),
    mistake(-63101, Of::Open, "nobody's repository", |j| {
        entity(j, "registrant")["handle"] = "C1-NOBODY9".into();
    }),
    mistake(-63102, R, "no entry", |j| remove_entry(j, "Registry Registrant ID")),
    mistake(-63103, R, "no path", |j| path(j, "Registry Registrant ID", "prePath", NO_PATH)),
    mistake(-63104, R, "a path to something", |j| {
        path(j, "Registry Registrant ID", "prePath", "$.handle");
    }),
    mistake(-63105, R, "a method", |j| method(j, "Registry Registrant ID", "emptyValue")),
    with(-63106, &[-63104], R, "there", |j| {
        entity(j, "registrant")["handle"] = "C1-VRSN".into();
    }),
    with(-63200, &[-12305], C, "no name", |j| {
        remove_properties(entity(j, "registrant"), "fn");
    }),
    mistake(-63201, R, "no entry", |j| remove_entry(j, "Registrant Name")),
    mistake(-63202, R, "no path", |j| remove(entry(j, "Registrant Name"), "postPath")),
    mistake(-63203, R, "a path to nothing", |j| path(j, "Registrant Name", "postPath", NOWHERE)),
    mistake(-63204, R, "a method", |j| method(j, "Registrant Name", "removal")),
    mistake(-63300, C, "none, and no word of it", |j| {
        remove_properties(entity(j, "registrant"), "org");
    }),
    mistake(-63301, R, "no path", |j| path(j, "Registrant Organization", "prePath", NO_PATH)),
    mistake(-63302, R, "there", |j| {
        add(j, "registrant", json!(["org", {}, "text", "Holder Ltd"]));
    }),
    mistake(-63303, R, "a method", |j| method(j, "Registrant Organization", "emptyValue")),
    with(-63400, &[-52105, -63500, -63600], C, "no address", |j| {
        remove_properties(entity(j, "registrant"), "adr");
    }),
    mistake(-63401, R, "no entry", |j| remove_entry(j, "Registrant Street")),
    mistake(-63402, R, "no path", |j| path(j, "Registrant Street", "postPath", "adr")),
    mistake(-63403, R, "a path to nothing", |j| {
        path(j, "Registrant Street", "postPath", NOWHERE);
    }),
    mistake(-63404, R, "a method", |j| method(j, "Registrant Street", "removal")),
    with(-63500, &[-20800, -63600], C, "three parts", |j| {
        list(&mut property(entity(j, "registrant"), "adr")[3]).truncate(3);
    }),
    mistake(-63501, R, "no entry", |j| remove_entry(j, "Registrant City")),
    mistake(-63502, R, "no path", |j| path(j, "Registrant City", "postPath", "")),
    mistake(-63503, R, "a path to nothing", |j| path(j, "Registrant City", "postPath", NOWHERE)),
    mistake(-63504, R, "a method", |j| method(j, "Registrant City", "removal")),
    with(-63600, &[-20800], C, "five parts", |j| {
        list(&mut property(entity(j, "registrant"), "adr")[3]).truncate(5);
    }),
    mistake(-63601, R, "no entry", |j| remove_entry(j, "Registrant Postal Code")),
    mistake(-63602, R, "no path", |j| path(j, "Registrant Postal Code", "postPath", NO_PATH)),
    mistake(-63603, R, "a path to nothing", |j| {
        path(j, "Registrant Postal Code", "postPath", NOWHERE);
    }),
    mistake(-63604, R, "a method", |j| method(j, "Registrant Postal Code", "removal")),
    mistake(-63700, R, "no entry", |j| remove_entry(j, "Registrant Phone")),
    mistake(-63701, R, "no path", |j| path(j, "Registrant Phone", "prePath", NO_PATH)),
    mistake(-63702, R, "a path to something", |j| {
        path(j, "Registrant Phone", "prePath", "$.handle");
    }),
    mistake(-63703, R, "a method", |j| method(j, "Registrant Phone", "partialValue")),
    with(-63704, &[-63702, -63801], R, "there", |j| {
        let number = json!(["tel", {"type": "voice"}, "uri", "tel:+44.1135550100"]);
        add(j, "registrant", number);
    }),
    mistake(-63800, R, "no path", |j| path(j, "Registrant Phone Ext", "prePath", NO_PATH)),
    mistake(-63801, R, "a path to something", |j| {
        path(j, "Registrant Phone Ext", "prePath", "$.handle");
    }),
    mistake(-63802, R, "a method", |j| method(j, "Registrant Phone Ext", "partialValue")),
    mistake(-63900, R, "no path", |j| path(j, "Registrant Fax", "prePath", NO_PATH)),
    mistake(-63901, R, "a path to something", |j| {
        path(j, "Registrant Fax", "prePath", "$.handle");
    }),
    mistake(-63902, R, "a method", |j| method(j, "Registrant Fax", "emptyValue")),
    mistake(-64000, R, "no path", |j| path(j, "Registrant Fax Ext", "prePath", NO_PATH)),
    mistake(-64001, R, "a path to something", |j| {
        path(j, "Registrant Fax Ext", "prePath", "$.handle");
    }),
    mistake(-64002, R, "a method", |j| method(j, "Registrant Fax Ext", "emptyValue")),
    mistake(-65400, C, "none, and no word of it", |j| {
        remove_properties(entity(j, "registrant"), "email");
    }),
    mistake(-65401, R, "no path", |j| path(j, "Registrant Email", "prePath", NO_PATH)),
    mistake(-65402, R, "a path to something", |j| {
        path(j, "Registrant Email", "prePath", "$.handle");
    }),
    mistake(-65403, R, "a method", |j| method(j, "Registrant Email", "emptyValue")),
    with(-65404, &[-65402], R, "there", |j| {
        add(j, "registrant", json!(["email", {}, "text", "alex@holder.example"]));
    }),
    // The technical contact.
    mistake(-65700, Of::Open, "no repository", |j| {
        entity(j, "technical")["handle"] = "C1".into();
    }),
    mistake(-65701, Of::Open, "nobody's repository", |j| {
        entity(j, "technical")["handle"] = "C1-NOBODY9".into();
    }),
    mistake(-65702, R, "there", |j| entity(j, "technical")["handle"] = "C1-VRSN".into()),
    with(-65000, &[-12305], C, "no name", |j| remove_properties(entity(j, "technical"), "fn")),
    mistake(-65001, R, "no entry", |j| remove_entry(j, "Tech Name")),
    mistake(-65002, R, "no path", |j| path(j, "Tech Name", "postPath", NO_PATH)),
    mistake(-65003, R, "a path to nothing", |j| path(j, "Tech Name", "postPath", NOWHERE)),
    mistake(-65004, R, "a method", |j| method(j, "Tech Name", "removal")),
    mistake(-65100, R, "no entry", |j| remove_entry(j, "Tech Phone")),
    mistake(-65101, R, "no path", |j| path(j, "Tech Phone", "prePath", NO_PATH)),
    mistake(-65102, R, "a path to something", |j| path(j, "Tech Phone", "prePath", "$.handle")),
    mistake(-65103, R, "a method", |j| method(j, "Tech Phone", "emptyValue")),
    mistake(-65500, R, "no path", |j| path(j, "Tech Email", "prePath", NO_PATH)),
    mistake(-65501, R, "a path to something", |j| path(j, "Tech Email", "prePath", "$.handle")),
    mistake(-65502, R, "a method", |j| method(j, "Tech Email", "replacementValue")),
    with(-65503, &[-65501], R, "there", |j| {
        add(j, "technical", json!(["email", {}, "text", "alex@holder.example"]));
    }),
    // Descriptions where the profile has types.
    mistake(-65800, R, "a description", described::<0>),
    mistake(-65801, R, "a description", described::<1>),
    mistake(-65802, R, "a description", described::<2>),
    mistake(-65803, R, "a description", described::<3>),
    mistake(-65804, R, "a description", described::<4>),
    mistake(-65805, R, "a description", described::<5>),
    mistake(-65806, R, "a description", described::<6>),
    mistake(-65807, R, "a description", described::<7>),
    mistake(-65808, R, "a description", described::<8>),
    mistake(-65809, R, "a description", described::<9>),
    mistake(-65810, R, "a description", described::<10>),
    mistake(-65811, R, "a description", described::<11>),
    mistake(-65812, R, "a description", described::<12>),
    mistake(-65813, R, "a description", described::<13>),
    mistake(-65814, R, "a description", described::<14>),
    mistake(-65815, R, "a description", described::<15>),
    mistake(-65816, R, "a description", described::<16>),
    // What RFC 9537 asks for, and no code does.
    mistake(-1, R, "another language of paths", |j| {
        entry(j, "Registrant Fax")["pathLang"] = "jsonpointer".into();
    }),
    mistake(-1, R, "shown, and said to be emptied", |j| {
        property(entity(j, "registrant"), "fn")[3] = "Alex Holder".into();
    }),
];
