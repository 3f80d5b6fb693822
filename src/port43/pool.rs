//! The answer buffers of one shard: made when first needed, at most so many, given back on drop.
//!
//! # Invariants
//!
//! - `bounded`: a lease exists per permit, so no more buffers are ever made than permits.
//!
//! # Does not
//!
//! Clear a buffer: whoever writes an answer replaces what it holds.

use std::cell::RefCell;
use std::rc::Rc;

use glommio::GlommioError;
use glommio::sync::{Semaphore, StaticPermit};

/// A bounded stack of buffers; the one given back last is used first, since it is in the cache.
#[derive(Debug)]
pub(super) struct Pool<B> {
    free: RefCell<Vec<B>>,
    permits: Rc<Semaphore>,
}

/// A buffer on loan; it goes back when this is dropped.
#[must_use = "dropping it gives the buffer back"]
#[derive(Debug)]
pub(super) struct Lease<B> {
    buffer: Option<B>,
    pool: Rc<Pool<B>>,
    _permit: StaticPermit,
}

impl<B> Pool<B> {
    pub(super) fn new(buffers_max: u64) -> Rc<Self> {
        let permits = Rc::new(Semaphore::new(buffers_max));
        Rc::new(Self { free: RefCell::new(Vec::new()), permits })
    }

    /// A buffer now, or `None` if all are on loan.
    pub(super) fn try_lease(self: &Rc<Self>, make: impl FnOnce() -> B) -> Option<Lease<B>> {
        let permit = self.permits.try_acquire_static_permit(1).ok()?;
        Some(self.lend(permit, make))
    }

    /// A buffer as soon as one is free, first come first served.
    pub(super) async fn lease(
        self: &Rc<Self>,
        make: impl FnOnce() -> B,
    ) -> Result<Lease<B>, GlommioError<()>> {
        let permit = self.permits.acquire_static_permit(1).await?;
        Ok(self.lend(permit, make))
    }

    fn lend(self: &Rc<Self>, permit: StaticPermit, make: impl FnOnce() -> B) -> Lease<B> {
        let buffer = self.free.borrow_mut().pop().unwrap_or_else(make);
        Lease { buffer: Some(buffer), pool: Rc::clone(self), _permit: permit }
    }
}

impl<B> Lease<B> {
    /// The buffer; `None` never happens before the drop.
    pub(super) fn buffer_mut(&mut self) -> Option<&mut B> {
        self.buffer.as_mut()
    }
}

impl<B: AsRef<[u8]>> Lease<B> {
    /// What the buffer holds.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.as_ref().map(AsRef::as_ref).unwrap_or_default()
    }
}

impl<B> Drop for Lease<B> {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.pool.free.borrow_mut().push(buffer);
        }
    }
}
