//! Ends of streams on loopback beside clients that are silent.

use std::io::ErrorKind;

use super::tests::{over_both, patient, serve};

/// Not a matter of milliseconds: where one silent client holds up the end of other streams, it
/// does so for as long as it is silent, and is gone when they end.
#[test]
fn streams_end_while_other_clients_of_the_shard_are_silent() {
    over_both(|engine| {
        let served = serve(engine, patient());
        let silent = [(); 3].map(|()| served.connect());
        for _ in 0..20 {
            assert_eq!(served.ask(b"a\r\n"), b"a answered\r\n");
            // Unread input behind the query takes the other way to the end.
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
