//! Random objects as an import keeps them: a seed decides every one (SplitMix64).
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "random bits, or numbers below a small bound"
)]

use snapshot_format::object::{
    Actor, Contact, ContactLink, ContactRole, Disclose, DnsKey, Domain, Ds, HostLink, IdnTable,
    Nameserver, Nndn, NndnState, Phone, Postal, PostalKind, Registrar, SecDns, Time, Transfer,
};
use snapshot_format::status::{ContactStatuses, DomainStatuses, HostStatuses, RegistrarStatus};
use snapshot_format::{Change, Kind, Object};
use whoisd::feed::{Body, ChangeRecord, SERIAL_MAX};

/// Bits of the domain statuses but `ok` and `inactive`, which go with nothing or little.
const DOMAIN_BITS: u32 = ((1 << 24) - 1) & !(DomainStatuses::OK | DomainStatuses::INACTIVE);

pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn often(&mut self) -> bool {
        self.below(4) > 0
    }

    fn list<T>(&mut self, most: u64, mut make: impl FnMut(&mut Self, u64) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|at| make(self, at)).collect()
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..=self.below(most)).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// A text with the characters that JSON has to escape or to keep; sometimes empty.
    fn text(&mut self) -> String {
        const CHARACTERS: [char; 14] =
            ['a', 'Z', '0', ' ', '"', '\\', '/', '<', 'é', 'ß', '中', '😀', '\u{200d}', '\u{feff}'];
        let length = if self.below(50) == 0 { 250 } else { self.below(20) };
        (0..length).map(|_| CHARACTERS[self.below(14) as usize]).collect()
    }

    fn words(&mut self) -> String {
        let text = self.text();
        if text.is_empty() { "x".to_owned() } else { text }
    }

    fn id(&mut self) -> String {
        format!("C-{}\"é", self.below(1 << 20))
    }

    fn maybe(&mut self, make: impl FnOnce(&mut Self) -> String) -> String {
        if self.often() { make(self) } else { String::new() }
    }

    fn name(&mut self) -> String {
        format!("a-{}.{}.test", self.below(1 << 30), self.below(9))
    }

    /// A URL in the form that is kept.
    fn web(&mut self) -> String {
        self.maybe(|random| format!("https://{}/é?{}", random.name(), random.below(9)))
    }

    /// A name, and its Unicode form if it differs.
    fn own_name(&mut self) -> (String, String) {
        match self.below(4) {
            0 => ("xn--bcher-kva.test".to_owned(), "bücher.test".to_owned()),
            1 => ("xn--fsqu00a.xn--0zwm56d".to_owned(), "例子.测试".to_owned()),
            _ => (self.name(), String::new()),
        }
    }

    fn time(&mut self) -> Time {
        if !self.often() {
            return Time::NONE;
        }
        // The years 1 to 9999.
        Time::from_ms(-62_135_596_800_000 + (self.next() % 315_537_897_600_000) as i64)
    }

    fn actor(&mut self) -> Actor {
        Actor { registrar: self.maybe(Self::id), client: self.text() }
    }

    fn phone(&mut self) -> Phone {
        Phone { number: self.text(), ext: self.text() }
    }

    fn transfer(&mut self) -> Option<Transfer> {
        const WORDS: [&str; 7] = [
            "",
            "pending",
            "clientApproved",
            "clientCancelled",
            "clientRejected",
            "serverApproved",
            "serverCancelled",
        ];
        self.often().then(|| Transfer {
            status: WORDS[self.below(7) as usize].to_owned(),
            requester: self.actor(),
            requested: self.time(),
            actor: self.actor(),
            acted: self.time(),
            expires: self.time(),
        })
    }

    fn postal(&mut self) -> Vec<Postal> {
        let kinds: &[PostalKind] = match self.below(4) {
            0 => &[],
            1 => &[PostalKind::Int],
            2 => &[PostalKind::Loc],
            _ => &[PostalKind::Int, PostalKind::Loc],
        };
        let postal = |kind: &PostalKind| Postal {
            kind: *kind,
            name: self.text(),
            org: self.text(),
            street: [self.text(), self.text(), self.text()],
            city: self.text(),
            sp: self.text(),
            pc: self.text(),
            cc: self.maybe(|_| "DE".to_owned()),
        };
        kinds.iter().map(postal).collect()
    }

    fn sec_dns(&mut self) -> Option<SecDns> {
        let ds = |random: &mut Self, _| Ds {
            key_tag: random.next() as u16,
            algorithm: random.next() as u8,
            digest_type: random.next() as u8,
            digest: random.bytes(64),
        };
        let key = |random: &mut Self, _| DnsKey {
            flags: random.next() as u16,
            protocol: random.next() as u8,
            algorithm: random.next() as u8,
            public_key: random.bytes(300),
        };
        let sec_dns = SecDns {
            max_sig_life_s: self.below(3) as u32 * 604_800,
            ds: self.list(3, ds),
            keys: self.list(3, key),
        };
        (!sec_dns.ds.is_empty() || !sec_dns.keys.is_empty()).then_some(sec_dns)
    }

    fn contacts(&mut self) -> Vec<ContactLink> {
        const ROLES: [ContactRole; 3] =
            [ContactRole::Admin, ContactRole::Tech, ContactRole::Billing];
        let link = |random: &mut Self, _| ContactLink {
            role: ROLES[random.below(3) as usize],
            id: random.id(),
        };
        let mut links = self.list(5, link);
        if self.often() {
            links.insert(0, ContactLink { role: ContactRole::Registrant, id: self.id() });
        }
        links
    }

    fn domain(&mut self) -> Domain {
        let (name, u_name) = self.own_name();
        let nameservers = self.list(13, |random, at| match random.below(3) {
            0 => HostLink::Roid(format!("H{at}-TEST")),
            _ => HostLink::Name(format!("ns{at}.{}", random.name())),
        });
        let bits = match self.below(4) {
            0 => DomainStatuses::OK,
            1 if nameservers.is_empty() => DomainStatuses::INACTIVE,
            _ => self.next() as u32 & self.next() as u32 & DOMAIN_BITS,
        };
        Domain {
            name,
            u_name,
            nameservers,
            roid: self.maybe(Self::id),
            idn_table: self.maybe(Self::id),
            original_name: self.maybe(Self::name),
            statuses: DomainStatuses { bits },
            contacts: self.contacts(),
            registrar: self.maybe(Self::id),
            creator: self.actor(),
            updater: self.actor(),
            created: self.time(),
            updated: self.time(),
            expires: self.time(),
            transferred: self.time(),
            sec_dns: self.sec_dns(),
            transfer: self.transfer(),
            extras: self.list(4, |random, _| (random.words(), random.words())),
        }
    }

    fn host(&mut self) -> Nameserver {
        let v4 = |random: &mut Self, at| [192, 0, at as u8, random.next() as u8];
        let v6 = |random: &mut Self, at| {
            let mut octets = [0; 16];
            octets[..8].copy_from_slice(&random.next().to_be_bytes());
            octets[15] = at as u8;
            octets
        };
        let linked = HostStatuses::OK | HostStatuses::LINKED;
        let bits = self.next() as u32 & 0x3ff & !HostStatuses::OK;
        Nameserver {
            name: self.name(),
            roid: self.maybe(Self::id),
            statuses: HostStatuses { bits: if self.often() { bits } else { linked } },
            v4: self.list(4, v4),
            v6: self.list(4, v6),
            registrar: self.maybe(Self::id),
            creator: self.actor(),
            updater: self.actor(),
            created: self.time(),
            updated: self.time(),
            transferred: self.time(),
        }
    }

    fn contact(&mut self) -> Contact {
        let disclose = |random: &mut Self| Disclose {
            allow: random.below(2) == 0,
            fields: random.next() as u16 & 0x1ff,
        };
        Contact {
            id: self.id(),
            roid: self.maybe(Self::id),
            statuses: ContactStatuses { bits: self.next() as u32 & 0xfff & !ContactStatuses::OK },
            postal: self.postal(),
            voice: self.phone(),
            fax: self.phone(),
            email: self.text(),
            registrar: self.maybe(Self::id),
            creator: self.actor(),
            updater: self.actor(),
            created: self.time(),
            updated: self.time(),
            transferred: self.time(),
            transfer: self.transfer(),
            disclose: self.often().then(|| disclose(self)),
        }
    }

    fn registrar(&mut self) -> Registrar {
        const STATUSES: [RegistrarStatus; 4] = [
            RegistrarStatus::None,
            RegistrarStatus::Ok,
            RegistrarStatus::ReadOnly,
            RegistrarStatus::Terminated,
        ];
        Registrar {
            id: self.id(),
            name: self.text(),
            iana_id: self.below(3) as u32,
            status: STATUSES[self.below(4) as usize],
            postal: self.postal(),
            voice: self.phone(),
            fax: self.phone(),
            email: self.text(),
            url: self.web(),
            whois_name: self.maybe(Self::name),
            whois_url: self.web(),
            created: self.time(),
            updated: self.time(),
        }
    }

    fn nndn(&mut self) -> Nndn {
        const STATES: [NndnState; 3] =
            [NndnState::Blocked, NndnState::Withheld, NndnState::Mirrored];
        let (name, u_name) = self.own_name();
        Nndn {
            name,
            u_name,
            idn_table: self.maybe(Self::id),
            original_name: self.maybe(Self::name),
            state: STATES[self.below(3) as usize],
            mirroring_ns: self.below(2) == 0,
            created: self.time(),
        }
    }

    /// An object of any kind.
    pub(crate) fn object(&mut self) -> Object {
        match Kind::ALL[self.below(6) as usize] {
            Kind::Registrar => Object::Registrar(self.registrar()),
            Kind::IdnTable => Object::IdnTable(IdnTable {
                id: self.id(),
                url: self.text(),
                policy_url: self.text(),
            }),
            Kind::Contact => Object::Contact(self.contact()),
            Kind::Nameserver => Object::Nameserver(self.host()),
            Kind::Nndn => Object::Nndn(self.nndn()),
            Kind::Domain => Object::Domain(self.domain()),
        }
    }

    /// A record.
    pub(crate) fn record(&mut self) -> ChangeRecord {
        let body = match self.below(10) {
            0 => Body::Heartbeat,
            1 | 2 => {
                let object = self.object();
                let key = object.key().to_owned();
                Change::Delete { kind: object.kind(), key }.into()
            }
            _ => Change::Upsert(Box::new(self.object())).into(),
        };
        let committed_ms = (self.next() % 4_102_444_800_000) as i64;
        let serial = self.next() % SERIAL_MAX + 1;
        ChangeRecord { serial, committed_ms, transaction: self.maybe(Self::id), body }
    }
}
