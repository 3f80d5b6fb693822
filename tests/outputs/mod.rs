//! All outputs of a registry with one record of each kind: answers on port 43 and of RDAP, both
//! models of a deposit, changes, and `whoisd inspect`.

mod changes;
mod node;
mod records;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::server::program;
use changes::Changes;
pub(crate) use changes::at as at_change;
use node::Node;
pub(crate) use records::{CONTACT, DOMAIN, NAMESERVER, REGISTRAR, RESERVED, Record, VARIANT};
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

/// All outputs of the registry.
pub(crate) struct Outputs {
    view: View,
    rules: Rules,
    dir: tempfile::TempDir,
    pub(crate) xml: Node,
    csv: Node,
    folder: PathBuf,
    pub(crate) changes: Changes,
}

/// Whether the registry is one that was exported and read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Back {
    Not,
    Xml,
    Csv,
    /// As changes, into an empty one.
    Feed,
}

impl Outputs {
    pub(crate) fn new(back: Back) -> Self {
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
        let changes = Changes::of(&View::open(&dir.path().join("registry")).unwrap());
        let read = |deposit: &str| {
            run(&["import", deposit, "--into", "back", "--strict", "--quiet"]);
        };
        match back {
            Back::Not => {}
            Back::Xml => read("out.xml"),
            Back::Csv => read(document.to_str().unwrap()),
            Back::Feed => {
                fs::write(dir.path().join("empty.xml"), empty()).unwrap();
                fs::write(dir.path().join("changes.jsonl"), changes.text()).unwrap();
                read("empty.xml");
                run(&["apply", "changes.jsonl", "--dir", "back"]);
            }
        }
        if back != Back::Not {
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
            changes,
        }
    }

    /// The lines of a record on port 43, as labels and values.
    pub(crate) fn whois(&self, line: &str) -> Vec<(String, String)> {
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
    pub(crate) fn rdap(&self, target: &str) -> Value {
        let mut out = Document::new();
        let (tier, base) = (Tier::PUBLIC, "https://rdap.example/");
        let caller = rdap::Caller { tier, base, target, index: None };
        let request = rdap::Request::read(target);
        let outcome = rdap::answer(&self.view, &self.rules, &caller, &request, &mut out);
        assert_eq!(outcome.result.status(), rdap::Status::OK, "{target}");
        serde_json::from_slice(out.bytes()).unwrap()
    }

    /// The values of a column in the rows of an object, whose key or ROID is in the first column.
    pub(crate) fn column(&self, table: &str, column: &str, record: &Record) -> Vec<String> {
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
    pub(crate) fn dump(&self, option: &str, key: &str, word: &str) -> Vec<String> {
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

/// The deposit without its records.
fn empty() -> String {
    let text = fs::read_to_string(DEPOSIT).unwrap();
    let (head, rest) = text.split_once("<rdeRegistrar:registrar>").unwrap();
    let (_, foot) = rest.split_once("</rde:contents>").unwrap();
    let none = head.replace(">1</rdeHeader:count>", ">0</rdeHeader:count>");
    let none = none.replace(">2</rdeHeader:count>", ">0</rdeHeader:count>");
    format!("{none}</rde:contents>{foot}")
}
