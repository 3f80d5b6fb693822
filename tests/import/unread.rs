//! An unreadable value is never turned into another one: wishes on disclosure, states of names.

use snapshot_format::object::Disclose;
use whoisd::policy::{Rules, Tier};
use whoisd::query::whois::{Answer, answer};
use whoisd::view::View;

use crate::csv_model;
use crate::support::{Outcome, import, spoiled};

const WISH: &str =
    r#"<rdeContact:disclose flag="0"><contact:voice/><contact:email/></rdeContact:disclose>"#;

/// The rules that a contact with these wishes breaks; whether they permit, and the fields.
fn wish(wishes: &str) -> (Vec<&'static str>, bool, u16) {
    let wishes = wishes.replace("<wish", "<rdeContact:disclose").replace("</", "</contact:");
    let wishes = wishes.replace("</contact:wish", "</rdeContact:disclose");
    let outcome = import(spoiled(WISH, &wishes));
    let (allow, fields) = wish_of(&outcome);
    (outcome.codes(), allow, fields)
}

fn wish_of(outcome: &Outcome) -> (bool, u16) {
    let snapshot = outcome.snapshot();
    let contact = snapshot.find_contacts("C1").next().unwrap().unwrap();
    assert!([1, 2].contains(&contact.disclose));
    (contact.disclose == 1, contact.disclose_fields.to_native())
}

#[test]
fn a_refusal_that_names_an_unknown_field_hides_all_and_consent_to_one_shows_nothing() {
    let bad = vec!["disclose-bad"];
    let named = Disclose::NAME_INT | Disclose::NAME_LOC;
    for (child, of_refusal) in [
        ("<contact:phone/>", Disclose::ALL),
        ("<contact:name/>", named),
        ("<contact:name type=\"both\"/>", named),
        ("<ext:phone/>", Disclose::ALL),
    ] {
        let refusal = format!("<wish flag=\"0\"><contact:fax/>{child}</wish>");
        assert_eq!(wish(&refusal), (bad.clone(), false, Disclose::FAX | of_refusal), "{child}");
        let consent = format!("<wish flag=\"1\"><contact:fax/>{child}</wish>");
        assert_eq!(wish(&consent), (bad.clone(), true, Disclose::FAX), "{child}");
    }
    let unread = wish("<wish flag=\"no\"><contact:fax/></wish>");
    assert_eq!(unread, (bad, false, Disclose::FAX));
}

#[test]
fn of_two_wishes_the_stricter_one_holds() {
    let repeated = vec!["disclose-repeated"];
    let fax_and_voice = Disclose::FAX | Disclose::VOICE;
    for (one, other, allow, fields) in [
        ("0\"><contact:fax/>", "0\"><contact:voice/>", false, fax_and_voice),
        ("0\"><contact:fax/>", "1\"><contact:fax/><contact:voice/>", false, Disclose::FAX),
        ("1\"><contact:fax/><contact:voice/>", "1\"><contact:voice/>", true, Disclose::VOICE),
    ] {
        for (first, second) in [(one, other), (other, one)] {
            let both = format!("<wish flag=\"{first}</wish><wish flag=\"{second}</wish>");
            assert_eq!(wish(&both), (repeated.clone(), allow, fields), "{both}");
        }
    }
    // As rows of a table, too.
    let row = "C1,0,0";
    let outcome = csv_model::import_csv(&csv_model::spoiled(
        "contactDisclose.csv",
        row,
        &format!("C1,1,1,1,1\n{row}"),
    ));
    assert_eq!(outcome.codes(), ["disclose-repeated"]);
    assert!(!wish_of(&outcome).0);
}

#[test]
fn a_reserved_name_whose_state_does_not_read_has_none() {
    for state in ["gone", ""] {
        let outcome = import(spoiled(">blocked<", &format!(">{state}<")));
        assert_eq!(outcome.codes(), ["value-bad"]);
        let view = View::of_bytes(outcome.bytes.unwrap()).unwrap();
        let mut out = Answer::new();
        answer(&view, &Rules::standard(), Tier::PUBLIC, b"reserved.test", &mut out);
        let text = String::from_utf8(out.bytes().to_vec()).unwrap();
        assert!(text.starts_with("Reserved Name: reserved.test\r\nNote: "), "{text}");
    }
}
