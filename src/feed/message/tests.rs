//! Messages that are right, tampered with, replayed, or somebody else's.

use super::*;
use crate::feed::{Body, SERIAL_MAX};

fn heartbeat(serial: u64) -> ChangeRecord {
    ChangeRecord { serial, committed_ms: 1_000, transaction: String::new(), body: Body::Heartbeat }
}

fn beats(serials: std::ops::RangeInclusive<u64>) -> Vec<ChangeRecord> {
    serials.map(heartbeat).collect()
}

fn source() -> Source {
    "registry-a".parse().unwrap()
}

fn read(message: &Message, trusted: &Trusted) -> Result<Batch, MessageError> {
    let field = |name: &'static str| {
        message.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    };
    Batch::decode(field, &message.payload, trusted)
}

fn set(message: &mut Message, name: &str, value: &str) {
    let field = message.fields.iter_mut().find(|(field, _)| *field == name);
    value.clone_into(&mut field.unwrap().1);
}

#[test]
fn a_batch_reads_as_it_was_written() {
    let key = SecretKey::generate().unwrap();
    for trusted in [Trusted::default(), Trusted::new(vec![key.public()])] {
        let message = Message::encode(&source(), &beats(7..=9), Some(&key)).unwrap();
        let batch = read(&message, &trusted).unwrap();
        assert_eq!((batch.head, batch.records), (message.head.clone(), beats(7..=9)));
        assert!(message.fields.contains(&("Nats-Msg-Id", "registry-a/7-9".to_owned())));
    }
    let one = Message::encode(&source(), &beats(SERIAL_MAX..=SERIAL_MAX), None).unwrap();
    assert_eq!(read(&one, &Trusted::default()).unwrap().records, beats(SERIAL_MAX..=SERIAL_MAX));
}

#[test]
fn a_signed_batch_is_refused_when_any_part_of_it_is_changed() {
    let key = SecretKey::generate().unwrap();
    let trusted = Trusted::new(vec![key.public()]);
    let message = Message::encode(&source(), &beats(7..=8), Some(&key)).unwrap();
    for (name, value) in [
        ("Whoisd-Source", "registry-b"),
        ("Whoisd-First", "6"),
        ("Whoisd-Last", "9"),
        ("Whoisd-Signature", "00"),
        ("Whoisd-Key", "0123456789ABCDEF"),
    ] {
        let mut changed = message.clone();
        set(&mut changed, name, value);
        let error = read(&changed, &trusted).unwrap_err();
        assert!(matches!(error, MessageError::Signature { .. }), "{name}: {error}");
        assert!(error.is_foreign());
    }
    // Every fifth byte: a signature costs milliseconds without optimisation.
    for at in (0..message.payload.len()).step_by(5) {
        let mut changed = message.clone();
        changed.payload[at] ^= 1;
        assert!(read(&changed, &trusted).is_err(), "byte {at}");
        changed.payload.truncate(at);
        assert!(read(&changed, &trusted).is_err(), "cut at {at}");
    }
}

#[test]
fn an_old_signed_batch_cannot_take_other_serials() {
    let key = SecretKey::generate().unwrap();
    let trusted = Trusted::new(vec![key.public()]);
    let mut replayed = Message::encode(&source(), &beats(7..=8), Some(&key)).unwrap();
    set(&mut replayed, "Whoisd-First", "107");
    set(&mut replayed, "Whoisd-Last", "108");
    let error = read(&replayed, &trusted).unwrap_err().to_string();
    assert!(error.starts_with("serials 107 to 108: the batch has a wrong signature"), "{error}");
    // Without a trusted key it shows in the payload.
    let error = read(&replayed, &Trusted::default()).unwrap_err();
    assert!(matches!(&error, MessageError::Serials { .. }) && !error.is_foreign(), "{error}");
    assert!(error.to_string().contains("has serial 7 where 107 is expected"), "{error}");
}

#[test]
fn a_message_beyond_the_last_serial_is_somebody_elses() {
    let mut message = Message::encode(&source(), &beats(7..=8), None).unwrap();
    for (first, last) in [(SERIAL_MAX, SERIAL_MAX + 1), (u64::MAX, u64::MAX)] {
        set(&mut message, "Whoisd-First", &first.to_string());
        set(&mut message, "Whoisd-Last", &last.to_string());
        let error = read(&message, &Trusted::default()).unwrap_err();
        assert!(error.is_foreign() && error.to_string().contains("9223372036854775807"), "{error}");
    }
}

#[test]
fn what_is_unsigned_is_refused_when_a_key_is_trusted() {
    let key = SecretKey::generate().unwrap();
    let message = Message::encode(&source(), &beats(1..=1), None).unwrap();
    let error = read(&message, &Trusted::new(vec![key.public()])).unwrap_err();
    assert!(error.to_string().contains("the batch is not signed"), "{error}");
}

#[test]
fn serials_of_header_and_payload_have_to_agree() {
    let message = Message::encode(&source(), &beats(7..=8), None).unwrap();
    for (first, last) in [("6", "8"), ("7", "9"), ("8", "9"), ("7", "7")] {
        let mut changed = message.clone();
        set(&mut changed, "Whoisd-First", first);
        set(&mut changed, "Whoisd-Last", last);
        let error = read(&changed, &Trusted::default()).unwrap_err();
        assert!(matches!(error, MessageError::Serials { .. }), "{first} to {last}: {error}");
    }
    let mut doubled = message.clone();
    doubled.payload.extend_from_slice(&message.payload);
    assert!(matches!(read(&doubled, &Trusted::default()), Err(MessageError::Serials { .. })));
}

#[test]
fn what_somebody_else_sent_says_so() {
    let message = Message::encode(&source(), &beats(7..=8), None).unwrap();
    for (name, value) in [
        ("Whoisd-Batch", "x"),
        ("Whoisd-Source", "a b"),
        ("Whoisd-Source", ""),
        ("Whoisd-First", "0"),
        ("Whoisd-First", "-1"),
        ("Whoisd-Last", "99999999999999999999"),
        ("Whoisd-Last", "18446744073709551615"),
    ] {
        let mut changed = message.clone();
        set(&mut changed, name, value);
        let error = read(&changed, &Trusted::default()).unwrap_err();
        assert!(error.is_foreign() && error.to_string().contains(value), "{name}: {error}");
    }
    let mut newer = message;
    set(&mut newer, "Whoisd-Batch", "2");
    let error = read(&newer, &Trusted::default()).unwrap_err();
    assert!(matches!(error, MessageError::Version { .. }) && !error.is_foreign());
    let nothing = Head::trusted(|_| None, &[], &Trusted::default()).unwrap_err();
    assert!(nothing.to_string().contains("Whoisd-Batch is missing"));
}

#[test]
fn with_a_trusted_key_the_signature_is_judged_before_version_and_length() {
    let key = SecretKey::generate().unwrap();
    let trusted = Trusted::new(vec![key.public()]);
    let message = Message::encode(&source(), &beats(7..=8), Some(&key)).unwrap();
    let mut newer = message.clone();
    set(&mut newer, "Whoisd-Batch", "2");
    assert!(read(&newer, &trusted).unwrap_err().is_foreign(), "anybody can write a 2");
    let of_two = signed("2", &newer.head, &newer.payload);
    set(&mut newer, "Whoisd-Signature", &key.sign(&of_two));
    let error = read(&newer, &trusted).unwrap_err();
    assert!(matches!(error, MessageError::Version { .. }) && !error.is_foreign(), "{error}");
    assert_eq!(error.head(), Some(&message.head));
    let mut long = message;
    long.payload = vec![b'\n'; PAYLOAD_BYTES_MAX + 1];
    assert!(read(&long, &trusted).unwrap_err().is_foreign());
    let error = read(&long, &Trusted::default()).unwrap_err();
    assert!(matches!(error, MessageError::TooLong { .. }), "{error}");
}

#[test]
fn records_that_do_not_follow_each_other_are_not_sent() {
    assert_eq!(Message::encode(&source(), &[], None), Err(EncodeError::Empty));
    let gap = [heartbeat(1), heartbeat(3)];
    let disorder = EncodeError::Disorder { before: 1, got: 3 };
    assert_eq!(Message::encode(&source(), &gap, None), Err(disorder));
    let many = beats(1..=20_000);
    assert!(matches!(
        Message::encode(&source(), &many, None),
        Err(EncodeError::TooLong { count: 20_000, .. })
    ));
}

#[test]
fn a_message_ends_with_a_transaction_where_it_can() {
    assert_eq!((pack(&[]), pack(&beats(1..=1)), pack(&beats(1..=100))), (0, 1, 100));
    let mut many = beats(1..=20_000);
    let fits = pack(&many);
    assert!(fits < many.len() && Message::encode(&source(), &many[..fits], None).is_ok());
    for record in many.iter_mut().skip(5_000) {
        "T-1".clone_into(&mut record.transaction);
    }
    assert_eq!(pack(&many), 5_000);
    let fits = pack(&many[5_000..]);
    assert!(fits > 5_000 && Message::encode(&source(), &many[5_000..][..fits], None).is_ok());
}
