//! Every refusal has the deposit that triggers it; no snapshot is made then.

use std::cell::Cell;
use std::io::Cursor;
use std::rc::Rc;

use snapshot_format::sort::{MemoryScratch, Scratch};
use whoisd::import::{Progress, Reason, Step, run};

use crate::support::{
    HEAD, HEADER, OBJECTS, TAIL, good, import, import_files, import_with, options, sample, spoiled,
};

/// Codes of the rules that this file tests.
pub(crate) const CODES: &[&str] = &[
    "xml-malformed",
    "xml-doctype",
    "xml-bounds",
    "xml-encoding",
    "input-unreadable",
    "input-too-large",
    "input-bounds",
    "deposit-missing",
    "deposit-several",
    "not-a-deposit",
    "deposit-type",
    "watermark-missing",
    "header-missing",
    "header-repeated",
    "key-repeated",
    "both-models",
];

#[test]
fn unusable_xml_is_refused() {
    let code = |text: String| import(text).refusal();
    assert_eq!(code(spoiled("</rdeDomain:domain>", "")), "xml-malformed");
    assert_eq!(code(spoiled(">Ada<", ">&ada;<")), "xml-malformed");
    assert_eq!(code(spoiled("<rde:deposit", "<!DOCTYPE rde:deposit><rde:deposit")), "xml-doctype");
    let deep = format!("{}{}</rde:contents>", "<ext:a>".repeat(70), "</ext:a>".repeat(70));
    assert_eq!(code(spoiled("</rde:contents>", &deep)), "xml-bounds");
    assert_eq!(code(spoiled("UTF-8", "ISO-8859-1")), "xml-encoding");
    let utf16: Vec<u8> = "\u{feff}<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(import(utf16).refusal(), "not-a-deposit");
    let mut latin = good().into_bytes();
    let at = latin.windows(3).position(|bytes| bytes == b"Ada").unwrap();
    latin[at] = 0xe9;
    assert_eq!(import(latin).refusal(), "xml-encoding");
    assert_eq!(import(b"\x1f\x8bnonsense").refusal(), "input-unreadable");
}

#[test]
fn a_whole_file_that_is_larger_than_permitted_is_refused_by_a_rule_of_its_own() {
    let refusal = |bytes: &[u8], content_bytes_max: u64| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deposit");
        std::fs::write(&file, bytes).unwrap();
        let mut options = options(&[&file]);
        options.content_bytes_max = content_bytes_max;
        import_with(&options).refusal()
    };
    assert_eq!(refusal(good().as_bytes(), 1000), "input-too-large");
    let tar = |names: usize| {
        let mut tar = tar::Builder::new(Vec::new());
        for number in 0..names {
            let mut header = tar::Header::new_gnu();
            header.set_size(0);
            tar.append_data(&mut header, number.to_string(), &[][..]).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(good().len() as u64);
        tar.append_data(&mut header, "deposit.xml", good().as_bytes()).unwrap();
        tar.into_inner().unwrap()
    };
    assert_eq!(refusal(&tar(1), 1000), "input-too-large");
    assert_eq!(refusal(&tar(65_536), 1 << 30), "input-bounds");
}

#[test]
fn a_file_that_is_not_a_full_deposit_is_refused() {
    assert_eq!(import("domain,csv").refusal(), "deposit-missing");
    assert_eq!(import("<html/>").refusal(), "not-a-deposit");
    assert_eq!(import(spoiled("rde-1.0\"", "rde-2.0\"")).refusal(), "not-a-deposit");
    assert_eq!(import_files(&[&sample("rfc8909-diff.xml")]).refusal(), "deposit-type");
    assert_eq!(import_files(&[&sample("rfc8909-incr.xml")]).refusal(), "deposit-type");
    assert_eq!(import_files(&[&sample("rfc8909-full.xml")]).refusal(), "header-missing");
    let watermark = "<rde:watermark>2026-11-01T00:00:00Z</rde:watermark>";
    assert_eq!(import(spoiled(watermark, "")).refusal(), "watermark-missing");
    assert_eq!(import(spoiled("2026-11-01T00:00:00Z<", "now<")).refusal(), "watermark-missing");
    assert_eq!(import([HEAD, OBJECTS, TAIL].concat()).refusal(), "header-missing");
    assert_eq!(import([HEAD, HEADER, HEADER, TAIL].concat()).refusal(), "header-repeated");
    let xml = sample("rfc9022-full-xml.xml");
    assert_eq!(import_files(&[&xml, &xml]).refusal(), "deposit-several");
}

#[test]
fn a_key_twice_is_refused_for_every_kind() {
    for (from, to) in
        [(">xn--bcher-kva.test<", ">A.test<"), (">ns.other.example<", ">ns1.a.test.<")]
    {
        assert_eq!(import(spoiled(from, to)).refusal(), "key-repeated", "{to}");
    }
    for kind in
        ["rdeRegistrar:registrar", "rdeIDN:idnTableRef", "rdeContact:contact", "rdeNNDN:NNDN"]
    {
        let (start, end) = (format!("<{kind}"), format!("</{kind}>"));
        let from = OBJECTS.find(&start).unwrap();
        let to = OBJECTS.find(&end).unwrap() + end.len();
        let twice = format!("{OBJECTS}{}", &OBJECTS[from..to]);
        let outcome = import([HEAD, HEADER, &twice, TAIL].concat());
        assert_eq!(outcome.refusal(), "key-repeated", "{kind}");
        assert!(outcome.lines.contains("\"severity\":\"refusal\""));
        assert!(outcome.lines.contains("the first one is at"));
    }
    // Identifiers of contacts differ by case.
    let upper = "<rdeContact:id>c1</rdeContact:id>";
    let from = OBJECTS.find("<rdeContact:contact>").unwrap();
    let to = OBJECTS.find("</rdeContact:contact>").unwrap() + "</rdeContact:contact>".len();
    let other = OBJECTS[from..to].replace("<rdeContact:id>C1</rdeContact:id>", upper);
    let other = other.replace("C1-TEST", "C2-TEST");
    let text = [HEAD, HEADER, OBJECTS, &other, TAIL].concat();
    assert_eq!(import(text).codes(), ["count-wrong"]);
}

#[test]
fn a_file_that_is_not_there_is_a_failure_of_its_own() {
    let outcome = import_files(&[&sample("none.xml")]);
    let Reason::Io { what, .. } = outcome.bytes.unwrap_err().reason else { panic!() };
    assert!(what.ends_with("none.xml"));
}

/// Asks to stop after a number of steps.
struct Impatient(Cell<u32>);

impl Progress for Impatient {
    fn step(&mut self, _: Step) {
        self.0.set(self.0.get() - 1);
    }

    fn stop_asked(&self) -> bool {
        self.0.get() == 0
    }
}

#[test]
fn an_import_stops_when_it_is_asked_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deposit.xml");
    std::fs::write(&path, good()).unwrap();
    for steps in 1..=2 {
        let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
        let mut progress = Impatient(Cell::new(steps));
        let out = Cursor::new(Vec::new());
        let error = run(&options(&[&path]), &scratch, out, None, &mut progress).unwrap_err();
        assert!(matches!(error.reason, Reason::Interrupted), "{error}");
    }
}
