//! ICANN's JSON schemas, and their findings in an answer.
//!
//! The schemas do not know `redacted`: one at the top is the only error that is not reported.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use jsonschema::{Retrieve, Uri, ValidationError, Validator};
use serde_json::{Value, json};

use super::asked::{Answer, Class, elements};
use super::checks::Findings;
use super::checks::syntax::{host_of, is_host, is_name};
use super::iana;

/// The schemas by file name.
static FILES: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rdap_conformance/schemas");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let schemas = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let read = schemas.map(|path| {
        let mut schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        // An `$id` here would change the base of the references in it (JSON Schema draft 7, section
        // 8.2.3).
        if let Some(definition) = schema.pointer_mut("/definitions/vcardArray") {
            definition.as_object_mut().unwrap().remove("$id");
        }
        (path.file_name().unwrap().to_str().unwrap().to_owned(), schema)
    });
    read.collect()
});

/// Hands out the files that schemas refer to by their bare names.
struct Files;

impl Retrieve for Files {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.path().as_str().rsplit('/').next().unwrap();
        FILES.get(name).cloned().ok_or_else(|| format!("{uri}: no such schema").into())
    }
}

/// A schema that refers to another one.
fn validator(reference: &str) -> Validator {
    let value = |of_type: &'static str| move |word: &str| iana::is_value(of_type, word);
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .with_retriever(Files)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_format("eventAction", value("event action"))
        .with_format("role", value("role"))
        .with_format("status", value("status"))
        .with_format("noticeAndRemark", value("notice and remark type"))
        .with_format("variantRelation", value("domain variant relation"))
        .with_format("linkRelations", iana::is_link_relation)
        .with_format("mediaTypes", iana::is_media_type)
        .with_format("rdapExtensions", iana::is_extension)
        .with_format("ipv4-validation", |text: &str| text.parse::<Ipv4Addr>().is_ok())
        .with_format("ipv6-validation", |text: &str| text.parse::<Ipv6Addr>().is_ok())
        .with_format("hostname-in-uri", |text: &str| host_of(text).is_some_and(is_host))
        .with_format("idn-hostname", is_name)
        .with_format("idn-email", |text: &str| text.split_once('@').is_some())
        // No answer has a picture.
        .with_format("image", |_: &str| false)
        // Errors name the whole location of a keyword only if the schema has an absolute URI.
        .build(&json!({ "$id": "https://rdap.example/schemas/", "allOf": [{ "$ref": reference }] }))
        .unwrap_or_else(|error| panic!("{reference}: {error}"))
}

struct Schemas {
    by_class: [(Class, Validator); 6],
    conformance: Validator,
    /// By the name of a jCard's property.
    properties: BTreeMap<String, Validator>,
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let classes = [
        (Class::Domain, "rdap_domain.json"),
        (Class::Nameserver, "rdap_nameserver.json"),
        (Class::Entity, "rdap_entity.json"),
        (Class::Nameservers, "rdap_nameservers.json"),
        (Class::Help, "rdap_help.json"),
        (Class::Error, "rdap_error.json"),
    ];
    let names = FILES["jcard_categories.json"]["definitions"].as_object().unwrap().keys();
    // The names of extensions are a pattern; no answer has any.
    let names = names.filter(|name| !name.contains('*'));
    let property = |name: &String| validator(&format!("jcard_categories.json#/definitions/{name}"));
    Schemas {
        by_class: classes.map(|(class, file)| (class, validator(file))),
        conformance: validator("rdap_conformance.json"),
        properties: names.map(|name| (name.clone(), property(name))).collect(),
    }
});

/// The findings of the schemas under their own codes; 0 where a schema has none.
pub(crate) fn findings(answer: &Answer) -> Findings {
    let schemas = &*SCHEMAS;
    // The tool has none for searches that it does not make.
    let validator = schemas.by_class.iter().find(|(class, _)| *class == answer.class());
    assert_eq!(validator.is_none(), answer.class() == Class::Other, "{}", answer.target);
    let mut found: Findings = validator
        .iter()
        .flat_map(|(_, validator)| validator.iter_errors(&answer.json))
        .filter(|error| !is_redacted_alone(error))
        .map(|error| finding("", &error))
        .collect();
    let conformance = &answer.json["rdapConformance"];
    found.extend(
        schemas.conformance.iter_errors(conformance).map(|e| finding("/rdapConformance", &e)),
    );
    for (path, card) in answer.members("vcardArray") {
        for property in elements(&card[1]) {
            let name = property[0].as_str().unwrap_or_default();
            let Some(validator) = schemas.properties.get(name) else {
                found.push((-12305, format!("{path}: a jCard has no property {name:?}")));
                continue;
            };
            found.extend(validator.iter_errors(property).map(|error| {
                let (code, text) = finding(&format!("{path}/{name}"), &error);
                (if code == 0 { -12305 } else { code }, text)
            }));
        }
    }
    found
}

/// Whether the only thing wrong is a `redacted` at the top.
fn is_redacted_alone(error: &ValidationError<'_>) -> bool {
    use jsonschema::error::ValidationErrorKind::AdditionalProperties;
    let is_top = error.instance_path().as_str().is_empty();
    is_top
        && matches!(error.kind(), AdditionalProperties { unexpected } if unexpected == &["redacted"])
}

/// An error with its code, which is a keyword beside the one that does not hold.
fn finding(path: &str, error: &ValidationError<'_>) -> (i32, String) {
    use jsonschema::error::ValidationErrorKind::{AdditionalProperties, Required};
    let location = error.absolute_keyword_location().map_or("", |location| location.as_str());
    let (file, pointer) = location.split_once('#').unwrap_or_default();
    let file = file.rsplit('/').next().unwrap_or_default();
    let above = pointer.rsplit_once('/').map_or("", |(above, _)| above);
    let schema = FILES.get(file).and_then(|schema| schema.pointer(above)).unwrap_or(&Value::Null);
    let code = match error.kind() {
        Required { property } => {
            let missing = format!("{}Missing", property.as_str().unwrap_or_default());
            schema[missing].as_i64()
        }
        AdditionalProperties { .. } => schema["unknownKeys"].as_i64(),
        _ => None,
    };
    let code = code.or_else(|| schema["errorCode"].as_i64());
    let code = code.or_else(|| schema["structureInvalid"].as_i64());
    let code = code.map_or(0, |code| i32::try_from(code).unwrap());
    (code, format!("{path}{}: {error} ({file}#{pointer})", error.instance_path()))
}
