//! The feed of a fleet against a real NATS server: what arrives, what breaks, what heals.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be done fails it")]
#![expect(clippy::disallowed_types, reason = "a node in memory, shared with the test")]
#![expect(unreachable_pub, reason = "the helpers are a module of this test")]

mod nats;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use async_nats::jetstream::stream::RetentionPolicy::{Interest, WorkQueue};
use async_nats::jetstream::stream::{Config, StorageType};
use nats::{
    Memory, Node, Plan, Rogue, Server, is_installed, outbox, record, records, source, until,
};
use whoisd::feed::key::{SecretKey, Signer, Trusted};
use whoisd::feed::message::Message;
use whoisd::feed::nats::{Address, Cause, Fetched, Limits, Outbox, Refetch, SendError, Wanted};
use whoisd::feed::objects::{How, Objects};
use whoisd::feed::{Apply, ApplyError};
use whoisd::store::{DiskScratch, Settings, Writer};
use whoisd::view::{Disk, View};

#[test]
fn records_arrive_in_order_are_acknowledged_and_go_on_after_a_restart() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let mut outbox = outbox(&server, "a");
    assert_eq!(outbox.send(&records(1..=3)).unwrap().serial, 3);
    let node = Node::start(&server);
    node.reaches(3);
    for serial in 4..=50 {
        outbox.send(&records(serial..=serial)).unwrap();
    }
    node.reaches(50);
    node.is_well();
    let rogue = Rogue::new(&server);
    until("all acknowledged", || rogue.not_acknowledged("node-1") == 0, String::new);
    let report = node.report();
    assert_eq!((report.record_count, report.source.as_deref()), (50, Some("a")));
    assert_eq!(report.server, Some(format!("127.0.0.1:{}", server.port)));

    let memory = node.stop();
    outbox.send(&records(51..=60)).unwrap();
    let node = Plan { memory, ..Plan::default() }.start(server.address());
    node.reaches(60);
    // At most the messages that may have changed places are read again: the server may have sent
    // them to the old one.
    assert!(node.report().duplicate_count <= 8, "{:?}", node.report());
    assert_eq!(node.stop().records(), records(1..=60));
}

#[test]
fn a_server_that_is_gone_for_a_while_is_come_back_to() {
    if !is_installed() {
        return;
    }
    let mut server = Server::start();
    let mut outbox = outbox(&server, "a");
    outbox.send(&records(1..=3)).unwrap();
    let node = Node::start(&server);
    node.reaches(3);
    server.kill();
    node.says("no NATS server can be reached");
    let refused = outbox.send(&records(4..=4)).unwrap_err();
    assert!(matches!(refused, SendError::Unavailable { .. }), "{refused}");
    server.go_on();
    assert_eq!(outbox.send(&records(1..=6)).unwrap().serial, 6, "again, with what is there");
    node.reaches(6);
    node.is_well();
    assert_eq!(node.stop().records(), records(1..=6));
}

#[test]
fn a_server_that_comes_back_empty_is_followed_where_the_publisher_goes_on() {
    if !is_installed() {
        return;
    }
    let mut server = Server::start();
    outbox(&server, "a").send(&records(1..=5)).unwrap();
    let node = Node::start(&server);
    node.reaches(5);
    server.lose_everything();
    server.go_on();
    node.says("no stream WHOISD");
    let mut outbox = outbox(&server, "a");
    assert_eq!(outbox.last().unwrap().head, None);
    outbox.send(&records(4..=8)).unwrap();
    node.reaches(8);
    node.is_well();
    assert_eq!(node.stop().records(), records(1..=8));
}

#[test]
fn a_node_that_the_stream_has_left_behind_fetches_a_snapshot() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let mut outbox = outbox(&server, "a");
    outbox.send(&records(1..=5)).unwrap();
    Rogue::new(&server).purge();
    outbox.send(&records(6..=9)).unwrap();
    let node = Node::start(&server);
    node.says("the stream begins with serial 6, this node has 0");
    node.says("there is no snapshot");
    assert_eq!(node.report().serial, 0, "it keeps what it has");
    node.shelf.put(3, "a");
    node.says("the newest snapshot holds serial 3");
    node.shelf.put(7, "a");
    node.reaches(9);
    node.is_well();
    assert_eq!(node.report().refetch_count, 1);
    assert_eq!(node.stop().records(), records(8..=9));
}

#[test]
fn a_stream_that_is_emptied_under_a_node_is_followed_on() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let mut outbox = outbox(&server, "a");
    outbox.send(&records(1..=5)).unwrap();
    let node = Node::start(&server);
    node.reaches(5);
    Rogue::new(&server).purge();
    outbox.send(&records(6..=7)).unwrap();
    node.reaches(7);
    // Gone before the node has read them.
    let memory = node.stop();
    outbox.send(&records(8..=9)).unwrap();
    Rogue::new(&server).purge();
    outbox.send(&records(10..=11)).unwrap();
    let node = Plan { memory, ..Plan::default() }.start(server.address());
    node.says("the stream begins with serial 10, this node has 7");
    node.shelf.put(11, "a");
    node.reaches(11);
    node.is_well();
}

#[test]
fn duplicates_are_taken_in_once() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let mut outbox = outbox(&server, "a");
    outbox.send(&records(1..=3)).unwrap();
    let rogue = Rogue::new(&server);
    rogue.records("a", &records(1..=3), None);
    rogue.records("a", &records(2..=5), None);
    rogue.records("a", &records(5..=5), None);
    assert_eq!(outbox.last().unwrap().head.unwrap().last, 5);
    outbox.send(&records(4..=6)).unwrap();
    let node = Node::start(&server);
    node.reaches(6);
    node.is_well();
    until("all acknowledged", || rogue.not_acknowledged("node-1") == 0, String::new);
    assert_eq!(node.stop().records(), records(1..=6));
}

#[test]
fn batches_that_changed_places_are_taken_in_in_order() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    drop(outbox(&server, "a"));
    let rogue = Rogue::new(&server);
    for (first, last) in [(4, 6), (1, 3), (9, 9), (7, 8), (10, 10)] {
        rogue.records("a", &records(first..=last), None);
    }
    let node = Node::start(&server);
    node.reaches(10);
    node.is_well();
    assert_eq!((node.report().refetch_count, node.stop().records()), (0, records(1..=10)));
}

#[test]
fn missing_serials_are_named_and_waited_for() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    drop(outbox(&server, "a"));
    let rogue = Rogue::new(&server);
    rogue.records("a", &records(1..=3), None);
    rogue.records("a", &records(6..=7), None);
    let node = Node::start(&server);
    node.says("serial 6 came after 3: 2 changes missing in the stream");
    assert_eq!(node.report().serial, 3);
    rogue.records("a", &records(4..=5), None);
    node.reaches(7);
    node.is_well();
    assert_eq!(node.stop().records(), records(1..=7));
}

#[test]
fn a_serial_with_another_content_stops_the_node_until_a_newer_snapshot() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let mut outbox = outbox(&server, "a");
    outbox.send(&records(1..=5)).unwrap();
    let node = Node::start(&server);
    node.reaches(5);
    let rogue = Rogue::new(&server);
    rogue.records("a", &[record(4, 1), record(5, 1), record(6, 1)], None);
    node.says("serial 4 came again with another content");
    assert_eq!(node.report().serial, 5, "nothing is built upon it");
    node.shelf.put(6, "a");
    outbox.send(&records(5..=8)).unwrap();
    node.reaches(8);
    node.is_well();
    assert_eq!(node.stop().records(), records(7..=8));
}

#[test]
fn a_rewritten_history_is_noticed_after_a_restart_too() {
    if !is_installed() {
        return;
    }
    let mut server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let position = folder.path().join("nats.position");
    outbox(&server, "a").send(&records(1..=5)).unwrap();
    let node = Node::position(Plan::default(), &position).start(server.address());
    node.reaches(5);
    let memory = node.stop();
    server.lose_everything();
    server.go_on();
    // The same serials again, lower ones first, with another content.
    let rewritten: Vec<_> = (1..=9).map(|serial| record(serial, 1)).collect();
    outbox(&server, "a").send(&rewritten).unwrap();
    let plan = Plan { memory, ..Plan::default() };
    let node = Node::position(plan, &position).start(server.address());
    node.says("serial 5 came again with another content");
    assert_eq!(node.stop().serial(), 5);
}

#[test]
fn serials_of_another_source_want_a_snapshot_of_it() {
    if !is_installed() {
        return;
    }
    let mut server = Server::start();
    outbox(&server, "a").send(&records(1..=5)).unwrap();
    let node = Node::start(&server);
    node.reaches(5);
    server.lose_everything();
    server.go_on();
    let mut other = outbox(&server, "b");
    other.send(&records(1..=2)).unwrap();
    node.says("the stream has serials of source b, this node has followed a");
    node.shelf.put(9, "a");
    node.says("holds serial 9 of a");
    node.shelf.put(1, "b");
    node.reaches(2);
    node.is_well();
    assert_eq!(node.report().source.as_deref(), Some("b"));

    let refused = outbox(&server, "a").send(&records(6..=6)).unwrap_err();
    assert!(refused.to_string().contains("ends with serials of source b"), "{refused}");
}

#[test]
fn a_message_with_a_wrong_signature_is_left_out_and_the_right_one_taken() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let limits = Limits::default();
    let mut outbox =
        Outbox::open(server.address(), source("a"), Some(key.clone().into()), limits).unwrap();
    outbox.send(&records(1..=3)).unwrap();
    let trusted = Trusted::new(vec![key.public()]);
    let node = Plan { trusted, ..Plan::default() }.start(server.address());
    node.reaches(3);
    let rogue = Rogue::new(&server);
    rogue.records("a", &[record(4, 9)], Some(&other));
    node.says("is signed with key");
    rogue.records("a", &[record(4, 9)], None);
    node.says("is not signed");
    let tampered = Message::encode(&source("a"), &records(4..=4), Some(&key));
    let mut tampered = tampered.unwrap();
    let at = tampered.payload.iter().position(|byte| *byte == b'4').unwrap();
    tampered.payload[at] = b'5';
    rogue.send(&tampered);
    node.says("has a wrong signature");
    assert_eq!((node.report().refused_count, node.report().serial), (3, 3));
    rogue.records("a", &records(4..=5), Some(&key));
    node.reaches(5);
    node.is_well();
    assert_eq!(node.stop().records(), records(1..=5));
}

#[test]
fn a_message_that_no_trusted_key_signed_does_not_move_stop_or_reconnect_a_node() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let key = SecretKey::generate().unwrap();
    let trusted = || Trusted::new(vec![key.public()]);
    drop(outbox(&server, "a"));
    let rogue = Rogue::new(&server);
    let strange = &|serial: u64| {
        rogue.records("b", &[record(serial, 1)], None);
        // Of a future form, as any client can write it.
        let mut newer = Message::encode(&source("a"), &[record(serial + 1, 1)], None).unwrap();
        let (_, version) =
            newer.fields.iter_mut().find(|(name, _)| *name == "Whoisd-Batch").unwrap();
        "2".clone_into(version);
        rogue.send(&newer);
    };
    // It seems to begin too late; then a walk past them comes to its bound.
    (0..5).for_each(|at| strange(900 + at));
    rogue.records("a", &records(1..=3), Some(&key));
    (0..20).for_each(strange);
    rogue.records("a", &records(4..=5), Some(&key));
    let node = Plan { trusted: trusted(), ..Plan::default() }.start(server.address());
    node.reaches(5);
    let report = node.report();
    assert_eq!((report.connect_count, report.refetch_count), (1, 0), "{report:?}");
    assert!(report.refused_count >= 40, "{report:?}");
    // A message whose acknowledgement is under way comes again.
    until("all acknowledged", || rogue.not_acknowledged("node-1") == 0, String::new);
    let memory = node.stop();
    until("nobody is served", || !rogue.is_awaited("node-1"), String::new);
    (0..20).for_each(|at| strange(700 + at));
    rogue.records("a", &records(6..=7), Some(&key));
    let node = Plan { memory, trusted: trusted(), ..Plan::default() }.start(server.address());
    node.reaches(7);
    let report = node.report();
    assert_eq!((report.connect_count, report.refetch_count), (1, 0), "{report:?}");
    // Lost among foreign messages, it goes on where it had acknowledged: nothing is read twice.
    assert_eq!(report.duplicate_count, 0, "{report:?}");
    assert_eq!(node.stop().records(), records(1..=7));
}

#[test]
fn a_publisher_with_a_key_goes_on_from_what_a_believed_key_signed() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let (key, next) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let open = |signer: Signer| {
        Outbox::open(server.address(), source("a"), Some(signer), Limits::default())
    };
    let end = |outbox: &mut Outbox| outbox.last().unwrap().head.unwrap().last;
    open(key.clone().into()).unwrap().send(&records(1..=3)).unwrap();
    // A message claims that more has come, and a client with another source's serials writes too.
    let rogue = Rogue::new(&server);
    rogue.records("a", &records(4..=9), None);
    rogue.records("b", &records(4..=9), Some(&SecretKey::generate().unwrap()));
    let mut outbox = open(key.clone().into()).unwrap();
    assert_eq!(end(&mut outbox), 3);
    outbox.send(&records(4..=5)).unwrap();
    assert_eq!(end(&mut outbox), 5);
    // The outbox of another key needs the key before it.
    let refused = open(next.clone().into()).unwrap_err();
    assert!(matches!(refused, SendError::Unvouched { have: 5 }), "{refused}");
    let former = Trusted::new(vec![key.public()]);
    let mut outbox = open(Signer::new(next.clone(), former)).unwrap();
    assert_eq!(end(&mut outbox), 5);
    outbox.send(&records(6..=6)).unwrap();
    assert_eq!(end(&mut open(next.into()).unwrap()), 6);
}

#[test]
fn a_stream_that_was_not_signed_is_adopted_once() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    outbox(&server, "a").send(&records(1..=3)).unwrap();
    let signer = Signer::from(SecretKey::generate().unwrap());
    let open = |signer: Signer| {
        Outbox::open(server.address(), source("a"), Some(signer), Limits::default())
    };
    let refused = open(signer.clone()).unwrap_err();
    assert!(refused.to_string().contains("give --adopt once"), "{refused}");
    open(signer.clone().adopting()).unwrap().send(&records(4..=4)).unwrap();
    assert_eq!(open(signer).unwrap().last().unwrap().head.unwrap().last, 4);
}

#[test]
fn a_dead_server_is_passed_over() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let dead = nats::free_port();
    let address =
        Address::parse(&format!("nats://127.0.0.1:{dead},127.0.0.1:{}", server.port)).unwrap();
    let limits = Limits::default();
    let mut outbox = Outbox::open(address.clone(), source("a"), None, limits).unwrap();
    outbox.send(&records(1..=3)).unwrap();
    let node = Plan::default().start(address);
    node.reaches(3);
    node.is_well();
    assert_eq!(node.report().server, Some(format!("127.0.0.1:{}", server.port)));
}

#[test]
fn two_publishers_by_accident_make_one_line() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let (mut one, mut two) = (outbox(&server, "a"), outbox(&server, "a"));
    let mut stored = 0;
    for serial in 1..=20 {
        stored += one.send(&records(serial..=serial)).unwrap().message_count;
        stored += two.send(&records(serial..=serial + 1)).unwrap().message_count;
    }
    assert_eq!(stored, 21, "each serial is in the stream once");
    let gap = one.send(&records(23..=24)).unwrap_err();
    assert!(matches!(gap, SendError::Gap { have: 21, got: 23 }), "{gap}");
    let node = Node::start(&server);
    node.reaches(21);
    assert_eq!((node.report().duplicate_count, node.stop().records()), (0, records(1..=21)));
}

#[test]
fn records_that_the_disk_refuses_are_not_acknowledged_and_tried_again() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let mut outbox = outbox(&server, "a");
    outbox.send(&records(1..=3)).unwrap();
    let plan = Plan::default();
    let full = || ApplyError::Store { problem: "the disk is full".to_owned() };
    plan.memory.fail_next(vec![full(), full(), full()]);
    let node = plan.start(server.address());
    node.reaches(3);
    node.is_well();
    let refused = ApplyError::Refused { serial: 4, problem: "too many suffixes".to_owned() };
    node.memory.fail_next(vec![refused; 1000]);
    outbox.send(&records(4..=4)).unwrap();
    node.says("a batch cannot be taken in: serial 4: too many suffixes");
    node.memory.fail_next(Vec::new());
    node.reaches(4);
    node.is_well();
    assert_eq!(node.stop().records(), records(1..=4));
}

#[test]
fn the_deployed_example_lets_a_publisher_write_and_a_node_only_read() {
    if !is_installed() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = std::fs::read_to_string(root.join("deploy/nats-server.conf")).unwrap();
    let server = Server::start_with(Some(config));
    let folder = tempfile::tempdir().unwrap();
    let address = |user: &str| {
        let credentials = folder.path().join(user);
        std::fs::write(&credentials, format!("{user}\n")).unwrap();
        Address { credentials: Some(credentials), ..server.address() }
    };
    let limits = Limits::default();
    let mut outbox =
        Outbox::open(address("publisher:p-secret"), source("a"), None, limits).unwrap();
    outbox.send(&records(1..=3)).unwrap();
    let node = Plan::default().start(address("node-1:n-secret"));
    node.reaches(3);
    outbox.send(&records(4..=5)).unwrap();
    node.reaches(5);
    // Set back, it replaces its consumer.
    let memory = node.stop();
    memory.replace(2);
    let node = Plan { memory, ..Plan::default() }.start(address("node-1:n-secret"));
    node.reaches(5);
    node.is_well();
    let other = Plan { durable: Some("node-2".to_owned()), ..Plan::default() };
    let other = other.start(address("node-1:n-secret"));
    other.says("durable consumer node-2");
    assert_eq!(other.report().serial, 0, "one node does not stand in another one's place");
    drop(other);
    let limits = Limits { request: Duration::from_millis(300), ..limits };
    let mut as_node = Outbox::open(address("node-1:n-secret"), source("a"), None, limits).unwrap();
    let refused = as_node.send(&records(6..=6)).unwrap_err().to_string();
    assert!(refused.contains("serials were not stored"), "{refused}");
    let stranger = Plan::default().start(address("node-1:wrong"));
    stranger.says("authorization");
    drop(stranger);
    let none = folder.path().join("none");
    std::fs::write(&none, "no password").unwrap();
    let none = Address { credentials: Some(none), ..server.address() };
    let stranger = Plan::default().start(none);
    stranger.says("neither NATS credentials nor one line \"user:password\"");
}

/// Puts a base of a serial into an object store.
fn publish_base(store: &Path, serial: u64) {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::lock(Disk::new(folder.path()), Settings::default()).unwrap();
    let mut base = writer.begin().unwrap();
    let generation = base.generation();
    let options =
        snapshot_format::Options { generation, serial, ..snapshot_format::Options::default() };
    let scratch = Rc::new(DiskScratch::new(folder.path()));
    let builder = snapshot_format::Builder::new(&mut base, scratch, options).unwrap();
    builder.finish(&snapshot_format::record::Meta::default(), &mut |_, _| {}).unwrap();
    writer.publish(base).unwrap();
    let view = View::open(folder.path()).unwrap();
    let objects = Objects::open(store.to_str().unwrap()).unwrap();
    let how = How { source: Some(&source("a")), ..How::default() };
    objects.publish(view.base(), how, &mut |_, _| true).unwrap();
}

/// Fetches into a directory, as the updater does it.
struct FromStore {
    store: PathBuf,
    into: PathBuf,
    memory: Memory,
}

impl Refetch for FromStore {
    fn refetch(&mut self, wanted: &Wanted) -> Result<Fetched, Cause> {
        let objects = Objects::open(self.store.to_str().unwrap()).unwrap();
        let writer = Writer::lock(Disk::new(&self.into), Settings::default());
        let writer = writer?;
        let fetched =
            objects.fetch(wanted, &Trusted::default(), &writer, &mut |_| Ok(()), &mut |_, _| true);
        let fetched = fetched?;
        self.memory.replace(fetched.object.serial);
        Ok(Fetched { serial: fetched.object.serial, source: fetched.object.source })
    }
}

#[test]
fn a_node_left_behind_passes_over_a_damaged_snapshot_and_waits_if_there_is_no_other() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let mut outbox = outbox(&server, "a");
    outbox.send(&records(1..=5)).unwrap();
    Rogue::new(&server).purge();
    outbox.send(&records(6..=9)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (store, into) = (folder.path().join("store"), folder.path().join("node"));
    publish_base(&store, 8);
    let damage = |path: PathBuf| {
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
    };
    let snapshots = std::fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().path());
    snapshots.filter(|path| path.extension().unwrap() == "snapshot").for_each(damage);
    let plan = Plan::default();
    let memory = plan.memory.clone();
    let fetch = FromStore { store: store.clone(), into: into.clone(), memory };
    let node = Plan { fetch: Some(Box::new(fetch)), ..plan }.start(server.address());
    node.says("it is damaged");
    assert_eq!(node.report().serial, 0);
    publish_base(&store, 7);
    node.reaches(9);
    node.is_well();
    assert_eq!(View::open(&into).unwrap().state().serial, 7);
    assert_eq!(node.stop().records(), records(8..=9));
}

#[test]
fn a_stream_that_loses_changes_is_published_into_by_nobody() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let rogue = Rogue::new(&server);
    let open = || Outbox::open(server.address(), source("a"), None, Limits::default());
    for (named, change) in [
        ("retention is \"interest\"", (|to| to.retention = Interest) as fn(&mut Config)),
        ("retention is \"workqueue\"", |to| to.retention = WorkQueue),
        ("max_msgs_per_subject is 1", |to| to.max_messages_per_subject = 1),
        ("max_bytes is 400", |to| to.max_bytes = 400),
    ] {
        rogue.make(change);
        let error = open().unwrap_err();
        assert!(matches!(error, SendError::Unfit { .. }), "{error}");
        assert!(error.to_string().contains(named), "{named}: {error}");
    }
    rogue.make(|to| to.storage = StorageType::Memory);
    open().unwrap().send(&records(1..=3)).unwrap();
}

#[test]
fn a_stream_that_is_edited_while_it_is_published_into_is_noticed() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let rogue = Rogue::new(&server);
    let limits = Limits { look: Duration::from_millis(200), ..Limits::default() };
    let mut outbox = Outbox::open(server.address(), source("a"), None, limits).unwrap();
    outbox.send(&records(1..=3)).unwrap();
    rogue.edit(|to| to.max_messages = 1);
    // The timer runs while something is sent.
    let error = (4..100).find_map(|serial| {
        std::thread::sleep(limits.look / 2);
        outbox.send(&records(serial..=serial)).err()
    });
    let error = error.unwrap();
    assert!(matches!(error, SendError::Unfit { .. }), "{error}");
    assert!(error.to_string().contains("max_msgs is 1: "), "{error}");
    rogue.edit(|to| to.max_messages = -1);
    let next = outbox.last().unwrap().head.unwrap().last + 1;
    outbox.send(&records(next..=next)).unwrap();
}
