//! Namespace declarations in force, and what raw names mean under them.
//!
//! # Invariants
//!
//! - A scope never changes; declarations make a new one on top of the current one.
//! - At most [`SCOPES_MAX`] scopes and [`NAMES_MAX`] names each are remembered, and of all of them
//!   [`REMEMBERED_BYTES_MAX`]. Names that are not remembered are worked out again.
//!
//! # Does not
//!
//! Read documents.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use ahash::RandomState;
use hashbrown::HashMap;

use super::{XmlError, bounds};
use crate::vet::element::{Element, Name, Space};
use crate::vet::rule::Rule;

/// Most scopes that are remembered beyond their element: deposits have one, or one per kind.
const SCOPES_MAX: usize = 256;
/// Most raw names that are remembered per scope; deposits have about a hundred.
const NAMES_MAX: usize = 4096;
/// Most bytes of names and declarations that are remembered, of all scopes; deposits have some
/// thousands.
const REMEMBERED_BYTES_MAX: usize = 1 << 20;
/// What an entry takes beside its text, at most, bytes.
const ENTRY_BYTES: usize = 128;
/// Most prefixes that are in force at one place; deposits have up to 30.
const BINDINGS_MAX: usize = 256;

type Map<K, V> = HashMap<K, V, RandomState>;

#[derive(Default)]
struct Scope {
    bindings: Vec<(Box<str>, Space)>,
    /// Raw names with what they mean, and which one followed last time: elements come in the order
    /// of a schema, so that one, or the last one again, is right most of the time and saves the
    /// hash.
    names: Vec<(Box<str>, Element, usize)>,
    positions: Map<Box<str>, usize>,
    last: usize,
    /// What its names take.
    bytes: usize,
}

impl Scope {
    /// The element whose raw name `tag` begins with, if it is the one that followed last time, or
    /// the last one again; and the name's length.
    fn expected(&mut self, tag: &[u8]) -> Option<(Element, usize)> {
        let next = self.names.get(self.last).map_or(0, |&(_, _, next)| next);
        for position in [next, self.last] {
            let (name, element, _) = self.names.get(position)?;
            let ends = |after: &[u8]| matches!(after, [b'>' | b' ' | b'/', ..]);
            if tag.strip_prefix(name.as_bytes()).is_some_and(ends) {
                self.last = position;
                return Some((*element, name.len()));
            }
        }
        None
    }

    /// The meaning of a raw name that was seen before.
    fn known(&mut self, raw: &str) -> Option<Element> {
        let position = *self.positions.get(raw)?;
        if position != self.last
            && let Some((_, _, next)) = self.names.get_mut(self.last)
        {
            *next = position;
        }
        self.last = position;
        self.names.get(position).map(|&(_, element, _)| element)
    }
}

/// The scopes of a document, and which of them is in force.
pub(super) struct Scopes {
    scopes: Vec<Scope>,
    /// Parent scope and raw attributes of the scopes that are remembered.
    known: Map<(usize, Box<str>), usize>,
    current: usize,
    /// Scopes from here on are not remembered: they go with their element.
    remembered: usize,
    /// What names and scopes may still take to be remembered.
    left_bytes: usize,
}

impl Scopes {
    pub(super) fn new() -> Self {
        let outermost = Scope {
            bindings: vec![("".into(), Space::Foreign), ("xml".into(), Space::Foreign)],
            ..Scope::default()
        };
        let left_bytes = REMEMBERED_BYTES_MAX;
        Self {
            scopes: vec![outermost],
            known: Map::default(),
            current: 0,
            remembered: 1,
            left_bytes,
        }
    }

    /// The scope in force.
    pub(super) const fn current(&self) -> usize {
        self.current
    }

    /// An element opens that may declare namespaces: its raw attributes, and the attributes
    /// themselves.
    ///
    /// # Errors
    ///
    /// More than [`BINDINGS_MAX`] prefixes would be in force.
    pub(super) fn enter<'a>(
        &mut self,
        raw: &str,
        attributes: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), XmlError> {
        let key = (self.current, Box::from(raw));
        if let Some(&scope) = self.known.get(&key) {
            self.current = scope;
            return Ok(());
        }
        let mut bindings =
            self.scopes.get(self.current).map(|scope| scope.bindings.clone()).unwrap_or_default();
        let mut changed = false;
        for (name, uri) in attributes {
            let prefix = match name.strip_prefix("xmlns") {
                Some("") => "",
                Some(rest) => match rest.strip_prefix(':') {
                    Some(prefix) => prefix,
                    None => continue,
                },
                None => continue,
            };
            bindings.retain(|(bound, _)| &**bound != prefix);
            if bindings.len() >= BINDINGS_MAX {
                return Err(bounds(&format!("more than {BINDINGS_MAX} prefixes of namespaces")));
            }
            bindings.push((prefix.into(), Space::of_uri(uri)));
            changed = true;
        }
        if !changed {
            return Ok(());
        }
        let scope = self.scopes.len();
        let of_bindings = bindings.iter().map(|(prefix, _)| entry_bytes(prefix.len()));
        let bytes = of_bindings.fold(entry_bytes(raw.len()), usize::saturating_add);
        if self.known.len() < SCOPES_MAX && self.remembered == scope && self.spend(bytes) {
            self.known.insert(key, scope);
            self.remembered = scope.saturating_add(1);
        }
        self.scopes.push(Scope { bindings, ..Scope::default() });
        self.current = scope;
        Ok(())
    }

    /// Whether something of `bytes` may be remembered besides what is.
    const fn spend(&mut self, bytes: usize) -> bool {
        match self.left_bytes.checked_sub(bytes) {
            Some(left_bytes) => self.left_bytes = left_bytes,
            None => return false,
        }
        true
    }

    /// The innermost element closes; `outer` was in force before it opened.
    pub(super) fn leave(&mut self, outer: usize) {
        if outer != self.current && self.current >= self.remembered {
            let gone = self.scopes.drain(self.current..).map(|scope| scope.bytes);
            self.left_bytes = gone.fold(self.left_bytes, usize::saturating_add);
        }
        self.current = outer;
    }

    /// What the raw name at the beginning of `tag` means in the current scope, and its length, if
    /// it is one that was to be expected.
    pub(super) fn expected(&mut self, tag: &[u8]) -> Option<(Element, usize)> {
        self.scopes.get_mut(self.current)?.expected(tag)
    }

    /// What a raw name means in the current scope.
    pub(super) fn element(&mut self, raw: &str) -> Result<Element, XmlError> {
        let Some(scope) = self.scopes.get_mut(self.current) else {
            return Err(XmlError::Broken(Rule::XmlMalformed, raw.to_owned()));
        };
        if let Some(element) = scope.known(raw) {
            return Ok(element);
        }
        let (prefix, local) = raw.split_once(':').unwrap_or(("", raw));
        if !is_name(local) || raw.contains(':') && !is_name(prefix) {
            let got = format!("the name {raw:?}");
            return Err(XmlError::Broken(Rule::XmlMalformed, got));
        }
        let bound = scope.bindings.iter().rfind(|(bound, _)| &**bound == prefix);
        let Some(&(_, space)) = bound else {
            let got = format!("the prefix {prefix} without a namespace");
            return Err(XmlError::Broken(Rule::XmlMalformed, got));
        };
        let element = Element { space, name: Name::of(local) };
        // A name is kept in a list and in a map.
        let bytes = entry_bytes(raw.len()).saturating_mul(2);
        let left_bytes = self.left_bytes.checked_sub(bytes);
        if scope.names.len() < NAMES_MAX
            && let Some(left_bytes) = left_bytes
        {
            self.left_bytes = left_bytes;
            scope.bytes = scope.bytes.saturating_add(bytes);
            scope.positions.insert(raw.into(), scope.names.len());
            scope.names.push((raw.into(), element, 0));
        }
        Ok(element)
    }
}

const fn entry_bytes(text_bytes: usize) -> usize {
    text_bytes.saturating_add(ENTRY_BYTES)
}

/// Whether `text` is a name without a colon, as far as ASCII goes.
fn is_name(text: &str) -> bool {
    let inner = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii()
    };
    text.bytes().all(inner)
        && text
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_' || !first.is_ascii())
}
