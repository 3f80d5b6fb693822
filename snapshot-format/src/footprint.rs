//! How much memory an object takes: for code that holds many of them within a bound of bytes.
//!
//! # Invariants
//!
//! - Every field that owns memory is counted, by its capacity.
//!
//! # Does not
//!
//! Know what the allocator adds; a small part is reckoned for each allocation.

use crate::change::{Change, Object};
use crate::object::{
    Actor, Contact, ContactLink, DnsKey, Domain, Ds, HostLink, IdnTable, Nameserver, Nndn, Phone,
    Postal, Registrar, SecDns, Transfer,
};

/// What an allocation takes beside its length, about, bytes.
const ALLOCATION_BYTES: usize = 16;

/// Memory that a value owns beside itself.
trait Owned {
    /// Bytes.
    fn owned(&self) -> usize;
}

const fn allocation(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes.saturating_add(ALLOCATION_BYTES) }
}

impl Owned for String {
    fn owned(&self) -> usize {
        allocation(self.capacity())
    }
}

/// Values without memory of their own.
macro_rules! plain {
    ($($type:ty),*) => { $(impl Owned for $type { fn owned(&self) -> usize { 0 } })* };
}
plain!(u8, [u8; 4], [u8; 16]);

impl<T: Owned> Owned for Vec<T> {
    fn owned(&self) -> usize {
        let own = allocation(self.capacity().saturating_mul(size_of::<T>()));
        self.iter().fold(own, |sum, item| sum.saturating_add(item.owned()))
    }
}

impl<T: Owned> Owned for Option<T> {
    fn owned(&self) -> usize {
        self.as_ref().map_or(0, Owned::owned)
    }
}

impl Owned for (String, String) {
    fn owned(&self) -> usize {
        self.0.owned().saturating_add(self.1.owned())
    }
}

/// The fields of a type that own memory, and those that do not: each has to be named.
macro_rules! fields {
    ($($type:ident { $($field:ident),* ; $($other:ident),* })*) => { $(
        impl Owned for $type {
            fn owned(&self) -> usize {
                let Self { $($field,)* $($other: _,)* } = self;
                0_usize$(.saturating_add($field.owned()))*
            }
        }
    )* };
}

fields! {
    Actor { registrar, client; }
    ContactLink { id; role }
    Ds { digest; key_tag, algorithm, digest_type }
    DnsKey { public_key; flags, protocol, algorithm }
    SecDns { ds, keys; max_sig_life_s }
    Transfer { status, requester, actor; requested, acted, expires }
    Phone { number, ext; }
    Domain {
        name, roid, u_name, idn_table, original_name, contacts, nameservers, registrar, creator,
        updater, sec_dns, transfer, extras;
        statuses, created, updated, expires, transferred
    }
    Nameserver {
        name, roid, v4, v6, registrar, creator, updater; statuses, created, updated, transferred
    }
    Contact {
        id, roid, postal, voice, fax, email, registrar, creator, updater, transfer;
        statuses, created, updated, transferred, disclose
    }
    Registrar {
        id, name, postal, voice, fax, email, url, whois_name, whois_url;
        iana_id, status, created, updated
    }
    IdnTable { id, url, policy_url; }
    Nndn { name, u_name, idn_table, original_name; state, mirroring_ns, created }
}

impl Owned for Postal {
    fn owned(&self) -> usize {
        let Self { kind: _, name, org, street: [first, second, third], city, sp, pc, cc } = self;
        let texts = [name, org, first, second, third, city, sp, pc, cc];
        texts.into_iter().fold(0, |sum, text| sum.saturating_add(text.owned()))
    }
}

impl Owned for HostLink {
    fn owned(&self) -> usize {
        let (Self::Name(text) | Self::Roid(text)) = self;
        text.owned()
    }
}

impl Change {
    /// Memory that it takes, with what it owns, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let owned = match self {
            Self::Delete { key, .. } => key.owned(),
            Self::Upsert(object) => {
                let owned = match &**object {
                    Object::Registrar(object) => object.owned(),
                    Object::IdnTable(object) => object.owned(),
                    Object::Contact(object) => object.owned(),
                    Object::Nameserver(object) => object.owned(),
                    Object::Nndn(object) => object.owned(),
                    Object::Domain(object) => object.owned(),
                };
                allocation(size_of::<Object>()).saturating_add(owned)
            }
        };
        size_of::<Self>().saturating_add(owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Kind;

    #[test]
    fn what_an_object_owns_is_counted_however_deep_it_lies() {
        let key = "example.test".to_owned();
        let bytes = size_of::<Change>() + key.capacity() + ALLOCATION_BYTES;
        assert_eq!(Change::Delete { kind: Kind::Domain, key }.memory_bytes(), bytes);
        let of = |domain: Domain| Change::Upsert(Box::new(Object::Domain(domain))).memory_bytes();
        let empty = of(Domain::default());
        assert_eq!(empty, size_of::<Change>() + size_of::<Object>() + ALLOCATION_BYTES);
        let digest = vec![0; 1000];
        let ds = vec![Ds { key_tag: 1, algorithm: 1, digest_type: 1, digest }];
        let sec_dns = Some(SecDns { ds, ..SecDns::default() });
        let signed = of(Domain { sec_dns, ..Domain::default() });
        assert_eq!(signed - empty, size_of::<Ds>() + 1000 + 2 * ALLOCATION_BYTES);
    }
}
