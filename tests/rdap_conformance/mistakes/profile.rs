//! Mistakes against the response profile. `redaction` has those in what is redacted.

use serde_json::json;

use super::{Mistake, entity, list, mistake, notice, property, remove, remove_properties, with};
use crate::good::Of;

/// Takes an event out.
fn remove_event(json: &mut serde_json::Value, action: &str) {
    let before = list(&mut json["events"]).len();
    list(&mut json["events"]).retain(|event| event["eventAction"] != action);
    assert!(json["events"].as_array().unwrap().len() < before);
}

pub(super) const MISTAKES: &[Mistake] = &[
    // Events and names.
    mistake(-43100, Of::Nameserver, "no last update", |j| {
        remove_event(j, "last update of RDAP database");
    }),
    mistake(-46300, Of::Redacted, "no registration", |j| remove_event(j, "registration")),
    mistake(-46400, Of::Redacted, "no expiration", |j| remove_event(j, "expiration")),
    mistake(-46100, Of::Redacted, "no name", |j| remove(j, "ldhName")),
    mistake(-46101, Of::Idn, "no Unicode", |j| remove(j, "unicodeName")),
    mistake(-49100, Of::Nameserver, "no name", |j| remove(j, "ldhName")),
    mistake(-49101, Of::IdnNameserver, "no Unicode", |j| remove(j, "unicodeName")),
    // The domain's handle.
    mistake(-46200, Of::Redacted, "no repository", |j| j["handle"] = "D1".into()),
    mistake(-46201, Of::Redacted, "nobody's repository", |j| j["handle"] = "D1-NOBODY9".into()),
    mistake(-46202, Of::Redacted, "none, and no word of it", |j| remove(j, "handle")),
    mistake(-46203, Of::Redacted, "another path", |j| {
        remove(j, "handle");
        list(&mut j["redacted"]).push(json!({
            "name": {"type": "Registry Domain ID"}, "prePath": "$.id", "method": "removal",
        }));
    }),
    mistake(-46204, Of::Redacted, "another method", |j| {
        remove(j, "handle");
        list(&mut j["redacted"]).push(json!({
            "name": {"type": "Registry Domain ID"}, "prePath": "$.handle", "method": "emptyValue",
        }));
    }),
    mistake(-46205, Of::Redacted, "ICANN's", |j| j["handle"] = "D1-ICANNRST".into()),
    mistake(-46206, Of::Redacted, "there, and said to be redacted", |j| {
        list(&mut j["redacted"]).push(json!({"name": {"type": "Registry Domain ID"}}));
    }),
    // The two notices.
    mistake(-46601, Of::Redacted, "another title", |j| {
        notice(j, "Status Codes")["title"] = "EPP Status Codes".into();
    }),
    mistake(-46602, Of::Redacted, "another text", |j| {
        notice(j, "Status Codes")["description"] = json!(["See https://icann.org/epp"]);
    }),
    mistake(-46603, Of::Redacted, "no links", |j| remove(notice(j, "Status Codes"), "links")),
    mistake(-46604, Of::Redacted, "with www", |j| {
        notice(j, "Status Codes")["links"][0]["href"] = "https://www.icann.org/epp".into();
    }),
    mistake(-46605, Of::Redacted, "a relation", |j| {
        notice(j, "Status Codes")["links"][0]["rel"] = "alternate".into();
    }),
    mistake(-46606, Of::Redacted, "another value", |j| {
        notice(j, "Status Codes")["links"][0]["value"] = "https://icann.org/epp".into();
    }),
    mistake(-46701, Of::Redacted, "another title", |j| {
        notice(j, "RDDS Inaccuracy Complaint Form")["title"] = "Complaints".into();
    }),
    mistake(-46702, Of::Redacted, "another text", |j| {
        let notice = notice(j, "RDDS Inaccuracy Complaint Form");
        notice["description"] = json!(["See https://icann.org/wicf"]);
    }),
    mistake(-46703, Of::Redacted, "no links", |j| {
        remove(notice(j, "RDDS Inaccuracy Complaint Form"), "links");
    }),
    mistake(-46704, Of::Redacted, "with www", |j| {
        let notice = notice(j, "RDDS Inaccuracy Complaint Form");
        notice["links"][0]["href"] = "https://www.icann.org/wicf".into();
    }),
    mistake(-46705, Of::Redacted, "a relation", |j| {
        notice(j, "RDDS Inaccuracy Complaint Form")["links"][0]["rel"] = "about".into();
    }),
    mistake(-46706, Of::Redacted, "another value", |j| {
        let notice = notice(j, "RDDS Inaccuracy Complaint Form");
        notice["links"][0]["value"] = "https://icann.org/wicf".into();
    }),
    // Statuses.
    mistake(-46900, Of::Redacted, "active and prohibited", |j| {
        list(&mut j["status"]).push("active".into());
    }),
    mistake(-46900, Of::Redacted, "pending and prohibited", |j| {
        list(&mut j["status"]).push("pending transfer".into());
    }),
    mistake(-46900, Of::Redacted, "two pending", |j| {
        j["status"] = json!(["pending update", "pending renew"]);
    }),
    mistake(-47001, Of::Redacted, "redemption alone", |j| {
        j["status"] = json!(["redemption period"]);
    }),
    mistake(-47002, Of::Redacted, "restore alone", |j| j["status"] = json!(["pending restore"])),
    mistake(-47100, Of::Redacted, "none", |j| remove(j, "status")),
    // Nameservers.
    mistake(-47200, Of::Redacted, "no name", |j| remove(&mut j["nameservers"][0], "ldhName")),
    mistake(-47201, Of::Redacted, "no repository", |j| {
        j["nameservers"][0]["handle"] = "H1".into();
    }),
    mistake(-47202, Of::Redacted, "nobody's repository", |j| {
        j["nameservers"][0]["handle"] = "H1-NOBODY9".into();
    }),
    mistake(-47204, Of::Redacted, "active and pending", |j| {
        j["nameservers"][0]["status"] = json!(["active", "pending update"]);
    }),
    mistake(-47205, Of::Redacted, "ICANN's", |j| {
        j["nameservers"][0]["handle"] = "H1-ICANNRST".into();
    }),
    mistake(-49102, Of::Nameserver, "no repository", |j| j["handle"] = "H1".into()),
    mistake(-49103, Of::Nameserver, "nobody's repository", |j| {
        j["handle"] = "H1-NOBODY9".into();
    }),
    mistake(-49104, Of::Nameserver, "ICANN's", |j| j["handle"] = "H1-ICANNRST".into()),
    mistake(-49300, Of::Nameserver, "active and pending", |j| {
        j["status"] = json!(["active", "pending update"]);
    }),
    // Registrars.
    mistake(-47300, Of::Redacted, "none", |j| {
        list(&mut j["entities"]).retain(|entity| entity["roles"][0] != "registrar");
    }),
    mistake(-47301, Of::Redacted, "two", |j| {
        let again = entity(j, "registrar").clone();
        list(&mut j["entities"]).push(again);
    }),
    with(-47302, &[-12305], Of::Redacted, "no name", |j| {
        remove_properties(entity(j, "registrar"), "fn");
    }),
    with(-47400, &[-26100], Of::Redacted, "no identifiers", |j| {
        remove(entity(j, "registrar"), "publicIds");
    }),
    with(-47401, &[-26101, -47403], Of::Redacted, "no number", |j| {
        entity(j, "registrar")["publicIds"][0]["identifier"] = "0x0f26".into();
    }),
    with(-47402, &[-47403], Of::Redacted, "no number", |j| {
        entity(j, "registrar")["handle"] = "reg-1".into();
    }),
    mistake(-47403, Of::Redacted, "two numbers", |j| {
        // Of a registrar that has no service.
        entity(j, "registrar")["publicIds"][0]["identifier"] = "101".into();
    }),
    with(-47404, &[-47403], Of::Redacted, "nobody's number", |j| {
        entity(j, "registrar")["handle"] = "5".into();
    }),
    mistake(-47500, Of::Redacted, "no abuse contact", |j| {
        remove(entity(j, "registrar"), "entities");
    }),
    mistake(-47500, Of::Redacted, "no telephone for abuse", |j| {
        remove_properties(entity(entity(j, "registrar"), "abuse"), "tel");
    }),
    mistake(-47700, Of::Redacted, "no about link", |j| remove(entity(j, "registrar"), "links")),
    mistake(-47701, Of::Redacted, "another letter", |j| {
        let link = &mut entity(j, "registrar")["links"][0];
        link["value"] = "https://www.17Domain.com/rdap/domain/".into();
    }),
    with(-47702, &[-47701], Of::Redacted, "no TLS", |j| {
        let link = &mut entity(j, "registrar")["links"][0];
        link["value"] = "http://www.17domain.com/rdap/domain/".into();
    }),
    with(-47703, &[-10303, -10402, -10611], Of::Redacted, "no host", |j| {
        entity(j, "registrar")["links"][0]["href"] = "https://www_1.registrar.example".into();
    }),
    mistake(-49200, Of::Nameserver, "no identifiers", |j| {
        remove(entity(j, "registrar"), "publicIds");
    }),
    with(-49201, &[-49203], Of::Nameserver, "no number", |j| {
        entity(j, "registrar")["publicIds"][0]["identifier"] = "0x0f26".into();
    }),
    with(-49202, &[-49203], Of::Nameserver, "no number", |j| {
        entity(j, "registrar")["handle"] = "reg-1".into();
    }),
    mistake(-49203, Of::Nameserver, "two numbers", |j| {
        entity(j, "registrar")["handle"] = "101".into();
    }),
    with(-49204, &[-49203], Of::Nameserver, "nobody's number", |j| {
        entity(j, "registrar")["handle"] = "5".into();
    }),
    mistake(-49205, Of::Nameserver, "identifiers of none", |j| {
        entity(j, "registrar")["handle"] = "not applicable".into();
    }),
    mistake(-60100, Of::Registrar, "another role", |j| j["roles"] = json!(["sponsor"])),
    mistake(-60101, Of::Registrar, "no telephone", |j| remove_properties(j, "tel")),
    mistake(-60101, Of::Registrar, "no city", |j| property(j, "adr")[3][3] = "".into()),
    mistake(-60200, Of::Registrar, "a contact without a telephone", |j| {
        let mut contact = entity(j, "abuse").clone();
        contact["roles"] = json!(["technical"]);
        remove_properties(&mut contact, "tel");
        list(&mut j["entities"]).push(contact);
    }),
    // Entities.
    mistake(-47600, Of::Open, "no repository", |j| {
        entity(j, "administrative")["handle"] = "C1".into();
    }),
    mistake(-47601, Of::Open, "nobody's repository", |j| {
        entity(j, "administrative")["handle"] = "C1-NOBODY9".into();
    }),
    mistake(-52100, Of::Open, "a remark without a type", |j| {
        let remark = json!({"title": "REDACTED FOR PRIVACY", "description": []});
        entity(j, "administrative")["remarks"] = json!([remark]);
    }),
    mistake(-52104, Of::Open, "two of a role", |j| {
        let again = entity(j, "billing").clone();
        list(&mut j["entities"]).push(again);
    }),
    with(-52105, &[-62101], Of::Redacted, "no country", |j| {
        remove(&mut property(entity(j, "registrant"), "adr")[1], "cc");
    }),
    mistake(-52106, Of::Open, "ICANN's", |j| {
        entity(j, "administrative")["handle"] = "C1-ICANNRST".into();
    }),
];
