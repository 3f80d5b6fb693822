//! RDAP answers held against ICANN's JSON schemas, against what its RDAP Conformance Tool checks,
//! and against the answers of port 43: for a generated registry of a thousand domains and more
//! under each preset, for every request of `tests/rdap/*.txt`, for errors and help.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

#[path = "rdap_conformance/asked.rs"]
mod asked;
#[path = "rdap_conformance/checks/mod.rs"]
mod checks;
#[path = "rdap_conformance/generated.rs"]
mod generated;
#[path = "rdap_conformance/good.rs"]
mod good;
#[path = "rdap_conformance/iana.rs"]
mod iana;
mod jsonpath;
#[path = "rdap_conformance/known.rs"]
mod known;
#[path = "rdap_conformance/mistakes/mod.rs"]
mod mistakes;
#[path = "rdap_conformance/parity.rs"]
mod parity;
mod registry;
#[path = "rdap_conformance/schema.rs"]
mod schema;
mod script;
mod server;

use std::collections::{BTreeMap, BTreeSet};

use whoisd::policy::limit::{Level, Over};
use whoisd::policy::{Rules, Tier};
use whoisd::query::rdap::{Document, Refused, Status};

use asked::Answer;
use generated::{Generated, PRESETS};
use good::{Good, Of};
use known::{Corpus, KNOWN};
use registry::AS_OF_MS;
use script::{files_of, sections};

#[test]
fn good_answers_have_no_findings() {
    let good = Good::new();
    for of in Of::ALL {
        let answer = good.answer(of);
        let found = [checks::findings(&answer), schema::findings(&answer)].concat();
        assert!(found.is_empty(), "{of:?}: {found:#?}\n{:#}", answer.json);
    }
}

#[test]
fn every_planted_mistake_is_found_under_its_code() {
    let good = Good::new();
    let mut failed = Vec::new();
    for mistake in mistakes::all() {
        let mut answer = good.answer(mistake.of);
        let before = answer.json.clone();
        (mistake.plant)(&mut answer.json);
        assert_ne!(answer.json, before, "{}: {}", mistake.code, mistake.what);
        let found = checks::findings(&answer);
        let codes: BTreeSet<i32> = found.iter().map(|(code, _)| *code).collect();
        let also = mistake.also.iter().copied();
        let expected: BTreeSet<i32> = also.chain([mistake.code]).collect();
        if codes != expected {
            let mistakes::Mistake { code, what, of, .. } = mistake;
            failed.push(format!("{code}, {of:?}, {what}: {found:?}, expected {expected:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_group_and_every_code_has_a_planted_mistake() {
    let good = Good::new();
    for (group, check) in checks::GROUPS {
        let fails = mistakes::all().any(|mistake| {
            let mut answer = good.answer(mistake.of);
            (mistake.plant)(&mut answer.json);
            !check(&answer).is_empty()
        });
        assert!(fails, "{group}");
    }
    let planted: BTreeSet<i32> = mistakes::all().map(|mistake| mistake.code).collect();
    // No answer has a domain below the top.
    let planted = &planted | &BTreeSet::from([-12218]);
    let missing: Vec<i32> = codes_written().difference(&planted).copied().collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(planted.len() > 300, "{}", planted.len());
}

/// The codes in the sources of the checks.
fn codes_written() -> BTreeSet<i32> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rdap_conformance/checks");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut codes = BTreeSet::new();
    // The module itself names codes in its comments.
    for path in paths.filter(|path| !path.ends_with("mod.rs")) {
        let text = std::fs::read_to_string(path).unwrap();
        for (at, _) in text.match_indices('-') {
            let digits = text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
            if digits == 5 {
                codes.insert(text[at..at + 6].parse().unwrap());
            }
        }
    }
    assert!(codes.len() > 250, "{}", codes.len());
    codes
}

#[test]
fn schemas_find_planted_mistakes_under_the_same_codes() {
    let good = Good::new();
    let found_too = mistakes::all().filter(|mistake| {
        let mut answer = good.answer(mistake.of);
        (mistake.plant)(&mut answer.json);
        schema::findings(&answer).iter().any(|(code, _)| *code == mistake.code)
    });
    let codes: BTreeSet<i32> = found_too.map(|mistake| mistake.code).collect();
    assert!(codes.len() > 85, "{codes:?}");
}

/// By code: how often it was found, and where first.
type Remarks = BTreeMap<(Corpus, i32), (usize, String)>;

fn note(corpus: Corpus, answer: &Answer, remarks: &mut Remarks) {
    for (code, what) in [checks::findings(answer), schema::findings(answer)].concat() {
        let first = || (0, format!("{}: {what}", answer.target));
        remarks.entry((corpus, code)).or_insert_with(first).0 += 1;
    }
}

/// The remarks are those that are known, all of them.
fn assert_known(corpora: &[Corpus], remarks: &Remarks) {
    let known = KNOWN.iter().flat_map(|known| {
        assert!(!known.reason.is_empty());
        known.seen_in.iter().map(|corpus| (*corpus, known.code))
    });
    let known: BTreeSet<_> = known.filter(|(corpus, _)| corpora.contains(corpus)).collect();
    let seen: BTreeSet<_> = remarks.keys().copied().collect();
    let mut wrong: Vec<String> = Vec::new();
    for key in seen.difference(&known) {
        let (count, first) = &remarks[key];
        wrong.push(format!("{key:?} is not known: {count} times, first {first}"));
    }
    for key in known.difference(&seen) {
        wrong.push(format!("{key:?} is known, and never seen"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn answers_about_a_generated_registry_have_only_known_remarks() {
    let generated = Generated::new(1_000);
    let targets = generated.targets();
    let corpora = [Corpus::Policy2025, Corpus::Specification2018, Corpus::Open];
    let (mut remarks, mut out, mut count) = (Remarks::new(), Document::new(), 0);
    for (corpus, preset) in corpora.into_iter().zip(PRESETS) {
        let rules = generated.rules(preset);
        for target in &targets {
            let answer = Answer::to(target, &generated.view, (&rules, Tier::PUBLIC), &mut out);
            note(corpus, &answer, &mut remarks);
            count += 1;
        }
    }
    assert!(count > 5_000, "{count}");
    assert_known(&corpora, &remarks);
}

#[test]
fn conversations_have_only_known_remarks() {
    let (view, mut out) = (registry::small(), Document::new());
    let (mut remarks, mut count) = (Remarks::new(), 0);
    for path in files_of("tests/rdap") {
        let (mut rules, mut tier, mut base) = (Rules::standard(), Tier::PUBLIC, None);
        for section in sections(&std::fs::read_to_string(&path).unwrap()) {
            match section.name.as_str() {
                "config" => {
                    rules = Rules::compile(&toml::from_str(&section.text).unwrap()).unwrap();
                    tier = Tier::PUBLIC;
                    base = Some(section.text.clone());
                }
                "tier" => tier = rules.tier(section.text.trim()).unwrap(),
                "get" => {
                    let target = section.text.trim_end_matches('\n');
                    let mut answer = Answer::to(target, &view, (&rules, tier), &mut out);
                    answer.set_base(base.as_deref().unwrap_or_default());
                    note(Corpus::Conversations, &answer, &mut remarks);
                    count += 1;
                }
                _ => {}
            }
        }
    }
    assert!(count > 50, "{count}");
    assert_known(&[Corpus::Conversations], &remarks);
}

#[test]
fn refusals_of_callers_are_whole_errors() {
    let good = Good::new();
    let level = Level { length: 32, queries_per_min: 60, burst: 10 };
    let over = Over { prefix: "192.0.2.1/32".parse().unwrap(), level, wait_s: 3, own: true };
    let (reason, contact) = ("Too many \"queries\".", "noc@registry.example");
    for refused in [
        Refused::Quota { over, contact: "noc@registry.example" },
        Refused::Blocked { until_ms: AS_OF_MS, reason, contact },
        Refused::Denied { reason, contact: "" },
        Refused::Http(Status::new(405, "Method Not Allowed"), "Send GET or HEAD."),
    ] {
        let answer = good.refusal(&refused);
        assert_ne!(answer.status, 200);
        let found = [checks::findings(&answer), schema::findings(&answer)].concat();
        assert!(found.is_empty(), "{found:#?}\n{:#}", answer.json);
    }
}

#[test]
fn a_list_that_is_cut_short_says_so_in_a_registered_way() {
    let answer = good::many_nameservers();
    let notice = &answer.json["notices"][0];
    assert_eq!(notice["type"], "result set truncated due to unexplainable reasons");
    // The tool does not know the members of RFC 8977.
    for found in [checks::findings(&answer), schema::findings(&answer)] {
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == -12601 && found[0].1.contains("paging_metadata"), "{found:?}");
    }
}

#[test]
fn a_name_in_other_letters_has_the_same_answer() {
    // -10403; only the URL that was asked differs.
    let good = Good::new();
    let (answer, other) = (good.answer(Of::Redacted), good.answer_in_other_case());
    let text = other.json.to_string().replace(&other.url, &answer.url);
    assert_ne!(answer.json, other.json);
    assert_eq!(answer.json.to_string(), text);
}

#[test]
fn a_name_that_no_registry_has_is_not_found() {
    // -65300.
    let answer = Good::new().answer_about_invalid();
    assert_eq!(answer.status, 404);
    assert_eq!(checks::findings(&answer), []);
}

#[test]
fn fields_of_contacts_read_the_same_on_port_43() {
    let generated = Generated::new(2_000);
    let mut compared = parity::Compared::default();
    for preset in PRESETS {
        let rules = generated.rules(preset);
        parity::compare_all(&generated, (&rules, Tier::PUBLIC), &mut compared);
    }
    let rules = generated.rules(PRESETS[0]);
    let tier = rules.tier("police").unwrap();
    parity::compare_all(&generated, (&rules, tier), &mut compared);
    assert!(compared.records >= 10_000, "{compared:?}");
    let kinds = [compared.shown, compared.hidden, compared.none];
    assert!(kinds.iter().all(|count| *count > 1_000), "{compared:?}");
}
