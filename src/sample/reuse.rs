//! Fills objects again without giving their memory back.
//!
//! # Does not
//!
//! Decide anything: it is the difference between one allocation a text and one a registry.

use snapshot_format::object::{ContactLink, ContactRole, HostLink};

/// Replaces a text in place.
pub(crate) fn set(out: &mut String, text: &str) {
    out.clear();
    out.push_str(text);
}

/// A list that is filled from the front, over the elements it had.
pub(crate) struct Refill<'a, T> {
    list: &'a mut Vec<T>,
    used: usize,
}

impl<'a, T> Refill<'a, T> {
    /// Starts again at the front of `list`.
    pub(crate) fn new(list: &'a mut Vec<T>) -> Self {
        Self { list, used: 0 }
    }

    /// How many elements are filled.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// The next element to fill.
    fn next_or(&mut self, empty: impl FnOnce() -> T) -> &mut T {
        if self.used == self.list.len() {
            self.list.push(empty());
        }
        self.used += 1;
        &mut self.list[self.used - 1]
    }

    /// Drops the elements that were not filled again.
    pub(crate) fn finish(self) {
        self.list.truncate(self.used);
    }
}

impl Refill<'_, HostLink> {
    /// The next nameserver's name, empty, to write.
    pub(crate) fn name(&mut self) -> &mut String {
        let link = self.next_or(|| HostLink::Name(String::new()));
        if !matches!(link, HostLink::Name(_)) {
            *link = HostLink::Name(String::new());
        }
        match link {
            HostLink::Name(text) | HostLink::Roid(text) => {
                text.clear();
                text
            }
        }
    }
}

impl Refill<'_, ContactLink> {
    /// The next contact's identifier, empty, to write.
    pub(crate) fn id(&mut self, role: ContactRole) -> &mut String {
        let link = self.next_or(|| ContactLink { role, id: String::new() });
        link.role = role;
        link.id.clear();
        &mut link.id
    }
}
