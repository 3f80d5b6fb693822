//! What a search asks, out of its path and parameters (RFC 9082 section 3.2, RFC 8977, RFC 8982,
//! RFC 9536).
//!
//! # Invariants
//!
//! - `unknown parameters`: parameters that are not known are not looked at (RFC 7480 section 4.3);
//!   those that are known are there once, but for predicates of a reverse search.
//!
//! # Does not
//!
//! Look anything up.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use super::cursor::Cursor;
use super::pattern::{NamePattern, TextPattern};
use crate::field::contact::ROLES;
use crate::query::rdap::refusal::Refusal;
use crate::query::rdap::target::{address, decoded};
use crate::query::search::KeyText;

/// Most sort criteria of one search.
const SORTS_MAX: usize = 4;
/// Most predicates of a reverse search.
const PREDICATES_MAX: usize = 8;

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::query::rdap) struct Wanted {
    pub(super) by: By,
    pub(super) sorts: Vec<Sort>,
    /// The value of `sort`, as it came.
    pub(super) sort_text: String,
    pub(super) cursor: Option<Cursor>,
    pub(super) count: bool,
    /// The value of `fieldSet`, if there is one.
    pub(super) field_set: Option<FieldSet>,
    /// What is looked for, for the log.
    pub(in crate::query::rdap) subject: Box<str>,
}

/// What a search finds, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// `domains?name=`
    DomainName(NamePattern),
    /// `domains?nsLdhName=`
    DomainNameserver(NamePattern),
    /// `domains?nsIp=`
    DomainAddress(IpAddr),
    /// `domains/reverse_search/entity`
    DomainEntity(Vec<Predicate>),
    /// `nameservers?name=`
    NameserverName(NamePattern),
    /// `nameservers?ip=`
    NameserverAddress(IpAddr),
    /// `entities?fn=`
    EntityName(TextPattern),
    /// `entities?handle=`
    EntityHandle(TextPattern),
}

/// A condition on an entity that a domain names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Predicate {
    Text(KeyText, TextPattern),
    /// A contact's role, by its place in [`ROLES`].
    Role(u8),
    /// The role of a registrar.
    Registrar,
    /// A role that no entity here has.
    NoRole,
}

impl Predicate {
    pub(super) const fn property(&self) -> &'static str {
        match self {
            Self::Text(KeyText::Name, _) => "fn",
            Self::Text(KeyText::Email, _) => "email",
            Self::Text(KeyText::Handle, _) => "handle",
            Self::Role(_) | Self::Registrar | Self::NoRole => "role",
        }
    }
}

/// Which class of objects a search finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query::rdap) enum Class {
    Domain,
    Nameserver,
    Entity,
}

impl By {
    pub(super) const fn class(&self) -> Class {
        match self {
            Self::DomainName(_)
            | Self::DomainNameserver(_)
            | Self::DomainAddress(_)
            | Self::DomainEntity(_) => Class::Domain,
            Self::NameserverName(_) | Self::NameserverAddress(_) => Class::Nameserver,
            Self::EntityName(_) | Self::EntityHandle(_) => Class::Entity,
        }
    }
}

/// A property that results are sorted by (RFC 8977 section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SortBy {
    Name,
    Registration,
    LastChanged,
    Expiration,
    Transfer,
    V4,
    V6,
    Handle,
    Fn,
}

impl SortBy {
    /// Those of a class, as the answer lists them.
    pub(super) const fn of(class: Class) -> &'static [Self] {
        match class {
            Class::Domain => &[
                Self::Name,
                Self::Registration,
                Self::LastChanged,
                Self::Expiration,
                Self::Transfer,
            ],
            Class::Nameserver => {
                &[Self::Name, Self::V4, Self::V6, Self::Registration, Self::LastChanged]
            }
            Class::Entity => &[Self::Handle, Self::Fn, Self::Registration, Self::LastChanged],
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Registration => "registrationDate",
            Self::LastChanged => "lastChangedDate",
            Self::Expiration => "expirationDate",
            Self::Transfer => "transferDate",
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
            Self::Handle => "handle",
            Self::Fn => "fn",
        }
    }

    /// Where answers have it, after the list's own path.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Name => ".[unicodeName,ldhName]",
            Self::Registration => r#".events[?(@.eventAction=="registration")].eventDate"#,
            Self::LastChanged => r#".events[?(@.eventAction=="last changed")].eventDate"#,
            Self::Expiration => r#".events[?(@.eventAction=="expiration")].eventDate"#,
            Self::Transfer => r#".events[?(@.eventAction=="transfer")].eventDate"#,
            Self::V4 => ".ipAddresses.v4[0]",
            Self::V6 => ".ipAddresses.v6[0]",
            Self::Handle => ".handle",
            Self::Fn => r#".vcardArray[1][?(@[0]=="fn")][3]"#,
        }
    }
}

/// One criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) by: SortBy,
    pub(super) descends: bool,
}

/// How much of each object is shown (RFC 8982 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FieldSet {
    Id,
    Brief,
    Full,
}

impl FieldSet {
    pub(super) const ALL: [Self; 3] = [Self::Id, Self::Brief, Self::Full];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Brief => "brief",
            Self::Full => "full",
        }
    }
}

/// Those of one kind of search, in their order.
type Own<'t> = Vec<(&'static str, &'t str)>;

/// The parameters of all searches.
#[derive(Default)]
struct Common<'t> {
    sort: Option<&'t str>,
    cursor: Option<&'t str>,
    count: Option<&'t str>,
    field_set: Option<&'t str>,
}

impl Wanted {
    /// Reads a search for a class of objects.
    pub(in crate::query::rdap) fn read(class: Class, query: &str) -> Result<Self, Refusal> {
        let own: &[&str] = match class {
            Class::Domain => &["name", "nsLdhName", "nsIp"],
            Class::Nameserver => &["name", "ip"],
            Class::Entity => &["fn", "handle"],
        };
        let (mut found, common) = parameters(query, own)?;
        let (Some((name, value)), None) = (found.pop(), found.pop()) else {
            return Err(Refusal::Parameters);
        };
        let subject = decoded(value, true)?;
        let text = subject.as_str();
        let by = match (class, name) {
            (Class::Domain, "name") => By::DomainName(NamePattern::read(text, false)?),
            (Class::Domain, "nsLdhName") => By::DomainNameserver(NamePattern::read(text, true)?),
            (Class::Domain, _) => By::DomainAddress(address(text)?),
            (Class::Nameserver, "name") => By::NameserverName(NamePattern::read(text, false)?),
            (Class::Nameserver, _) => By::NameserverAddress(address(text)?),
            (Class::Entity, "fn") => By::EntityName(TextPattern::read(text)?),
            (Class::Entity, _) => By::EntityHandle(TextPattern::read(text)?),
        };
        Self::new(by, &common, text)
    }

    /// Reads a reverse search for domains.
    pub(in crate::query::rdap) fn read_reverse(query: &str) -> Result<Self, Refusal> {
        let (found, common) = parameters(query, &["fn", "handle", "email", "role"])?;
        if found.is_empty() || found.len() > PREDICATES_MAX {
            return Err(Refusal::Predicates);
        }
        let mut subject = String::new();
        let mut predicates = Vec::new();
        for (property, value) in found {
            let text = decoded(value, true)?;
            predicates.push(match property {
                "fn" => Predicate::Text(KeyText::Name, TextPattern::read(text.as_str())?),
                "email" => Predicate::Text(KeyText::Email, TextPattern::read(text.as_str())?),
                "handle" => Predicate::Text(KeyText::Handle, TextPattern::read(text.as_str())?),
                _ => role(text.as_str()),
            });
            if subject.is_empty() {
                text.as_str().clone_into(&mut subject);
            }
        }
        // By its role alone every domain of the registry would be found.
        if !predicates.iter().any(|predicate| matches!(predicate, Predicate::Text(..))) {
            return Err(Refusal::Predicates);
        }
        Self::new(By::DomainEntity(predicates), &common, &subject)
    }

    fn new(by: By, common: &Common<'_>, subject: &str) -> Result<Self, Refusal> {
        let sort = decoded(common.sort.unwrap_or_default(), true)?;
        let sorts = match common.sort {
            Some(_) => sorts(by.class(), sort.as_str())?,
            None => Vec::new(),
        };
        let count = match common.count.map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "no" | "0") => false,
            Some("true" | "yes" | "1") => true,
            Some(_) => return Err(Refusal::Count),
        };
        let field_set = match common.field_set {
            None => None,
            Some(word) => {
                let named = FieldSet::ALL.into_iter().find(|set| set.word() == word);
                Some(named.ok_or(Refusal::FieldSet)?)
            }
        };
        let cursor = match common.cursor {
            None => None,
            Some(text) => Some(Cursor::read(text, of_search(&by, &sorts))?),
        };
        let sort_text = sort.as_str().to_owned();
        let subject = subject.into();
        Ok(Self { by, sorts, sort_text, cursor, count, field_set, subject })
    }

    /// What tells one search from another, for its cursors.
    pub(super) fn key(&self) -> u64 {
        of_search(&self.by, &self.sorts)
    }

    /// The class of the objects that it finds.
    pub(in crate::query::rdap) const fn class(&self) -> Class {
        self.by.class()
    }

    /// Whether the answer is at hand without a walk through many records or through an index.
    pub(in crate::query::rdap) const fn is_quick(&self) -> bool {
        matches!(self.by, By::NameserverAddress(_))
    }

    /// Whether it is a reverse search.
    pub(in crate::query::rdap) const fn is_reverse(&self) -> bool {
        matches!(self.by, By::DomainEntity(_))
    }

    /// Whether it asks for more than a list.
    pub(super) const fn is_plain(&self) -> bool {
        self.sorts.is_empty() && self.cursor.is_none() && !self.count && self.field_set.is_none()
    }
}

fn of_search(by: &By, sorts: &[Sort]) -> u64 {
    // The text of the types: a cursor that an earlier build has made is refused, no more.
    twox_hash::XxHash3_64::oneshot(format!("{by:?} {sorts:?}").as_bytes())
}

/// The parameters that are meant, in their order, and those of all searches.
fn parameters<'q>(query: &'q str, own: &[&'static str]) -> Result<(Own<'q>, Common<'q>), Refusal> {
    let (mut found, mut common) = (Vec::new(), Common::default());
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let place = match name {
            "sort" => &mut common.sort,
            "cursor" => &mut common.cursor,
            "count" => &mut common.count,
            "fieldSet" => &mut common.field_set,
            _ => {
                if let Some(own) = own.iter().find(|own| **own == name) {
                    found.push((*own, value));
                }
                continue;
            }
        };
        if place.replace(value).is_some() {
            return Err(Refusal::Twice);
        }
    }
    Ok((found, common))
}

/// Reads criteria: names with `:a` or `:d`, and commas between them.
fn sorts(class: Class, text: &str) -> Result<Vec<Sort>, Refusal> {
    let one = |item: &str| {
        let (word, descends) = match item.split_once(':') {
            None | Some((_, "a")) => (item.split(':').next().unwrap_or_default(), false),
            Some((word, "d")) => (word, true),
            Some(_) => return Err(Refusal::Sort),
        };
        let by = SortBy::of(class).iter().find(|by| by.word() == word);
        by.map(|by| Sort { by: *by, descends }).ok_or(Refusal::Sort)
    };
    let sorts = text.split(',').map(one).collect::<Result<Vec<_>, _>>()?;
    if sorts.len() > SORTS_MAX { Err(Refusal::Sort) } else { Ok(sorts) }
}

fn role(text: &str) -> Predicate {
    if text.eq_ignore_ascii_case("registrar") {
        return Predicate::Registrar;
    }
    let contacts = ROLES.iter().zip(0_u8..).filter(|(role, _)| !role.rdap.is_empty());
    let mut named = contacts.filter(|(role, _)| role.rdap.eq_ignore_ascii_case(text));
    named.next().map_or(Predicate::NoRole, |(_, place)| Predicate::Role(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_the_rfcs() {
        let read = |query: &str| Wanted::read(Class::Domain, query);
        let wanted =
            read("name=exam*.example&sort=registrationDate:d,name&count=true&fieldSet=id&x=y")
                .unwrap();
        assert_eq!(
            wanted.sorts,
            [
                Sort { by: SortBy::Registration, descends: true },
                Sort { by: SortBy::Name, descends: false }
            ]
        );
        assert!(wanted.count);
        assert_eq!(wanted.field_set, Some(FieldSet::Id));
        for (query, refusal) in [
            ("", Refusal::Parameters),
            ("x=y", Refusal::Parameters),
            ("name=exam*&nsIp=192.0.2.1", Refusal::Parameters),
            ("name=exam*&name=exam*", Refusal::Parameters),
            ("name=exam*&sort=", Refusal::Sort),
            ("name=exam*&sort=colour", Refusal::Sort),
            ("name=exam*&sort=name:x", Refusal::Sort),
            ("name=exam*&sort=name,name,name,name,name", Refusal::Sort),
            ("name=exam*&count=maybe", Refusal::Count),
            ("name=exam*&count=1&count=1", Refusal::Twice),
            ("name=exam*&fieldSet=", Refusal::FieldSet),
            ("name=exam*&fieldSet=all", Refusal::FieldSet),
            ("name=exam*&cursor=%3F", Refusal::Cursor),
            ("nsIp=192.0.2.*", Refusal::AddressPattern),
            ("nsIp=192.0.2", Refusal::Address),
        ] {
            assert_eq!(read(query), Err(refusal), "{query}");
        }
    }

    #[test]
    fn predicates_of_a_reverse_search_may_come_twice_and_a_role_alone_is_none() {
        let wanted = Wanted::read_reverse("fn=bob*&fn=bobby*&role=registrant").unwrap();
        let By::DomainEntity(predicates) = &wanted.by else { panic!("{wanted:?}") };
        assert_eq!(
            predicates.iter().map(Predicate::property).collect::<Vec<_>>(),
            ["fn", "fn", "role"]
        );
        for query in ["", "role=registrant", "colour=red", &"fn=bob&".repeat(9)] {
            assert_eq!(Wanted::read_reverse(query), Err(Refusal::Predicates), "{query}");
        }
    }
}
