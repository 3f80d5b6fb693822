//! The RFC's own deposits, and the forms in which good deposits come.

use std::io::Write;

use crate::support::{good, import, import_files, import_with, options, sample, spoiled};

#[test]
fn the_good_deposit_has_no_finding_and_is_served_whole() {
    let outcome = import(good());
    assert_eq!(outcome.lines, "");
    let snapshot = outcome.snapshot();
    let domain = snapshot.find_domain("a.test").unwrap().unwrap();
    assert_eq!(domain.roid.as_str(), "D1-TEST");
    assert_eq!(domain.nameservers.len(), 2);
    assert_eq!(domain.created_ms.to_native(), 1_262_304_000_000);
    let cold = domain.cold.as_ref().unwrap();
    assert_eq!(cold.ds[0].digest.as_slice(), [0, 255]);
    assert_eq!(cold.creator_client.as_str(), "joe");
    let idn = snapshot.find_domain("xn--bcher-kva.test").unwrap().unwrap();
    assert_eq!(idn.cold.as_ref().unwrap().u_name.as_str(), "bücher.test");
    let meta = snapshot.meta().unwrap();
    assert_eq!(meta.suffixes.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["test"]);
    assert_eq!(meta.deposits[0].as_str(), "20261101001\ttest\t1793491200000");
    assert!(snapshot.find_nndn("reserved.test").unwrap().is_some());
    snapshot_format::verify::verify(&snapshot, &mut |_, _| {}).unwrap();
}

#[test]
fn the_rfc_9022_xml_sample_is_served_with_the_names_of_its_dangling_nameservers_alone() {
    let outcome = import_files(&[&sample("rfc9022-full-xml.xml")]);
    let expected = [
        "name-outside",
        "contact-dangling",
        "nameserver-dangling",
        "status-ok",
        "status-not-inactive",
    ];
    assert_eq!(outcome.codes(), expected);
    let snapshot = outcome.snapshot();
    let domain = snapshot.find_domain("example1.example").unwrap().unwrap();
    assert_eq!(domain.nameservers.len(), 2);
    assert_eq!(domain.contacts[0], snapshot_format::record::NONE);
    let host = snapshot.find_nameserver("ns1.example1.example").unwrap().unwrap();
    assert_eq!((host.v4.len(), host.v6.len()), (2, 1));
    assert!(outcome.lines.lines().all(|line| line.starts_with("{\"severity\":\"finding\"")));
    assert!(
        outcome.lines.contains("\"line\":65,\"object\":\"domain\",\"key\":\"example1.example\"")
    );
}

#[test]
fn the_rfc_9022_csv_sample_is_imported() {
    let outcome = import_files(&[&sample("rfc9022-csv/deposit.xml")]);
    let snapshot = outcome.snapshot();
    let domain = snapshot.find_domain("domain1.example").unwrap().unwrap();
    assert_eq!(domain.nameservers.len(), 1);
    let cold = domain.cold.as_ref().unwrap();
    assert_eq!((cold.ds.len(), cold.keys.len()), (0, 2));
    assert_eq!(cold.transfer.as_ref().unwrap().status.as_str(), "pending");
    let variant = snapshot.find_domain("xn--bc321-3ve.example").unwrap().unwrap();
    assert_eq!(variant.cold.as_ref().unwrap().original_name.as_str(), "xn--bc123-3ve.example");
    assert_eq!(outcome.report.objects, [1, 2, 9, 6, 2, 4]);
    for code in ["ds-bad", "host-roid-ambiguous", "csv-row-orphan", "roid-repeated", "count-wrong"]
    {
        assert!(outcome.codes().contains(&code), "{code}");
    }
}

#[test]
fn prefixes_default_namespaces_and_white_space_change_nothing() {
    let expected = import(good()).bytes.unwrap();
    let prefixes = good().replace("rdeDomain", "d").replace("ns:d-1.0", "ns:rdeDomain-1.0");
    assert_eq!(import(prefixes).bytes.unwrap(), expected);
    let default = good()
        .replace("<rdeHost:host>", "<host xmlns=\"urn:ietf:params:xml:ns:rdeHost-1.0\">")
        .replace("<rdeHost:", "<")
        .replace("</rdeHost:", "</");
    assert_eq!(import(default).bytes.unwrap(), expected);
    let crlf = good().replace('\n', "\r\n").replace(">C1<", ">\r\n   C1\t\r\n  <");
    assert_eq!(import(crlf).bytes.unwrap(), expected);
    let case = good().replace(">a.test<", "> A.Test. <");
    assert_eq!(import(case).bytes.unwrap(), expected);
    let marked = format!("\u{feff}{}", good());
    assert_eq!(import(marked).bytes.unwrap(), expected);
}

#[test]
fn gzip_and_tar_are_read_as_they_are() {
    let expected = import(good()).bytes.unwrap();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in [("notes.txt", "none"), ("x/deposit.xml", &good())] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    let tar = builder.into_inner().unwrap();
    assert_eq!(import(gzip(good().as_bytes())).bytes.unwrap(), expected);
    assert_eq!(import(gzip(&tar)).bytes.unwrap(), expected);
    assert_eq!(import(&tar).bytes.unwrap(), expected);
    let cut = &gzip(good().as_bytes())[..600];
    assert_eq!(import(cut).refusal(), "input-unreadable");
    // A tar's end blocks may be missing, a member's bytes may not.
    assert_eq!(import(&tar[..tar.len() / 2]).refusal(), "input-unreadable");
}

#[test]
fn elements_of_other_namespaces_become_extras_of_a_domain() {
    let extra = "<ext:tier>gold &amp; silver</ext:tier><ext:more><ext:inner> x  y </ext:inner></ext:more></rdeDomain:domain>";
    let outcome = import(spoiled("</rdeDomain:domain>", extra));
    assert_eq!(outcome.lines, "");
    let snapshot = outcome.snapshot();
    let domain = snapshot.find_domain("a.test").unwrap().unwrap();
    let extras = &domain.cold.as_ref().unwrap().extras;
    let pairs: Vec<_> = extras.iter().map(|pair| (pair.0.as_str(), pair.1.as_str())).collect();
    assert_eq!(pairs, [("tier", "gold & silver"), ("inner", "x y")]);
}

#[test]
fn host_attributes_become_nameservers() {
    let attributes = "<rdeDomain:ns><domain:hostAttr><domain:hostName>ns1.a.test</domain:hostName><domain:hostAddr ip=\"v6\">2001:db8::1</domain:hostAddr></domain:hostAttr>\
        <domain:hostAttr><domain:hostName>ns9.b.example</domain:hostName></domain:hostAttr></rdeDomain:ns>";
    let from = "<rdeDomain:ns><domain:hostObj>ns1.a.test</domain:hostObj><domain:hostObj>ns.other.example</domain:hostObj></rdeDomain:ns>";
    let outcome = import(spoiled(from, attributes));
    assert_eq!(outcome.lines, "");
    let snapshot = outcome.snapshot();
    assert_eq!(snapshot.find_domain("a.test").unwrap().unwrap().nameservers.len(), 2);
    assert!(snapshot.find_nameserver("ns9.b.example").unwrap().unwrap().roid.is_empty());
}

#[test]
fn little_memory_gives_the_same_snapshot() {
    let mut domains = String::new();
    for number in 0..3000 {
        let number = number * 7919 % 3000;
        domains.push_str(&format!(
            "<rdeDomain:domain><rdeDomain:name>n{number}.test</rdeDomain:name><rdeDomain:roid>N{number}-TEST</rdeDomain:roid>\
             <rdeDomain:status s=\"ok\"/><rdeDomain:ns><domain:hostObj>ns1.a.test</domain:hostObj></rdeDomain:ns><rdeDomain:clID>R1</rdeDomain:clID>\
             <rdeDomain:crDate>2010-01-01T00:00:00Z</rdeDomain:crDate><rdeDomain:exDate>2030-01-01T00:00:00Z</rdeDomain:exDate></rdeDomain:domain>"
        ));
    }
    let text = good().replace("rdeDomain-1.0\">2<", "rdeDomain-1.0\">3002<");
    let text = text.replace("</rde:contents>", &format!("{domains}</rde:contents>"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deposit.xml");
    std::fs::write(&path, text).unwrap();
    let large = import_with(&options(&[&path]));
    assert_eq!(large.lines, "");
    let small =
        import_with(&whoisd::import::Options { memory_bytes: 256 << 10, ..options(&[&path]) });
    assert_eq!(small.bytes.unwrap(), large.bytes.unwrap());
}

#[test]
fn counts_below_a_registry_class_name_are_checked() {
    let count = "<rdeHeader:count uri=\"urn:ietf:params:xml:ns:rdeDomain-1.0\" rcdn=\"co.test\">1</rdeHeader:count></rdeHeader:header>";
    let text = good().replace("</rdeHeader:header>", count);
    assert_eq!(import(&text).codes(), ["count-wrong"]);
    let text = text.replace(">xn--bcher-kva.test<", ">xn--bcher-kva.co.test<");
    let outcome = import(text);
    assert_eq!(outcome.lines, "");
    let snapshot = outcome.snapshot();
    let suffixes: Vec<_> =
        snapshot.meta().unwrap().suffixes.iter().map(|name| name.as_str()).collect();
    assert_eq!(suffixes, ["co.test", "test"]);
}

#[test]
fn only_the_zones_of_a_deposit_are_suffixes_whatever_lies_between_them_and_its_names() {
    let text = good().replace(">xn--bcher-kva.test<", ">mail.xn--bcher-kva.test<");
    let outcome = import(text);
    let snapshot = outcome.snapshot();
    assert!(snapshot.find_domain("mail.xn--bcher-kva.test").unwrap().is_some());
    assert_eq!(snapshot.meta().unwrap().suffixes.as_slice(), ["test"]);
}

#[test]
fn an_ascii_name_below_an_internationalised_tld_needs_no_table() {
    let text = good().replace("<rdeHeader:tld>test<", "<rdeHeader:tld>xn--bcher-kva<");
    let text = text.replace(">a.test<", ">a.xn--bcher-kva<").replace(".test<", ".xn--bcher-kva<");
    let outcome = import(text);
    assert_eq!(outcome.lines, "");
    let domain = outcome.snapshot();
    let domain = domain.find_domain("a.xn--bcher-kva").unwrap().unwrap();
    assert_eq!(domain.cold.as_ref().unwrap().u_name.as_str(), "a.bücher");
}
