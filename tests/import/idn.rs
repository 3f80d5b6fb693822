//! Import, typed query and answer judge internationalised names alike.

use whoisd::policy::{Rules, Tier};
use whoisd::query::whois::{Answer, answer};
use whoisd::view::View;

use crate::support::{import, spoiled};

/// The answer to a query for `typed` after the import of a registry that has `name`; and the rules
/// that the name breaks.
fn answered(name: &str, typed: &str) -> (String, Vec<&'static str>) {
    let imported = import(spoiled(">xn--bcher-kva.test<", &format!(">{name}<")));
    let codes = imported.codes();
    let view = View::of_bytes(imported.bytes.unwrap()).unwrap();
    let mut out = Answer::new();
    answer(&view, &Rules::standard(), Tier::PUBLIC, typed.as_bytes(), &mut out);
    (String::from_utf8(out.bytes().to_vec()).unwrap(), codes)
}

#[test]
fn a_label_is_judged_by_itself_when_it_is_imported_typed_and_shown() {
    for (name, unicode) in [
        ("xn--bcher-kva.test", "bücher.test"),
        ("365.xn--ngbc5azd.test", "365.شبكة.test"),
        ("3com.xn--4dbc.test", "3com.אב.test"),
        ("1-2.xn--4dbc.xn--bcher-kva.test", "1-2.אב.bücher.test"),
    ] {
        for typed in [name, unicode] {
            let (text, codes) = answered(name, typed);
            assert!(codes.is_empty(), "{codes:?}");
            assert!(text.starts_with(&format!("Domain Name: {name}\r\n")), "{typed}: {text}");
            let shown = format!("\r\nInternationalized Domain Name: {unicode}\r\n");
            assert!(text.contains(&shown), "{typed}: {text}");
        }
        // A deposit may have it in Unicode.
        let (text, codes) = answered(unicode, name);
        assert_eq!(codes, ["name-not-a-label"]);
        assert!(text.starts_with(&format!("Domain Name: {name}\r\n")), "{text}");
    }
}

#[test]
fn a_label_that_is_not_an_a_label_is_reported_and_shown_as_it_is() {
    for name in [
        "xn----5da7e.test",
        "xn--brandname-9j3h.test",
        "xn--abcd-1c7a.test",
        "xn--a.test",
        "xn--z9e.test",
        // A right-to-left label that begins with a digit, beside a good one.
        "xn--3-0hcd.xn--bcher-kva.test",
    ] {
        let (text, codes) = answered(name, name);
        assert_eq!(codes, ["a-label-invalid"], "{name}");
        assert!(text.starts_with(&format!("Domain Name: {name}\r\n")), "{text}");
        assert!(!text.contains("Internationalized") && !text.contains("Unicode Code"), "{text}");
    }
}
