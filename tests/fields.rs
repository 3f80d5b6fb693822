//! The table of fields held against every output: for one record of each kind, each row is looked
//! up in the WHOIS answer by its label, in the RDAP answer by its path, in both models of an
//! exported deposit by element and column, and in `whoisd inspect` by its word, and all agree.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod jsonpath;
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;

use serde_json::Value;

use server::program;
use whoisd::field::contact::{BLOCK, RECORD_FIELDS, ROLES};
use whoisd::field::{self, Field, Form, Source, Stored, domain, nameserver, registrar};
use whoisd::policy::{Rules, Tier};
use whoisd::query::rdap::{self, Document};
use whoisd::query::whois::{Answer, answer};
use whoisd::view::View;

/// A registry of one record of each kind, with a value in every field.
const DEPOSIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/deposits/every-field.xml");

/// Everything shown.
const RULES: &str = r#"
[defaults]
preset = "open"
nameserver_addresses = true

[[registrar]]
id = "REG1"
abuse_email = "abuse@registrar.example"
abuse_phone = "+44.2000000009"
rdap_url = "https://rdap.registrar.example/"
"#;

/// An element of a document.
#[derive(Debug, Default)]
struct Node {
    /// With its prefix.
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

impl Node {
    fn read(path: &Path) -> Self {
        let mut reader = Reader::from_file(path).unwrap();
        let (mut open, mut buffer) = (vec![Self::default()], Vec::new());
        loop {
            match reader.read_event_into(&mut buffer).unwrap() {
                Event::Start(start) => open.push(Self::of(&start)),
                Event::Empty(start) => open.last_mut().unwrap().children.push(Self::of(&start)),
                Event::Text(text) => open.last_mut().unwrap().text += &text,
                Event::End(_) => {
                    let node = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(node);
                }
                Event::Eof => return open.pop().unwrap(),
                _ => {}
            }
            buffer.clear();
        }
    }

    fn of(start: &quick_xml::events::BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            (attribute.key.as_ref().to_owned(), attribute.value.into_owned())
        });
        let (name, attributes) = (start.name().as_ref().to_owned(), attributes.collect());
        Self { name, attributes, ..Self::default() }
    }

    fn local(&self) -> &str {
        self.name.split_once(':').map_or(&*self.name, |(_, local)| local)
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        let mut of_name = self.attributes.iter().filter(|(key, _)| key == name);
        of_name.next().map(|(_, value)| &**value)
    }

    /// This node and all below it.
    fn all(&self) -> Vec<&Self> {
        let below = self.children.iter().flat_map(Self::all);
        std::iter::once(self).chain(below).collect()
    }

    /// The values at a path of local names, `@` before an attribute.
    fn at(&self, path: &str) -> Vec<String> {
        let (step, rest) = path.split_once('/').unwrap_or((path, ""));
        if let Some(name) = step.strip_prefix('@') {
            return self.attribute(name).map(str::to_owned).into_iter().collect();
        }
        let children = self.children.iter().filter(|child| child.local() == step);
        children
            .flat_map(
                |child| if rest.is_empty() { vec![child.text.clone()] } else { child.at(rest) },
            )
            .collect()
    }
}

/// All outputs of the registry.
struct Outputs {
    view: View,
    rules: Rules,
    dir: tempfile::TempDir,
    xml: Node,
    csv: Node,
    folder: std::path::PathBuf,
}

/// Whether the registry is one that was exported and read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Back {
    Not,
    Xml,
    Csv,
}

impl Outputs {
    fn new(back: Back) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            let output = program().args(arguments).current_dir(dir.path()).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        };
        run(&["import", DEPOSIT, "--into", "registry", "--strict", "--quiet"]);
        run(&["export", "registry", "--rde-xml", "out.xml", "--rde-csv", "csv", "--quiet"]);
        let folder = dir.path().join("csv");
        let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let document = files.into_iter().find(|path| path.extension().is_some_and(|e| e == "xml"));
        let document = document.unwrap();
        let read_back = match back {
            Back::Not => None,
            Back::Xml => Some("out.xml"),
            Back::Csv => document.to_str(),
        };
        if let Some(deposit) = read_back {
            run(&["import", deposit, "--into", "back", "--strict", "--quiet"]);
            fs::remove_dir_all(dir.path().join("registry")).unwrap();
            fs::rename(dir.path().join("back"), dir.path().join("registry")).unwrap();
        }
        Self {
            view: View::open(&dir.path().join("registry")).unwrap(),
            rules: Rules::compile(&toml::from_str(RULES).unwrap()).unwrap(),
            xml: Node::read(&dir.path().join("out.xml")),
            csv: Node::read(&document),
            folder,
            dir,
        }
    }

    /// The lines of a record on port 43, as labels and values.
    fn whois(&self, line: &str) -> Vec<(String, String)> {
        let mut out = Answer::new();
        answer(&self.view, &self.rules, Tier::PUBLIC, line.as_bytes(), &mut out);
        let text = String::from_utf8(out.bytes().to_vec()).unwrap();
        let lines = text.lines().take_while(|line| !line.starts_with(">>>"));
        let pairs = lines.map(|line| match line.split_once(": ") {
            Some((label, value)) => (label.to_owned(), value.to_owned()),
            None => (line.trim_end_matches(':').to_owned(), String::new()),
        });
        pairs.collect()
    }

    /// The answer to an RDAP request.
    fn rdap(&self, target: &str) -> Value {
        let mut out = Document::new();
        let (tier, base) = (Tier::PUBLIC, "https://rdap.example/");
        let caller = rdap::Caller { tier, base, target, index: None };
        let request = rdap::Request::read(target);
        let outcome = rdap::answer(&self.view, &self.rules, &caller, &request, &mut out);
        assert_eq!(outcome.result.status(), rdap::Status::OK, "{target}");
        serde_json::from_slice(out.bytes()).unwrap()
    }

    /// The values of a column in the rows of an object, whose key or ROID is in the first column.
    fn column(&self, table: &str, column: &str, record: &Record) -> Vec<String> {
        let tables = self.csv.all().into_iter().filter(|node| node.local() == "csv");
        let mut values = Vec::new();
        for table in tables.filter(|node| node.attribute("name") == Some(table)) {
            let fields = table.children.iter().find(|node| node.local() == "fields").unwrap();
            let places = fields.children.iter().enumerate().filter(|(_, field)| {
                field.name == column || field.attribute("name") == Some(column)
            });
            let places: Vec<usize> = places.map(|(place, _)| place).collect();
            for file in table.all().into_iter().filter(|node| node.local() == "file") {
                let rows = fs::read_to_string(self.folder.join(&file.text)).unwrap();
                assert!(!rows.contains('"'), "values of this deposit need no quotation marks");
                for row in rows.lines() {
                    let row: Vec<&str> = row.split(',').collect();
                    if row[0] == record.key || row[0] == record.roid {
                        values.extend(places.iter().map(|place| row[*place].to_owned()));
                    }
                }
            }
        }
        values
    }

    /// The values of a word in `whoisd inspect`; of a reference, what it refers to.
    fn dump(&self, option: &str, key: &str, word: &str) -> Vec<String> {
        let mut command = program();
        command.args(["inspect", "registry", option, key]).current_dir(self.dir.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let values = text.lines().filter_map(|line| line.strip_prefix(&format!("{word}: ")));
        let referred = |value: &str| {
            let (ordinal, key) = value.split_once(" (")?;
            ordinal
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| key.trim_end_matches(')').to_owned())
        };
        values.map(|value| referred(value).unwrap_or_else(|| value.to_owned())).collect()
    }
}

/// A record, and how each output is asked for it.
struct Record {
    /// Local name of its element.
    element: &'static str,
    /// Path of its key below the element.
    key_at: &'static str,
    key: &'static str,
    /// Its ROID, by which some tables refer to it.
    roid: &'static str,
    query: &'static str,
    /// What RDAP is asked; empty for what is no object of its own there.
    rdap: &'static str,
    inspect: &'static str,
}

const DOMAIN: Record = Record {
    element: "domain",
    key_at: "name",
    key: "xn--bcher-kva.test",
    roid: "D1-TEST",
    query: "domain bücher.test",
    rdap: "domain/b%C3%BCcher.test",
    inspect: "--domain",
};
const VARIANT: Record =
    Record { key: "buecher.test", roid: "D2-TEST", query: "roid D2-TEST", rdap: "", ..DOMAIN };
const RESERVED: Record = Record {
    element: "NNDN",
    key_at: "aName",
    key: "xn--bcher-9qa.test",
    roid: "",
    query: "domain xn--bcher-9qa.test",
    rdap: "",
    inspect: "--nndn",
};
const NAMESERVER: Record = Record {
    element: "host",
    key_at: "name",
    key: "ns1.xn--bcher-kva.test",
    roid: "H1-TEST",
    query: "nameserver ns1.bücher.test",
    rdap: "nameserver/ns1.bücher.test",
    inspect: "--nameserver",
};
const REGISTRAR: Record = Record {
    element: "registrar",
    key_at: "id",
    key: "REG1",
    roid: "",
    query: "registrar 90007",
    rdap: "entity/90007",
    inspect: "--registrar",
};
const CONTACT: Record = Record {
    element: "contact",
    key_at: "id",
    key: "CON1",
    roid: "C1-TEST",
    query: "contact CON1",
    rdap: "entity/C1-TEST",
    inspect: "--contact",
};

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
fn each_field_has_one_value_on_port_43_in_both_models_of_a_deposit_and_in_inspect() {
    for back in [Back::Not, Back::Xml, Back::Csv] {
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
