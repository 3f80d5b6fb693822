//! The body of an answer, which counts for its connection until it is sent.
//!
//! # Invariants
//!
//! - `until it is sent`: hyper takes a body's bytes long before a client does. So the bytes
//!   themselves carry the count, wherever they wait, and end it when they are dropped.
//!
//! # Does not
//!
//! Know what is in it.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Frame, SizeHint};

use crate::activity::Activity;

/// A body in one piece.
#[derive(Debug)]
pub(crate) struct Body(Option<Counted>);

/// Bytes that count.
#[derive(Debug)]
pub(crate) struct Counted {
    bytes: Bytes,
    counted: usize,
    activity: Rc<Activity>,
}

impl Body {
    /// Of an answer on the connection that `activity` is of.
    pub(crate) fn new(bytes: Bytes, activity: &Rc<Activity>) -> Self {
        if bytes.is_empty() {
            return Self(None);
        }
        let counted = bytes.len();
        activity.hold(counted);
        Self(Some(Counted { bytes, counted, activity: Rc::clone(activity) }))
    }
}

impl hyper::body::Body for Body {
    type Data = Counted;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Counted>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.remaining() as u64))
    }
}

impl Buf for Counted {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.activity.advance();
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.activity.let_go(self.counted);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use hyper::body::Body as _;
    use whoisd::observe::clock;

    use super::*;

    #[test]
    fn bytes_count_until_they_are_dropped_wherever_they_wait() {
        let of_core = Rc::default();
        let [one, other] = [(); 2].map(|()| Activity::new(clock::monotonic, &of_core));
        let mut first = pin!(Body::new(Bytes::from_static(b"0123456789"), &one));
        let second = Body::new(Bytes::from_static(b"01234"), &other);
        let empty = Body::new(Bytes::new(), &other);
        assert!(empty.is_end_stream() && empty.size_hint().exact() == Some(0));
        assert_eq!(first.size_hint().exact(), Some(10));
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(Ok(frame))) = first.as_mut().poll_frame(&mut context) else {
            panic!("no frame")
        };
        assert!(first.is_end_stream());
        let mut taken = frame.into_data().unwrap();
        taken.advance(10);
        assert_eq!((one.unsent(), other.unsent(), of_core.get()), (10, 5, 15));
        drop(taken);
        assert_eq!((one.unsent(), of_core.get()), (0, 5));
        drop(second);
        assert_eq!((other.unsent(), of_core.get()), (0, 0));
    }
}
