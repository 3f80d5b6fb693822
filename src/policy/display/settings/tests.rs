//! Which rules for answers are taken, and the errors of the others.

use super::*;

fn read(text: &str) -> Settings {
    toml::from_str(text).unwrap()
}

fn problem(text: &str) -> String {
    read(text).validate().unwrap_err().to_string()
}

#[test]
fn a_full_set_of_tables_is_read() {
    let settings = read(
        r#"
        [defaults]
        preset = "temporary-specification-2018"
        extras = "none"
        registrant = { name = "text:ask the registrar", fields = "left-out" }
        [[tld]]
        suffix = "example"
        model = "modified-thick"
        extras = ["Language"]
        [[registrar]]
        iana_id = 9999
        abuse_email = "abuse@example.com"
        "#,
    );
    settings.validate().unwrap();
    assert_eq!(settings.tld[0].model, Some(Model::ModifiedThick));
    assert_eq!(settings.tld[0].extras, Some(Extras::Keys(vec!["Language".to_owned()])));
    let again: Settings = toml::from_str(&toml::to_string(&settings).unwrap()).unwrap();
    assert_eq!(again, settings);
}

#[test]
fn unknown_keys_and_words_are_refused() {
    assert!(toml::from_str::<Settings>("[defaults]\ncolour = 1").is_err());
    assert!(toml::from_str::<Settings>("[defaults]\nmodel = \"fat\"").is_err());
    let error = toml::from_str::<Settings>("[defaults]\nextras = 3").unwrap_err();
    assert!(error.to_string().contains("a list of keys"), "{error}");
    let error = toml::from_str::<Settings>("[defaults.tech]\nname = \"hidden\"").unwrap_err();
    assert!(error.to_string().contains("\"hidden\" is not a rule for a field"), "{error}");
}

#[test]
fn messages_name_key_value_and_bound() {
    let cases = [
        ("[[tld]]\nsuffix = \"a..b\"", "tld[1].suffix: \"a..b\" is not a domain name"),
        ("[[tld]]", "tld[1].suffix: \"\" is not a domain name"),
        ("[defaults]\nsuffix = \"x\"", "defaults.suffix: \"x\" belongs into a [[tld]] table"),
        (
            "[[tld]]\nsuffix = \"x\"\n[[tld]]\nsuffix = \"X.\"",
            "tld[2].suffix: \"X.\" has a table already",
        ),
        ("[defaults]\nnot_found = \"\"", "defaults.not_found: \"\" has 0 bytes; 1 to 255"),
        ("[defaults]\nnot_found = \"a\\nb\"", "defaults.not_found: '\\n' is not allowed"),
        ("[defaults]\ndisclaimer = \"if no\\n match\"", "defaults.disclaimer: holds \"no match\""),
        (
            "[defaults]\nextras = [\"domain  name\"]",
            "defaults.extras: \"domain  name\" cannot be shown",
        ),
        ("[defaults.tech]\nname = \"text:\"", "defaults.tech.name: \"\" has 0 bytes; 1 to 255"),
        ("[[registrar]]\nurl = \"x\"", "registrar[1]: has neither id nor iana_id"),
        (
            "[[registrar]]\nid = \"x\"\n[[registrar]]\nid = \"x\"",
            "registrar[2].id: \"x\" has a table already",
        ),
        (
            "[[registrar]]\niana_id = 7\n[[registrar]]\nid = \"x\"\niana_id = 7",
            "registrar[2].iana_id: 7 has a table already",
        ),
        ("[[tld]]\nsuffix = \"x\"\ncontact = {}", "tld[1].contact: a contact has no suffix"),
    ];
    for (text, expected) in cases {
        let got = problem(text);
        assert!(got.starts_with(expected), "{text}: {got}");
    }
    let long = format!("[defaults]\nfooter = \"{}\"", "x".repeat(TEXT_BYTES_MAX + 1));
    assert_eq!(problem(&long), "defaults.footer: 4097 bytes, at most 4096 are allowed");
}

/// Every text that an operator sets, each with a value of its own.
const TEXTS: &[&str] = &[
    "[defaults]\nheader = \"{}\"",
    "[defaults]\nfooter = \"{}\"",
    "[defaults]\ndisclaimer = \"{}\"",
    "[defaults]\nredacted_text = \"{}\"",
    "[defaults]\nredacted_email_text = \"{}\"",
    "[defaults.registrant]\nname = \"text:{}\"",
    "[defaults.contact]\nfields = \"text:{}\"",
    "[[tld]]\nsuffix = \"x\"\nredacted_text = \"{}\"",
    "[[tld]]\nsuffix = \"x\"\nbilling = { email = \"text:{}\" }",
    "[[registrar]]\nid = \"x\"\nabuse_email = \"{}\"",
    "[[registrar]]\nid = \"x\"\nabuse_phone = \"{}\"",
];

#[test]
fn what_programs_follow_has_the_form_of_the_records() {
    let shown = |key: &str, text: &str| {
        let settings = read(&format!("[[registrar]]\nid = \"x\"\n{key} = {text:?}"));
        settings.validate().map_err(|error| error.to_string())?;
        let registrar = &settings.registrar[0];
        Ok::<_, String>(if key == "url" {
            registrar.shown_url()
        } else {
            registrar.shown_whois_server()
        })
    };
    for (key, text, expected) in [
        ("whois_server", "http://whois.x.example:43/", "whois.x.example"),
        ("url", "www.x.example", "http://www.x.example"),
        ("url", "https://www.x.example/a", "https://www.x.example/a"),
    ] {
        assert_eq!(shown(key, text).as_deref(), Ok(expected), "{text}");
    }
    for (key, text) in [
        ("whois_server", "n/a"),
        ("whois_server", "127.0.0.1"),
        ("url", "n/a"),
        ("url", "javascript:alert(1)"),
        ("url", "http://www.x.example:99999"),
        ("url", "http://www.x.example/?Domain Name: y"),
    ] {
        let refused = shown(key, text).unwrap_err();
        assert!(refused.starts_with(&format!("registrar[1].{key}: ")), "{refused}");
    }
    // The scheme that is put before it counts as well.
    let long = format!("x.example/{}", "x".repeat(VALUE_BYTES_MAX - 10));
    assert!(shown("url", &long).is_err());
}

#[test]
fn no_text_holds_a_phrase_or_key_from_which_programs_conclude_something() {
    for text in TEXTS {
        let with = |phrase: &str| read(&text.replace("{}", phrase)).validate();
        with("Ask the registry").unwrap();
        for phrase in
            ["not found", "NO  MATCH", "names not registered", "Quota exceeded", "x Domain Name: y"]
        {
            assert!(with(phrase).is_err(), "{phrase} in {text}");
        }
    }
    for (not_found, expected) in [
        ("NOT FOUND", true),
        ("No match for this name", true),
        ("Domain Name: is free", false),
        ("Registrar: none", false),
        ("Status : free", false),
        ("%ERROR:QUOTA", false),
        ("Quota exceeded", false),
    ] {
        let settings = read(&format!("[defaults]\nnot_found = \"{not_found}\""));
        assert_eq!(settings.validate().is_ok(), expected, "{not_found}");
    }
    for key in ["Status", "Domain", "My Registrar", "Expiry Date", "Nserver", "Not Found"] {
        let settings = read(&format!("[defaults]\nextras = [\"{key}\"]"));
        assert!(settings.validate().is_err(), "{key}");
    }
    assert!(answer_line("limit exceeded, ask noc@example", 200).is_ok());
    assert!(answer_line("no such domain, says the registrar", 200).is_err());
}

#[test]
fn all_problems_are_told_at_once() {
    let settings = read(
        "[defaults]\nheader = \"no match\"\nnot_found = \"\"\n\
         registrant = { name = \"always\", city = \"text:\" }\n\
         [[tld]]\nsuffix = \"a..b\"\n[[registrar]]\nurl = \"x.example\"\n[[tier]]\nname = \"\"",
    );
    let keys: Vec<_> = settings.problems().into_iter().map(|problem| problem.key).collect();
    assert_eq!(
        keys,
        [
            "defaults.header",
            "defaults.not_found",
            "defaults.registrant.name",
            "defaults.registrant.city",
            "tld[1].suffix",
            "registrar[1]",
            "tier[1].name",
        ]
    );
}

#[test]
fn a_suffix_may_be_written_in_unicode() {
    assert_eq!(canonical_suffix(".МОСКВА").as_deref(), Some("xn--80adxhks"));
}

#[test]
fn a_suffix_that_an_import_takes_is_one() {
    for (suffix, expected) in [
        ("365.xn--ngbc5azd", Some("365.xn--ngbc5azd")),
        ("365.شبكة", Some("365.xn--ngbc5azd")),
        ("3com.אב", Some("3com.xn--4dbc")),
        ("r3---sn", Some("r3---sn")),
        ("aa--b", Some("aa--b")),
        ("Co.Demo.", Some("co.demo")),
        ("", None),
        (".", None),
        ("a..b", None),
        ("-a", None),
        ("*.demo", None),
        ("a b", None),
    ] {
        assert_eq!(canonical_suffix(suffix).as_deref(), expected, "{suffix}");
        let tier = format!("[[tier]]\nname = \"x\"\n[[tier.tld]]\nsuffix = \"{suffix}\"");
        for table in [format!("[[tld]]\nsuffix = \"{suffix}\""), tier] {
            assert_eq!(read(&table).validate().is_ok(), expected.is_some(), "{table}");
        }
    }
}
