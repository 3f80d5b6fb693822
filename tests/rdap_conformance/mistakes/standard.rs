//! Mistakes against STD 95 and the technical implementation guide.

use serde_json::{Value, json};

use super::{Mistake, entity, list, mistake, notice, property, remove, with};
use crate::good::Of;

/// Gives the first entity an `asEventActor`; returns its event.
fn acts(json: &mut Value) -> &mut Value {
    json["entities"][0]["asEventActor"] = json!([json["events"][0]]);
    &mut json["entities"][0]["asEventActor"][0]
}

pub(super) const MISTAKES: &[Mistake] = &[
    // Addresses. A text that is not of the form has no valid syntax either.
    mistake(-10100, Of::Nameserver, "a number beyond 255", |j| {
        j["ipAddresses"]["v4"][0] = "198.41.0.256".into();
    }),
    mistake(-10101, Of::Nameserver, "multicast", |j| {
        j["ipAddresses"]["v4"][0] = "224.0.0.1".into();
    }),
    mistake(-10102, Of::Nameserver, "a private address", |j| {
        j["ipAddresses"]["v4"][0] = "192.168.0.1".into();
    }),
    mistake(-10200, Of::Nameserver, "not canonical", |j| {
        j["ipAddresses"]["v6"][0] = "2001:503:BA3E::2:30".into();
    }),
    mistake(-10201, Of::Nameserver, "not global unicast", |j| {
        j["ipAddresses"]["v6"][0] = "4000::1".into();
    }),
    mistake(-10202, Of::Nameserver, "a documentation address", |j| {
        j["ipAddresses"]["v6"][0] = "2001:db8::1".into();
    }),
    mistake(-11400, Of::Nameserver, "no object", |j| j["ipAddresses"] = json!([])),
    mistake(-11401, Of::Nameserver, "another family", |j| j["ipAddresses"]["v5"] = json!([])),
    mistake(-11403, Of::Nameserver, "empty", |j| j["ipAddresses"] = json!({})),
    mistake(-11404, Of::Nameserver, "one address", |j| {
        j["ipAddresses"]["v4"] = "198.41.0.4".into();
    }),
    mistake(-11405, Of::Nameserver, "a number", |j| j["ipAddresses"]["v4"][0] = 1.into()),
    with(-11406, &[-10100], Of::Nameserver, "three numbers", |j| {
        j["ipAddresses"]["v4"][0] = "198.41.4".into();
    }),
    mistake(-11407, Of::Nameserver, "one address", |j| j["ipAddresses"]["v6"] = "::".into()),
    mistake(-11408, Of::Nameserver, "a number", |j| j["ipAddresses"]["v6"][0] = 1.into()),
    with(-11409, &[-10200], Of::Nameserver, "IPv4", |j| {
        j["ipAddresses"]["v6"][0] = "198.41.0.4".into();
    }),
    // Names. The member that has the name is reported as well.
    with(-10300, &[-11100], Of::Registrar, "a long label", |j| {
        j["port43"] = format!("{}.example", "a".repeat(64)).into();
    }),
    with(-10301, &[-11100], Of::Registrar, "a long name", |j| {
        j["port43"] = format!("{}example", "abcdefg.".repeat(32)).into();
    }),
    with(-10302, &[-11100], Of::Registrar, "one label", |j| j["port43"] = "whois".into()),
    with(-10303, &[-11100], Of::Registrar, "an underscore", |j| j["port43"] = "a_b.test".into()),
    with(-11600, &[-12206], Of::Idn, "an empty label", |j| {
        j["unicodeName"] = "münchen..example".into();
    }),
    with(-11601, &[-12206], Of::Idn, "a long name", |j| {
        j["unicodeName"] = format!("{}example", "münchen.".repeat(32)).into();
    }),
    with(-11602, &[-12206], Of::Idn, "one label", |j| j["unicodeName"] = "münchen".into()),
    with(-11603, &[-12206], Of::Idn, "a hyphen first", |j| {
        j["unicodeName"] = "-münchen.example".into();
    }),
    with(-11700, &[-12205], Of::Redacted, "a long label", |j| {
        j["ldhName"] = format!("{}.example", "a".repeat(64)).into();
    }),
    with(-11701, &[-12205], Of::Redacted, "a long name", |j| {
        j["ldhName"] = format!("{}example", "abcdefg.".repeat(32)).into();
    }),
    with(-11702, &[-12205], Of::Redacted, "one label", |j| j["ldhName"] = "good".into()),
    with(-11703, &[-12205], Of::Redacted, "Unicode", |j| j["ldhName"] = "ü.example".into()),
    mistake(-12205, Of::Redacted, "a number", |j| j["ldhName"] = 1.into()),
    mistake(-12206, Of::Idn, "a number", |j| j["unicodeName"] = 1.into()),
    mistake(-12405, Of::Nameserver, "a number", |j| j["ldhName"] = 1.into()),
    mistake(-12406, Of::IdnNameserver, "a number", |j| j["unicodeName"] = 1.into()),
    mistake(-11510, Of::Idn, "a number", |j| {
        j["variants"][0]["variantNames"][0]["ldhName"] = 1.into();
    }),
    mistake(-11511, Of::Idn, "a number", |j| {
        j["variants"][0]["variantNames"][0]["unicodeName"] = 1.into();
    }),
    // URIs. The member that has one is reported as well.
    with(-10400, &[-10611], Of::Nameserver, "a blank", |j| {
        j["links"][0]["href"] = "https://rdap.example/a b".into();
    }),
    with(-10401, &[-10611], Of::Nameserver, "another scheme", |j| {
        j["links"][0]["href"] = "ftp://rdap.example/".into();
    }),
    with(-10402, &[-10303, -10611], Of::Nameserver, "an underscore in the host", |j| {
        j["links"][0]["href"] = "https://rdap_1.example/".into();
    }),
    with(-10609, &[-10401], Of::Nameserver, "another scheme", |j| {
        j["links"][0]["value"] = "ftp://rdap.example/".into();
    }),
    with(-10611, &[-10401, -10400], Of::Nameserver, "no URI", |j| {
        j["links"][0]["href"] = "rdap.example".into();
    }),
    // Extensions. The profile needs its identifiers as well.
    with(-10500, &[-61000, -62000, -62001], Of::Redacted, "one text", |j| {
        j["rdapConformance"] = "rdap_level_0".into();
    }),
    mistake(-10501, Of::Redacted, "a number", |j| list(&mut j["rdapConformance"]).push(0.into())),
    mistake(-10502, Of::Redacted, "not registered", |j| {
        list(&mut j["rdapConformance"]).push("jscontact".into());
    }),
    mistake(-10503, Of::Redacted, "no level", |j| {
        list(&mut j["rdapConformance"]).remove(0);
    }),
    with(-10504, &[-61000, -62000, -62001], Of::Redacted, "none", |j| {
        remove(j, "rdapConformance");
    }),
    mistake(-10505, Of::Redacted, "below the top", |j| {
        entity(j, "registrar")["rdapConformance"] = json!(["rdap_level_0"]);
    }),
    mistake(-61000, Of::Help, "no identifier", |j| {
        list(&mut j["rdapConformance"])
            .retain(|id| id != "icann_rdap_technical_implementation_guide_1");
    }),
    mistake(-61001, Of::Help, "the old identifier", |j| {
        list(&mut j["rdapConformance"]).push("icann_rdap_technical_implementation_guide_0".into());
    }),
    // Links.
    mistake(-10600, Of::Nameserver, "one link", |j| j["links"] = j["links"][0].clone()),
    mistake(-10601, Of::Nameserver, "another member", |j| j["links"][0]["x"] = 1.into()),
    mistake(-10603, Of::Nameserver, "a medium", |j| j["links"][0]["media"] = "paper".into()),
    mistake(-10604, Of::Nameserver, "a relation", |j| j["links"][0]["rel"] = "friend".into()),
    mistake(-10605, Of::Nameserver, "a media type", |j| {
        j["links"][0]["type"] = "application/rdap".into();
    }),
    mistake(-10606, Of::Nameserver, "a number", |j| j["links"][0]["title"] = 1.into()),
    mistake(-10607, Of::Nameserver, "a number", |j| j["links"][0]["hreflang"] = json!([1])),
    mistake(-10608, Of::Nameserver, "no language", |j| {
        j["links"][0]["hreflang"] = "english".into();
    }),
    mistake(-10610, Of::Nameserver, "no target", |j| remove(&mut j["links"][0], "href")),
    mistake(-10612, Of::Nameserver, "no value", |j| remove(&mut j["links"][0], "value")),
    mistake(-10613, Of::Nameserver, "no relation", |j| remove(&mut j["links"][0], "rel")),
    // Notices, languages.
    with(-10700, &[-61200], Of::NotFound, "one notice", |j| j["notices"] = json!({})),
    mistake(-10701, Of::Help, "another member", |j| j["notices"][0]["x"] = 1.into()),
    mistake(-10703, Of::Help, "a number", |j| j["notices"][0]["title"] = 1.into()),
    mistake(-10705, Of::Help, "a number", |j| j["notices"][0]["type"] = 1.into()),
    mistake(-10706, Of::Help, "not registered", |j| {
        j["notices"][0]["type"] = "Response truncated due to authorization".into();
    }),
    mistake(-10707, Of::Help, "no description", |j| remove(&mut j["notices"][0], "description")),
    mistake(-10708, Of::Help, "one line", |j| j["notices"][0]["description"] = "Help".into()),
    mistake(-10709, Of::Help, "a number", |j| j["notices"][0]["description"] = json!([1])),
    mistake(-10800, Of::Help, "no language", |j| j["lang"] = "english".into()),
    with(-20701, &[-61200], Of::Help, "no notices", |j| remove(j, "notices")),
    mistake(-61200, Of::NotFound, "no terms", |j| j["notices"] = json!([])),
    with(-61201, &[-10400, -10401, -10611], Of::NotFound, "a path", |j| {
        notice(j, "Terms of Service")["links"][0]["href"] = "/help".into();
    }),
    mistake(-61202, Of::NotFound, "another name", |j| {
        notice(j, "Terms of Service")["links"][0]["value"] = "https://rdap.example/help".into();
    }),
    // Events.
    with(-10900, &[-43100], Of::Nameserver, "one event", |j| j["events"] = json!({})),
    mistake(-10901, Of::Nameserver, "another member", |j| j["events"][0]["x"] = 1.into()),
    mistake(-10903, Of::Nameserver, "no action", |j| remove(&mut j["events"][0], "eventAction")),
    mistake(-10904, Of::Nameserver, "a number", |j| j["events"][0]["eventAction"] = 1.into()),
    mistake(-10905, Of::Nameserver, "an action", |j| {
        j["events"][0]["eventAction"] = "renewal".into();
    }),
    mistake(-10906, Of::Nameserver, "no date", |j| remove(&mut j["events"][0], "eventDate")),
    mistake(-10907, Of::Nameserver, "a number", |j| j["events"][0]["eventDate"] = 1.into()),
    mistake(-10908, Of::Nameserver, "a date alone", |j| {
        j["events"][0]["eventDate"] = "2020-01-01".into();
    }),
    mistake(-10909, Of::Nameserver, "a number", |j| j["events"][0]["eventActor"] = 1.into()),
    mistake(-10910, Of::Nameserver, "links and no actor", |j| {
        j["events"][0]["links"] = json!([]);
    }),
    mistake(-10912, Of::Nameserver, "twice", |j| {
        let again = j["events"][0].clone();
        list(&mut j["events"]).push(again);
    }),
    mistake(-11300, Of::Nameserver, "one event", |j| {
        j["entities"][0]["asEventActor"] = json!({});
    }),
    mistake(-11301, Of::Contact, "at the top", |j| j["asEventActor"] = json!([])),
    mistake(-11302, Of::Nameserver, "another member", |j| acts(j)["x"] = 1.into()),
    mistake(-11304, Of::Nameserver, "no action", |j| remove(acts(j), "eventAction")),
    mistake(-11305, Of::Nameserver, "a number", |j| acts(j)["eventAction"] = 1.into()),
    mistake(-11306, Of::Nameserver, "an action", |j| acts(j)["eventAction"] = "renewal".into()),
    mistake(-11307, Of::Nameserver, "no date", |j| remove(acts(j), "eventDate")),
    mistake(-11308, Of::Nameserver, "a number", |j| acts(j)["eventDate"] = 1.into()),
    mistake(-11309, Of::Nameserver, "no zone", |j| {
        acts(j)["eventDate"] = "2020-01-01T00:00:00".into();
    }),
    mistake(-11310, Of::Nameserver, "twice", |j| {
        let event = acts(j).clone();
        j["entities"][0]["asEventActor"] = json!([event, event]);
    }),
    // Statuses, ports, identifiers, variants, roles.
    mistake(-11000, Of::Contact, "one text", |j| j["status"] = "associated".into()),
    mistake(-11001, Of::Contact, "a number", |j| j["status"] = json!([1])),
    mistake(-11002, Of::Contact, "EPP's word", |j| j["status"] = json!(["linked"])),
    mistake(-11003, Of::Contact, "twice", |j| {
        j["status"] = json!(["associated", "associated"]);
    }),
    with(-11100, &[-10302, -10303], Of::Registrar, "a path", |j| j["port43"] = "/whois".into()),
    mistake(-11200, Of::Registrar, "one identifier", |j| j["publicIds"] = json!({})),
    mistake(-11201, Of::Registrar, "another member", |j| j["publicIds"][0]["x"] = 1.into()),
    mistake(-11203, Of::Registrar, "no type", |j| remove(&mut j["publicIds"][0], "type")),
    mistake(-11204, Of::Registrar, "a number", |j| j["publicIds"][0]["type"] = 1.into()),
    mistake(-11205, Of::Registrar, "a number", |j| {
        j["publicIds"][0]["identifier"] = 3878.into();
    }),
    mistake(-11500, Of::Idn, "one variant", |j| j["variants"] = json!({})),
    mistake(-11501, Of::Idn, "another member", |j| j["variants"][0]["x"] = 1.into()),
    mistake(-11503, Of::Idn, "one text", |j| j["variants"][0]["relation"] = "registered".into()),
    mistake(-11504, Of::Idn, "a number", |j| j["variants"][0]["relation"] = json!([1])),
    mistake(-11505, Of::Idn, "a relation", |j| j["variants"][0]["relation"] = json!(["twin"])),
    mistake(-11506, Of::Idn, "a number", |j| j["variants"][0]["idnTable"] = 1.into()),
    mistake(-11507, Of::Idn, "one name", |j| j["variants"][0]["variantNames"] = json!({})),
    mistake(-11508, Of::Idn, "another member", |j| {
        j["variants"][0]["variantNames"][0]["handle"] = "D5-VRSN".into();
    }),
    mistake(-11800, Of::Nameserver, "one text", |j| {
        list(&mut j["entities"]).push(json!({"objectClassName": "entity", "roles": "noc"}));
    }),
    mistake(-11801, Of::Nameserver, "a number", |j| {
        list(&mut j["entities"]).push(json!({"objectClassName": "entity", "roles": [1]}));
    }),
    mistake(-11802, Of::Nameserver, "EPP's word", |j| {
        list(&mut j["entities"]).push(json!({"objectClassName": "entity", "roles": ["tech"]}));
    }),
    mistake(-11803, Of::Nameserver, "twice", |j| {
        let twice = json!({"objectClassName": "entity", "roles": ["noc", "noc"]});
        list(&mut j["entities"]).push(twice);
    }),
    mistake(-11900, Of::Nameserver, "one entity", |j| j["entities"] = json!({})),
    // jCards.
    mistake(-12305, Of::Nameserver, "no version", |j| {
        list(&mut j["entities"][0]["vcardArray"][1]).remove(0);
    }),
    mistake(-12305, Of::Nameserver, "parameters in a list", |j| {
        property(&mut j["entities"][0], "fn")[1] = json!([]);
    }),
    mistake(-12305, Of::Nameserver, "three elements", |j| {
        list(property(&mut j["entities"][0], "fn")).pop();
    }),
    mistake(-12320, Of::Contact, "not ASCII", |j| {
        property(j, "email")[3] = "älex@holder.example".into();
    }),
    mistake(-20800, Of::Contact, "six parts", |j| {
        list(&mut property(j, "adr")[3]).pop();
    }),
    mistake(-20900, Of::Contact, "a cell", |j| property(j, "tel fax")[1]["type"] = "cell".into()),
];
