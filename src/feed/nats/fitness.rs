//! Whether a stream keeps what is put into it: what of its configuration makes changes vanish
//! before every node has them.
//!
//! A feed wants a log: a message stays until it is old, whichever nodes have read it. An operator
//! that makes a stream can set everything here otherwise, and nothing of it shows while all nodes
//! are connected.
//!
//! # Does not
//!
//! Change a stream: its operator knows why it is so.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

/// What a stream needs at least, and what is little: with less, a node that is gone over a weekend
/// needs a snapshot.
const AGE_MIN: Duration = Duration::from_secs(600);
const AGE_LITTLE: Duration = Duration::from_secs(3 * 86_400);
const BYTES_MIN: i64 = 16 << 20;
const BYTES_LITTLE: i64 = 256 << 20;
/// A heartbeat each 5 s is 17,280 messages a day.
const MESSAGES_MIN: i64 = 1000;
const MESSAGES_LITTLE: i64 = 3 * 17_280;

/// Each node has a consumer.
const CONSUMERS_LITTLE: i32 = 100;

/// What a stream's configuration does to a feed: each one names the setting, its value and what is
/// needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fitness {
    /// Changes are lost, or cannot be stored.
    pub(super) refused: Vec<String>,
    /// Changes may be lost for nodes that are away, or after a failure.
    pub(super) doubtful: Vec<String>,
}

/// What was logged about a stream, so that it is logged once each time that it becomes true.
#[derive(Debug, Default)]
pub(super) struct Said(Vec<String>);

impl Said {
    /// The problems that were not there at the last look.
    pub(super) fn news(&mut self, problems: Vec<String>) -> Vec<String> {
        let news = problems.iter().filter(|problem| !self.0.contains(problem)).cloned().collect();
        self.0 = problems;
        news
    }
}

impl Fitness {
    /// Of a stream, for a publisher of messages of up to `message_bytes` under `subject`.
    pub(super) fn for_publisher(config: &Config, subject: &str, message_bytes: i32) -> Self {
        let mut fitness = Self::for_node(config, subject);
        let refused = &mut fitness.refused;
        if config.mirror.is_some() {
            refused.push("mirror is set, and nothing can be put into a mirror".to_owned());
        }
        if config.sources.as_ref().is_some_and(|sources| !sources.is_empty()) {
            refused.push(
                "sources is set, so that messages of other streams come between; it has to be \
                 empty"
                    .to_owned(),
            );
        }
        if config.sealed {
            refused.push("sealed is true, so that nothing can be put into it".to_owned());
        }
        if config.no_ack {
            refused.push(
                "no_ack is true, so that nobody hears whether a change was stored; it has to be \
                 false"
                    .to_owned(),
            );
        }
        if config.max_message_size > 0 && config.max_message_size < message_bytes {
            refused.push(format!(
                "max_msg_size is {}, and a batch may have {message_bytes} bytes; set that, or -1",
                config.max_message_size
            ));
        }
        if config.max_consumers > 0 && config.max_consumers < CONSUMERS_LITTLE {
            fitness.doubtful.push(format!(
                "max_consumers is {}: so many nodes can follow it, and no other one; set -1",
                config.max_consumers
            ));
        }
        if config.discard == DiscardPolicy::New {
            fitness.doubtful.push(
                "discard is \"new\": once the stream is full nothing is published any more; set \
                 \"old\""
                    .to_owned(),
            );
        }
        fitness
    }

    /// Of a stream, for a node that follows it.
    pub(super) fn for_node(config: &Config, subject: &str) -> Self {
        let mut fitness = Self::default();
        let retention = match config.retention {
            RetentionPolicy::Limits => None,
            RetentionPolicy::Interest => Some(("interest", "the nodes that are there now have it")),
            RetentionPolicy::WorkQueue => Some(("workqueue", "one node has it")),
        };
        if let Some((word, until)) = retention {
            fitness.refused.push(format!(
                "retention is {word:?}, so that a change is gone once {until}; it has to be \
                 \"limits\""
            ));
        }
        let is_taken = |pattern: &String| takes(pattern, subject);
        let is_copy = config.mirror.is_some();
        if !config.subjects.is_empty() && !is_copy && !config.subjects.iter().any(is_taken) {
            fitness.refused.push(format!(
                "subjects is {:?}, and changes have the subject {subject}",
                config.subjects
            ));
        }
        fitness.count("max_msgs", config.max_messages);
        // All changes have one subject.
        fitness.count("max_msgs_per_subject", config.max_messages_per_subject);
        let (bytes, age) = (config.max_bytes, config.max_age);
        let needed = format!("{BYTES_LITTLE} or more, or -1");
        if bytes > 0 && bytes < BYTES_LITTLE {
            fitness.little(bytes < BYTES_MIN, &format!("max_bytes is {bytes}"), &needed);
        }
        if !age.is_zero() && age < AGE_LITTLE {
            let said = format!("max_age is {} s", age.as_secs_f64());
            let needed = format!("{} s or more, or 0", AGE_LITTLE.as_secs());
            fitness.little(age < AGE_MIN, &said, &needed);
        }
        if config.storage == StorageType::Memory {
            fitness.doubtful.push(
                "storage is \"memory\": after a restart of the server all changes are gone; set \
                 \"file\""
                    .to_owned(),
            );
        }
        fitness
    }

    fn count(&mut self, name: &str, count: i64) {
        if count > 0 && count < MESSAGES_LITTLE {
            let needed = format!("{MESSAGES_LITTLE} or more, or -1");
            self.little(count < MESSAGES_MIN, &format!("{name} is {count}"), &needed);
        }
    }

    fn little(&mut self, is_tiny: bool, said: &str, needed: &str) {
        let what = if is_tiny {
            "changes are gone before a node can have them"
        } else {
            "a node that is away for a while needs a snapshot"
        };
        let list = if is_tiny { &mut self.refused } else { &mut self.doubtful };
        list.push(format!("{said}: {what}; set {needed}"));
    }
}

/// Whether a pattern of subjects takes one: `*` is one word, a last `>` any number.
fn takes(pattern: &str, subject: &str) -> bool {
    let (mut wanted, mut words) = (pattern.split('.'), subject.split('.'));
    loop {
        match (wanted.next(), words.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(word), Some(got)) if word == got => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::stream::Source;

    use super::*;

    const SUBJECT: &str = "whoisd.changes";
    const MESSAGE_BYTES: i32 = 1 << 20;

    fn good() -> Config {
        Config {
            name: "WHOISD".to_owned(),
            subjects: vec![SUBJECT.to_owned()],
            max_bytes: 4 << 30,
            max_age: Duration::from_secs(7 * 86_400),
            max_messages: -1,
            max_messages_per_subject: -1,
            max_message_size: MESSAGE_BYTES,
            ..Config::default()
        }
    }

    fn fitness(change: impl FnOnce(&mut Config)) -> Fitness {
        let mut config = good();
        change(&mut config);
        Fitness::for_publisher(&config, SUBJECT, MESSAGE_BYTES)
    }

    #[test]
    fn a_stream_as_the_publisher_makes_it_is_fit() {
        assert_eq!(fitness(|_| {}), Fitness::default());
        let open = fitness(|config| {
            (config.max_bytes, config.max_age, config.max_message_size) = (-1, Duration::ZERO, -1);
            config.subjects = vec!["whoisd.>".to_owned()];
        });
        assert_eq!(open, Fitness::default());
    }

    #[test]
    fn what_loses_changes_or_refuses_them_is_named_with_its_value_and_what_is_needed() {
        type Change = fn(&mut Config);
        let refused: [(&str, Change); 12] = [
            ("\"interest\"", |config| config.retention = RetentionPolicy::Interest),
            ("\"workqueue\"", |config| config.retention = RetentionPolicy::WorkQueue),
            ("max_msgs_per_subject is 1:", |config| config.max_messages_per_subject = 1),
            ("max_msgs is 999:", |config| config.max_messages = 999),
            ("max_bytes is 400:", |config| config.max_bytes = 400),
            ("max_age is 1 s", |config| config.max_age = Duration::from_secs(1)),
            ("mirror", |config| config.mirror = Some(Source::default())),
            ("sources", |config| config.sources = Some(vec![Source::default()])),
            ("sealed", |config| config.sealed = true),
            ("no_ack", |config| config.no_ack = true),
            ("max_msg_size is 1000,", |config| config.max_message_size = 1000),
            ("[\"other\"]", |config| config.subjects = vec!["other".to_owned()]),
        ];
        for (named, change) in refused {
            let fitness = fitness(change);
            let said = fitness.refused.join("; ");
            assert!(said.contains(named), "{named}: {fitness:?}");
            assert_eq!(fitness.refused.len(), 1, "{fitness:?}");
        }
        let doubtful: [(&str, Change); 6] = [
            ("max_consumers is 1:", |config| config.max_consumers = 1),
            ("discard", |config| config.discard = DiscardPolicy::New),
            ("storage", |config| config.storage = StorageType::Memory),
            ("max_age", |config| config.max_age = Duration::from_secs(86_400)),
            ("max_bytes", |config| config.max_bytes = 64 << 20),
            ("max_msgs_per_subject", |config| config.max_messages_per_subject = 2000),
        ];
        for (named, change) in doubtful {
            let fitness = fitness(change);
            assert!(fitness.doubtful.join("; ").contains(named), "{named}: {fitness:?}");
            assert!(fitness.refused.is_empty(), "{fitness:?}");
        }
    }

    #[test]
    fn a_problem_is_said_each_time_that_it_comes_and_not_while_it_stays() {
        let problems = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let mut said = Said::default();
        let mut news = |words: &[&str]| said.news(problems(words));
        assert_eq!(news(&["a"]), ["a"]);
        assert_eq!(news(&["a", "b"]), ["b"]);
        assert!(news(&[]).is_empty());
        assert_eq!(news(&["b"]), ["b"]);
    }

    #[test]
    fn a_node_may_follow_a_mirror() {
        let mirror = Config { mirror: Some(Source::default()), subjects: Vec::new(), ..good() };
        assert_eq!(Fitness::for_node(&mirror, SUBJECT), Fitness::default());
    }

    #[test]
    fn patterns_take_subjects_word_by_word() {
        for (pattern, is_taken) in [
            ("whoisd.changes", true),
            ("whoisd.*", true),
            ("*.changes", true),
            (">", true),
            ("whoisd.>", true),
            ("whoisd.changes.>", false),
            ("whoisd", false),
            ("whoisd.change", false),
            ("*", false),
        ] {
            assert_eq!(takes(pattern, SUBJECT), is_taken, "{pattern}");
        }
    }
}
