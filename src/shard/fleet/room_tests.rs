//! A shard on loopback that has silent clients: which connections make room when it is full, and
//! that no silent client holds up the others.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use super::EngineKind;
use super::tests::{over_both, patient, read_all, serve};
use crate::port43::{self, Sockets};

#[test]
fn over_the_bound_room_is_made_or_the_new_connection_closed_and_either_is_counted() {
    over_both(|engine| {
        let served = serve(engine, port43::Settings { connections_max: 2, ..patient() });
        let mut first = served.connect();
        let mut second = served.connect();
        served.until(|figures| figures.engine.connections_open.get() == 2);
        let mut third = served.connect();
        // The ring engine closes the connection silent longest, the stream engine the newest.
        let (closed, kept) = match engine {
            EngineKind::Ring(_) => (&mut first, &mut third),
            EngineKind::Streams => (&mut third, &mut first),
        };
        assert_eq!(read_all(closed), b"");
        for client in [kept, &mut second] {
            client.write_all(b"a\r\n").unwrap();
            assert_eq!(read_all(client), b"a answered\r\n");
        }
        drop((first, second, third));
        served.until(|figures| figures.engine.connections_open.get() == 0);
        assert_eq!(served.ask(b"b\r\n"), b"b answered\r\n");
        let totals = served.stop();
        assert_eq!(totals.accepted, 4);
        let expected = if engine == EngineKind::Streams { (0, 1) } else { (1, 0) };
        assert_eq!((totals.evicted_silent, totals.over_bound), expected);
    });
}

#[test]
fn the_ring_makes_room_by_silence_then_by_unfinished_lines_and_spares_who_is_answered() {
    let settings = port43::Settings { connections_max: 2, ..patient() };
    let served = serve(EngineKind::Ring(Sockets::Direct), settings);
    let mut begun = served.connect();
    begun.write_all(b"beg").unwrap();
    served.until(|figures| figures.counters.received_bytes.get() == 3);
    let mut silent = served.connect();
    served.until(|figures| figures.counters.accepted.get() == 2);
    // The silent one goes, although it is younger; then the unfinished line.
    let mut big = served.connect();
    assert_eq!(read_all(&mut silent), b"");
    big.write_all(b"big\r\n").unwrap();
    big.peek(&mut [0]).unwrap();
    let mut other_big = served.connect();
    assert_eq!(read_all(&mut begun), b"");
    other_big.write_all(b"big\r\n").unwrap();
    other_big.peek(&mut [0]).unwrap();
    // Both are being answered: the new one is closed.
    assert_eq!(read_all(&mut served.connect()), b"");
    drop((big, other_big));
    let totals = served.stop();
    let counted = (totals.evicted_silent, totals.evicted_line, totals.over_bound);
    assert_eq!(counted, (1, 1, 1));
}

/// More clients that keep their side open after an answer than a shard has places.
/// `ring::simulation::room` says how long each has.
#[test]
fn the_ring_makes_room_by_who_has_its_answer_and_does_not_close() {
    let settings = port43::Settings { connections_max: 4, drain_ms: 60_000, ..patient() };
    let served = serve(EngineKind::Ring(Sockets::Direct), settings);
    let mut holding = Vec::new();
    for _ in 0..8 {
        // Longer than the grace that each has.
        thread::sleep(Duration::from_millis(150));
        let mut client = served.connect();
        client.write_all(b"a\r\nx").unwrap();
        assert_eq!(read_all(&mut client), b"a answered\r\n");
        holding.push(client);
    }
    drop(holding);
    let totals = served.stop();
    let counted = (totals.evicted_draining, totals.evicted_silent, totals.over_bound);
    assert_eq!(counted, (4, 0, 0), "{totals:?}");
}

/// Not a matter of milliseconds: where one silent client holds up the end of other streams, it
/// does so for as long as it is silent, and is gone when they end.
#[test]
fn streams_end_while_other_clients_of_the_shard_are_silent() {
    over_both(|engine| {
        let served = serve(engine, patient());
        let silent = [(); 3].map(|()| served.connect());
        for _ in 0..20 {
            assert_eq!(served.ask(b"a\r\n"), b"a answered\r\n");
            // Unread input after the query takes the other way to the end.
            assert_eq!(served.ask(b"b\r\nand more"), b"b answered\r\n");
        }
        for client in &silent {
            client.set_nonblocking(true).unwrap();
            let waiting = client.peek(&mut [0]).map_err(|error| error.kind());
            assert_eq!(waiting, Err(ErrorKind::WouldBlock), "it was cut first: {engine:?}");
        }
        drop(silent);
        served.stop();
    });
}
