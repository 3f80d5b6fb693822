//! The table of fields held against every output: for one record of each kind, each row is looked
//! up in the WHOIS answer by its label, in the RDAP answer by its path, in both models of an
//! exported deposit by element and column, in the JSON of a change by member, and in
//! `whoisd inspect` by its word, and all agree.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod jsonpath;
mod outputs;
mod server;

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use outputs::{
    Back, CONTACT, DOMAIN, NAMESERVER, Outputs, REGISTRAR, RESERVED, Record, VARIANT, at_change,
};
use whoisd::field::contact::{BLOCK, RECORD_FIELDS, ROLES};
use whoisd::field::{self, Field, Form, Source, Stored, domain, nameserver, registrar};

/// The texts of a value of RDAP, in the form of those on port 43.
fn texts(key: &str, value: &Value) -> Vec<String> {
    let number = |member: &str| value[member].to_string();
    let text = |member: &str| value[member].as_str().unwrap_or_default().to_owned();
    match (key, value) {
        (_, Value::Array(all)) => all.iter().flat_map(|value| texts(key, value)).collect(),
        ("ds", _) => {
            let numbers = [number("keyTag"), number("algorithm"), number("digestType")];
            vec![format!("{} {}", numbers.join(" "), text("digest"))]
        }
        ("key", _) => {
            let numbers = [number("flags"), number("protocol"), number("algorithm")];
            vec![format!("{} {}", numbers.join(" "), text("publicKey"))]
        }
        ("dnssec", Value::Bool(signed)) => {
            vec![if *signed { "signedDelegation" } else { "unsigned" }.to_owned()]
        }
        (_, Value::Object(all)) => all.values().flat_map(|value| texts(key, value)).collect(),
        (_, Value::String(text)) => vec![match key {
            "status" => epp_word(text),
            "phone" | "fax" | "abuse_phone" => {
                text.trim_start_matches("tel:").split(";ext=").next().unwrap().to_owned()
            }
            "phone_ext" | "fax_ext" => text.split(";ext=").nth(1).unwrap_or_default().to_owned(),
            _ => text.clone(),
        }],
        _ => panic!("{key}: {value}"),
    }
}

/// EPP's word for a status of RDAP (RFC 8056).
fn epp_word(text: &str) -> String {
    match text {
        "active" => "ok".to_owned(),
        "associated" => "linked".to_owned(),
        _ => {
            let mut words = text.split(' ');
            let first = words.next().unwrap().to_owned();
            words
                .fold(first, |all, word| format!("{all}{}{}", word[..1].to_uppercase(), &word[1..]))
        }
    }
}

/// Values in one form for all outputs, without empty ones, in order.
fn in_form(values: Vec<String>, form: Form) -> BTreeSet<String> {
    let in_form = |value: String| match form {
        Form::Text => value,
        Form::Time => value.chars().take("2026-11-01T00:00:00".len()).collect(),
        Form::Status => value.split(' ').next().unwrap().to_owned(),
        Form::Address => value.parse::<IpAddr>().unwrap().to_string(),
    };
    values.into_iter().filter(|value| !value.is_empty()).map(in_form).collect()
}

fn labelled(answer: &[(String, String)], label: &str) -> Vec<String> {
    let of_label = answer.iter().filter(|(of, _)| of == label);
    of_label.map(|(_, value)| value.clone()).collect()
}

impl Outputs {
    /// All outputs have the same value of a stored field, and have one.
    fn assert_agree(&self, record: &Record, answer: &[(String, String)], label: &str, at: &Stored) {
        let what = format!("{} {}: {label}", record.element, record.key);
        let whois = in_form(labelled(answer, label), at.form);
        assert!(!whois.is_empty(), "{what}: no value on port 43: {answer:?}");
        let objects = self.xml.all().into_iter().filter(|node| node.local() == record.element);
        let object = objects
            .into_iter()
            .find(|node| node.at(record.key_at).first().is_some_and(|key| key == record.key))
            .unwrap();
        assert_eq!(in_form(object.at(at.epp), at.form), whois, "{what}: XML, {}", at.epp);
        let column = self.column(at.table, at.column, record);
        assert_eq!(in_form(column, at.form), whois, "{what}: CSV, {} {}", at.table, at.column);
        let change = at_change(&self.changes.object(record), at.epp);
        assert_eq!(in_form(change, at.form), whois, "{what}: change, {}", at.epp);
        let dump = self.dump(record.inspect, record.key, at.dump);
        assert_eq!(in_form(dump, at.form), whois, "{what}: inspect, {}", at.dump);
    }

    /// RDAP has the same values of a field as port 43, or no place for it.
    fn assert_rdap_agrees(
        &self,
        (answer, object): (&[(String, String)], &Value),
        label: &str,
        field: &Field,
        path: &str,
    ) {
        if field.rdap.is_empty() {
            return;
        }
        let form = match field.source {
            Source::Own(stored) => stored.form,
            _ if field.key == "nameserver_address" => Form::Address,
            _ => Form::Text,
        };
        let found = jsonpath::at(path, object);
        let found = found.into_iter().flat_map(|value| texts(field.key, value)).collect();
        let whois = in_form(labelled(answer, label), form);
        assert!(!whois.is_empty(), "{label}: no value on port 43");
        assert_eq!(in_form(found, form), whois, "{label}: RDAP, {path}: {object:#}");
    }

    fn assert_fields_agree(&self, record: &Record, fields: &[Field], but: &[&str]) {
        let answer = self.whois(record.query);
        let registrar = self.whois(REGISTRAR.query);
        let object = (!record.rdap.is_empty()).then(|| self.rdap(record.rdap));
        for field in fields.iter().filter(|field| !but.contains(&field.key)) {
            if let Some(object) = &object {
                let both = (&*answer, object);
                self.assert_rdap_agrees(both, field.whois, field, field.rdap);
            }
            match field.source {
                Source::Own(stored) => self.assert_agree(record, &answer, field.whois, &stored),
                Source::Registrar(key) => {
                    let row = registrar::FIELDS.iter().find(|row| row.key == key).unwrap();
                    let shown = labelled(&answer, field.whois);
                    let own = labelled(&registrar, row.whois);
                    let is_empty = matches!(row.source, Source::None(_));
                    assert!(is_empty || !shown.is_empty(), "{}: {}", record.key, field.key);
                    assert!(is_empty || shown == own, "{}: {}", record.key, field.key);
                }
                Source::Computed(how) => {
                    assert!(!how.is_empty());
                    let is_there = !labelled(&answer, field.whois).is_empty();
                    assert!(is_there, "{}: {}", record.key, field.key);
                }
                Source::None(why) => assert!(!why.is_empty()),
            }
        }
    }
}

#[test]
fn each_field_has_one_value_on_port_43_in_deposits_in_changes_and_in_inspect() {
    for back in [Back::Not, Back::Xml, Back::Csv, Back::Feed] {
        assert_all_agree(&Outputs::new(back));
    }
}

fn assert_all_agree(outputs: &Outputs) {
    // A variant has key data, and a name that it is a variant of; the other one DS data.
    let of_variant = ["key", "variant_of"];
    outputs.assert_fields_agree(&DOMAIN, domain::FIELDS, &of_variant);
    let variant = domain::FIELDS.iter().filter(|field| of_variant.contains(&field.key));
    outputs.assert_fields_agree(&VARIANT, &variant.copied().collect::<Vec<_>>(), &[]);
    outputs.assert_fields_agree(&RESERVED, domain::RESERVED_NAME_FIELDS, &[]);
    outputs.assert_fields_agree(&NAMESERVER, nameserver::FIELDS, &[]);
    outputs.assert_fields_agree(&REGISTRAR, registrar::FIELDS, &[]);
    outputs.assert_fields_agree(&CONTACT, RECORD_FIELDS, &[]);
    let of_domain = outputs.whois(DOMAIN.query);
    let of_contact = outputs.whois(CONTACT.query);
    let (domain, contact) = (outputs.rdap(DOMAIN.rdap), outputs.rdap(CONTACT.rdap));
    for (place, role) in ROLES.iter().enumerate() {
        let is_own = place + 1 == ROLES.len();
        let (answer, object) = if is_own { (&of_contact, &contact) } else { (&of_domain, &domain) };
        let entity = if is_own {
            String::new()
        } else {
            format!(".entities[?(@.roles[0]=='{}')]", role.rdap)
        };
        for row in BLOCK {
            let path = row.field.rdap.replacen('$', &format!("${entity}"), 1);
            let label = row.label(*role);
            outputs.assert_rdap_agrees((answer, object), &label, &row.field, &path);
            let Source::Own(stored) = row.field.source else { panic!("{}", row.field.key) };
            outputs.assert_agree(&CONTACT, answer, &row.label(*role), &stored);
        }
    }
}

#[test]
fn each_line_of_a_record_has_a_row_and_lines_are_in_the_order_of_the_rows() {
    let outputs = Outputs::new(Back::Not);
    let records: [(&Record, &[Field]); 6] = [
        (&DOMAIN, domain::FIELDS),
        (&VARIANT, domain::FIELDS),
        (&RESERVED, domain::RESERVED_NAME_FIELDS),
        (&NAMESERVER, nameserver::FIELDS),
        (&REGISTRAR, registrar::FIELDS),
        (&CONTACT, RECORD_FIELDS),
    ];
    for (record, fields) in records {
        let answer = outputs.whois(record.query);
        let mut last = 0;
        for (label, _) in &answer {
            assert!(field::is_label(label), "{}: {label} has no row", record.query);
            // Contacts lie between statuses and nameservers, addresses after each of the latter.
            let place = fields.iter().position(|row| row.whois == *label);
            let Some(place) = place.filter(|_| label != "IP Address") else { continue };
            let back = label == "Name Server";
            assert!(place >= last || back, "{}: {label} comes too late", record.query);
            last = place;
        }
        assert!(answer.len() > 3, "{}: {answer:?}", record.query);
    }
    for (place, role) in ROLES.iter().enumerate() {
        let query = if place + 1 == ROLES.len() { CONTACT.query } else { DOMAIN.query };
        let mut labels: Vec<String> = outputs.whois(query).into_iter().map(|(l, _)| l).collect();
        let expected: Vec<String> = BLOCK.iter().map(|row| row.label(*role)).collect();
        labels.retain(|label| expected.contains(label));
        labels.dedup();
        assert_eq!(labels, expected);
    }
}
