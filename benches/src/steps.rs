//! The steps of an answer as they are measured: by the clock in benches/lookup.rs, by instructions
//! in src/bin/instructions.rs.
//!
//! # Invariants
//!
//! - `same-queries`: the queries of a case come from a seed: both programs, and every run over one
//!   directory, ask the same.
//!
//! # Does not
//!
//! Measure, or ask over the network.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use snapshot_format::Kind;
use snapshot_format::record::{ArchivedContact, ArchivedDomain, ContactField};
use whoisd::policy::display::settings::Settings as Rulebook;
use whoisd::policy::guard::Guard;
use whoisd::policy::{Rules, Tier};
use whoisd::query::rdap::{self, Caller, Document, Request};
use whoisd::query::whois::{Answer, answer, steps};
use whoisd::sample::build::build_directory;
use whoisd::sample::{Registry, Settings};
use whoisd::shard::{Answerer, Sources};
use whoisd::view::View;

use crate::{Options, Random, print, timed, workload};

/// Queries that are asked again and again when a step is measured hot: they stay in the caches of
/// one core.
pub const HOT_QUERIES: usize = 64;

/// Characters of a pattern before its `%`: two more than the server wants.
const PATTERN_CHARS: usize = 7;

/// Standard rules, and a tier that is shown what [`workload::RULES`] show.
const TIER_RULES: &str = "[[tier]]\nname = \"tier\"\npreset = \"open\"\n";

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What a shard does to take its view and rules, and to give them back.
    Pin,
    /// A line into a query.
    Parse,
    /// A name into a record: mapping, hash, probe, comparison.
    Find,
    /// A record that is found into an answer.
    Render,
    /// All of it.
    Answer,
    /// All of an answer of RDAP.
    Rdap,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Domain,
    Miss,
    Contact,
    Pattern,
}

/// One figure of the table.
#[derive(Debug)]
pub struct Case {
    /// Names it on the command line and in the table.
    pub name: &'static str,
    /// What is measured.
    pub step: Step,
    asked: Asked,
    /// Rules in TOML; none for the standard ones.
    rules: Option<&'static str>,
    /// The name of the tier that asks.
    tier: &'static str,
}

impl Case {
    const fn of(name: &'static str, step: Step, asked: Asked) -> Self {
        Self { name, step, asked, rules: Some(workload::RULES), tier: "public" }
    }

    const fn standard(mut self) -> Self {
        self.rules = None;
        self
    }

    const fn by_tier(mut self) -> Self {
        (self.rules, self.tier) = (Some(TIER_RULES), "tier");
        self
    }

    /// The case of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        CASES.iter().find(|case| case.name == name)
    }

    /// Picks `count` queries.
    ///
    /// # Panics
    ///
    /// If the snapshot is empty or damaged.
    #[must_use]
    pub fn prepare<'v>(&self, view: &'v Arc<View>, count: usize) -> Bench<'v> {
        let rules = self.rules.map_or_else(Rules::standard, |text| {
            let rulebook: Rulebook = toml::from_str(text).unwrap();
            Rules::compile(&rulebook).unwrap()
        });
        let rules = Arc::new(rules);
        let mut random = Random(3);
        let before = if self.step == Step::Rdap { "domain/" } else { "" };
        let line = |_| format!("{before}{}", self.line(view, &mut random));
        let lines: Vec<String> = (0..count).map(line).collect();
        let find = |line: &String| steps::find(view, line).unwrap();
        Bench {
            step: self.step,
            tier: rules.tier(self.tier).unwrap(),
            view,
            answerer: Answerer::new(
                Sources {
                    views: Arc::new(ArcSwap::new(Arc::clone(view))),
                    rules: Arc::new(ArcSwap::new(Arc::clone(&rules))),
                    guard: Arc::new(Guard::open()),
                },
                Arc::default(),
            ),
            rules,
            records: lines.iter().filter(|_| self.step == Step::Render).map(find).collect(),
            lines,
            out: Answer::new(),
            document: Document::new(),
        }
    }

    fn line(&self, view: &View, random: &mut Random) -> String {
        let base = view.base();
        let mut pick = |kind: Kind| u32::try_from(random.below(base.count(kind).into())).unwrap();
        if self.asked == Asked::Contact {
            let contact = base.record::<ArchivedContact>(pick(Kind::Contact)).unwrap();
            return format!("contact {}", contact.field(ContactField::Id));
        }
        loop {
            let domain = base.record::<ArchivedDomain>(pick(Kind::Domain)).unwrap();
            let name = domain.name.as_str();
            if self.asked == Asked::Miss {
                return format!("zq{name}");
            }
            if self.asked == Asked::Domain {
                return name.to_owned();
            }
            if let Some(start) = name.get(..PATTERN_CHARS).filter(|start| !start.contains('.')) {
                return format!("{start}%");
            }
        }
    }
}

/// All cases, in the order of the table.
pub const CASES: [Case; 13] = [
    Case::of("view pin", Step::Pin, Asked::Domain),
    Case::of("parse", Step::Parse, Asked::Domain),
    Case::of("find", Step::Find, Asked::Domain),
    Case::of("render", Step::Render, Asked::Domain),
    Case::of("whole answer, thick", Step::Answer, Asked::Domain),
    Case::of("whole answer, standard rules", Step::Answer, Asked::Domain).standard(),
    Case::of("whole answer, thick for a tier", Step::Answer, Asked::Domain).by_tier(),
    Case::of("whole answer, miss", Step::Answer, Asked::Miss),
    Case::of("whole answer, contact", Step::Answer, Asked::Contact),
    Case::of("whole answer, wildcard", Step::Answer, Asked::Pattern),
    Case::of("RDAP answer, thick", Step::Rdap, Asked::Domain),
    Case::of("RDAP answer, standard rules", Step::Rdap, Asked::Domain).standard(),
    Case::of("RDAP answer, miss", Step::Rdap, Asked::Miss),
];

/// A case with its queries.
pub struct Bench<'v> {
    step: Step,
    tier: Tier,
    view: &'v View,
    rules: Arc<Rules>,
    answerer: Answerer,
    lines: Vec<String>,
    records: Vec<&'v ArchivedDomain>,
    out: Answer,
    document: Document,
}

impl Bench<'_> {
    /// Carries the step out for one of the queries; does nothing if there is none of that number.
    #[inline]
    pub fn run(&mut self, at: usize) {
        match self.step {
            Step::Pin => drop(black_box(self.answerer.view())),
            Step::Render => {
                let Some(record) = self.records.get(at) else { return };
                black_box(steps::render(self.view, &self.rules, record, &mut self.out));
            }
            step => {
                let Some(line) = self.lines.get(at) else { return };
                match step {
                    Step::Parse => drop(black_box(steps::parse(line.as_bytes()))),
                    Step::Find => drop(black_box(steps::find(self.view, line))),
                    Step::Rdap => {
                        let (tier, base) = (self.tier, "https://rdap.example/");
                        let caller = Caller { tier, base, target: line, index: None };
                        let request = Request::read(line);
                        let (rules, out) = (&self.rules, &mut self.document);
                        black_box(rdap::answer(self.view, rules, &caller, &request, out));
                    }
                    _ => self.answer(at),
                }
            }
        }
    }

    /// Answers one of the queries whole, whatever the step.
    pub fn answer(&mut self, at: usize) {
        let Some(line) = self.lines.get(at) else { return };
        black_box(answer(self.view, &self.rules, self.tier, line.as_bytes(), &mut self.out));
    }

    /// Length of the answer made last.
    #[must_use]
    pub fn answer_bytes(&self) -> usize {
        self.out.bytes().len()
    }
}

/// Queries of `count` domains at random.
///
/// # Panics
///
/// If the snapshot is empty or damaged.
#[must_use]
pub fn domain_lines(view: &View, count: usize) -> Vec<String> {
    let mut random = Random(3);
    let case = Case::of("", Step::Answer, Asked::Domain);
    (0..count).map(|_| case.line(view, &mut random)).collect()
}

/// The snapshot directory of `--dir`, or a sample below `temporary`.
///
/// # Panics
///
/// If the sample cannot be made.
#[must_use]
pub fn directory(options: Options, temporary: &Path) -> PathBuf {
    if let Some(given) = Options::directory() {
        return given;
    }
    let registry = Registry::new(&Settings::of_size(options.domains).unwrap());
    let build = || build_directory(&registry, temporary, 1 << 30, &mut |_, _, _| {});
    let (built, seconds) = timed(build);
    built.unwrap();
    print("sample into a directory", &format!("{seconds:.2} s"));
    temporary.to_owned()
}
