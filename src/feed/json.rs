//! The names of a record's fields, once for both directions: words of EPP and of RFC 9022.
//!
//! # Invariants
//!
//! - An absent field, an empty text and an empty list are the same, and are not written.
//! - A list keeps at most [`LIST_COUNT_MAX`] elements, however long it is.
//! - Fields agree with `change-record.schema.json`; a test compares the two.
//!
//! # Does not
//!
//! Look at values: `read` does.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use snapshot_format::limits::LIST_COUNT_MAX;

/// A text, borrowed from an object that is written.
pub(super) type Text<'a> = Cow<'a, str>;

/// A list of bounded length.
#[derive(Debug)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    /// Elements that the record has, kept or not.
    pub(super) count: usize,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), count: 0 }
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let items: Vec<T> = items.into_iter().collect();
        Self { count: items.len(), items }
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.items.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut list = List::default();
                while list.items.len() < LIST_COUNT_MAX {
                    let Some(item) = seq.next_element()? else { return Ok(list) };
                    list.items.push(item);
                    list.count = list.items.len();
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    list.count = list.count.saturating_add(1);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

/// Whether a field says nothing, and is not written.
pub(super) trait Blank {
    fn is_blank(&self) -> bool;
}

impl Blank for Text<'_> {
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

impl Blank for u32 {
    fn is_blank(&self) -> bool {
        *self == 0
    }
}

impl<T> Blank for List<T> {
    fn is_blank(&self) -> bool {
        self.count == 0
    }
}

impl<T> Blank for Option<T> {
    fn is_blank(&self) -> bool {
        self.is_none()
    }
}

/// Defines a JSON object: fields that it has to have, then fields that it may have.
macro_rules! json {
    (
        $(#[$doc:meta])* $name:ident
        [$($need:ident $need_word:literal $need_type:ty),* $(,)?]
        [$($may:ident $may_word:literal $may_type:ty),* $(,)?]
    ) => {
        $(#[$doc])*
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, remote = "Self")]
        pub(super) struct $name<'a> {
            $(
                #[serde(rename = $need_word)]
                pub(super) $need: $need_type,
            )*
            $(
                #[serde(rename = $may_word, default, skip_serializing_if = "Blank::is_blank")]
                pub(super) $may: $may_type,
            )*
        }

        impl Serialize for $name<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        // What serde derives takes a list of the fields in their order as well, without names.
        impl<'de> Deserialize<'de> for $name<'_> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> Visitor<'de> for Fields {
                    type Value = $name<'static>;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object with named fields")
                    }

                    fn visit_map<A: MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<Self::Value, A::Error> {
                        $name::deserialize(MapAccessDeserializer::new(map))
                    }
                }
                deserializer.deserialize_map(Fields)
            }
        }

        #[cfg(test)]
        impl $name<'_> {
            pub(super) const REQUIRED: &'static [&'static str] = &[$($need_word),*];
            pub(super) const OPTIONAL: &'static [&'static str] = &[$($may_word),*];
        }
    };
}

json! {
    /// A registrar and the client that logged in (`rrType`, RFC 9022 section 4.2).
    Actor [] [id "id" Text<'a>, client "client" Text<'a>]
}

json! {
    /// A telephone number and its extension (`e164Type`, RFC 5733 section 2.5).
    Phone [] [number "number" Text<'a>, ext "x" Text<'a>]
}

json! {
    /// `trnData` (RFC 9022 section 5.1.1.1).
    Transfer
    []
    [
        status "trStatus" Text<'a>,
        requester "reRr" Option<Actor<'a>>,
        requested "reDate" Text<'a>,
        actor "acRr" Option<Actor<'a>>,
        acted "acDate" Text<'a>,
        expires "exDate" Text<'a>,
    ]
}

json! {
    /// `contact` with its `type`, or `registrant`, which is a type here (RFC 5731 section 2.5).
    ContactLink [role "type" Text<'a>, id "id" Text<'a>] []
}

json! {
    /// A nameserver by its repository object identifier.
    HostRoid [roid "roid" Text<'a>] []
}

/// A nameserver of a domain: a host name, or an object with a repository object identifier.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum HostLink<'a> {
    Name(Text<'a>),
    Roid(HostRoid<'a>),
}

impl<'de> Deserialize<'de> for HostLink<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Link;
        impl<'de> Visitor<'de> for Link {
            type Value = HostLink<'static>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a host name or {\"roid\": ..}")
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(HostLink::Name(Cow::Owned(name.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                HostRoid::deserialize(MapAccessDeserializer::new(map)).map(HostLink::Roid)
            }
        }
        deserializer.deserialize_any(Link)
    }
}

json! {
    /// `dsData` (RFC 5910 section 4.1).
    DsData
    [
        key_tag "keyTag" u16,
        algorithm "alg" u8,
        digest_type "digestType" u8,
        digest "digest" Text<'a>,
    ]
    []
}

json! {
    /// `keyData` (RFC 5910 section 4.2).
    KeyData
    [
        flags "flags" u16,
        protocol "protocol" u8,
        algorithm "alg" u8,
        public_key "pubKey" Text<'a>,
    ]
    []
}

json! {
    /// `secDNS` (RFC 5910 section 4).
    SecDns
    []
    [
        max_sig_life_s "maxSigLife" u32,
        ds "dsData" List<DsData<'a>>,
        keys "keyData" List<KeyData<'a>>,
    ]
}

json! {
    /// A key-value pair that a domain has beside its fields.
    Extra [key "key" Text<'a>, value "value" Text<'a>] []
}

json! {
    /// A domain (RFC 9022 section 5.1.1).
    Domain
    [name "name" Text<'a>]
    [
        roid "roid" Text<'a>,
        u_name "uName" Text<'a>,
        idn_table "idnTableId" Text<'a>,
        original_name "originalName" Text<'a>,
        statuses "status" List<Text<'a>>,
        grace "rgpStatus" List<Text<'a>>,
        contacts "contacts" List<ContactLink<'a>>,
        nameservers "ns" List<HostLink<'a>>,
        registrar "clID" Text<'a>,
        creator "crRr" Option<Actor<'a>>,
        created "crDate" Text<'a>,
        updater "upRr" Option<Actor<'a>>,
        updated "upDate" Text<'a>,
        expires "exDate" Text<'a>,
        transferred "trDate" Text<'a>,
        sec_dns "secDNS" Option<SecDns<'a>>,
        transfer "trnData" Option<Transfer<'a>>,
        extras "extras" List<Extra<'a>>,
    ]
}

json! {
    /// Addresses of a host, by version (RFC 5732 section 2.5).
    Addresses [] [v4 "v4" List<Text<'a>>, v6 "v6" List<Text<'a>>]
}

json! {
    /// A host (RFC 9022 section 5.2.1).
    Host
    [name "name" Text<'a>]
    [
        roid "roid" Text<'a>,
        statuses "status" List<Text<'a>>,
        addresses "addr" Option<Addresses<'a>>,
        registrar "clID" Text<'a>,
        creator "crRr" Option<Actor<'a>>,
        created "crDate" Text<'a>,
        updater "upRr" Option<Actor<'a>>,
        updated "upDate" Text<'a>,
        transferred "trDate" Text<'a>,
    ]
}

json! {
    /// `addr` of a postal address (RFC 5733 section 2.4).
    PostalAddress
    []
    [
        street "street" List<Text<'a>>,
        city "city" Text<'a>,
        sp "sp" Text<'a>,
        pc "pc" Text<'a>,
        cc "cc" Text<'a>,
    ]
}

json! {
    /// `postalInfo` (RFC 5733 section 2.3).
    Postal
    [kind "type" Text<'a>]
    [name "name" Text<'a>, org "org" Text<'a>, addr "addr" Option<PostalAddress<'a>>]
}

json! {
    /// `disclose` (RFC 5733 section 2.9); `fields` are the words of [`DISCLOSE_WORDS`].
    Disclose [flag "flag" bool] [fields "fields" List<Text<'a>>]
}

/// Words of the fields that a wish on disclosure may name; the place of a word is its bit.
pub(super) const DISCLOSE_WORDS: [&str; 9] =
    ["nameInt", "nameLoc", "orgInt", "orgLoc", "addrInt", "addrLoc", "voice", "fax", "email"];

json! {
    /// A contact (RFC 9022 section 5.3.1).
    Contact
    [id "id" Text<'a>]
    [
        roid "roid" Text<'a>,
        statuses "status" List<Text<'a>>,
        postal "postalInfo" List<Postal<'a>>,
        voice "voice" Option<Phone<'a>>,
        fax "fax" Option<Phone<'a>>,
        email "email" Text<'a>,
        registrar "clID" Text<'a>,
        creator "crRr" Option<Actor<'a>>,
        created "crDate" Text<'a>,
        updater "upRr" Option<Actor<'a>>,
        updated "upDate" Text<'a>,
        transferred "trDate" Text<'a>,
        transfer "trnData" Option<Transfer<'a>>,
        disclose "disclose" Option<Disclose<'a>>,
    ]
}

json! {
    /// `whoisInfo` of a registrar (RFC 9022 section 5.4.1.1).
    WhoisInfo [] [name "name" Text<'a>, url "url" Text<'a>]
}

json! {
    /// A registrar (RFC 9022 section 5.4.1).
    Registrar
    [id "id" Text<'a>]
    [
        name "name" Text<'a>,
        iana_id "gurid" u32,
        status "status" Text<'a>,
        postal "postalInfo" List<Postal<'a>>,
        voice "voice" Option<Phone<'a>>,
        fax "fax" Option<Phone<'a>>,
        email "email" Text<'a>,
        url "url" Text<'a>,
        whois "whoisInfo" Option<WhoisInfo<'a>>,
        created "crDate" Text<'a>,
        updated "upDate" Text<'a>,
    ]
}

json! {
    /// A reference to an IDN table (RFC 9022 section 5.5.1).
    IdnTable [id "id" Text<'a>] [url "url" Text<'a>, policy_url "urlPolicy" Text<'a>]
}

json! {
    /// A name that is not a domain name (RFC 9022 section 5.6.1).
    Nndn
    [name "aName" Text<'a>, state "nameState" Text<'a>]
    [
        u_name "uName" Text<'a>,
        idn_table "idnTableId" Text<'a>,
        original_name "originalName" Text<'a>,
        mirroring_ns "mirroringNS" Option<bool>,
        created "crDate" Text<'a>,
    ]
}

/// An object of any kind, to be written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Object<'a> {
    Registrar(Registrar<'a>),
    IdnTable(IdnTable<'a>),
    Contact(Contact<'a>),
    Host(Host<'a>),
    Nndn(Nndn<'a>),
    Domain(Domain<'a>),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_schema_has_the_fields_of_the_code_and_no_others() {
        let schema = include_str!("change-record.schema.json");
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let definitions = schema["$defs"].as_object().unwrap();
        let mut objects: BTreeSet<&str> = definitions
            .iter()
            .filter(|(_, definition)| definition["type"] == "object")
            .map(|(name, _)| name.as_str())
            .collect();
        let mut same = |name: &str, required: &[&str], optional: &[&str]| {
            let definition = &definitions[name];
            let fields: BTreeSet<&str> =
                definition["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields, required.iter().chain(optional).copied().collect(), "{name}");
            let stated = definition["required"].as_array().map_or(&[][..], Vec::as_slice);
            assert_eq!(stated, required, "{name}");
            assert_eq!(definition["additionalProperties"], false, "{name}");
            assert!(objects.remove(name), "{name}");
        };
        macro_rules! same {
            ($($name:literal $code:ident),* $(,)?) => {
                $(same($name, $code::REQUIRED, $code::OPTIONAL);)*
            };
        }
        same!(
            "actor" Actor, "phone" Phone, "transfer" Transfer, "contactLink" ContactLink,
            "hostRoid" HostRoid, "dsData" DsData, "keyData" KeyData, "secDNS" SecDns,
            "extra" Extra, "domain" Domain, "addresses" Addresses, "host" Host,
            "postalAddress" PostalAddress, "postal" Postal, "disclose" Disclose,
            "contact" Contact, "whoisInfo" WhoisInfo, "registrar" Registrar,
            "idnTable" IdnTable, "nndn" Nndn,
        );
        assert!(objects.is_empty(), "in the schema alone: {objects:?}");
    }

    #[test]
    fn the_schema_has_the_words_of_the_code() {
        use snapshot_format::status::{
            CONTACT_STATUS_WORDS, DOMAIN_STATUS_WORDS, DomainStatuses, HOST_STATUS_WORDS,
        };
        let schema = include_str!("change-record.schema.json");
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let words = |object: &str, field: &str| -> Vec<String> {
            let words = &schema["$defs"][object]["properties"][field]["items"]["enum"];
            serde_json::from_value(words.clone()).unwrap()
        };
        let epp = |word: &&&str| DomainStatuses::epp_bit(word).is_some();
        let grace = |word: &&&str| DomainStatuses::rgp_bit(word).is_some();
        let domain = DOMAIN_STATUS_WORDS.iter();
        assert!(words("domain", "status").iter().eq(domain.clone().filter(epp)));
        assert!(words("domain", "rgpStatus").iter().eq(domain.filter(grace)));
        assert_eq!(words("host", "status"), HOST_STATUS_WORDS);
        assert_eq!(words("contact", "status"), CONTACT_STATUS_WORDS);
        assert_eq!(words("disclose", "fields"), DISCLOSE_WORDS);
    }
}
