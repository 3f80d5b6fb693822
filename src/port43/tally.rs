//! Which counter an ending or an answer belongs to, the same for every engine.
//!
//! # Does not
//!
//! Count bytes or accepts: the engine that moves them does.

use super::connection::{Ending, Phase};
use super::proxy::Source;
use crate::observe::counters::{self, AnswerClass, Counters};

/// Counts how a connection ended.
pub(super) fn ending(counters: &Counters, ending: Ending) {
    let counter = match ending {
        Ending::Served => &counters.ended_served,
        // Balancers end their checks with a reset: that says no more than a close.
        Ending::Silent | Ending::Broken(Phase::Proxy | Phase::FirstByte) => &counters.ended_silent,
        Ending::Unproxied(_) => &counters.ended_unproxied,
        Ending::Flooded => &counters.ended_flooded,
        Ending::Failed => &counters.panicked,
        Ending::Evicted(Phase::Proxy | Phase::FirstByte) => &counters.evicted_silent,
        Ending::Evicted(Phase::Writing) => &counters.evicted_writing,
        Ending::Evicted(Phase::Draining) => &counters.evicted_draining,
        Ending::Evicted(_) => &counters.evicted_line,
        Ending::Broken(_) | Ending::Expired(Phase::Closed) => &counters.ended_broken,
        Ending::Expired(Phase::Proxy) => &counters.expired_proxy,
        Ending::Expired(Phase::FirstByte) => &counters.expired_first_byte,
        Ending::Expired(Phase::Line) => &counters.expired_line,
        Ending::Expired(Phase::Answering) => &counters.expired_answer,
        Ending::Expired(Phase::Writing) => &counters.expired_write,
        Ending::Expired(Phase::Looking | Phase::Draining) => &counters.expired_drain,
    };
    counters::add(counter, 1);
}

/// Counts whom a proxy's header names.
pub(super) fn source(counters: &Counters, source: Source) {
    counters::add(
        match source {
            Source::Client { .. } => &counters.proxied,
            Source::Own => &counters.proxied_own,
        },
        1,
    );
}

/// Counts what an answer was.
pub(super) fn answer(counters: &Counters, class: AnswerClass) {
    let counter = match class {
        AnswerClass::Found => &counters.answered_found,
        AnswerClass::NotFound => &counters.answered_not_found,
        AnswerClass::Refused => &counters.answered_refused,
        AnswerClass::Failed => &counters.answered_failed,
        AnswerClass::Limited => &counters.answered_limited,
        AnswerClass::Blocked => &counters.answered_blocked,
        AnswerClass::Denied => &counters.answered_denied,
    };
    counters::add(counter, 1);
}
