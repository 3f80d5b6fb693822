//! Every attribute of the schemas of RFC 8909 and RFC 9022, and what it does.

use std::collections::BTreeSet;

use crate::changes::{diff, read};
use crate::csv_model::{good_csv, import_csv, spoiled as spoiled_csv};
use crate::registry::Registry;
use crate::schemas::{all_declared, everything, outcome};

/// Attributes of the XML model: a text of the deposit with every element, and its replacement;
/// `false`: it makes no difference, for the reason that follows.
const ATTRIBUTES: &[(&str, &str, &str, bool, &str)] = &[
    ("rde@type", "type=\"FULL\"", "type=\"HALF\"", true, ""),
    ("rde@id", "id=\"20261101001\"", "id=\"20261101002\"", true, ""),
    (
        "rde@prevId",
        "type=\"FULL\"",
        "type=\"FULL\" prevId=\"X\"",
        false,
        "not used in FULL deposits",
    ),
    ("rde@resend", "type=\"FULL\"", "type=\"FULL\" resend=\"1\"", true, ""),
    ("rdeHeader@uri", "uri=\"urn:ietf:params:xml:ns:rdeHost-1.0\"", "uri=\"urn:x\"", true, ""),
    ("rdeHeader@rcdn", "rcdn=\"b.test\"", "rcdn=\"test\"", true, ""),
    ("rdeHeader@registrarId", "registrarId=\"8\"", "registrarId=\"9\"", false, "not compared"),
    ("rdeHeader@registrarId", "registrarId=\"8\"", "", true, ""),
    ("rdeDnrdCommon@client", "client=\"joe\"", "client=\"ann\"", true, ""),
    (
        "rdeNNDN@mirroringNS",
        "<rdeNNDN:nameState>",
        "<rdeNNDN:nameState mirroringNS=\"0\">",
        true,
        "",
    ),
    ("rdeIDN@id", "idnTableRef id=\"pt\"", "idnTableRef id=\"de\"", true, ""),
    ("rdePolicy@scope", "rde:contents/rdeDomain:domain\"", "rde:contents/x\"", true, ""),
    ("rdePolicy@element", "\"rdeDomain:registrant\"", "\"rdeDomain:secDNS\"", true, ""),
    (
        "rdeRegistrar@type",
        "rdeRegistrar:postalInfo type=\"int\"",
        "rdeRegistrar:postalInfo type=\"loc\"",
        true,
        "",
    ),
    ("contact@x", "voice x=\"9\"", "voice x=\"8\"", true, ""),
    (
        "contact@type",
        "rdeContact:postalInfo type=\"int\"",
        "rdeContact:postalInfo type=\"loc\"",
        true,
        "",
    ),
    ("contact@type", "contact:org type=\"loc\"/", "contact:org type=\"int\"/", true, ""),
    ("contact@flag", "flag=\"0\"", "flag=\"1\"", true, ""),
    ("contact@s", "<rdeContact:status s=\"ok\"/>", "<rdeContact:status s=\"linked\"/>", true, ""),
    (
        "contact@lang",
        "<rdeContact:status s=\"ok\"/>",
        "<rdeContact:status s=\"ok\" lang=\"de\"/>",
        false,
        "of a text that is not served",
    ),
    ("domain@type", "type=\"admin\"", "type=\"tech\"", true, ""),
    ("domain@s", "s=\"clientHold\"", "s=\"serverHold\"", true, ""),
    (
        "domain@lang",
        "s=\"clientHold\" lang=\"en\"",
        "s=\"clientHold\" lang=\"de\"",
        false,
        "of a text that is not served",
    ),
    ("rgp@s", "s=\"addPeriod\"", "s=\"renewPeriod\"", true, ""),
    (
        "rgp@lang",
        "s=\"addPeriod\" lang=\"en\"",
        "s=\"addPeriod\" lang=\"de\"",
        false,
        "of a text that is not served",
    ),
    ("host@ip", "addr ip=\"v4\"", "addr ip=\"v6\"", true, ""),
    ("host@s", "<rdeHost:status s=\"ok\"/>", "<rdeHost:status s=\"linked\"/>", true, ""),
    (
        "host@lang",
        "<rdeHost:status s=\"ok\"/>",
        "<rdeHost:status s=\"ok\" lang=\"de\"/>",
        false,
        "of a text that is not served",
    ),
];

/// Attributes of the CSV model, as [`ATTRIBUTES`].
const CSV_ATTRIBUTES: &[(&str, &str, &str, bool, &str)] = &[
    ("rdeCsv@name", "name=\"hostStatuses\"", "name=\"statuses\"", true, ""),
    (
        "rdeCsv@name",
        "<rdeCsv:fIdnTableId/><rdeCsv:fUrl/>",
        "<rdeCsv:fIdnTableId/><rdeCsv:fCustom name=\"urlPolicy\"/>",
        true,
        "",
    ),
    ("rdeCsv@sep", "sep=\";\"", "sep=\"|\"", true, ""),
    (
        "rdeCsv@isRequired",
        "<csvNNDN:fMirroringNS/>",
        "<csvNNDN:fMirroringNS isRequired=\"true\"/>",
        true,
        "",
    ),
    (
        "rdeCsv@parent",
        "<csvDomain:fName parent=\"true\"/>",
        "<csvDomain:fName/>",
        false,
        "a table's key says which column is the parent's",
    ),
    (
        "rdeCsv@type",
        "<csvNNDN:fNameState/>",
        "<csvNNDN:fNameState type=\"token\"/>",
        false,
        "values are read as the field's own type",
    ),
    ("rdeCsv@compression", "cksum=\"idn.csv\"", "compression=\"zip\"", true, ""),
    ("rdeCsv@encoding", "cksum=\"idn.csv\"", "encoding=\"KOI8-R\"", true, ""),
    ("rdeCsv@cksum", "cksum=\"idn.csv\"", "cksum=\"00000000\"", true, ""),
    ("rdeCsv@cksumAlg", "cksum=\"idn.csv\"", "cksum=\"idn.csv\" cksumAlg=\"SHA256\"", true, ""),
    (
        "csvContact@isLoc",
        "<csvContact:fCity isLoc=\"false\"/>",
        "<csvContact:fCity isLoc=\"true\"/>",
        true,
        "",
    ),
    (
        "csvContact@index",
        "<csvContact:fStreet index=\"0\"/><csvContact:fStreet index=\"1\"/>",
        "<csvContact:fStreet index=\"1\"/><csvContact:fStreet index=\"0\"/>",
        true,
        "",
    ),
    (
        "csvContact@type",
        "<csvContact:fVoice/>",
        "<csvContact:fVoice type=\"token\"/>",
        false,
        "as rdeCsv",
    ),
    ("csvHost@type", "<csvHost:fAddr/>", "<csvHost:fAddr type=\"token\"/>", false, "as rdeCsv"),
    (
        "csvDomain@type",
        "<csvDomain:fKeyTag/>",
        "<csvDomain:fKeyTag type=\"token\"/>",
        false,
        "as rdeCsv",
    ),
    (
        "csvNNDN@type",
        "<csvNNDN:fNameState/>",
        "<csvNNDN:fNameState type=\"token\"/>",
        false,
        "as rdeCsv",
    ),
    (
        "csvRegistrar@type",
        "<csvRegistrar:fStatus/>",
        "<csvRegistrar:fStatus type=\"token\"/>",
        false,
        "as rdeCsv",
    ),
    (
        "csvRegistrar@isLoc",
        "<csvRegistrar:fName isLoc=\"false\"/>",
        "<csvRegistrar:fName isLoc=\"true\"/>",
        false,
        "a registrar has one name",
    ),
    (
        "csvRegistrar@name",
        "<csvRegistrar:fStatus/>",
        "<csvRegistrar:fStatus name=\"x\"/>",
        false,
        "names of statuses beyond EPP's are not served",
    ),
];

#[test]
fn every_attribute_of_the_schemas_is_read_or_has_a_reason() {
    let tables = ATTRIBUTES.iter().chain(CSV_ATTRIBUTES);
    let known: BTreeSet<String> = tables.map(|row| row.0.to_owned()).collect();
    let declared = all_declared().into_iter().filter(|name| name.contains('@'));
    assert_eq!(known, declared.collect());
    let text = everything();
    let expected = outcome(&text);
    for (name, from, to, differs, reason) in ATTRIBUTES {
        assert!(text.contains(from), "{name}: {from}");
        assert_eq!(outcome(&text.replacen(from, to, 1)) != expected, *differs, "{name}");
        assert_eq!(reason.is_empty(), *differs, "{name}");
    }
    let of = |files| {
        let outcome = import_csv(&files);
        let codes = outcome.codes();
        (outcome.bytes.unwrap_or_default(), codes)
    };
    let expected = of(good_csv());
    for (name, from, to, differs, reason) in CSV_ATTRIBUTES {
        assert_eq!(of(spoiled_csv("deposit.xml", from, to)) != expected, *differs, "{name}");
        assert_eq!(reason.is_empty(), *differs, "{name}");
    }
    // Parts that a deposit of changes alone has.
    let changes = read(diff("", ""), &Registry::default()).unwrap();
    assert_eq!(changes.prev_id, "20261031001");
}
