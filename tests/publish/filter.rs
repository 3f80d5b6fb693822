//! Data that may not leave the registry do not: models per zone, dropped and mapped fields.

use snapshot_format::Kind;

use crate::database::Database;
use crate::received::Received;

const RULES: &str = r#"
    [registrar]
    drop = ["postalInfo"]
    [registrar.map.name]
    One = "Registrar One"
    [zone.thin]
    model = "thin"
    [zone.modified]
    model = "modified-thick"
    [zone.demo]
    contact-drop = ["voice"]
    [zone.demo.domain]
    drop = ["extras"]
"#;

/// A domain of a zone with a registrant and a technical contact.
fn domain(name: &str, zone: &str, registrant: &str, tech: &str) -> String {
    format!(
        "INSERT INTO registry.domains (name, zone, roid, registrar)
             VALUES ('{name}', '{zone}', '{name}', 'reg-1');
         INSERT INTO registry.domain_extras VALUES ('{name}', 1, 'Kind', 'x');
         INSERT INTO registry.domain_contacts VALUES ('{name}', 'registrant', '{registrant}'),
             ('{name}', 'tech', '{tech}')"
    )
}

fn contact(id: &str) -> String {
    format!(
        "INSERT INTO registry.contacts (id, roid, registrar, email, voice, fax)
             VALUES ('{id}', '{id}-ROID', 'reg-1', 'mail-{id}', '+1.{id}', '+2.{id}');
         INSERT INTO registry.contact_addresses (contact, form, name, org, street, city, sp, pc, cc)
             VALUES ('{id}', 'int', 'Name {id}', 'Org {id}', '{{Street {id}}}', 'City {id}',
                     'State {id}', 'Code {id}', 'DE')"
    )
}

/// Everything that was ever received, as text.
fn text(received: &Received) -> String {
    let mut out = Vec::new();
    for record in &received.records {
        record.write_json(&mut out);
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn a_thin_zone_publishes_no_contacts_and_no_trace_of_them() {
    let mut database = Database::unpublished(RULES);
    database.session.execute(&contact("K-9"));
    database.session.execute(&domain("a.thin", "thin", "K-9", "K-9"));
    database.publish();
    database.commit("UPDATE registry.contacts SET email = 'new-K-9' WHERE id = 'K-9'");
    assert!(database.received.domain("a.thin").contacts.is_empty());
    assert_eq!(database.received.domain("a.thin").extras.len(), 1);
    database.commit(
        "DELETE FROM registry.domains WHERE name = 'a.thin';
         DELETE FROM registry.contacts WHERE id = 'K-9'",
    );
    assert!(!text(&database.received).contains("K-9"));
    // No domain refers to C-2, so none permits that it is shown.
    assert!(!database.received.has(Kind::Contact, "C-2"));
}

#[test]
fn a_contact_comes_with_its_first_thick_domain_and_goes_with_the_last() {
    let mut database = Database::unpublished(RULES);
    database.session.execute(&contact("K-9"));
    database.session.execute(&domain("a.thin", "thin", "K-9", "K-9"));
    database.publish();
    assert!(!database.received.has(Kind::Contact, "K-9"));
    database.commit(&domain("a.demo", "demo", "C-1", "K-9"));
    let shown = database.received.contact("K-9");
    assert_eq!((shown.email.as_str(), shown.voice.number.as_str()), ("mail-K-9", ""));
    assert_eq!(database.received.domain("a.demo").contacts.len(), 2);
    assert!(database.received.domain("a.demo").extras.is_empty());
    let came = database.commit("DELETE FROM registry.domains WHERE name = 'a.demo'");
    assert!(came.contains(&"-contact K-9".to_owned()), "{came:?}");
    assert!(database.received.has(Kind::Contact, "C-1"));
}

#[test]
fn a_modified_thick_zone_publishes_part_of_registrants_and_identifiers_of_others() {
    let mut database = Database::unpublished(RULES);
    for id in ["K-1", "K-2", "K-3"] {
        database.session.execute(&contact(id));
    }
    database.session.execute(&domain("a.modified", "modified", "K-1", "K-2"));
    database.session.execute(&domain("b.demo", "demo", "C-1", "K-3"));
    database.publish();
    let registrant = database.received.contact("K-1");
    let postal = &registrant.postal[0];
    assert_eq!((postal.name.as_str(), postal.org.as_str()), ("Name K-1", "Org K-1"));
    assert_eq!((postal.sp.as_str(), postal.cc.as_str()), ("State K-1", "DE"));
    assert_eq!(registrant.email, "mail-K-1");
    let tech = database.received.contact("K-2");
    assert!(tech.postal.is_empty() && tech.email.is_empty());
    assert_eq!((tech.roid.as_str(), tech.registrar.as_str()), ("K-2-ROID", "reg-1"));
    assert_eq!(database.received.domain("a.modified").contacts.len(), 2);
    let came = text(&database.received);
    let never = [
        "Street K-1",
        "City K-1",
        "Code K-1",
        "+1.K-1",
        "+2.K-1",
        "Name K-2",
        "Street K-2",
        "mail-K-2",
        "+1.K-3",
    ];
    for never in never {
        assert!(!came.contains(never), "{never} left the registry");
    }
    assert!(came.contains("Street K-3") && came.contains("+2.K-3"));
    // The technical contact of one becomes the registrant of another.
    database.commit(&domain("c.modified", "modified", "K-2", "K-1"));
    assert_eq!(database.received.contact("K-2").email, "mail-K-2");
}

#[test]
fn fields_of_a_kind_are_dropped_and_mapped() {
    let mut database = Database::unpublished(RULES);
    database.publish();
    let registrar = database.received.registrar("reg-1");
    assert_eq!((registrar.name.as_str(), registrar.postal.len()), ("Registrar One", 0));
    assert_eq!(database.received.registrar("reg-2").name, "Two");
}

#[test]
fn a_base_shows_what_the_feed_shows() {
    let mut database = Database::unpublished(RULES);
    for id in ["K-1", "K-2"] {
        database.session.execute(&contact(id));
    }
    database.session.execute(&domain("a.thin", "thin", "K-1", "K-1"));
    database.session.execute(&domain("a.modified", "modified", "C-2", "K-2"));
    let folder = tempfile::tempdir().unwrap();
    let made = database.bootstrap(folder.path());
    assert_eq!(made.hidden_count, 1);
    assert_eq!(made.summary.count(Kind::Contact), 3);
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("K-2-ROID") && has("bob@example.demo"));
    for never in ["K-1-ROID", "Name K-1", "Name K-2", "mail-K-2", "+49.1", "Weg 2"] {
        assert!(!has(never), "{never} left the registry");
    }
    // The feed knows that the base has shown it.
    database.publish();
    let came = database.commit("DELETE FROM registry.domains WHERE name = 'a.modified'");
    assert!(came.contains(&"-contact K-2".to_owned()), "{came:?}");
}

/// The view of zones decides which data may leave, so a wrong word there must not let out more.
#[test]
fn a_zone_that_is_null_or_of_another_name_lets_nothing_out_and_other_forms_are_the_same_zone() {
    let mut database = Database::unpublished(RULES);
    database.session.execute(&contact("K-9"));
    let view = database.session.text("SELECT pg_get_viewdef('whoisd.domains'::regclass)");
    let uses = database.session.text("SELECT pg_get_viewdef('whoisd.contact_uses'::regclass)");
    let zones = "CASE v.name WHEN 'null.thin' THEN NULL WHEN 'other.thin' THEN 'demo'
                 WHEN 'upper.thin' THEN 'THIN' WHEN 'dot.thin' THEN 'thin.' ELSE v.zone END";
    let view = view.trim_end_matches(';');
    database.session.execute(&format!(
        "CREATE FUNCTION whoisd.zone_of(name text, zone text) RETURNS text LANGUAGE sql STABLE
             AS $$ SELECT {} $$;
         GRANT EXECUTE ON FUNCTION whoisd.zone_of TO whoisd_publisher;
         DROP VIEW whoisd.domains;
         CREATE VIEW whoisd.domains AS
             SELECT v.name, whoisd.zone_of(v.name, v.zone) AS zone, v.roid, v.contacts, v.\"clID\"
             FROM ({view}) v;
         GRANT SELECT ON whoisd.domains TO whoisd_publisher;
         CREATE OR REPLACE VIEW whoisd.contact_uses AS
             SELECT v.id, CASE WHEN v.id = 'K-8' THEN NULL ELSE v.zone END AS zone, v.role
             FROM ({}) v",
        zones.replace("v.", ""),
        uses.trim_end_matches(';'),
    ));
    database.publish();
    for name in ["upper", "dot"] {
        database.session.execute(&domain(&format!("{name}.thin"), "thin", "K-9", "K-9"));
        assert!(database.publish().contains(&format!("domain {name}.thin")));
        assert!(database.received.domain(&format!("{name}.thin")).contacts.is_empty());
    }
    database.session.execute(&contact("K-8"));
    for name in ["null", "other"] {
        database.session.execute(&domain(&format!("{name}.thin"), "thin", "K-9", "K-8"));
        database.publish();
        assert!(!database.received.has(Kind::Domain, &format!("{name}.thin")));
    }
    database.session.execute(&domain("x.demo", "demo", "K-8", "K-8"));
    database.publish();
    let said = text(&database.received);
    assert!(!said.contains("K-9\"") && !said.contains("mail-K-8"), "{said}");
    let noted = "SELECT count(*) FROM whoisd.unread WHERE problem LIKE '%zone is%'";
    assert_eq!(database.session.number(noted), 3);
}
