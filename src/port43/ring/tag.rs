//! What a request carries so that its completion is known again: its operation and its slot.
//!
//! # Does not
//!
//! Make requests.

use io_uring::cqueue;

use super::kernel::{Completion, Op};

/// The mark of a request.
pub(super) const fn data_of(op: Op, slot: u32) -> u64 {
    ((slot as u64) << 8) | op as u64
}

fn op_of(data: u64) -> Op {
    const OPS: [Op; 7] =
        [Op::Accept, Op::Receive, Op::Send, Op::Look, Op::Drain, Op::Tick, Op::Quiet];
    OPS.into_iter().find(|op| *op as u64 == data & 0xff).unwrap_or(Op::Quiet)
}

/// The completion that an entry is.
#[expect(clippy::cast_possible_truncation, reason = "a slot's number was put there as a u32")]
pub(super) fn completion_of(entry: &cqueue::Entry) -> Completion {
    let data = entry.user_data();
    Completion { op: op_of(data), slot: (data >> 8) as u32, result: entry.result() }
}
