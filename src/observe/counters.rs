//! Counters of one shard since it started.
//!
//! # Invariants
//!
//! - `one-writer`: a counter only grows, by wrapping addition; only its own shard writes it, any
//!   thread may read it. So a relaxed load and store do, which cost what a plain cell costs: no
//!   locked instruction, and no order between counters that a reader could rely on.
//! - `Totals::rows` names every counter once, in the order of the struct.
//!
//! # Does not
//!
//! Know what a count means to others: rates, alarms and reports are made from these elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Its value now.
    #[must_use]
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds to it. Only its one writer may: of two adds at once, one would be lost.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Ordering::Relaxed);
    }
}

/// A level that one thread sets and any thread reads.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Its value now.
    #[must_use]
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets it.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// What an answer was, as far as counting goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerClass {
    /// At least one record, or the help text.
    Found,
    /// There is no such record.
    NotFound,
    /// The query was not served: not understood, too long, not allowed, out of budget.
    Refused,
    /// A record could not be read.
    Failed,
    /// The source was over a limit.
    Limited,
    /// The source is blocked.
    Blocked,
    /// A list denies the source.
    Denied,
    /// A browser asked before it lets a script ask.
    Preflight,
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// The counters of one shard, written on its own core alone.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: Counter,)+
        }

        /// The values of all counters at one moment, of one shard or added over several.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// The values now.
            #[must_use]
            pub fn totals(&self) -> Totals {
                Totals { $($name: self.$name.get(),)+ }
            }
        }

        impl Totals {
            /// Adds the counts of another shard.
            pub fn add(&mut self, other: &Self) {
                $(self.$name = self.$name.wrapping_add(other.$name);)+
            }

            /// Logs the end of the server with what it counted, each count a field of its own;
            /// what is zero is left out.
            pub fn log_stop(&self, cut_off_count: u64) {
                let told = |value: u64| (value > 0).then_some(value);
                tracing::info!(cut_off_count, $($name = told(self.$name),)+ "stopped");
            }

            /// Name and value of every counter.
            pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Connections accepted, those over the bound included.
    accepted,
    /// Connections closed at once because the shard had its bound of open ones.
    over_bound,
    /// Silent connections closed to make room for a new one.
    evicted_silent,
    /// Connections with an unfinished line closed to make room for a new one, or for want of a
    /// buffer for long lines.
    evicted_line,
    /// Connections that had their answer and did not close, closed to make room for a new one.
    evicted_draining,
    /// Connections that took their answer slowest, cut because a query needed the answer buffer.
    evicted_writing,
    /// Calls of accept that failed.
    accept_errors,
    /// Answers with a record, or the help text.
    answered_found,
    /// Answers that say that there is no such record.
    answered_not_found,
    /// Answers that refuse the query.
    answered_refused,
    /// Answers that had to say that a record cannot be read.
    answered_failed,
    /// Answers that say that a limit is reached.
    answered_limited,
    /// Answers that say that the source is blocked.
    answered_blocked,
    /// Answers that say that a list denies the source.
    answered_denied,
    /// Answers to what a browser asks before it lets a script ask.
    answered_preflight,
    /// Queries whose answering panicked: a bug; the connection was closed without an answer.
    panicked,
    /// Queries that waited because every answer buffer was in use.
    waited_for_buffer,
    /// Connections whose whole answer was handed to the kernel and whose client closed in order.
    ended_served,
    /// Connections that the client closed, or reset, before it asked anything.
    ended_silent,
    /// Connections closed at once because a proxy's header was wanted and the peer is not listed.
    ended_untrusted,
    /// Connections closed because what should have been the proxy's header is not taken.
    ended_unproxied,
    /// Connections whose TLS handshake failed, or that the client ended within it.
    ended_handshake,
    /// Connections cut because the proxy's header did not come in time.
    expired_proxy,
    /// Connections cut because the TLS handshake was not over in time.
    expired_handshake,
    /// Connections cut because no byte came in time.
    expired_first_byte,
    /// Connections cut because the line did not end in time.
    expired_line,
    /// Connections cut because no answer buffer came free in time.
    expired_answer,
    /// Connections cut because the client did not read the answer in time.
    expired_write,
    /// Connections cut because the client did not close in time after extra input.
    expired_drain,
    /// Connections cut because of too much input after the line.
    ended_flooded,
    /// Connections that the client or the network broke once a query had begun.
    ended_broken,
    /// Connections whose client a proxy has named.
    proxied,
    /// Connections of the proxies themselves: their health checks.
    proxied_own,
    /// Requests whose client a trusted proxy has named in a header of HTTP.
    forwarded,
    /// Requests of trusted proxies whose header names nobody: they count as the proxies' own.
    forwarded_unnamed,
    /// Bytes received, drained ones included.
    received_bytes,
    /// Bytes of answers handed to the kernel.
    sent_bytes,
}

impl Counters {
    /// Counts what an answer was.
    pub fn count_answer(&self, class: AnswerClass) {
        let counter = match class {
            AnswerClass::Found => &self.answered_found,
            AnswerClass::NotFound => &self.answered_not_found,
            AnswerClass::Refused => &self.answered_refused,
            AnswerClass::Failed => &self.answered_failed,
            AnswerClass::Limited => &self.answered_limited,
            AnswerClass::Blocked => &self.answered_blocked,
            AnswerClass::Denied => &self.answered_denied,
            AnswerClass::Preflight => &self.answered_preflight,
        };
        counter.add(1);
    }
}

/// Adds `count` to a counter.
#[inline]
pub fn add(counter: &Counter, count: u64) {
    counter.add(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_shards_add_up_counter_by_counter() {
        let counters = Counters::default();
        add(&counters.accepted, 2);
        add(&counters.sent_bytes, 10);
        let mut sum = counters.totals();
        sum.add(&counters.totals());
        let rows: Vec<_> = sum.rows().filter(|(_, value)| *value != 0).collect();
        assert_eq!(rows, [("accepted", 4), ("sent_bytes", 20)]);
    }
}
