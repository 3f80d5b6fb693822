//! What a shard answers with: the view, the rules, and the query module between them.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::observe::counters::AnswerClass;
use crate::observe::{ShardFigures, clock};
use crate::policy::Rules;
use crate::port43::{self, Answering, Asked};
use crate::query::{self, Answer, AnswerResult, Outcome, Refusal};
use crate::view::View;

/// Answers from the view that is published when a query comes, under one set of rules.
///
/// Taking the view costs about 5 ns and holds it for this query alone, which reads it to its end: a
/// shard that nobody asks keeps no old view, and with it no old base on the disk.
#[derive(Clone, Debug)]
pub struct Answerer {
    views: Arc<ArcSwap<View>>,
    rules: Arc<Rules>,
    figures: Arc<ShardFigures>,
}

impl Answerer {
    /// Answers from what `views` shows under `rules`, and tells `figures` how long it took.
    #[must_use]
    pub fn new(views: Arc<ArcSwap<View>>, rules: Arc<Rules>, figures: Arc<ShardFigures>) -> Self {
        Self { views, rules, figures }
    }

    /// The view that a query which comes now is answered from.
    #[inline]
    #[must_use]
    pub fn view(&self) -> Guard<Arc<View>> {
        self.views.load()
    }
}

/// A buffer for one answer.
#[derive(Debug)]
pub struct AnswerBuffer(Answer);

impl AsRef<[u8]> for AnswerBuffer {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Answering for Answerer {
    type Buffer = AnswerBuffer;

    fn buffer(&self) -> AnswerBuffer {
        AnswerBuffer(Answer::timed(clock::micros))
    }

    fn answer(&mut self, asked: Asked<'_>, out: &mut AnswerBuffer) -> AnswerClass {
        let began_us = clock::micros();
        let outcome = query::answer(&self.views.load(), &self.rules, asked.line, &mut out.0);
        let (found_us, made_us) = (out.0.began_us().max(began_us), clock::micros());
        self.figures.phases.lookup.record(found_us.saturating_sub(began_us));
        self.figures.phases.render.record(made_us.saturating_sub(found_us));
        class_of(outcome)
    }
}

fn class_of(outcome: Outcome) -> AnswerClass {
    match outcome.result {
        AnswerResult::Found | AnswerResult::Listed | AnswerResult::Help => AnswerClass::Found,
        AnswerResult::Reserved | AnswerResult::NotFound => AnswerClass::NotFound,
        AnswerResult::Refused(Refusal::Damaged) => AnswerClass::Failed,
        AnswerResult::Refused(_) => AnswerClass::Refused,
    }
}

// The engine cuts a line one byte behind the longest: `query` must take that one for too long.
const _: () = assert!(port43::limits::QUERY_LINE_BYTES_MAX == query::QUERY_LINE_BYTES_MAX);
