//! How queries end, over real sockets: with LF, CR, both, CR NUL, the end of the input, or never.
//! Both engines give the same bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod server;

use std::fs;
use std::io::Write;
use std::net::Shutdown;

use server::{Server, counts, read_all};

const SNAPSHOT: &str = "snapshot-format/tests/fixtures/version-1.snapshot";

/// A server whose deadline of the line passes within a test, and no other deadline does.
fn start(folder: &std::path::Path, engine: &str) -> Server {
    let path = folder.join(format!("{engine}.toml"));
    let text = format!(
        "[server]\ndir = \"{SNAPSHOT}\"\nlisten = [\"127.0.0.1:0\"]\ncores = \"0\"\n\
         engine = \"{engine}\"\n[port43]\nfirst_byte_ms = 60000\nline_ms = 300\n\
         write_ms = 60000\ntotal_ms = 300000\n"
    );
    fs::write(&path, text).unwrap();
    Server::start(&["--config", path.to_str().unwrap()])
}

fn ask(server: &Server, line: &[u8], is_half_closed: bool) -> String {
    let mut client = server.connect();
    client.write_all(line).unwrap();
    if is_half_closed {
        client.shutdown(Shutdown::Write).unwrap();
    }
    read_all(&mut client)
}

#[test]
fn every_end_of_a_line_is_one_and_a_line_without_is_refused_by_both_engines_alike() {
    let folder = tempfile::tempdir().unwrap();
    let servers = ["ring", "streams"].map(|engine| start(folder.path(), engine));
    let both = |line: &[u8], is_half_closed: bool| {
        let [ring, streams] =
            [&servers[0], &servers[1]].map(|server| ask(server, line, is_half_closed));
        assert_eq!(ring, streams, "{}", line[..line.len().min(40)].escape_ascii());
        ring
    };
    let answer = both(b"example.demo\r\n", false);
    assert!(answer.starts_with("Domain Name: example.demo\r\n"), "{answer}");
    let ends: [&[u8]; 7] =
        [b"\n", b"\r", b"\r\0", b"\r\r\n", b"\r\0\r\n", b"\r\nmore", b"\rmore\r\n"];
    for end in ends {
        let line = [b"example.demo", end].concat();
        assert_eq!(both(&line, false), answer, "{}", end.escape_ascii());
    }
    assert_eq!(both(b"example.demo", true), answer, "the end of the input");
    let refusal = both(b"example.demo", false);
    let expected = "%ERROR:LINE the end of the line did not come in time; \
                    end a query with CR LF\r\n% This says nothing about the name";
    assert!(refusal.starts_with(expected), "{refusal}");
    let tail = |text: &str| text.split_once(">>> Last update").unwrap().1.to_owned();
    assert_eq!(tail(&refusal), tail(&both(b"\r\n", false)), "a refusal is a whole answer");
    for bytes in [1_025, 66_001, 300_000] {
        let line = [&vec![b'a'; bytes][..], b"\r\n"].concat();
        let refusal = both(&line, false);
        assert!(refusal.starts_with("%ERROR:LENGTH "), "{bytes} bytes: {refusal}");
    }
    for server in servers {
        let log = server.stop();
        assert_eq!(counts(&log)["expired_line"], 1, "{log}");
    }
}
