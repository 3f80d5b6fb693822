//! An answer with the request, and ways through its JSON.

use serde_json::{Map, Value};
use whoisd::policy::{Rules, Tier};
use whoisd::query::rdap::{Caller, Document, Request, answer, escaped};
use whoisd::view::View;

/// The public base URL of the server under test.
pub(crate) const BASE: &str = "https://rdap.example/";

/// What kind of answer it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Domain,
    Nameserver,
    Entity,
    Nameservers,
    /// A search that ICANN's tool does not make.
    Other,
    Help,
    Error,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Below the base URL.
    pub(crate) target: String,
    /// As it was asked.
    pub(crate) url: String,
    pub(crate) status: u16,
    pub(crate) json: Value,
}

impl Answer {
    /// Asks for a target.
    pub(crate) fn to(
        target: &str,
        view: &View,
        (rules, tier): (&Rules, Tier),
        out: &mut Document,
    ) -> Self {
        let repeated = escaped(target.as_bytes());
        let caller = Caller { tier, base: BASE, target: &repeated, index: None };
        let outcome = answer(view, rules, &caller, &Request::read(target), out);
        Self::of(target, outcome.result.status().code, out)
    }

    /// The answer in a document.
    pub(crate) fn of(target: &str, status: u16, out: &Document) -> Self {
        unique_members(target, out.bytes());
        Self {
            target: target.to_owned(),
            url: format!("{BASE}{}", escaped(target.as_bytes())),
            status,
            json: serde_json::from_slice(out.bytes()).unwrap(),
        }
    }

    /// Takes the base URL of the configuration whose links the answer has.
    pub(crate) fn set_base(&mut self, config: &str) {
        let json = self.json.to_string();
        let bases = config.lines().filter_map(|line| {
            let (_, text) = line.split_once("url = \"").filter(|(key, _)| !key.contains('_'))?;
            text.split('"').next()
        });
        for url in bases.map(|base| format!("{base}{}", escaped(self.target.as_bytes()))) {
            if json.contains(&format!("\"value\":\"{url}\"")) {
                self.url = url;
            }
        }
    }

    pub(crate) fn class(&self) -> Class {
        let path = self.target.split(['/', '?']).next().unwrap();
        match path {
            _ if self.status != 200 => Class::Error,
            "domain" => Class::Domain,
            "nameserver" => Class::Nameserver,
            "entity" => Class::Entity,
            "nameservers" => Class::Nameservers,
            "domains" | "entities" => Class::Other,
            "help" => Class::Help,
            _ => panic!("{}: answered with {}", self.target, self.status),
        }
    }

    /// The name that was asked for, of a domain or nameserver.
    pub(crate) fn name_asked(&self) -> String {
        let path = self.target.split('?').next().unwrap();
        let name = path.split('/').nth(1).unwrap_or_default();
        let (mut bytes, mut rest) = (Vec::new(), name.as_bytes());
        while let [first, after @ ..] = rest {
            rest = after;
            match (first, after) {
                (b'%', [high, low, after @ ..]) => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).unwrap();
                    bytes.push(u8::from_str_radix(digits, 16).unwrap());
                    rest = after;
                }
                _ => bytes.push(*first),
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    /// All objects with their paths, that of the answer first.
    pub(crate) fn objects(&self) -> Vec<(String, &Map<String, Value>)> {
        let mut found = Vec::new();
        objects_of("", &self.json, &mut found);
        found
    }

    /// The values of a member, wherever it is, with the paths of their objects.
    pub(crate) fn members(&self, name: &str) -> Vec<(String, &Value)> {
        let objects = self.objects().into_iter();
        objects.filter_map(|(path, object)| Some((path, object.get(name)?))).collect()
    }

    /// The entities right below the answer that have a role.
    pub(crate) fn with_role(&self, role: &str) -> Vec<&Value> {
        with_role(&self.json, role)
    }

    /// The element of `redacted` whose name has this type.
    pub(crate) fn redaction(&self, of_type: &str) -> Option<&Value> {
        elements(&self.json["redacted"]).iter().find(|entry| entry["name"]["type"] == of_type)
    }
}

fn objects_of<'v>(path: &str, value: &'v Value, found: &mut Vec<(String, &'v Map<String, Value>)>) {
    match value {
        Value::Array(all) => {
            for (index, value) in all.iter().enumerate() {
                objects_of(&format!("{path}/{index}"), value, found);
            }
        }
        Value::Object(all) => {
            found.push((path.to_owned(), all));
            for (name, value) in all {
                objects_of(&format!("{path}/{name}"), value, found);
            }
        }
        _ => {}
    }
}

/// The elements of a list; none of another value.
pub(crate) fn elements(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The entities of an object that have a role.
pub(crate) fn with_role<'v>(object: &'v Value, role: &str) -> Vec<&'v Value> {
    let has_role = |entity: &&Value| elements(&entity["roles"]).iter().any(|of| of == role);
    elements(&object["entities"]).iter().filter(has_role).collect()
}

/// The properties of an entity's jCard.
pub(crate) fn card(entity: &Value) -> &[Value] {
    elements(&entity["vcardArray"][1])
}

/// The properties of a name.
pub(crate) fn properties<'v>(entity: &'v Value, name: &str) -> Vec<&'v Value> {
    card(entity).iter().filter(|property| property[0] == name).collect()
}

/// The telephone numbers of a type.
pub(crate) fn telephones<'v>(entity: &'v Value, of_type: &str) -> Vec<&'v Value> {
    let is_of_type = |property: &&Value| {
        let types = &property[1]["type"];
        types == of_type || elements(types).iter().any(|of| of == of_type)
    };
    properties(entity, "tel").into_iter().filter(is_of_type).collect()
}

/// Checks that no object has a member twice, which a [`Value`] does not show. The tool's codes:
/// -10602, -10702, -10902, -11202, -11303, -11402, -11502, -11509, -12002, -12010, -12020, -12102,
/// -12202, -12302, -12402, -12502 and -12602.
fn unique_members(target: &str, bytes: &[u8]) {
    struct Unique;
    impl<'de> serde::Deserialize<'de> for Unique {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Self)
        }
    }
    impl<'de> serde::de::Visitor<'de> for Unique {
        type Value = Self;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("members that are there once")
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
            Ok(self)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
            Ok(self)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self, E> {
            Ok(self)
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut all: A) -> Result<Self, A::Error> {
            while all.next_element::<Self>()?.is_some() {}
            Ok(self)
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut all: A) -> Result<Self, A::Error> {
            let mut names = std::collections::BTreeSet::new();
            while let Some((name, _)) = all.next_entry::<String, Self>()? {
                if let Some(twice) = names.replace(name) {
                    return Err(serde::de::Error::custom(format!("{twice} is there twice")));
                }
            }
            Ok(self)
        }
    }
    serde_json::from_slice::<Unique>(bytes).unwrap_or_else(|error| panic!("{target}: {error}"));
}

#[test]
#[should_panic(expected = "href is there twice")]
fn a_member_that_is_there_twice_is_found() {
    unique_members("help", br#"{"links":[{"href":"a","rel":"b","href":"c"}]}"#);
}
