//! The connection's laws, driven by events alone.

use super::*;

const DEADLINES: Deadlines = Deadlines {
    proxy_ms: 50,
    first_byte_ms: 100,
    line_ms: 200,
    write_ms: 300,
    drain_ms: 400,
    total_ms: 5_000,
};

fn open() -> Connection {
    Connection::open(DEADLINES, 1_000)
}

fn receive(connection: &mut Connection, input: &[u8], fresh_bytes: usize, now: u64) -> Action {
    connection.step(Event::Received { input, fresh_bytes }, now)
}

fn close(ending: Ending, reset: bool) -> Action {
    Action::Close { ending, reset }
}

fn answer(line: Range<usize>) -> Action {
    Action::Answer { line, ended: true }
}

/// Whether it reads on after its answer, of `bytes`.
fn drains(mut connection: Connection, bytes: usize) -> bool {
    let _ = connection.step(Event::Answered { bytes }, 1_000);
    let _ = connection.step(Event::Sent { bytes }, 1_000);
    connection.step(Event::Looked { unread: false }, 1_000) == Action::Drain
}

/// RFC 854 has CR LF and CR NUL; some send LF or CR alone.
#[test]
fn every_line_end_gives_the_same_line_and_what_follows_it_is_dropped() {
    let whole: [&[u8]; 3] = [b"a.example\r\n", b"a.example\n", b"a.example\r\0"];
    let more: [&[u8]; 6] = [
        b"a.example\r",
        b"a.example\r\r\n",
        b"a.example\n\r",
        b"a.example\rb.example\r\n",
        b"a.example\r\nb.example\r\n",
        b"a.example\r\0\n",
    ];
    for (input, is_more) in
        whole.map(|input| (input, false)).into_iter().chain(more.map(|input| (input, true)))
    {
        let mut connection = open();
        let action = receive(&mut connection, input, input.len(), 1_000);
        assert_eq!(action, answer(0..9), "{}", input.escape_ascii());
        assert_eq!(drains(connection, 10), is_more, "{}", input.escape_ascii());
    }
    let input = b"a.example";
    let mut connection = open();
    assert_eq!(receive(&mut connection, input, input.len(), 1_000), Action::Receive);
    assert_eq!(receive(&mut connection, input, 0, 1_000), answer(0..9));
    assert!(!drains(connection, 10));
}

/// Its LF may come later: it is dropped, and does not make the kernel reset the connection.
#[test]
fn a_cr_that_ends_what_was_received_ends_the_line_at_once() {
    let mut connection = open();
    assert_eq!(receive(&mut connection, b"a", 1, 1_000), Action::Receive);
    assert_eq!(receive(&mut connection, b"a\r", 1, 1_001), answer(0..1));
    assert!(drains(connection, 10));
}

#[test]
fn a_line_without_its_end_is_refused_at_its_deadline_once_nothing_is_received_any_more() {
    let refusal = |bytes| Action::Answer { line: 0..bytes, ended: false };
    let late = || {
        let mut connection = open();
        assert_eq!(receive(&mut connection, b"a.ex", 4, 1_050), Action::Receive);
        assert_eq!(connection.step(Event::Tick, 1_249), Action::Receive);
        assert_eq!(connection.step(Event::Tick, 1_250), Action::Stop);
        assert_eq!((connection.phase(), connection.deadline_ms()), (Phase::Answering, 1_550));
        connection
    };
    let mut connection = late();
    assert_eq!(connection.step(Event::Stopped { input: b"a.ex" }, 1_251), refusal(4));
    let _ = connection.step(Event::Answered { bytes: 20 }, 1_251);
    assert_eq!(connection.step(Event::Sent { bytes: 20 }, 1_251), Action::Look);
    let mut drained = connection.clone();
    let action = connection.step(Event::Looked { unread: false }, 1_251);
    assert_eq!(action, close(Ending::Expired(Phase::Line), false));
    // It drips on: it has as much time as any client after an answer, and counts the same.
    assert_eq!(drained.step(Event::Looked { unread: true }, 1_251), Action::Drain);
    assert_eq!(drained.deadline_ms(), 1_651);
    let action = drained.step(Event::Tick, 1_651);
    assert_eq!(action, close(Ending::Expired(Phase::Line), false));

    // The last receive counts: it brings more of the line, its end, or the end of the input.
    assert_eq!(receive(&mut late(), b"a.example", 5, 1_251), refusal(9));
    for (input, fresh_bytes) in [(&b"a.example\r\n"[..], 7), (b"a.example", 0)] {
        let mut connection = late();
        assert_eq!(receive(&mut connection, input, fresh_bytes, 1_251), answer(0..9));
        assert!(!drains(connection.clone(), 10));
        let _ = connection.step(Event::Answered { bytes: 1 }, 1_251);
        let _ = connection.step(Event::Sent { bytes: 1 }, 1_251);
        let action = connection.step(Event::Looked { unread: false }, 1_251);
        assert_eq!(action, close(Ending::Served, false));
    }
}

/// No time is left in which a refusal could go out.
#[test]
fn an_unfinished_line_at_the_deadline_of_the_connection_is_cut_without_a_word() {
    let mut connection = Connection::open(Deadlines { total_ms: 150, ..DEADLINES }, 1_000);
    assert_eq!(receive(&mut connection, b"a", 1, 1_050), Action::Receive);
    let action = connection.step(Event::Tick, 1_150);
    assert_eq!(action, close(Ending::Expired(Phase::Line), false));
}

#[test]
fn a_line_is_the_same_however_it_is_cut_into_reads() {
    let input = b"domain xn--mnchen-3ya.example\r\n";
    for cut in 1..input.len() {
        let mut connection = open();
        let mut action = receive(&mut connection, &input[..cut], cut, 1_000);
        // The CR ends it, whether its LF is there or not.
        if cut < input.len() - 1 {
            assert_eq!(action, Action::Receive, "cut at {cut}");
            action = receive(&mut connection, input, input.len() - cut, 1_001);
        }
        assert_eq!(action, answer(0..29), "cut at {cut}");
    }
}

#[test]
fn an_empty_line_is_a_query_but_an_empty_connection_is_not() {
    assert_eq!(receive(&mut open(), b"\r\n", 2, 1_000), answer(0..0));
    assert_eq!(receive(&mut open(), b"", 0, 1_000), close(Ending::Silent, false));
}

#[test]
fn the_longest_line_passes_whole_and_a_longer_one_is_seen_to_be_too_long() {
    let mut input = vec![b'a'; QUERY_LINE_BYTES_MAX];
    input.extend_from_slice(b"\r\n");
    let mut connection = open();
    let action = receive(&mut connection, &input, input.len(), 1_000);
    assert_eq!(action, answer(0..QUERY_LINE_BYTES_MAX));

    let input = vec![b'a'; INPUT_BYTES];
    let mut connection = open();
    let action = receive(&mut connection, &input, input.len(), 1_000);
    assert_eq!(action, answer(0..QUERY_LINE_BYTES_MAX + 1));
}

#[test]
fn a_plain_exchange_is_answered_looked_at_and_closed() {
    let mut connection = open();
    let _ = receive(&mut connection, b"a\r\n", 3, 1_000);
    let action = connection.step(Event::Answered { bytes: 10 }, 1_000);
    assert_eq!(action, Action::Send { from_bytes: 0 });
    assert_eq!(connection.step(Event::Sent { bytes: 10 }, 1_000), Action::Look);
    let action = connection.step(Event::Looked { unread: false }, 1_000);
    assert_eq!(action, close(Ending::Served, false));
    assert_eq!(connection.step(Event::Tick, 9_999), close(Ending::Served, false));
}

#[test]
fn unread_or_extra_input_is_drained_before_the_close() {
    for (input, unread) in [(&b"a\r\nmore"[..], false), (b"a\r\n", true)] {
        let mut connection = open();
        let _ = receive(&mut connection, input, input.len(), 1_000);
        let _ = connection.step(Event::Answered { bytes: 10 }, 1_000);
        let _ = connection.step(Event::Sent { bytes: 10 }, 1_000);
        assert_eq!(connection.step(Event::Looked { unread }, 1_000), Action::Drain);
        assert_eq!(connection.step(Event::Drained { bytes: 7 }, 1_000), Action::Drain);
        let action = connection.step(Event::Drained { bytes: 0 }, 1_000);
        assert_eq!(action, close(Ending::Served, false));
    }
}

#[test]
fn a_short_write_goes_on_where_it_stopped_and_then_drains() {
    let mut connection = open();
    let _ = receive(&mut connection, b"a\n", 2, 1_000);
    let _ = connection.step(Event::Answered { bytes: 10 }, 1_000);
    let action = connection.step(Event::Sent { bytes: 4 }, 1_001);
    assert_eq!(action, Action::Send { from_bytes: 4 });
    assert_eq!(connection.step(Event::Sent { bytes: 6 }, 1_002), Action::Look);
    assert_eq!(connection.step(Event::Looked { unread: false }, 1_003), Action::Drain);
}

#[test]
fn draining_is_bounded_in_bytes() {
    let mut connection = open();
    let _ = receive(&mut connection, b"a\nx", 3, 1_000);
    let _ = connection.step(Event::Answered { bytes: 1 }, 1_000);
    let _ = connection.step(Event::Sent { bytes: 1 }, 1_000);
    let _ = connection.step(Event::Looked { unread: true }, 1_000);
    let action = connection.step(Event::Drained { bytes: DRAIN_BYTES_MAX }, 1_000);
    assert_eq!(action, Action::Drain);
    // Nothing more is read; the answer has until the deadline to be read by the client.
    assert_eq!(connection.step(Event::Drained { bytes: 1 }, 1_000), Action::Rest);
    assert_eq!(connection.step(Event::Tick, 1_399), Action::Rest);
    let action = connection.step(Event::Tick, 1_400);
    assert_eq!(action, close(Ending::Flooded, true));
}

#[test]
fn each_phase_expires_at_its_own_deadline_and_not_before() {
    let mut connection = open();
    assert_eq!(connection.step(Event::Tick, 1_099), Action::Receive);
    assert_eq!(receive(&mut connection, b"a", 1, 1_099), Action::Receive);
    // More bytes do not move the deadline of the line.
    assert_eq!(receive(&mut connection, b"aa", 1, 1_298), Action::Receive);
    assert_eq!(connection.deadline_ms(), 1_299);
    let mut dripped = connection.clone();
    assert_eq!(dripped.step(Event::Tick, 1_299), Action::Stop);

    let _ = receive(&mut connection, b"aa\n", 1, 1_298);
    let mut waiting = connection.clone();
    let action = waiting.step(Event::Tick, 1_598);
    assert_eq!(action, close(Ending::Expired(Phase::Answering), false));
    let _ = connection.step(Event::Answered { bytes: 10 }, 1_300);
    let _ = connection.step(Event::Sent { bytes: 5 }, 1_597);
    let mut unread = connection.clone();
    let action = unread.step(Event::Tick, 1_598);
    assert_eq!(action, close(Ending::Expired(Phase::Writing), true));
    let _ = connection.step(Event::Sent { bytes: 5 }, 1_597);
    let _ = connection.step(Event::Looked { unread: false }, 1_597);
    assert_eq!(connection.step(Event::Tick, 1_996), Action::Drain);
    let action = connection.step(Event::Tick, 1_997);
    assert_eq!(action, close(Ending::Expired(Phase::Draining), false));
}

#[test]
fn a_silent_connection_expires_waiting_for_its_first_byte() {
    let action = open().step(Event::Tick, 1_100);
    assert_eq!(action, close(Ending::Expired(Phase::FirstByte), false));
}

#[test]
fn a_broken_socket_closes_in_every_phase_and_a_clock_that_jumps_back_does_no_harm() {
    let mut connection = open();
    assert_eq!(receive(&mut connection, b"a", 1, 10), Action::Receive);
    assert_eq!(connection.step(Event::Tick, 0), Action::Receive);
    let action = connection.step(Event::Broken, 0);
    assert_eq!(action, close(Ending::Broken(Phase::Line), false));
}

#[test]
fn an_event_out_of_place_closes_and_never_panics() {
    let events = [
        Event::Received { input: b"", fresh_bytes: 9 },
        Event::Stopped { input: b"" },
        Event::Answered { bytes: usize::MAX },
        Event::Failed,
        Event::Sent { bytes: usize::MAX },
        Event::Looked { unread: true },
        Event::Drained { bytes: usize::MAX },
        Event::Broken,
        Event::Tick,
    ];
    // Every sequence of four events, from a fresh connection: it ends or goes on, no more.
    for index in 0..events.len().pow(4) {
        let now_ms = u64::MAX - 1;
        let proxied = Connection::open_behind_proxy(DEADLINES, Expected::V2, now_ms);
        for mut connection in [Connection::open(DEADLINES, now_ms), proxied] {
            let mut rest = index;
            for _ in 0..4 {
                let _ = connection.step(events[rest % events.len()], u64::MAX);
                rest /= events.len();
            }
        }
    }
}

#[test]
fn the_total_deadline_cuts_a_connection_that_uses_up_every_phase() {
    let mut connection = Connection::open(Deadlines { total_ms: 800, ..DEADLINES }, 1_000);
    assert_eq!(receive(&mut connection, b"a", 1, 1_099), Action::Receive);
    let _ = receive(&mut connection, b"a\r\n", 2, 1_298);
    let _ = connection.step(Event::Answered { bytes: 10 }, 1_298);
    assert_eq!(connection.step(Event::Sent { bytes: 10 }, 1_597), Action::Look);
    assert_eq!(connection.step(Event::Looked { unread: true }, 1_597), Action::Drain);
    assert_eq!((connection.phase_end_ms(), connection.deadline_ms()), (1_997, 1_800));
    assert_eq!(connection.step(Event::Tick, 1_799), Action::Drain);
    let action = connection.step(Event::Tick, 1_800);
    assert_eq!(action, close(Ending::Expired(Phase::Draining), false));
}

fn behind_proxy() -> Connection {
    Connection::open_behind_proxy(DEADLINES, Expected::Either, 1_000)
}

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 43\r\n";

fn proxied() -> Action {
    let source = Source::Client {
        client: "192.0.2.7:4711".parse().unwrap(),
        server: "198.51.100.1:43".parse().unwrap(),
    };
    Action::Proxied { header_bytes: HEADER.len(), source }
}

#[test]
fn a_header_is_the_same_however_it_is_cut_and_the_line_behind_it_too() {
    let input = [HEADER, b"a.example\r\n"].concat();
    for cut in 1..=input.len() {
        let mut connection = behind_proxy();
        let mut action = receive(&mut connection, &input[..cut], cut, 1_000);
        let mut shown = cut;
        if cut < HEADER.len() {
            assert_eq!((&action, connection.phase()), (&Action::Receive, Phase::Proxy));
            action = receive(&mut connection, &input, input.len() - cut, 1_001);
            shown = input.len();
        }
        assert_eq!(action, proxied(), "cut at {cut}");
        let rest = &input[HEADER.len()..shown];
        if !rest.is_empty() {
            action = receive(&mut connection, rest, rest.len(), 1_001);
        }
        if shown < input.len() - 1 {
            let rest = &input[HEADER.len()..];
            action = receive(&mut connection, rest, input.len() - shown, 1_002);
        }
        assert_eq!(action, answer(0..9), "cut at {cut}");
    }
}

#[test]
fn a_query_without_the_header_is_closed_and_never_answered() {
    let mut connection = behind_proxy();
    let action = receive(&mut connection, b"a.example\r\n", 11, 1_000);
    assert_eq!(action, close(Ending::Unproxied(Refusal::NoHeader), false));
    let mut connection = behind_proxy();
    assert_eq!(receive(&mut connection, &HEADER[..9], 9, 1_000), Action::Receive);
    let action = receive(&mut connection, &HEADER[..9], 0, 1_000);
    assert_eq!(action, close(Ending::Unproxied(Refusal::CutOff), false));
    // A balancer that only looks whether the port is open.
    assert_eq!(receive(&mut behind_proxy(), b"", 0, 1_000), close(Ending::Silent, false));
}

#[test]
fn a_header_has_a_deadline_of_its_own_and_the_query_behind_it_its_usual_ones() {
    let mut connection = behind_proxy();
    assert_eq!(receive(&mut connection, &HEADER[..1], 1, 1_001), Action::Receive);
    let mut late = connection.clone();
    assert_eq!(late.step(Event::Tick, 1_049), Action::Receive);
    assert_eq!(late.step(Event::Tick, 1_050), close(Ending::Expired(Phase::Proxy), false));
    let action = receive(&mut connection, HEADER, HEADER.len() - 1, 1_049);
    assert_eq!((action, connection.phase()), (proxied(), Phase::FirstByte));
    assert_eq!(connection.deadline_ms(), 1_149);
    assert_eq!(receive(&mut connection, b"a", 1, 1_148), Action::Receive);
    assert_eq!((connection.phase(), connection.deadline_ms()), (Phase::Line, 1_348));
}

/// A second header is not a header: it is a query, whatever it says.
#[test]
fn only_the_first_header_counts() {
    let mut connection = behind_proxy();
    let _ = receive(&mut connection, HEADER, HEADER.len(), 1_000);
    let action = receive(&mut connection, HEADER, HEADER.len(), 1_000);
    assert_eq!(action, answer(0..HEADER.len() - 2));
    // And without a proxy so is the first.
    let action = receive(&mut open(), HEADER, HEADER.len(), 1_000);
    assert_eq!(action, answer(0..HEADER.len() - 2));
}
