//! Searches of RDAP against the answers about single objects: what is found is what these show, to
//! the same asker.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod registry;

use std::collections::BTreeSet;

use serde_json::Value;
use snapshot_format::Kind;
use snapshot_format::record::ArchivedContact;
use whoisd::policy::{Rules, Tier};
use whoisd::query::rdap::{Caller, Document, Request, answer};
use whoisd::query::search::{Awaited, Index};
use whoisd::sample;
use whoisd::view::View;

use registry::index::ModelIndex;

const BASE: &str = "https://rdap.example/";

/// Who asks what.
struct Asker<'a> {
    view: &'a View,
    rules: Rules,
    tier: Tier,
    index: Option<&'a dyn Index>,
}

impl Asker<'_> {
    fn ask(&self, target: &str) -> (u16, Value) {
        let caller = Caller { tier: self.tier, base: BASE, target, index: self.index };
        let mut out = Document::new();
        let outcome = answer(self.view, &self.rules, &caller, &Request::read(target), &mut out);
        (outcome.result.status().code, serde_json::from_slice(out.bytes()).unwrap())
    }

    /// The objects of all pages, and how many pages there are.
    fn all(&self, target: &str) -> (Vec<Value>, usize) {
        let (mut all, mut pages, mut next) = (Vec::new(), 0, target.to_owned());
        let mut first_page = None;
        loop {
            let (status, json) = self.ask(&next);
            if status == 404 {
                return (all, pages);
            }
            assert_eq!(status, 200, "{next}: {json}");
            pages += 1;
            let lists = ["domainSearchResults", "nameserverSearchResults", "entitySearchResults"];
            let list = lists.iter().find_map(|list| json[list].as_array()).unwrap();
            all.extend(list.iter().cloned());
            let paging = &json["paging_metadata"];
            if let Some(page) = paging["pageNumber"].as_u64() {
                assert_eq!(page, *first_page.get_or_insert(page) + pages as u64 - 1, "{next}");
            }
            let Some(href) = paging["links"][0]["href"].as_str() else { return (all, pages) };
            next = href.strip_prefix(BASE).unwrap().to_owned();
        }
    }

    fn keys(&self, target: &str) -> Vec<String> {
        self.all(target).0.iter().map(key).collect()
    }
}

fn key(object: &Value) -> String {
    let key = object.get("ldhName").or_else(|| object.get("handle")).and_then(Value::as_str);
    key.unwrap_or_default().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_lowercase()
}

fn of_card<'v>(entity: &'v Value, name: &str) -> &'v Value {
    let card = entity["vcardArray"][1].as_array().into_iter().flatten();
    card.filter(|property| property[0] == name)
        .map(|property| &property[3])
        .next()
        .unwrap_or(&Value::Null)
}

fn sampled(domains: u32) -> View {
    let tlds = ["demo".to_owned(), "example".to_owned()];
    let settings = sample::Settings::parse(7, domains.into(), &tlds, 1_767_225_600).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let registry = sample::Registry::new(&settings);
    sample::build_directory(&registry, folder.path(), 64 << 20, &mut |_, _, _| {}).unwrap();
    View::open(folder.path()).unwrap()
}

/// Rules under which more and less is shown, and a tier that sees all.
const RULES: [&str; 4] = [
    "",
    "[defaults]\npreset = \"open\"",
    "[defaults]\npreset = \"temporary-specification-2018\"\n[[tier]]\nname = \"police\"\n\
     preset = \"open\"",
    "[[tld]]\nsuffix = \"demo\"\npreset = \"open\"\n[[tier]]\nname = \"police\"\n\
     [[tier.tld]]\nsuffix = \"example\"\npreset = \"open\"",
];

fn askers<'a>(view: &'a View, index: &'a ModelIndex) -> Vec<Asker<'a>> {
    let mut askers = Vec::new();
    for text in RULES {
        let rules = |text: &str| Rules::compile(&toml::from_str(text).unwrap()).unwrap();
        let tiers: Vec<Tier> = {
            let rules = rules(text);
            [Some(Tier::PUBLIC), rules.tier("police")].into_iter().flatten().collect()
        };
        for tier in tiers {
            askers.push(Asker { view, rules: rules(text), tier, index: Some(index) });
        }
    }
    askers
}

/// The answers about every domain.
fn shown_domains(asker: &Asker<'_>) -> Vec<Value> {
    let names = asker.view.data().domains("").unwrap();
    let names = names.filter_map(|record| Some(record.unwrap()?.name.as_str().to_owned()));
    let answers = names.map(|name| (asker.ask(&format!("domain/{name}")).1, name));
    // A variant is answered with its primary.
    answers.filter(|(domain, name)| key(domain) == **name).map(|(domain, _)| domain).collect()
}

/// Those that are not variants.
fn without_variants(asker: &Asker<'_>, mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| key(&asker.ask(&format!("domain/{name}")).1) == *name);
    names
}

/// The answers about every contact and registrar that can be asked for.
fn shown_entities(asker: &Asker<'_>) -> Vec<Value> {
    let data = asker.view.data();
    let mut handles = BTreeSet::new();
    for ordinal in 0..data.ordinals_end(Kind::Contact) {
        let record: Option<&ArchivedContact> = data.record(ordinal).unwrap();
        let id =
            record.map(|record| record.packed().from(snapshot_format::record::ContactField::Id));
        let (bytes, length) = id.unwrap();
        handles.insert(String::from_utf8(bytes[..length].to_vec()).unwrap());
    }
    for ordinal in 0..data.ordinals_end(Kind::Registrar) {
        let registrar = asker.view.registrar(ordinal).unwrap();
        let id = registrar.iana_id;
        handles.insert(if id == 0 { registrar.name.to_string() } else { id.to_string() });
    }
    let answers = handles.iter().map(|handle| {
        asker.ask(&format!("entity/{}", whoisd::query::rdap::escaped(handle.as_bytes())))
    });
    answers.filter(|(status, _)| *status == 200).map(|(_, json)| json).collect()
}

/// Patterns of which some match: beginnings of texts that are there.
fn beginnings(texts: impl Iterator<Item = String>, chars: usize) -> Vec<String> {
    let ascii = texts.filter(|text| text.is_ascii() && text.len() > chars);
    let all: BTreeSet<String> = ascii.map(|text| text[..chars].to_owned()).collect();
    let is_plain = |text: &String| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let all: Vec<String> = all.into_iter().filter(is_plain).collect();
    let step = (all.len() / 6).max(1);
    all.into_iter().step_by(step).chain(["zzq".to_owned()]).collect()
}

#[test]
fn domains_are_found_by_what_their_answers_show_of_nameservers() {
    let view = sampled(600);
    let index = ModelIndex::of(&view);
    for asker in askers(&view, &index) {
        let domains = shown_domains(&asker);
        let hosts = |domain: &Value| -> Vec<String> {
            let all = domain["nameservers"].as_array().unwrap();
            all.iter().map(|host| text(&host["ldhName"])).collect()
        };
        let names: BTreeSet<String> = domains.iter().flat_map(hosts).collect();
        for name in names.iter().step_by(names.len() / 12 + 1) {
            let expected: Vec<String> =
                domains.iter().filter(|domain| hosts(domain).contains(name)).map(key).collect();
            let found = asker.keys(&format!("domains?nsLdhName={name}"));
            assert_eq!(without_variants(&asker, found), expected, "{name}");
        }
        for start in beginnings(names.iter().cloned(), 5) {
            let matches =
                |domain: &&Value| hosts(domain).iter().any(|host| host.starts_with(&start));
            let expected: Vec<String> = domains.iter().filter(matches).map(key).collect();
            let found = asker.keys(&format!("domains?nsLdhName={start}*"));
            assert_eq!(without_variants(&asker, found), expected, "{start}");
        }
    }
}

#[test]
fn entities_are_found_by_what_their_answers_show() {
    let view = sampled(600);
    let index = ModelIndex::of(&view);
    for asker in askers(&view, &index) {
        let entities = shown_entities(&asker);
        for (parameter, of) in [
            ("fn", (|entity| text(of_card(entity, "fn"))) as fn(&Value) -> String),
            ("handle", |entity| text(&entity["handle"])),
        ] {
            let mut found_count = 0;
            for start in beginnings(entities.iter().map(of), 3) {
                let matches = |entity: &&Value| of(entity).starts_with(&start);
                let mut expected: Vec<String> = entities.iter().filter(matches).map(key).collect();
                let mut found = asker.keys(&format!("entities?{parameter}={start}*"));
                expected.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, expected, "{parameter}={start}*");
                found_count += found.len();
            }
            assert!(found_count > 0, "{parameter}");
        }
    }
}

#[test]
fn domains_are_found_by_what_their_answers_show_of_entities() {
    let view = sampled(400);
    let index = ModelIndex::of(&view);
    let mut found_count = 0;
    for asker in askers(&view, &index) {
        let domains = shown_domains(&asker);
        let of = |entity: &Value, property: &str| match property {
            "fn" => text(of_card(entity, "fn")),
            "email" => text(of_card(entity, "email")),
            _ => text(&entity["handle"]),
        };
        let entities = |domain: &Value| domain["entities"].as_array().cloned().unwrap_or_default();
        for property in ["fn", "email", "handle"] {
            let texts = domains.iter().flat_map(entities).map(|entity| of(&entity, property));
            for start in beginnings(texts, 3) {
                for role in ["", "&role=registrant", "&role=technical", "&role=registrar"] {
                    let matches = |entity: &Value| {
                        let own = entity["roles"][0].as_str().unwrap();
                        // The domains of people are for those who see more than the public.
                        (own == "registrar" || asker.tier != Tier::PUBLIC)
                            && of(entity, property).starts_with(&start)
                            && (role.is_empty() || role.ends_with(&format!("={own}")))
                    };
                    let is_expected = |domain: &&Value| entities(domain).iter().any(matches);
                    let expected: Vec<String> =
                        domains.iter().filter(is_expected).map(key).collect();
                    let target = format!("domains/reverse_search/entity?{property}={start}*{role}");
                    let found = without_variants(&asker, asker.keys(&target));
                    assert_eq!(found, expected, "{target}");
                    found_count += expected.len();
                }
            }
        }
    }
    assert!(found_count > 1_000, "{found_count}");
}

#[test]
fn predicates_hold_of_one_entity_together() {
    let view = registry::small();
    let index = ModelIndex::of(&view);
    let rules = "[defaults]\npreset = \"open\"\n[[tier]]\nname = \"police\"\npreset = \"open\"";
    let rules = Rules::compile(&toml::from_str(rules).unwrap()).unwrap();
    let tier = rules.tier("police").unwrap();
    let asker = Asker { view: &view, rules, tier, index: Some(&index) };
    let domains = shown_domains(&asker);
    let reverse = |query: &str| asker.keys(&format!("domains/reverse_search/entity?{query}"));
    let entities =
        domains.iter().flat_map(|domain| domain["entities"].as_array().into_iter().flatten());
    let contacts = entities.filter(|entity| entity["roles"][0] != "registrar");
    let mut handles: Vec<String> = contacts.map(|entity| text(&entity["handle"])).collect();
    handles.sort_unstable();
    handles.dedup();
    let [handle, other, ..] = &handles[..] else { panic!("{handles:?}") };
    let both = format!("handle={handle}&handle={other}");
    assert!(!reverse(&format!("handle={handle}")).is_empty());
    assert!(reverse(&both).is_empty(), "no entity has two handles");
    let prefix = &handle[..2];
    assert_eq!(
        reverse(&format!("handle={prefix}*&handle={handle}")),
        reverse(&format!("handle={handle}"))
    );
    assert!(reverse(&format!("handle={handle}&role=registrar")).is_empty());
    assert!(reverse(&format!("handle={handle}&role=registrant&role=technical")).is_empty());
    assert!(reverse(&format!("handle={handle}&role=juggler")).is_empty());
}

#[test]
fn pages_have_everything_once_in_the_order_that_is_asked_for() {
    let view = sampled(2_000);
    let index = ModelIndex::of(&view);
    let rules = Rules::standard();
    let asker = Asker { view: &view, rules, tier: Tier::PUBLIC, index: Some(&index) };
    let names: Vec<String> = {
        let names = view.data().domains("").unwrap();
        names.filter_map(|record| Some(record.unwrap()?.name.as_str().to_owned())).collect()
    };
    let start = "ma";
    let expected: Vec<String> =
        names.iter().filter(|name| name.starts_with(start)).cloned().collect();
    let target = format!("domains?name={start}*");
    assert_eq!(asker.keys(&target), expected);
    let host = {
        let (_, json) = asker.ask("domain/example.demo");
        json["nameservers"][0]["ldhName"].as_str().unwrap().to_owned()
    };
    let mut large = 0;
    let of_host = format!("domains?nsLdhName={}*", &host[..3]);
    for target in [&target, &of_host, "nameservers?name=ns*", "entities?fn=ex*"] {
        let (plain, pages) = asker.all(target);
        let plain: Vec<String> = plain.iter().map(key).collect();
        large += usize::from(pages > 2);
        let unique: BTreeSet<&String> = plain.iter().collect();
        assert_eq!(unique.len(), plain.len(), "{target}");
        for fields in ["id", "brief", "full"] {
            assert_eq!(asker.keys(&format!("{target}&fieldSet={fields}")), plain, "{target}");
        }
        let (_, json) = asker.ask(&format!("{target}&count=true"));
        assert_eq!(json["paging_metadata"]["totalCount"], plain.len(), "{target}");
        let mut sorted = plain.clone();
        sorted.sort_unstable();
        let sort = if target.starts_with("entities") { "handle" } else { "name" };
        let mut found = asker.keys(&format!("{target}&sort={sort}&fieldSet=id"));
        let mut backwards = asker.keys(&format!("{target}&sort={sort}:d&fieldSet=id"));
        backwards.reverse();
        assert_eq!(found, backwards, "{target}");
        found.sort_unstable();
        assert_eq!(found, sorted, "{target}");
    }
    assert!(large >= 1, "{large} lists have several pages");
    let (by_date, _) = asker.all(&format!("{target}&sort=registrationDate:d,name"));
    let dates = |domain: &Value| domain["events"][0]["eventDate"].as_str().unwrap().to_owned();
    assert!(
        by_date.is_sorted_by(|a, b| {
            (dates(b), key(a)) <= (dates(a), key(b)) || dates(b) < dates(a)
        })
    );
    assert_eq!(by_date.len(), expected.len());
}

#[test]
fn a_cursor_goes_on_where_its_page_ended_whatever_has_come_and_gone() {
    let objects = |skip: usize| {
        let mut objects = registry::objects();
        for number in 0..300 {
            if number % 7 != skip {
                let mut domain = objects.domains[0].clone();
                domain.name = format!("page-{number:03}.demo");
                domain.roid = format!("D9{number:03}-DEMO");
                objects.domains.push(domain);
            }
        }
        objects.view()
    };
    let (before, after) = (objects(1), objects(2));
    let (of_before, of_after) = (ModelIndex::of(&before), ModelIndex::of(&after));
    let asker = |view, index| Asker {
        view,
        rules: Rules::standard(),
        tier: Tier::PUBLIC,
        index: Some(index),
    };
    for sort in ["", "&sort=name", "&sort=registrationDate,name:d"] {
        let target = format!("domains?name=page-*&fieldSet=id{sort}");
        let first = asker(&before, &of_before).ask(&target).1;
        let next = first["paging_metadata"]["links"][0]["href"].as_str().unwrap();
        let rest = asker(&after, &of_after).keys(next.strip_prefix(BASE).unwrap());
        let last = key(first["domainSearchResults"].as_array().unwrap().last().unwrap());
        let all = asker(&after, &of_after).keys(&target);
        let is_behind =
            |name: &&String| if sort.ends_with(":d") { **name < last } else { **name > last };
        let expected: Vec<String> = all.iter().filter(is_behind).cloned().collect();
        assert_eq!(rest, expected, "{sort}");
        assert!(rest.len() > 100);
        // For another search it is no cursor.
        let other = next.strip_prefix(BASE).unwrap().replace("page-", "pag");
        assert_eq!(asker(&after, &of_after).ask(&other).0, 400, "{other}");
    }
}

#[test]
fn what_the_mask_hides_is_not_found_and_the_answer_is_the_same() {
    let mut objects = registry::objects();
    for contact in objects.contacts.iter_mut().filter(|contact| contact.disclose.is_none()) {
        contact.postal.iter_mut().for_each(|postal| postal.name = "Hidden Person".to_owned());
        contact.email = "hidden@holder.example".to_owned();
    }
    let view = objects.view();
    let index = ModelIndex::of(&view);
    let rules = "[[tier]]\nname = \"police\"\npreset = \"open\"";
    let rules = || Rules::compile(&toml::from_str(rules).unwrap()).unwrap();
    let police = rules().tier("police").unwrap();
    let asker = |tier| Asker { view: &view, rules: rules(), tier, index: Some(&index) };
    let domain = asker(police).ask("domain/example.demo").1;
    let holder =
        domain["entities"].as_array().unwrap().iter().find(|e| e["roles"][0] == "registrant");
    let name = of_card(holder.unwrap(), "fn").as_str().unwrap().to_owned();
    let email = of_card(holder.unwrap(), "email").as_str().unwrap().to_owned();
    let escaped = |text: &str| whoisd::query::rdap::escaped(text.as_bytes());
    for (target, other) in [
        (format!("entities?fn={}", escaped(&name)), "entities?fn=Nobody".to_owned()),
        (
            format!("domains/reverse_search/entity?email={}", escaped(&email)),
            "domains/reverse_search/entity?email=nobody@example.net".to_owned(),
        ),
        (
            format!("domains/reverse_search/entity?fn={}", escaped(&name)),
            "domains/reverse_search/entity?fn=Nobody".to_owned(),
        ),
    ] {
        let without_url = |target: &str| {
            let (status, json) = asker(Tier::PUBLIC).ask(target);
            (status, json.to_string().replace(target, "URL"))
        };
        assert_eq!(without_url(&target).0, 404, "{target} {:?}", without_url(&target).1);
        assert_eq!(without_url(&target).1, without_url(&other).1, "{target}");
        if target.starts_with("domains") {
            assert_eq!(asker(police).ask(&target).0, 200, "{target}");
        }
    }
}

#[test]
fn a_hidden_handle_is_not_in_the_links_of_what_was_found() {
    let view = registry::small();
    let index = ModelIndex::of(&view);
    let asker =
        Asker { view: &view, rules: Rules::standard(), tier: Tier::PUBLIC, index: Some(&index) };
    // One of several with this name has asked to be shown, under a handle that nobody sees.
    for fields in ["id", "brief", "full"] {
        let (found, _) = asker.all(&format!("entities?fn=Alex%20Holder&fieldSet={fields}"));
        assert!(!found.is_empty());
        for entity in found {
            assert!(entity.get("handle").is_none(), "{entity}");
            assert!(!entity.to_string().contains("-DEMO"), "{entity}");
        }
    }
}

#[test]
fn whole_records_are_counted_and_names_alone_are_not() {
    let (view, rules, mut out) = (registry::small(), Rules::standard(), Document::new());
    let mut shown = |target: &str| {
        let caller = Caller { tier: Tier::PUBLIC, base: BASE, target, index: None };
        answer(&view, &rules, &caller, &Request::read(target), &mut out);
        out.shown().records
    };
    assert!(shown("domains?name=exam*") > 1);
    assert_eq!(shown("domains?name=exam*&fieldSet=id"), 0);
    assert_eq!(shown("domains?name=exam*&fieldSet=brief"), 0);
}

#[test]
fn a_search_waits_for_its_index_and_for_nothing_else() {
    let view = registry::small();
    let asker = |index| Asker { view: &view, rules: Rules::standard(), tier: Tier::PUBLIC, index };
    let mut building = asker(Some(&Awaited as &dyn Index));
    building.rules =
        Rules::compile(&toml::from_str("[defaults]\npreset = \"open\"").unwrap()).unwrap();
    let none = asker(None);
    for target in [
        "domains?nsLdhName=ns1.example.demo",
        "domains?nsIp=192.0.2.1",
        "entities?handle=9998",
        "domains/reverse_search/entity?fn=Example*&role=registrar",
    ] {
        let (status, json) = building.ask(target);
        assert_eq!(status, 503, "{target}: {json}");
        let (status, json) = none.ask(target);
        assert_eq!(status, 501, "{target}: {json}");
    }
    for target in ["domains?name=exam*", "nameservers?name=ns1*", "nameservers?ip=192.0.2.1"] {
        assert_eq!(building.ask(target).0, 200, "{target}");
        assert_eq!(none.ask(target).0, 200, "{target}");
    }
    assert!(none.ask("help").1.get("reverse_search_properties").is_none());
    assert!(building.ask("help").1["reverse_search_properties"].is_array());
}
