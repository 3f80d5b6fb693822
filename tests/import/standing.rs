//! Deposits into a directory that has a registry: which need a permission, which objects stay, and
//! that changes lead to the same registry as a full deposit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use whoisd::view::View;

use crate::support::{HEAD, HEADER, OBJECTS, TAIL, good};

/// A directory for deposits, and the snapshot directory `s` in it.
pub(crate) struct Site(tempfile::TempDir);

impl Site {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("s")
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.path().join(name), text).unwrap();
        name.to_owned()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whoisd"));
        command.args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    fn import(&self, files: &[&str], options: &[&str]) -> Output {
        self.run(&[&["import"], files, &["--into", "s"], options].concat())
    }

    pub(crate) fn taken(&self, files: &[&str], options: &[&str]) -> View {
        let done = self.import(files, options);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        self.view()
    }

    /// Why an import was refused.
    #[track_caller]
    pub(crate) fn refused(&self, files: &[&str], options: &[&str]) -> String {
        let before = self.view().generation();
        let done = self.import(files, options);
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(3), "{said}");
        assert_eq!(self.view().generation(), before, "{said}");
        said
    }

    pub(crate) fn view(&self) -> View {
        View::open(&self.data()).unwrap()
    }
}

fn suffixes(view: &View) -> Vec<&str> {
    view.suffixes().iter().map(|suffix| &**suffix).collect()
}

pub(crate) fn has(view: &View, domain: &str) -> bool {
    view.data().find_domain(domain).unwrap().is_some()
}

/// The good deposit of another TLD: `.test` with its identifiers is replaced throughout.
pub(crate) fn of_tld(tld: &str) -> String {
    let text = good().replace(".test", &format!(".{tld}")).replace(">test<", &format!(">{tld}<"));
    text.replace("-TEST", &format!("-{}", tld.to_uppercase())).replace("20261101001", tld)
}

fn without(text: &str, element: &str) -> String {
    let (start, end) = (format!("<{element}>"), format!("</{element}>"));
    let mut rest = text.to_owned();
    while let (Some(from), Some(to)) = (rest.find(&start), rest.find(&end)) {
        rest.replace_range(from..to + end.len(), "");
    }
    rest
}

#[test]
fn a_deposit_that_would_lose_a_registry_is_refused_and_the_option_that_it_names_takes_it() {
    let site = Site::new();
    let full = site.file("full.xml", &good());
    let empty = site.file("empty.xml", &without(&good(), "rdeDomain:domain"));
    let (start, one) = (OBJECTS.find("<rdeDomain:domain>").unwrap(), "</rdeDomain:domain>");
    let end = OBJECTS.find(one).unwrap() + one.len();
    let fewer = [HEAD, HEADER, &OBJECTS[..start], &OBJECTS[end..], TAIL].concat();
    let fewer = site.file("fewer.xml", &fewer);
    let older = good().replace("2026-11-01T00:00:00Z", "2026-10-01T00:00:00Z");
    let older = site.file("older.xml", &older);
    for (file, word) in [(&empty, "empty"), (&fewer, "fewer"), (&older, "older")] {
        site.taken(&[&full], &["--replace", "--allow", "older"]);
        let said = site.refused(&[file], &[]);
        assert!(said.contains(&format!("--allow {word}\n")), "{said}");
        site.taken(&[file], &["--allow", word]);
    }
    site.taken(&[&full], &[]);
    site.taken(&[&fewer], &["--fewer-max", "50"]);
    assert!(site.import(&[&empty], &["--fewer-max", "101"]).status.code() == Some(2));
    // An empty registry is one that begins.
    let fresh = Site::new();
    let empty = fresh.file("empty.xml", &without(&good(), "rdeDomain:domain"));
    fresh.taken(&[&empty], &[]);
}

#[test]
fn a_deposit_that_was_corrected_comes_back_as_it_was_only_when_that_is_permitted() {
    let site = Site::new();
    let first = site.file("first.xml", &good());
    let resend = |number: u32| {
        let text = good().replace("type=\"FULL\"", &format!("type=\"FULL\" resend=\"{number}\""));
        text.replace(">Ada<", &format!(">Ada {number}<"))
    };
    let corrected = site.file("second.xml", &resend(2));
    let between = site.file("between.xml", &resend(1));
    site.taken(&[&first], &[]);
    site.taken(&[&corrected], &[]);
    for wrong in [&first, &between] {
        for options in [&[][..], &["--replace"]] {
            let said = site.refused(&[wrong], options);
            assert!(said.contains("the directory has as 20261101001#2, corrected"), "{said}");
            assert!(said.contains("--allow older\n"), "{said}");
        }
    }
    site.taken(&[&corrected], &[]);
    // Another TLD counts its own deposits.
    let demo = of_tld("demo").replace("id=\"demo\"", "id=\"20261101001\"");
    let demo = site.file("demo.xml", &demo);
    site.taken(&[&demo], &["--add"]);
    site.taken(&[&first], &["--allow", "older"]);
}

#[test]
fn a_deposit_into_a_directory_that_follows_a_feed_is_refused_unless_that_is_permitted() {
    let site = Site::new();
    let full = site.file("full.xml", &good());
    site.taken(&[&full], &[]);
    let record = r#"{"v":1,"serial":7,"committed":"2026-11-25T12:00:01Z","kind":"domain","delete":"a.test"}"#;
    site.file("7.jsonl", &format!("{record}\n"));
    assert!(site.run(&["apply", "7.jsonl", "--dir", "s"]).status.success());
    let said = site.refused(&[&full], &["--allow", "older"]);
    assert!(said.contains("serial 7") && said.contains("--allow feed\n"), "{said}");
    let view = site.taken(&[&full], &["--allow", "older,feed"]);
    assert_eq!(view.state().serial, 0);
}

#[test]
fn several_deposits_are_one_directory_and_each_tld_is_replaced_by_itself() {
    let site = Site::new();
    let (test, demo) = (site.file("t.xml", &good()), site.file("d.xml", &of_tld("demo")));
    let both = site.taken(&[&test, &demo], &["--strict"]);
    assert!(has(&both, "a.test") && has(&both, "a.demo"));
    assert_eq!(suffixes(&both), ["demo", "test"]);
    let marks: Vec<&str> = both.state().deposits.iter().map(|mark| &*mark.tld).collect();
    assert_eq!(marks, ["test", "demo"]);
    // One after the other gives the same, but a TLD is added only with `--add`.
    let other = Site::new();
    other.file("t.xml", &good());
    other.file("d.xml", &of_tld("demo"));
    other.taken(&[&test], &[]);
    let said = other.refused(&[&demo], &["--strict"]);
    assert!(said.contains("the TLD demo, and the directory has test"), "{said}");
    assert!(said.contains("--add") && said.contains("--replace"), "{said}");
    let view = other.taken(&[&demo], &["--add"]);
    assert!(has(&view, "a.test") && has(&view, "a.demo"));
    assert_eq!(suffixes(&view), suffixes(&both));
    let view = other.taken(&[&demo], &["--replace"]);
    assert!(!has(&view, "a.test") && has(&view, "a.demo"));
    assert_eq!(suffixes(&view), ["demo"]);
}

#[test]
fn what_only_the_replaced_tld_referred_to_goes_and_what_others_refer_to_stays() {
    let site = Site::new();
    // Contact C1, registrar R1 and ns.other.example are of both; R2, C2 and ns2.b.demo of demo.
    let of_demo = of_tld("demo")
        .replace(">C1-DEMO<", ">C1-TEST<")
        .replace(">H2-DEMO<", ">H2-TEST<")
        .replace("</rde:contents>", &format!("{EXTRA}</rde:contents>"));
    let test = site.file("t.xml", &good());
    let demo = site.file("d.xml", &of_demo);
    site.taken(&[&test, &demo], &[]);
    // The next deposit of demo has a.demo alone, and a newer C1.
    let (start, one) = ("<rdeDomain:domain><rdeDomain:name>xn--", "</rdeDomain:domain>");
    let next = of_tld("demo").replace("2026-11-01T00:00:00Z", "2026-11-08T00:00:00Z");
    let from = next.find(start).unwrap();
    let to = from + next[from..].find(one).unwrap() + one.len();
    let next = [&next[..from], &next[to..]].concat().replace(">Ada<", ">Ada Newer<");
    let next = next.replace("id=\"demo\"", "id=\"demo2\"");
    let next = site.file("next.xml", &next);
    let said = site.refused(&[&next], &[]);
    assert!(said.contains("it has 1 domains, the directory has 3"), "of its own TLD: {said}");
    let view = site.taken(&[&next], &["--allow", "fewer"]);
    let data = view.data();
    assert!(has(&view, "a.test") && has(&view, "xn--bcher-kva.test") && has(&view, "a.demo"));
    assert!(!has(&view, "b.demo") && !has(&view, "xn--bcher-kva.demo"));
    let contact = |id: &str| {
        let found = data.find_contacts(id).next().transpose().unwrap();
        found.map(|contact| contact.field(snapshot_format::record::ContactField::Name).to_owned())
    };
    assert_eq!(contact("C1"), Some("Ada Newer".to_owned()), "the newest wins");
    assert_eq!(contact("C2"), None);
    let host = |name: &str| data.find_nameserver(name).unwrap().is_some();
    assert!(host("ns1.a.test") && host("ns1.a.demo") && host("ns.other.example"));
    assert!(!host("ns2.b.demo"));
    let registrar = |id: &str| {
        let key = snapshot_format::key::RegistrarKey::Id(id);
        data.find_registrars(key).count()
    };
    assert_eq!((registrar("R1"), registrar("R2")), (1, 0));
    // An older deposit of test takes none of what demo has newer.
    let view = site.taken(&[&test], &[]);
    let names: Vec<_> = view.data().find_contacts("C1").map(Result::unwrap).collect();
    assert_eq!(names[0].field(snapshot_format::record::ContactField::Name), "Ada Newer");
    let marks: Vec<_> = view.state().deposits.iter().map(|mark| &*mark.id).collect();
    assert_eq!(marks, ["demo2", "20261101001"]);
    assert!(view.data().find_nndn("reserved.demo").unwrap().is_some());
    snapshot_format::verify::verify(view.base(), &mut |_, _| {}).unwrap();
}

/// A domain of demo with a registrar, a contact and a nameserver that nothing else has.
const EXTRA: &str = "<rdeRegistrar:registrar><rdeRegistrar:id>R2</rdeRegistrar:id>\
    <rdeRegistrar:name>Two</rdeRegistrar:name></rdeRegistrar:registrar>\
    <rdeContact:contact><rdeContact:id>C2</rdeContact:id><rdeContact:clID>R2</rdeContact:clID>\
    </rdeContact:contact>\
    <rdeHost:host><rdeHost:name>ns2.b.demo</rdeHost:name><rdeHost:clID>R2</rdeHost:clID>\
    </rdeHost:host>\
    <rdeDomain:domain><rdeDomain:name>b.demo</rdeDomain:name>\
    <rdeDomain:registrant>C2</rdeDomain:registrant>\
    <rdeDomain:ns><domain:hostObj>ns2.b.demo</domain:hostObj></rdeDomain:ns>\
    <rdeDomain:clID>R2</rdeDomain:clID></rdeDomain:domain>";

#[test]
fn deposits_of_changes_follow_the_last_one_of_their_own_tld() {
    let site = Site::new();
    let (test, demo) = (site.file("t.xml", &good()), site.file("d.xml", &of_tld("demo")));
    site.taken(&[&test, &demo], &[]);
    let diff = |tld: &str, id: &str, prev: &str, day: &str| {
        let head = HEAD
            .replace("FULL", "DIFF")
            .replace("id=\"20261101001\"", &format!("id=\"{id}\" prevId=\"{prev}\""));
        let head = head.replace("2026-11-01T", &format!("2026-11-{day}T")).replace(
            "<rde:contents>",
            &format!(
                "<rde:deletes><rdeDomain:delete><rdeDomain:name>a.{tld}</rdeDomain:name>\
                 </rdeDomain:delete></rde:deletes><rde:contents>"
            ),
        );
        [&head, &HEADER.replace(">test<", &format!(">{tld}<")), TAIL].concat()
    };
    // That of test is newer, and comes first.
    let first = site.file("1.xml", &diff("test", "T2", "20261101001", "05"));
    let second = site.file("2.xml", &diff("demo", "D2", "demo", "03"));
    let strange = site.file("3.xml", &diff("shop", "S2", "S1", "09"));
    site.taken(&[&first], &[]);
    let view = site.taken(&[&second], &[]);
    assert!(!has(&view, "a.test") && !has(&view, "a.demo"));
    let said = site.refused(&[&strange], &[]);
    assert!(said.contains("\"shop\"") && said.contains("import a FULL one"), "{said}");
    let gap = site.file("4.xml", &diff("demo", "D4", "D3", "09"));
    let said = site.refused(&[&gap], &[]);
    assert!(said.contains("the last one of demo here is D2"), "{said}");
}

/// The data of a registry of host attributes: domains, and their nameservers by number.
type State = BTreeMap<String, Vec<u32>>;

fn host_attributes(hosts: &[u32]) -> String {
    let host = |number: &u32| {
        format!(
            "<domain:hostAttr><domain:hostName>ns{number}.h.test</domain:hostName>\
             <domain:hostAddr ip=\"v4\">192.0.2.{number}</domain:hostAddr></domain:hostAttr>"
        )
    };
    hosts.iter().map(host).collect()
}

fn deposit(kind: &str, day: u32, changed: &State, deleted: &[String]) -> String {
    let mut text = HEAD
        .replace("FULL", kind)
        .replace("id=\"20261101001\"", &format!("id=\"day{day}\" prevId=\"day{}\"", day - 1));
    text = text.replace("2026-11-01T", &format!("2026-11-{day:02}T"));
    if kind == "DIFF" {
        let names = deleted.iter().map(|name| format!("<rdeDomain:name>{name}</rdeDomain:name>"));
        let names: String = names.collect();
        let deletes = "<rde:deletes><rdeDomain:delete>";
        let end = "</rdeDomain:delete></rde:deletes><rde:contents>";
        text = text.replace("<rde:contents>", &format!("{deletes}{names}{end}"));
    }
    text.push_str(HEADER);
    for (name, hosts) in changed {
        let hosts = host_attributes(hosts);
        write!(
            text,
            "<rdeDomain:domain><rdeDomain:name>{name}</rdeDomain:name><rdeDomain:ns>{hosts}\
             </rdeDomain:ns></rdeDomain:domain>"
        )
        .unwrap();
    }
    text + TAIL
}

/// All answers about the domains and 8 nameservers.
fn said(view: &View) -> String {
    let data = view.data();
    let mut text = String::new();
    for domain in data.domains("").unwrap() {
        let Some(domain) = domain.unwrap() else { continue };
        let hosts = domain.nameservers.iter().map(|ordinal| {
            let host: Option<&snapshot_format::record::ArchivedNameserver> =
                data.record(ordinal.to_native()).unwrap();
            host.map(|host| format!("{} {:?}", host.name, host.v4.as_slice()))
        });
        let hosts: Vec<_> = hosts.collect();
        writeln!(text, "{}: {hosts:?}", domain.name).unwrap();
    }
    for number in 0..8 {
        let host = data.find_nameserver(&format!("ns{number}.h.test")).unwrap();
        let host = host.map(|host| format!("{:?}", host.v4.as_slice()));
        writeln!(text, "ns{number}: {host:?}").unwrap();
    }
    let count = data.count(snapshot_format::Kind::Nameserver);
    text + &format!("{count}\n")
}

#[test]
fn changes_of_a_registry_of_host_attributes_end_where_a_full_deposit_would() {
    for seed in 1..4_u32 {
        let site = Site::new();
        let mut number = seed;
        let mut random = |end: u32| {
            number = number.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            (number >> 16) % end
        };
        let mut state = State::new();
        for day in 2..8 {
            let (mut changed, mut deleted) = (State::new(), Vec::new());
            for domain in 0..4 {
                let name = format!("d{domain}.test");
                match random(4) {
                    0 if day > 2 => deleted.extend(state.remove(&name).map(|_| name)),
                    1 => {}
                    _ => {
                        let hosts = (0..random(4)).map(|_| random(8));
                        let hosts: Vec<u32> = hosts.collect();
                        changed.insert(name, hosts);
                    }
                }
            }
            state.append(&mut changed.clone());
            let kind = if day == 2 { "FULL" } else { "DIFF" };
            let file = site.file("next.xml", &deposit(kind, day, &changed, &deleted));
            let view = site.taken(&[&file], &[]);
            let full = Site::new();
            let file = full.file("full.xml", &deposit("FULL", day, &state, &[]));
            assert_eq!(said(&view), said(&full.taken(&[&file], &[])), "seed {seed}, day {day}");
        }
    }
}

#[test]
fn addresses_of_host_attributes_go_when_every_domain_that_names_the_host_leaves_them_out() {
    let site = Site::new();
    let (one, two) = ("d1.test".to_owned(), "d2.test".to_owned());
    let all = State::from([(one.clone(), vec![3]), (two.clone(), vec![3, 4])]);
    site.taken(&[&site.file("full.xml", &deposit("FULL", 2, &all, &[]))], &[]);
    let without = |day, changed: &[(&String, Vec<u32>)]| {
        let changed = changed.iter().map(|(name, hosts)| ((*name).clone(), hosts.clone()));
        let text = deposit("DIFF", day, &changed.collect(), &[]);
        let addresses =
            (0..8).map(|n| format!("<domain:hostAddr ip=\"v4\">192.0.2.{n}</domain:hostAddr>"));
        let text = addresses.fold(text, |text, address| text.replace(&address, ""));
        site.file("next.xml", &text)
    };
    let addresses = |view: &View, number: u32| {
        let host = view.data().find_nameserver(&format!("ns{number}.h.test")).unwrap();
        host.map(|host| host.v4.len())
    };
    let view = site.taken(&[&without(3, &[(&two, vec![3, 4])])], &[]);
    assert_eq!(addresses(&view, 3), Some(1), "d1.test may go on stating it");
    assert_eq!(addresses(&view, 4), Some(0));
    let view = site.taken(&[&without(4, &[(&one, vec![3]), (&two, vec![3, 4])])], &[]);
    assert_eq!(addresses(&view, 3), Some(0));
}

#[test]
fn a_nameserver_without_an_object_is_shown_by_its_name_however_the_domain_comes() {
    let dangling = "<rdeDomain:domain><rdeDomain:name>half.test</rdeDomain:name><rdeDomain:ns>\
        <domain:hostObj>ns1.a.test</domain:hostObj><domain:hostObj>ns9.gone.example</domain:hostObj>\
        </rdeDomain:ns></rdeDomain:domain>";
    let site = Site::new();
    let text = good().replace("</rde:contents>", &format!("{dangling}</rde:contents>"));
    let full = site.file("full.xml", &text);
    let names = |view: &View| {
        let domain = view.data().find_domain("half.test").unwrap().unwrap();
        let names = domain.nameservers.iter().map(|ordinal| {
            let host: Option<&snapshot_format::record::ArchivedNameserver> =
                view.data().record(ordinal.to_native()).unwrap();
            host.unwrap().name.as_str().to_owned()
        });
        names.collect::<Vec<_>>()
    };
    let expected = ["ns1.a.test", "ns9.gone.example"];
    let view = site.taken(&[&full], &[]);
    assert_eq!(names(&view), expected);
    assert!(view.data().find_nameserver("ns9.gone.example").unwrap().is_none());
    assert_eq!(view.data().nameservers("ns9").unwrap().count(), 0, "no pattern finds it");
    assert_eq!(view.data().count(snapshot_format::Kind::Nameserver), 2);
    // A record that names one, and a host that is deleted while a domain names it.
    let records = [
        r#""kind":"host","upsert":{"name":"ns9.gone.example","roid":"H9-TEST","status":["ok"],"clID":"R1","addr":{"v4":["192.0.2.9"]}}"#,
        r#""kind":"host","delete":"ns1.a.test""#,
        r#""kind":"domain","upsert":{"name":"late.new","roid":"D9-TEST","status":["ok"],"clID":"R1","crDate":"2020-01-01T00:00:00Z","exDate":"2030-01-01T00:00:00Z","ns":["ns1.later.example"]}"#,
    ];
    for (serial, record) in (1..).zip(records) {
        let head = format!(r#"{{"v":1,"serial":{serial},"committed":"2026-11-25T12:00:01Z","#);
        site.file("next.jsonl", &format!("{head}{record}}}\n"));
        let done = site.run(&["apply", "next.jsonl", "--dir", "s"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let view = site.view();
    assert_eq!(names(&view), expected);
    let host = |name: &str| view.data().find_nameserver(name).unwrap().is_some();
    assert!(host("ns9.gone.example") && !host("ns1.a.test") && !host("ns1.later.example"));
    // Its suffix is served as that of an imported name is.
    assert_eq!(suffixes(&view), ["new", "test"]);
}

#[test]
fn a_value_that_cannot_be_shown_is_not_shown_as_its_opposite() {
    use snapshot_format::status::DomainStatuses;
    let of = |text: &str| {
        let outcome = crate::support::import(text);
        let snapshot = outcome.snapshot();
        let domain = snapshot.find_domain("a.test").unwrap().unwrap();
        let signed = domain.cold.as_ref().is_some_and(|cold| !cold.ds.is_empty());
        (domain.statuses.to_native(), signed)
    };
    let unread = of(&good().replace(">00FF<", ">00F<"));
    assert_eq!(unread, (DomainStatuses::OK | DomainStatuses::SEC_DNS_UNREAD, false));
    let empty = "<rdeDomain:secDNS></rdeDomain:secDNS>";
    let dnssec = &good()[good().find("<rdeDomain:secDNS>").unwrap()
        ..good().find("</rdeDomain:secDNS>").unwrap() + "</rdeDomain:secDNS>".len()];
    assert_eq!(of(&good().replace(dnssec, empty)), (DomainStatuses::OK, false));
    let odd = "<rdeDomain:status s=\"ok\"/><rdeDomain:status s=\"locked\"/>\
        <rdeDomain:registrant>C1";
    let unknown = good().replacen("<rdeDomain:status s=\"ok\"/><rdeDomain:registrant>C1", odd, 1);
    assert_eq!(of(&unknown), (0, true), "not ok, since it is not that alone");
    assert_eq!(of(&good()), (DomainStatuses::OK, true));
}

#[test]
fn a_sample_does_not_take_the_place_of_a_registry_unbidden() {
    let site = Site::new();
    let full = site.file("full.xml", &good());
    site.taken(&[&full], &[]);
    let sample = ["sample", "--domains", "100", "--quiet", "--into", "s"];
    let refused = site.run(&sample);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("--replace") && has(&site.view(), "a.test"), "{said}");
    assert!(site.run(&[&sample[..], &["--replace"]].concat()).status.success());
    assert!(!has(&site.view(), "a.test"));
    assert!(site.run(&sample).status.success(), "a sample takes the place of a sample");
}
