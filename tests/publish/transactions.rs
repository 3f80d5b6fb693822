//! Every kind of registry transaction, in SQL, and its records.

use snapshot_format::Kind;
use snapshot_format::object::{Actor, HostLink, NndnState, Time};
use snapshot_format::status::{ContactStatuses, DomainStatuses, HostStatuses, RegistrarStatus};

use crate::database::Database;

const DAY_S: i64 = 86_400;
/// 2026-01-01T00:00:00Z, s since the epoch.
const YEAR_2026_S: i64 = 1_767_225_600;

fn at(days: i64) -> Time {
    Time::from_s(YEAR_2026_S + days * DAY_S)
}

#[test]
fn everything_that_was_there_comes_first_whole() {
    let database = Database::new();
    let received = &database.received;
    assert_eq!(received.objects.len(), 7);
    let domain = received.domain("example.demo");
    assert_eq!((domain.roid.as_str(), domain.registrar.as_str()), ("D1-DEMO", "reg-1"));
    assert_eq!(domain.expires, at(365));
    assert_eq!(domain.creator, Actor { registrar: "reg-1".to_owned(), client: String::new() });
    let hosts = ["ns1.example.demo", "ns.other.example"];
    assert_eq!(domain.nameservers, hosts.map(|name| HostLink::Name(name.to_owned())));
    assert!(domain.sec_dns.is_none() && domain.transfer.is_none() && domain.extras.is_empty());
    let contact = received.contact("C-1");
    assert_eq!(contact.statuses.words().collect::<Vec<_>>(), ["linked", "ok"]);
    let postal = &contact.postal[0];
    assert_eq!((postal.name.as_str(), postal.street[0].as_str()), ("Ann", "Main Street 1"));
    assert_eq!((contact.voice.number.as_str(), contact.voice.ext.as_str()), ("+49.1", "7"));
    assert_eq!(received.contact("C-2").statuses.words().collect::<Vec<_>>(), ["ok"]);
    let host = received.host("ns1.example.demo");
    assert_eq!((host.v4.len(), host.v6.len(), host.registrar.as_str()), (1, 1, "reg-1"));
    assert_eq!(received.registrar("reg-2").iana_id, 9902);
}

#[test]
fn create_of_a_domain() {
    let mut database = Database::new();
    let came = database.commit(
        "SET LOCAL whoisd.transaction = 'T-4711';
         INSERT INTO registry.idn_tables VALUES ('de', 'https://registry.demo/de', NULL);
         INSERT INTO registry.domains (name, zone, roid, idn_table, registrar, created, expires,
                                       max_sig_life)
             VALUES ('xn--bcher-kva.demo', 'demo', 'D2-DEMO', 'de', 'reg-1', '2026-01-01Z',
                     '2027-01-01Z', 604800);
         INSERT INTO registry.domain_statuses VALUES ('xn--bcher-kva.demo', false, 'ok'),
             ('xn--bcher-kva.demo', true, 'addPeriod');
         INSERT INTO registry.domain_contacts VALUES ('xn--bcher-kva.demo', 'admin', 'C-2'),
             ('xn--bcher-kva.demo', 'registrant', 'C-1');
         INSERT INTO registry.domain_hosts VALUES ('xn--bcher-kva.demo', 1, 'ns.other.example');
         INSERT INTO registry.ds_records VALUES ('xn--bcher-kva.demo', 12345, 13, 2,
             decode(repeat('AB', 32), 'hex'));
         INSERT INTO registry.dns_keys VALUES ('xn--bcher-kva.demo', 257, 3, 13, '\\x0102');
         INSERT INTO registry.domain_extras VALUES ('xn--bcher-kva.demo', 1, 'Kind', 'a' || chr(10))",
    );
    assert_eq!(
        came,
        [
            "idntable de",
            "contact C-2",
            "contact C-1",
            "nameserver ns.other.example",
            "domain xn--bcher-kva.demo"
        ]
    );
    let received = &database.received;
    assert!(received.records.iter().rev().take(5).all(|record| record.transaction == "T-4711"));
    let domain = received.domain("xn--bcher-kva.demo");
    assert_eq!((domain.u_name.as_str(), domain.idn_table.as_str()), ("bücher.demo", "de"));
    let roles: Vec<_> = domain.contacts.iter().map(|link| link.id.as_str()).collect();
    assert_eq!(roles, ["C-1", "C-2"]);
    assert!(domain.statuses.any(DomainStatuses::OK));
    assert!(domain.statuses.any(DomainStatuses::ADD_PERIOD));
    let sec_dns = domain.sec_dns.unwrap();
    assert_eq!((sec_dns.max_sig_life_s, sec_dns.ds[0].digest.len()), (604_800, 32));
    assert_eq!(sec_dns.keys[0].public_key, [1, 2]);
    assert_eq!(domain.extras, [("Kind".to_owned(), "a".to_owned())]);
    assert!(received.contact("C-2").statuses.any(ContactStatuses::LINKED));
}

#[test]
fn update_and_renew_of_a_domain() {
    let mut database = Database::new();
    let came = database.commit(
        "UPDATE registry.domains SET updated = '2026-01-02Z', updated_by = 'reg-1'
             WHERE name = 'example.demo';
         UPDATE registry.domain_statuses SET status = 'clientHold';
         DELETE FROM registry.domain_hosts WHERE host = 'ns.other.example'",
    );
    assert_eq!(came, ["nameserver ns.other.example", "domain example.demo"]);
    let domain = database.received.domain("example.demo");
    assert_eq!((domain.updated, domain.nameservers.len()), (at(1), 1));
    assert_eq!(domain.statuses.words().collect::<Vec<_>>(), ["clientHold"]);
    assert!(!database.received.host("ns.other.example").statuses.any(HostStatuses::LINKED));
    let came = database.commit(
        "UPDATE registry.domains SET expires = '2028-01-01Z';
         INSERT INTO registry.domain_statuses VALUES ('example.demo', true, 'renewPeriod')",
    );
    assert_eq!(came, ["domain example.demo"]);
    let domain = database.received.domain("example.demo");
    assert_eq!(domain.expires, at(730));
    assert!(domain.statuses.any(DomainStatuses::RENEW_PERIOD));
    let none = database.commit("UPDATE registry.domains SET expires = expires");
    assert!(none.is_empty(), "what changes nothing is no change: {none:?}");
}

#[test]
fn auto_renew_of_a_domain() {
    let mut database = Database::new();
    database.commit(
        "UPDATE registry.domains SET expires = expires + interval '1 year';
         INSERT INTO registry.domain_statuses VALUES ('example.demo', true, 'autoRenewPeriod')",
    );
    let domain = database.received.domain("example.demo");
    assert_eq!((domain.expires, domain.updated), (at(730), Time::NONE));
    assert!(domain.statuses.any(DomainStatuses::AUTO_RENEW_PERIOD));
    database.commit("DELETE FROM registry.domain_statuses WHERE grace");
    let statuses = database.received.domain("example.demo").statuses;
    assert_eq!(statuses.words().collect::<Vec<_>>(), ["ok"]);
}

const REQUEST: &str = "
    UPDATE registry.domain_statuses SET status = 'pendingTransfer';
    INSERT INTO registry.domain_transfers VALUES ('example.demo', 'pending', 'reg-2',
        '2026-01-11Z', 'reg-1', '2026-01-16Z', '2028-01-01Z')";

#[test]
fn transfer_of_a_domain_moves_its_subordinate_hosts() {
    let mut database = Database::new();
    assert_eq!(database.commit(REQUEST), ["domain example.demo"]);
    let domain = database.received.domain("example.demo");
    let transfer = domain.transfer.unwrap();
    assert_eq!((domain.registrar.as_str(), transfer.status.as_str()), ("reg-1", "pending"));
    assert_eq!((transfer.requester.registrar.as_str(), transfer.acted), ("reg-2", at(15)));
    assert!(domain.statuses.any(DomainStatuses::PENDING_TRANSFER));
    let came = database.commit(
        "UPDATE registry.domains SET registrar = 'reg-2', transferred = '2026-01-13Z',
             expires = '2028-01-01Z' WHERE name = 'example.demo';
         UPDATE registry.domain_transfers SET status = 'clientApproved', acted = '2026-01-13Z';
         UPDATE registry.domain_statuses SET status = 'ok';
         INSERT INTO registry.domain_statuses VALUES ('example.demo', true, 'transferPeriod')",
    );
    assert_eq!(came, ["nameserver ns1.example.demo", "domain example.demo"]);
    let domain = database.received.domain("example.demo");
    assert_eq!((domain.registrar.as_str(), domain.transferred), ("reg-2", at(12)));
    assert_eq!(domain.transfer.unwrap().status, "clientApproved");
    assert!(domain.statuses.any(DomainStatuses::TRANSFER_PERIOD));
    let host = database.received.host("ns1.example.demo");
    assert_eq!((host.registrar.as_str(), host.transferred), ("reg-2", at(12)));
    assert_eq!(database.received.host("ns.other.example").registrar, "reg-1");
}

#[test]
fn a_transfer_that_is_rejected_or_cancelled() {
    for status in ["clientRejected", "clientCancelled", "serverCancelled"] {
        let mut database = Database::new();
        database.commit(REQUEST);
        let came = database.commit(&format!(
            "UPDATE registry.domain_transfers SET status = '{status}', acted = '2026-01-12Z';
             UPDATE registry.domain_statuses SET status = 'ok'"
        ));
        assert_eq!(came, ["domain example.demo"]);
        let domain = database.received.domain("example.demo");
        assert_eq!((domain.registrar.as_str(), domain.transfer.unwrap().acted), ("reg-1", at(11)));
        assert!(!domain.statuses.any(DomainStatuses::PENDING_TRANSFER), "{status}");
    }
}

#[test]
fn delete_restore_and_purge_of_a_domain() {
    let mut database = Database::new();
    let before = database.received.domain("example.demo");
    let statuses = |database: &mut Database, statuses: &str| {
        database.commit(&format!(
            "DELETE FROM registry.domain_statuses; INSERT INTO registry.domain_statuses {statuses}"
        ));
        database.received.domain("example.demo").statuses
    };
    let redemption = "VALUES ('example.demo', false, 'pendingDelete'),
        ('example.demo', true, 'redemptionPeriod')";
    let held = statuses(&mut database, redemption);
    assert!(
        held.any(DomainStatuses::PENDING_DELETE) && held.any(DomainStatuses::REDEMPTION_PERIOD)
    );
    let restoring = "VALUES ('example.demo', false, 'pendingDelete'),
        ('example.demo', true, 'pendingRestore')";
    assert!(statuses(&mut database, restoring).any(DomainStatuses::PENDING_RESTORE));
    statuses(&mut database, "VALUES ('example.demo', false, 'ok')");
    assert_eq!(database.received.domain("example.demo"), before);
    let purging = "VALUES ('example.demo', false, 'pendingDelete'),
        ('example.demo', true, 'pendingDelete')";
    assert!(statuses(&mut database, purging).any(DomainStatuses::RGP_PENDING_DELETE));
    let came = database.commit("DELETE FROM registry.domains");
    let mut sorted = came.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            "-domain example.demo",
            "-nameserver ns1.example.demo",
            "contact C-1",
            "nameserver ns.other.example"
        ]
    );
    assert!(!database.received.contact("C-1").statuses.any(ContactStatuses::LINKED));
    assert!(!database.received.has(Kind::Nameserver, "ns1.example.demo"));
}

#[test]
fn a_name_that_comes_and_goes_within_one_batch_is_a_deletion() {
    let mut database = Database::new();
    database.session.execute(
        "INSERT INTO registry.domains (name, zone, roid, registrar)
         VALUES ('short.demo', 'demo', 'D9-DEMO', 'reg-1')",
    );
    database.session.execute("DELETE FROM registry.domains WHERE name = 'short.demo'");
    assert_eq!(database.publish(), ["-domain short.demo"]);
}

#[test]
fn create_update_transfer_and_delete_of_a_contact() {
    let mut database = Database::new();
    let came = database.commit(
        "INSERT INTO registry.contacts (id, roid, registrar, disclose_flag, disclose_fields)
             VALUES ('C-3', 'C3-DEMO', 'reg-1', false, '{voice,email}');
         INSERT INTO registry.contact_addresses (contact, form, name, city, cc)
             VALUES ('C-3', 'int', E'Eve\\tAdams', 'Paris', 'FR')",
    );
    assert_eq!(came, ["contact C-3"]);
    let contact = database.received.contact("C-3");
    assert_eq!(contact.postal[0].name, "Eve Adams");
    assert!(!contact.disclose.unwrap().allow);
    database.commit("UPDATE registry.contact_addresses SET city = 'Lyon' WHERE contact = 'C-3'");
    assert_eq!(database.received.contact("C-3").postal[0].city, "Lyon");
    database.commit(
        "INSERT INTO registry.contact_statuses VALUES ('C-3', 'pendingTransfer');
         INSERT INTO registry.contact_transfers VALUES
             ('C-3', 'pending', 'reg-2', '2026-01-11Z', 'reg-1', '2026-01-16Z')",
    );
    let contact = database.received.contact("C-3");
    assert_eq!(contact.transfer.unwrap().status, "pending");
    assert!(contact.statuses.any(ContactStatuses::PENDING_TRANSFER));
    database.commit(
        "UPDATE registry.contacts SET registrar = 'reg-2', transferred = '2026-01-16Z'
             WHERE id = 'C-3';
         UPDATE registry.contact_transfers SET status = 'serverApproved';
         UPDATE registry.contact_statuses SET status = 'ok' WHERE contact = 'C-3'",
    );
    let contact = database.received.contact("C-3");
    assert_eq!((contact.registrar.as_str(), contact.transferred), ("reg-2", at(15)));
    let came = database.commit("DELETE FROM registry.contacts WHERE id = 'C-3'");
    assert_eq!(came, ["-contact C-3"]);
}

#[test]
fn create_update_rename_and_delete_of_a_host() {
    let mut database = Database::new();
    let came = database.commit(
        "INSERT INTO registry.hosts (name, roid, superordinate)
             VALUES ('ns2.example.demo', 'H3-DEMO', 'example.demo');
         INSERT INTO registry.host_addresses VALUES ('ns2.example.demo', '192.0.2.7')",
    );
    assert_eq!(came, ["nameserver ns2.example.demo"]);
    database.commit(
        "INSERT INTO registry.host_addresses VALUES ('ns2.example.demo', '2001:db8::7');
         INSERT INTO registry.host_statuses VALUES ('ns2.example.demo', 'serverUpdateProhibited')",
    );
    let host = database.received.host("ns2.example.demo");
    assert_eq!((host.v4.len(), host.v6.len()), (1, 1));
    assert!(host.statuses.any(HostStatuses::SERVER_UPDATE_PROHIBITED));
    // A new name is another key; domains that delegate to the host follow.
    let mut came = database.commit(
        "UPDATE registry.hosts SET name = 'ns9.example.demo' WHERE name = 'ns1.example.demo'",
    );
    came.sort();
    assert_eq!(
        came,
        ["-nameserver ns1.example.demo", "domain example.demo", "nameserver ns9.example.demo"]
    );
    let first = &database.received.domain("example.demo").nameservers[0];
    assert_eq!(*first, HostLink::Name("ns9.example.demo".to_owned()));
    let came = database.commit("DELETE FROM registry.hosts WHERE name = 'ns2.example.demo'");
    assert_eq!(came, ["-nameserver ns2.example.demo"]);
}

#[test]
fn create_update_and_delete_of_a_registrar() {
    let mut database = Database::new();
    let came =
        database.commit("INSERT INTO registry.registrars (id, name) VALUES ('r-3', 'Three')");
    assert_eq!(came, ["registrar r-3"]);
    database.commit(
        "UPDATE registry.registrars SET status = 'terminated', whois_name = 'whois.three.example',
         updated = '2026-01-02Z' WHERE id = 'r-3'",
    );
    let registrar = database.received.registrar("r-3");
    assert_eq!((registrar.status, registrar.updated), (RegistrarStatus::Terminated, at(1)));
    assert_eq!(registrar.whois_name, "whois.three.example");
    let came = database.commit("DELETE FROM registry.registrars WHERE id = 'r-3'");
    assert_eq!(came, ["-registrar r-3"]);
}

#[test]
fn names_that_are_not_domain_names() {
    let mut database = Database::new();
    let came = database.commit(
        "INSERT INTO registry.nndns (name, zone, state, original_name, mirroring_ns)
         VALUES ('blocked.demo', 'demo', 'mirrored', 'example.demo', false)",
    );
    assert_eq!(came, ["nndn blocked.demo"]);
    let key = (Kind::Nndn, "blocked.demo".to_owned());
    let Some(snapshot_format::Object::Nndn(nndn)) = database.received.objects.get(&key) else {
        panic!()
    };
    assert_eq!((nndn.state, nndn.mirroring_ns), (NndnState::Mirrored, false));
    assert_eq!(database.commit("DELETE FROM registry.nndns"), ["-nndn blocked.demo"]);
}

/// A court orders a name off the net, then into the registry's own hands.
#[test]
fn changes_that_the_registry_makes_by_itself() {
    let mut database = Database::new();
    database.commit(
        "UPDATE registry.domain_statuses SET status = 'serverHold';
         INSERT INTO registry.domain_statuses VALUES
             ('example.demo', false, 'serverTransferProhibited');
         INSERT INTO registry.domain_extras VALUES ('example.demo', 1, 'Order', '1 O 23/26')",
    );
    let held = database.received.domain("example.demo");
    assert!(held.statuses.any(DomainStatuses::SERVER_HOLD));
    assert_eq!((held.updater, held.updated), (Actor::default(), Time::NONE));
    let mut came = database.commit("UPDATE registry.domains SET registrar = NULL");
    came.sort();
    assert_eq!(came, ["domain example.demo", "nameserver ns1.example.demo"]);
    assert_eq!(database.received.domain("example.demo").registrar, "");
    assert_eq!(database.received.host("ns1.example.demo").registrar, "");
}
