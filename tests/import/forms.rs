//! The forms in which files of good deposits come: encodings, containers, names, pipes; and the
//! words for those that are not read.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::csv_model::{good_csv, import_csv, spoiled as spoiled_csv, write};
use crate::support::{Outcome, good, import, import_files, spoiled};

/// Codes of the rules that this file tests.
pub(crate) const CODES: &[&str] = &["deposit-packed", "input-trailing"];

/// There is no finding, and the server's answers are those of the plain file.
fn is_good(outcome: &Outcome, case: &str) {
    assert_eq!(outcome.lines, "", "{case}");
    match &outcome.bytes {
        Ok(bytes) => assert_eq!(*bytes, import(good()).bytes.unwrap(), "{case}"),
        Err(error) => panic!("{case}: {error}"),
    }
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let builder = flate2::GzBuilder::new().filename("deposit.xml").comment("a day").extra("x");
    let mut encoder = builder.write(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn utf_16_is_read_with_and_without_a_byte_order_mark() {
    let text =
        good().replace(">Ada<", ">Ad\u{e9} \u{1d11e}<").replace("type=\"int\"", "type=\"loc\"");
    let text = text
        .replace("rdeRegistrar:postalInfo type=\"loc\"", "rdeRegistrar:postalInfo type=\"int\"");
    let expected = import(&text);
    assert_eq!(expected.lines, "");
    let expected = expected.bytes.unwrap();
    for declared in ["UTF-16", "utf-16le", "UTF-8", "UTF8", "us-ascii"] {
        let text = text.replace("encoding=\"UTF-8\"", &format!("encoding=\"{declared}\""));
        for big in [false, true] {
            for mark in ["", "\u{feff}"] {
                let bytes = utf16(&format!("{mark}{text}"), big);
                assert_eq!(import(&bytes).bytes.unwrap(), expected, "{declared} {big} {mark:?}");
                assert_eq!(import(gzip(&bytes)).bytes.unwrap(), expected);
            }
        }
        // Programs write one encoding and declare another.
        assert_eq!(import(&text).bytes.unwrap(), expected, "{declared}");
    }
    let cut = utf16(&good(), false);
    assert_eq!(import(&cut[..cut.len() - 1]).refusal(), "xml-encoding");
    let error = import(b"<\0\0\0r\0\0\0").bytes.unwrap_err().to_string();
    assert!(error.contains("UTF-32"), "{error}");
}

#[test]
fn csv_files_in_utf_16_are_read() {
    for (declared, mark, big) in [
        ("UTF-16", "", false),
        ("UTF-16", "\u{feff}", true),
        ("utf-16be", "", true),
        ("", "\u{feff}", false),
    ] {
        let declared = format!("encoding=\"{declared}\"");
        let files = spoiled_csv("deposit.xml", "cksum=\"contactPostal.csv\"", &declared);
        let directory = tempfile::tempdir().unwrap();
        write(&files, directory.path());
        let path = directory.path().join("contactPostal.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, utf16(&format!("{mark}{text}"), big)).unwrap();
        is_good(&import_files(&[&directory.path().join("deposit.xml")]), &declared);
    }
}

#[test]
fn gzip_is_read_as_the_program_reads_it() {
    let text = good();
    let (one, two) = text.as_bytes().split_at(1000);
    let members = [gzip(one), gzip(b""), gzip(two)].concat();
    is_good(&import(&members), "members");
    is_good(&import([&members[..], &[0; 1000]].concat()), "padded");
    let outcome = import([&members[..], b"more"].concat());
    assert_eq!(outcome.codes(), ["input-trailing"]);
    assert!(outcome.bytes.is_ok());
    // Within a member it is damage.
    let mut damaged = members;
    damaged[600] ^= 1;
    assert!(import(damaged).bytes.is_err());
}

/// Runs GNU tar in a directory with `deposit.xml`.
fn gnu_tar(directory: &Path, arguments: &[&str]) -> Vec<u8> {
    let file = directory.join("t.tar");
    let mut tar = Command::new("tar");
    tar.args(arguments).arg("--file").arg(&file).args(["--create", "."]);
    let done = tar.current_dir(directory).stderr(Stdio::inherit()).output().unwrap();
    assert!(done.status.code().is_some_and(|code| code < 2), "{arguments:?}");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    bytes
}

#[test]
fn every_form_of_tar_that_gnu_tar_writes_is_read() {
    let long = "a".repeat(90);
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join(&long).join(&long);
    std::fs::create_dir_all(&below).unwrap();
    std::fs::write(below.join("deposit.xml"), good()).unwrap();
    std::fs::write(directory.path().join("notes"), "none").unwrap();
    for format in ["gnu", "pax", "oldgnu"] {
        let format = format!("--format={format}");
        is_good(&import(gnu_tar(directory.path(), &["--exclude=t.tar", &format])), &format);
        let label = ["--exclude=t.tar", &format, "--label=a day"];
        is_good(&import(gnu_tar(directory.path(), &label)), "labelled");
    }
    let short = tempfile::tempdir().unwrap();
    std::fs::create_dir(short.path().join("x")).unwrap();
    std::fs::write(short.path().join("x/deposit.xml"), good()).unwrap();
    for format in ["v7", "ustar"] {
        let format = format!("--format={format}");
        let bytes = gnu_tar(short.path(), &["--exclude=t.tar", &format]);
        is_good(&import(&bytes), &format);
        is_good(&import(gzip(&bytes)), &format);
    }
}

#[test]
fn of_members_of_one_name_the_last_one_is_read_as_tar_unpacks_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let tar = |arguments: &[&str]| {
        let mut tar = Command::new("tar");
        let done = tar.args(arguments).current_dir(directory.path()).status().unwrap();
        assert!(done.success(), "{arguments:?}");
    };
    std::fs::write(path("deposit.xml"), "<rde:deposit").unwrap();
    tar(&["--create", "--file=t.tar", "./deposit.xml"]);
    std::fs::write(path("deposit.xml"), good()).unwrap();
    tar(&["--append", "--file=t.tar", "deposit.xml"]);
    is_good(&import(std::fs::read(path("t.tar")).unwrap()), "the last one");
    // Files of one name in several folders are several.
    std::fs::create_dir(path("x")).unwrap();
    std::fs::write(path("x/deposit.xml"), good()).unwrap();
    tar(&["--append", "--file=t.tar", "x/deposit.xml"]);
    let several = import(std::fs::read(path("t.tar")).unwrap());
    assert_eq!(several.refusal(), "deposit-several");
}

#[test]
fn the_headers_before_a_member_have_a_bound() {
    for (kind, bytes, refused) in [
        (tar::EntryType::GNULongName, 4096, None),
        // No path on Linux is as long: `tar x` cannot make such a file either.
        (tar::EntryType::GNULongName, 200 << 10, Some("a name of more than 4096 bytes")),
        (tar::EntryType::GNULongName, 3 << 20, Some("of more than 1 MiB")),
        (tar::EntryType::XHeader, 3 << 20, Some("of more than 1 MiB")),
    ] {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, name, content) in [
            (kind, "././@LongLink", vec![b'n'; bytes]),
            (tar::EntryType::Regular, "deposit.xml", good().into_bytes()),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_path(name).unwrap();
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content.as_slice()).unwrap();
        }
        let outcome = import(builder.into_inner().unwrap());
        match refused {
            Some(words) => {
                let error = outcome.bytes.unwrap_err().to_string();
                assert!(error.contains(words), "{error}");
            }
            None => is_good(&outcome, "a long name"),
        }
    }
}

#[test]
fn sparse_members_are_read_and_holes_have_a_bound() {
    let text = good();
    let csv = tempfile::tempdir().unwrap();
    write(&good_csv(), csv.path());
    for form in
        ["--format=oldgnu", "--sparse-version=1.0", "--sparse-version=0.1", "--sparse-version=0.0"]
    {
        let arguments = match form {
            "--format=oldgnu" => vec![form, "--sparse"],
            version => vec!["--format=pax", "--sparse", version],
        };
        let directory = tempfile::tempdir().unwrap();
        // Blocks that a disk did not store: white space would not be a hole, so the hole is after
        // it.
        let path = directory.path().join("deposit.xml");
        std::fs::write(&path, &text).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(600 << 10).unwrap();
        let bytes = gnu_tar(directory.path(), &[&["--exclude=t.tar"][..], &arguments].concat());
        assert!(bytes.len() < 100 << 10, "{form}: not sparse");
        // The hole is read as zeros, which no XML has.
        let error = import(&bytes).bytes.unwrap_err().to_string();
        assert!(error.contains("text outside of the outermost element"), "{form}: {error}");
        file.set_len(1 << 40).unwrap();
        let bytes = gnu_tar(directory.path(), &[&["--exclude=t.tar"][..], &arguments].concat());
        let error = import(&bytes).bytes.unwrap_err().to_string();
        assert!(error.contains("64 MiB of holes"), "{form}: {error}");
        // A sparse file beside the deposit does not disturb it.
        file.set_len(0).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(directory.path().join("deposit.xml"), &text).unwrap();
        let notes = std::fs::File::create(directory.path().join("notes")).unwrap();
        notes.set_len(1 << 20).unwrap();
        let bytes = gnu_tar(directory.path(), &[&["--exclude=t.tar"][..], &arguments].concat());
        is_good(&import(&bytes), form);
    }
}

#[test]
fn links_of_a_tar_are_read_as_their_files() {
    for hard in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        write(&good_csv(), directory.path());
        let (old, new) = (directory.path().join("nndn.csv"), directory.path().join("a-nndn.csv"));
        std::fs::rename(&old, &new).unwrap();
        if hard {
            std::fs::hard_link(&new, &old).unwrap();
        } else {
            std::os::unix::fs::symlink("a-nndn.csv", &old).unwrap();
        }
        let bytes = gnu_tar(directory.path(), &["--exclude=t.tar", "--sort=name"]);
        let alone = tempfile::tempdir().unwrap();
        std::fs::write(alone.path().join("t.tar"), bytes).unwrap();
        is_good(&import_files(&[&alone.path().join("t.tar")]), "links");
    }
}

#[test]
fn csv_files_may_be_named_with_their_folders() {
    for name in ["./idn.csv", "csv/idn.csv", "csv\\idn.csv", "/data/csv/idn.csv"] {
        let files = spoiled_csv("deposit.xml", ">idn.csv<", &format!(">{name}<"));
        is_good(&import_csv(&files), name);
        let directory = tempfile::tempdir().unwrap();
        write(&files, directory.path());
        let bytes = gnu_tar(directory.path(), &["--exclude=t.tar"]);
        is_good(&import(&bytes), name);
    }
    // Below the XML, and where two files have one last part.
    let files = spoiled_csv("deposit.xml", ">idn.csv<", ">csv/idn.csv<");
    let directory = tempfile::tempdir().unwrap();
    write(&files, directory.path());
    std::fs::create_dir(directory.path().join("csv")).unwrap();
    std::fs::rename(directory.path().join("idn.csv"), directory.path().join("csv/idn.csv"))
        .unwrap();
    std::fs::write(directory.path().join("idn.csv"), "other,\n").unwrap();
    is_good(&import_files(&[&directory.path().join("deposit.xml")]), "below");
    is_good(&import(gnu_tar(directory.path(), &["--exclude=t.tar"])), "two in a tar");
}

#[test]
fn a_separator_may_be_a_tab_or_a_blank() {
    for (written, separator) in
        [("&#9;", "\t"), ("\t", "\t"), (" ", " "), ("&#x20;", " "), ("|", "|")]
    {
        let mut files = spoiled_csv("deposit.xml", "sep=\";\"", &format!("sep=\"{written}\""));
        let (_, rows) = files.iter_mut().find(|(name, _)| name == "domainContacts.csv").unwrap();
        *rows = rows.replace(';', separator);
        is_good(&import_csv(&files), written);
    }
}

#[test]
fn a_report_beside_the_deposit_is_not_a_second_deposit() {
    let report = "<?xml version=\"1.0\"?><rdeReport:report xmlns:rdeReport=\"urn:ietf:params:xml:\
        ns:rdeReport-1.0\"><rdeReport:id>20261101001</rdeReport:id></rdeReport:report>";
    let directory = tempfile::tempdir().unwrap();
    let (deposit, beside) = (directory.path().join("d.xml"), directory.path().join("a-report.xml"));
    std::fs::write(&deposit, good()).unwrap();
    std::fs::write(&beside, report).unwrap();
    is_good(&import_files(&[&beside, &deposit]), "named");
    is_good(&import(gnu_tar(directory.path(), &["--exclude=t.tar", "--sort=name"])), "tar");
    assert_eq!(import_files(&[&beside]).refusal(), "not-a-deposit");
    assert_eq!(import_files(&[&beside, &beside]).refusal(), "not-a-deposit");
    assert_eq!(import_files(&[&deposit, &beside, &deposit]).refusal(), "deposit-several");
}

#[test]
fn a_file_packed_otherwise_is_named_with_the_way_out() {
    for (bytes, words) in [
        (&b"-----BEGIN PGP MESSAGE-----\n\nhQ"[..], "gpg --decrypt"),
        (b"\x85\x01\x0c\x03\xff\xee\xdd\xcc\xbb", "gpg --decrypt"),
        (b"\x89\x01\x33\x04\x00\x01\xff\xee\xdd", "OpenPGP signature"),
        (b"PK\x03\x04\x14\0\0\0", "zip"),
        (b"\xfd7zXZ\0\0\x04", "xz --decompress"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd --decompress"),
        (b"BZh91AY&SY", "bzip2 --decompress"),
        (b"", "an empty file"),
    ] {
        let outcome = import(bytes);
        assert_eq!(outcome.refusal(), "deposit-packed", "{words}");
        let error = outcome.bytes.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("name the XML file"), "{error}");
    }
    let twice = import(gzip(&gzip(good().as_bytes())));
    assert_eq!(twice.refusal(), "deposit-packed");
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("deposit.xml.xz"), b"\xfd7zXZ\0\0\x04").unwrap();
    let tar = import(gnu_tar(directory.path(), &["--exclude=t.tar"]));
    assert_eq!(tar.refusal(), "deposit-packed");
    // Beside a deposit such a file does not matter.
    let deposit = directory.path().join("deposit.xml");
    std::fs::write(&deposit, good()).unwrap();
    is_good(&import_files(&[&directory.path().join("deposit.xml.xz"), &deposit]), "beside");
}

#[test]
fn values_that_xml_schema_calls_valid_are_read_as_what_they_say() {
    for (from, to) in [
        ("2010-01-01T00:00:00.0Z<", "2009-12-31T24:00:00Z<"),
        ("2010-01-01T00:00:00.0Z<", "2010-01-01T14:00:00.000000000+14:00<"),
        ("2010-01-01T00:00:00.0Z<", "\n 2010-01-01T00:00:00Z\t<"),
        ("flag=\"0\"", "flag=\" false \""),
        ("<secDNS:keyTag>1<", "<secDNS:keyTag> +0001 <"),
        ("<secDNS:alg>8<", "<secDNS:alg>008<"),
        ("<secDNS:maxSigLife>604800<", "<secDNS:maxSigLife>+604800<"),
        ("<secDNS:digest>00FF<", "<secDNS:digest> 00ff <"),
        (">8</rdeRegistrar:gurid>", ">+0008</rdeRegistrar:gurid>"),
        ("rdeDomain-1.0\">2<", "rdeDomain-1.0\"> +02 <"),
        ("type=\"FULL\"", "type=' FULL\n'"),
        ("id=\"20261101001\"", "id=\" 20261101001 \" resend=\"-0\""),
        ("id=\"20261101001\"", "id=\"20261101001\" resend=\"+00\""),
        ("<rde:version>1.0<", "<rde:version> 1.0 <"),
        ("s=\"inactive\"", "s=\" inactive \" lang=\"en\""),
        ("<rdeNNDN:nameState>", "<rdeNNDN:nameState mirroringNS=\" 1 \">"),
        ("ip=\"v6\">2001:db8::1<", "ip=\"v6\">2001:0DB8:0:0:0:0:0:1<"),
        (">Ada<", "><![CDATA[Ada]]><!-- who --><"),
        (">Ada<", ">&#65;da<"),
        (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<?xml version='1.0' encoding='utf8' standalone='yes' ?>",
        ),
    ] {
        is_good(&import(spoiled(from, to)), to);
    }
    let mirrored = import(spoiled("<rdeNNDN:nameState>", "<rdeNNDN:nameState mirroringNS=\"0\">"));
    assert_eq!(mirrored.lines, "");
    assert_ne!(mirrored.bytes.unwrap(), import(good()).bytes.unwrap());
}

#[test]
fn a_deposit_comes_through_a_pipe_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let run = |bytes: &[u8], more: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_whoisd"))
            .args(["import", "/dev/stdin", "--into", "s"])
            .args(more)
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        child.wait_with_output().unwrap()
    };
    for bytes in [good().into_bytes(), gzip(good().as_bytes()), utf16(&good(), true)] {
        let done = run(&bytes, &[]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    std::fs::write(directory.path().join("deposit.xml"), good()).unwrap();
    let tar = gnu_tar(directory.path(), &["--exclude=t.tar", "--exclude=s"]);
    for bytes in [gzip(&tar), tar] {
        let done = run(&bytes, &[]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    // A deposit of changes: its kind is read first, and the pipe is not read twice.
    let diff = std::fs::read(crate::support::sample("diff.xml")).unwrap();
    let done = run(&diff, &[]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.contains("applied: "), "{done:?}");
    let device = Command::new(env!("CARGO_BIN_EXE_whoisd"))
        .args(["import", "/dev/zero", "--into", "s"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&device.stderr).into_owned();
    let expected = "/dev/zero: is a device, expected a file or a pipe; name one\n";
    assert!(device.status.code() == Some(1) && said.ends_with(expected), "{said}");
}
