//! The transactions of a registry, each as the records that carry it: after every step the server's
//! state from the records equals the registry's.

use snapshot_format::object::{
    Actor, ContactLink, ContactRole, Domain, HostLink, Phone, Time, Transfer,
};
use snapshot_format::status::{ContactStatuses, DomainStatuses, HostStatuses, RegistrarStatus};
use snapshot_format::{Kind, Object};

use crate::objects::{NOW_MS, text};
use crate::registry::{
    Registry, YEAR_MS, actor, at, contact, delete, domain, host, pending, registrar, upsert,
};

#[test]
fn create_of_a_domain() {
    let mut registry = Registry::new();
    registry.commit(&[upsert(Object::Domain(domain("new.demo")))]);
    let new = registry.domain("new.demo");
    assert!(new.statuses.any(DomainStatuses::ADD_PERIOD) && new.statuses.any(DomainStatuses::OK));
    assert_eq!(new.created, at(0));
}

#[test]
fn update_of_a_domain() {
    let mut registry = Registry::new();
    registry.commit(&[upsert(contact("C-2"))]);
    registry.update_domain("example.demo", |domain| {
        domain.contacts.push(ContactLink { role: ContactRole::Tech, id: text("C-2") });
        domain.nameservers.push(HostLink::Name(text("ns.other.example")));
        domain.statuses.bits = DomainStatuses::CLIENT_TRANSFER_PROHIBITED;
        (domain.updater, domain.updated) = (actor("reg-1"), at(1));
    });
    let domain = registry.domain("example.demo");
    assert_eq!((domain.contacts.len(), domain.nameservers.len()), (2, 2));
    assert_eq!(domain.statuses.words().collect::<Vec<_>>(), ["clientTransferProhibited"]);
}

#[test]
fn renew_of_a_domain() {
    let mut registry = Registry::new();
    registry.update_domain("example.demo", |domain| {
        domain.expires = Time::from_ms(NOW_MS + 3 * YEAR_MS);
        domain.statuses.bits = DomainStatuses::OK | DomainStatuses::RENEW_PERIOD;
        (domain.updater, domain.updated) = (actor("reg-1"), at(100));
    });
    let domain = registry.domain("example.demo");
    assert_eq!(domain.expires.ms, NOW_MS + 3 * YEAR_MS);
    assert!(domain.statuses.any(DomainStatuses::RENEW_PERIOD));
}

/// The registry renews at the day of expiry; 45 days later the grace period ends.
#[test]
fn auto_renew_of_a_domain() {
    let mut registry = Registry::new();
    registry.update_domain("example.demo", |domain| {
        domain.expires = Time::from_ms(NOW_MS + 2 * YEAR_MS);
        domain.statuses.bits = DomainStatuses::OK | DomainStatuses::AUTO_RENEW_PERIOD;
    });
    assert!(registry.domain("example.demo").statuses.any(DomainStatuses::AUTO_RENEW_PERIOD));
    registry.update_domain("example.demo", |domain| domain.statuses.bits = DomainStatuses::OK);
    let domain = registry.domain("example.demo");
    assert_eq!(domain.statuses.words().collect::<Vec<_>>(), ["ok"]);
    assert_eq!(domain.expires.ms, NOW_MS + 2 * YEAR_MS);
}

fn request_transfer(registry: &mut Registry) {
    registry.update_domain("example.demo", |domain| {
        domain.statuses.bits = DomainStatuses::PENDING_TRANSFER;
        let expires = Time::from_ms(NOW_MS + 2 * YEAR_MS);
        domain.transfer = Some(Transfer { expires, ..pending() });
    });
    let domain = registry.domain("example.demo");
    let transfer = domain.transfer.unwrap();
    assert!(domain.statuses.any(DomainStatuses::PENDING_TRANSFER));
    assert_eq!((domain.registrar.as_str(), transfer.status.as_str()), ("reg-1", "pending"));
    assert_eq!((transfer.requester.registrar.as_str(), transfer.requested), ("reg-2", at(10)));
    assert_eq!((transfer.actor.registrar.as_str(), transfer.acted), ("reg-1", at(15)));
    assert_eq!(transfer.expires.ms, NOW_MS + 2 * YEAR_MS);
}

/// Ends the pending transfer with the status; `moved`: the domain and the host below it change
/// hands in one transaction.
fn end_transfer(registry: &mut Registry, status: &str, moved: bool) {
    let mut domain = registry.domain("example.demo");
    let mut host = registry.host("ns1.example.demo");
    domain.statuses.bits = DomainStatuses::OK;
    if let Some(transfer) = &mut domain.transfer {
        (transfer.status, transfer.acted) = (text(status), at(12));
    }
    if moved {
        domain.statuses.bits |= DomainStatuses::TRANSFER_PERIOD;
        (domain.registrar, domain.transferred) = (text("reg-2"), at(12));
        domain.expires = domain.transfer.as_ref().unwrap().expires;
        (host.registrar, host.transferred) = (text("reg-2"), at(12));
    }
    registry.commit(&[upsert(Object::Domain(domain)), upsert(Object::Nameserver(host))]);
    let domain = registry.domain("example.demo");
    assert_eq!(domain.transfer.unwrap().status, status);
    let sponsor = if moved { "reg-2" } else { "reg-1" };
    assert_eq!(domain.registrar, sponsor);
    assert_eq!(registry.host("ns1.example.demo").registrar, sponsor);
}

#[test]
fn transfer_of_a_domain_with_its_intermediate_states() {
    let ends = [
        ("clientApproved", true),
        ("serverApproved", true),
        ("clientRejected", false),
        ("clientCancelled", false),
        ("serverCancelled", false),
    ];
    for (status, moved) in ends {
        let mut registry = Registry::new();
        request_transfer(&mut registry);
        end_transfer(&mut registry, status, moved);
        if moved {
            let domain = registry.domain("example.demo");
            assert!(domain.statuses.any(DomainStatuses::TRANSFER_PERIOD), "{status}");
            assert_eq!(domain.expires.ms, NOW_MS + 2 * YEAR_MS);
            registry.update_domain("example.demo", |domain| {
                domain.statuses.bits = DomainStatuses::OK;
            });
        }
    }
}

/// Deletes to the redemption period: the domain stays, without delegation.
fn delete_to_redemption(registry: &mut Registry) {
    registry.update_domain("example.demo", |domain| {
        domain.statuses.bits = DomainStatuses::PENDING_DELETE | DomainStatuses::REDEMPTION_PERIOD;
        (domain.updater, domain.updated) = (actor("reg-1"), at(40));
    });
    let statuses = registry.domain("example.demo").statuses;
    assert!(statuses.any(DomainStatuses::PENDING_DELETE));
    assert!(statuses.any(DomainStatuses::REDEMPTION_PERIOD));
}

#[test]
fn delete_of_a_domain() {
    let mut registry = Registry::new();
    delete_to_redemption(&mut registry);
    registry.update_domain("example.demo", |domain| {
        domain.statuses.bits = DomainStatuses::PENDING_DELETE | DomainStatuses::RGP_PENDING_DELETE;
    });
    let statuses = registry.domain("example.demo").statuses;
    assert!(statuses.any(DomainStatuses::RGP_PENDING_DELETE));
    assert!(!statuses.any(DomainStatuses::REDEMPTION_PERIOD));
    registry.commit(&[
        delete(Kind::Domain, "example.demo"),
        delete(Kind::Nameserver, "ns1.example.demo"),
    ]);
    assert!(!registry.has(Kind::Domain, "example.demo"));
    assert!(!registry.has(Kind::Nameserver, "ns1.example.demo"));
    // Within the add grace period there is no redemption, and the name is free again at once.
    registry.commit(&[upsert(Object::Domain(domain("short.demo")))]);
    registry.commit(&[delete(Kind::Domain, "short.demo")]);
    let again = Domain { roid: text("D2-DEMO"), ..domain("short.demo") };
    registry.commit(&[upsert(Object::Domain(again))]);
    assert_eq!(registry.domain("short.demo").roid, "D2-DEMO");
}

#[test]
fn restore_of_a_domain() {
    let mut registry = Registry::new();
    let before = registry.domain("example.demo");
    delete_to_redemption(&mut registry);
    registry.update_domain("example.demo", |domain| {
        domain.statuses.bits = DomainStatuses::PENDING_DELETE | DomainStatuses::PENDING_RESTORE;
    });
    assert!(registry.domain("example.demo").statuses.any(DomainStatuses::PENDING_RESTORE));
    registry.update_domain("example.demo", |domain| {
        domain.statuses.bits = DomainStatuses::OK;
        domain.updated = at(45);
    });
    let after = registry.domain("example.demo");
    assert_eq!(after.statuses.words().collect::<Vec<_>>(), ["ok"]);
    assert_eq!((after.nameservers, after.contacts), (before.nameservers, before.contacts));
}

#[test]
fn create_and_update_of_a_contact() {
    let mut registry = Registry::new();
    registry.commit(&[upsert(contact("C-2"))]);
    let mut contact = registry.contact("C-2");
    contact.voice = Phone { number: text("+49.891234"), ext: text("7") };
    contact.statuses.bits = ContactStatuses::LINKED | ContactStatuses::CLIENT_UPDATE_PROHIBITED;
    (contact.updater, contact.updated) = (actor("reg-1"), at(1));
    registry.commit(&[upsert(Object::Contact(contact))]);
    assert_eq!(registry.contact("C-2").voice.ext, "7");
    assert_eq!(registry.contact("C-2").updated, at(1));
}

#[test]
fn transfer_of_a_contact_with_its_intermediate_states() {
    let mut registry = Registry::new();
    let mut contact = registry.contact("C-1");
    contact.statuses.bits = ContactStatuses::LINKED | ContactStatuses::PENDING_TRANSFER;
    contact.transfer = Some(pending());
    registry.commit(&[upsert(Object::Contact(contact.clone()))]);
    let served = registry.contact("C-1");
    assert!(served.statuses.any(ContactStatuses::PENDING_TRANSFER));
    assert_eq!(served.transfer.unwrap().status, "pending");
    contact.statuses.bits = ContactStatuses::LINKED | ContactStatuses::OK;
    (contact.registrar, contact.transferred) = (text("reg-2"), at(15));
    contact.transfer = Some(Transfer { status: text("serverApproved"), ..pending() });
    registry.commit(&[upsert(Object::Contact(contact))]);
    let served = registry.contact("C-1");
    assert_eq!((served.registrar.as_str(), served.transferred), ("reg-2", at(15)));
    assert_eq!(served.transfer.unwrap().status, "serverApproved");
}

#[test]
fn delete_of_a_contact() {
    let mut registry = Registry::new();
    registry.commit(&[upsert(contact("c-Mixed"))]);
    registry.commit(&[delete(Kind::Contact, "c-Mixed")]);
    assert!(!registry.has(Kind::Contact, "c-Mixed"));
    assert!(registry.has(Kind::Contact, "C-1"));
}

#[test]
fn create_update_and_delete_of_a_host() {
    let mut registry = Registry::new();
    registry.commit(&[upsert(host("ns2.example.demo"))]);
    let mut changed = registry.host("ns2.example.demo");
    changed.v4 = vec![[192, 0, 2, 7], [192, 0, 2, 8]];
    changed.v6 = vec![[0xfe; 16]];
    changed.statuses.bits = HostStatuses::LINKED | HostStatuses::SERVER_UPDATE_PROHIBITED;
    (changed.updater, changed.updated) = (actor("reg-1"), at(2));
    registry.commit(&[upsert(Object::Nameserver(changed))]);
    assert_eq!(registry.host("ns2.example.demo").v4.len(), 2);
    registry.commit(&[delete(Kind::Nameserver, "ns2.example.demo")]);
    assert!(!registry.has(Kind::Nameserver, "ns2.example.demo"));
}

/// A new name is another key (RFC 5732 section 3.2.5): one record takes the old name away, one
/// gives the host under its new one, and every domain that delegates to it follows.
#[test]
fn a_host_that_gets_another_name() {
    let mut registry = Registry::new();
    let mut host = registry.host("ns1.example.demo");
    let mut domain = registry.domain("example.demo");
    host.name = text("ns9.example.demo");
    domain.nameservers = vec![HostLink::Name(host.name.clone())];
    registry.commit(&[
        upsert(Object::Nameserver(host)),
        upsert(Object::Domain(domain)),
        delete(Kind::Nameserver, "ns1.example.demo"),
    ]);
    assert_eq!(registry.host("ns9.example.demo").roid, "H1-DEMO");
    assert!(!registry.has(Kind::Nameserver, "ns1.example.demo"));
}

/// RFC 5732 section 1.1: a subordinate host belongs to the sponsor of its superordinate domain.
#[test]
fn subordinate_hosts_move_with_their_domain() {
    let mut registry = Registry::new();
    registry.commit(&[upsert(host("ns2.example.demo")), upsert(host("ns1.other.demo"))]);
    request_transfer(&mut registry);
    let mut changes = Vec::new();
    for name in ["ns1.example.demo", "ns2.example.demo"] {
        let mut host = registry.host(name);
        host.statuses.bits = HostStatuses::PENDING_TRANSFER;
        changes.push(upsert(Object::Nameserver(host)));
    }
    registry.commit(&changes);
    let pending = registry.host("ns2.example.demo").statuses;
    assert!(pending.any(HostStatuses::PENDING_TRANSFER));
    let mut domain = registry.domain("example.demo");
    (domain.registrar, domain.transferred) = (text("reg-2"), at(15));
    domain.statuses.bits = DomainStatuses::OK;
    let mut changes = vec![upsert(Object::Domain(domain))];
    for name in ["ns1.example.demo", "ns2.example.demo"] {
        let mut host = registry.host(name);
        host.statuses.bits = HostStatuses::OK;
        (host.registrar, host.transferred) = (text("reg-2"), at(15));
        changes.push(upsert(Object::Nameserver(host)));
    }
    registry.commit(&changes);
    for (name, sponsor) in
        [("ns1.example.demo", "reg-2"), ("ns2.example.demo", "reg-2"), ("ns1.other.demo", "reg-1")]
    {
        assert_eq!(registry.host(name).registrar, sponsor, "{name}");
    }
}

#[test]
fn create_update_and_delete_of_a_registrar() {
    let mut registry = Registry::new();
    let key = (Kind::Registrar, text("reg-3"));
    registry.commit(&[upsert(registrar("reg-3"))]);
    let Some(Object::Registrar(mut changed)) = registry.served.get(&key).cloned() else { panic!() };
    (changed.status, changed.updated) = (RegistrarStatus::Terminated, at(3));
    changed.whois_name = text("whois.reg-3.example");
    registry.commit(&[upsert(Object::Registrar(changed.clone()))]);
    assert_eq!(registry.served.get(&key), Some(&Object::Registrar(changed)));
    registry.commit(&[delete(Kind::Registrar, "reg-3")]);
    assert!(!registry.has(Kind::Registrar, "reg-3"));
}

/// A court orders a name off the net: the registry acts by itself, later for a name without a
/// sponsoring registrar.
#[test]
fn changes_that_the_registry_makes_by_itself() {
    let mut registry = Registry::new();
    registry.update_domain("example.demo", |domain| {
        domain.statuses.bits = DomainStatuses::SERVER_HOLD
            | DomainStatuses::SERVER_TRANSFER_PROHIBITED
            | DomainStatuses::SERVER_DELETE_PROHIBITED;
        (domain.updater, domain.updated) = (Actor::default(), at(5));
        domain.extras = vec![(text("Order"), text("1 O 23/26"))];
    });
    let held = registry.domain("example.demo");
    assert!(held.statuses.any(DomainStatuses::SERVER_HOLD));
    assert_eq!((held.updater, held.registrar.as_str()), (Actor::default(), "reg-1"));
    registry.update_domain("example.demo", |domain| {
        domain.registrar.clear();
        domain.contacts.clear();
        domain.nameservers.clear();
        domain.statuses.bits |= DomainStatuses::INACTIVE;
    });
    let seized = registry.domain("example.demo");
    assert_eq!(seized.registrar, "");
    assert!(seized.statuses.any(DomainStatuses::INACTIVE));
    assert_eq!(seized.extras[0].1, "1 O 23/26");
}
