//! Lists of IANA, and what the tests add to them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

/// The lines of a list, without its head.
macro_rules! list {
    ($file:literal) => {
        lines(include_str!(concat!("iana/", $file, ".txt")))
    };
}

type Words = LazyLock<BTreeSet<&'static str>>;

static VALUES: Words = LazyLock::new(|| list!("rdap-json-values").collect());
static RELATIONS: Words = LazyLock::new(|| list!("link-relations").collect());
static MEDIA_TYPES: Words = LazyLock::new(|| list!("media-types").collect());
static EXTENSIONS: Words = LazyLock::new(|| list!("rdap-extensions").collect());
static REPOSITORIES: Words = LazyLock::new(|| list!("epp-repository-ids").collect());
static ALGORITHMS: LazyLock<BTreeSet<u64>> = LazyLock::new(|| numbers(list!("dnssec-algorithms")));
static DIGESTS: LazyLock<BTreeSet<u64>> = LazyLock::new(|| numbers(list!("ds-digest-types")));
static SPECIAL: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let prefixes = list!("ipv4-special").chain(list!("ipv6-special"));
    prefixes.map(|prefix| prefix.parse().unwrap()).collect()
});
static REGISTRARS: LazyLock<Vec<Registrar>> = LazyLock::new(|| {
    let of_list = list!("registrar-ids").map(|line| {
        let mut words = line.split(' ');
        Registrar {
            id: words.next().unwrap().parse().unwrap(),
            is_accredited: words.next() == Some("Accredited"),
            is_reserved: line.contains(" Reserved"),
            url: words.next().unwrap_or_default(),
        }
    });
    of_list.chain(TEST_REGISTRARS).collect()
});

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn numbers(lines: impl Iterator<Item = &'static str>) -> BTreeSet<u64> {
    lines.map(|line| line.parse().unwrap()).collect()
}

/// Repository identifiers of the test registries, which IANA's list does not have.
const TEST_REPOSITORIES: [&str; 2] = ["DEMO", "TEST"];

/// A registrar of IANA's list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registrar {
    pub(crate) id: u32,
    pub(crate) is_accredited: bool,
    pub(crate) is_reserved: bool,
    /// Base URL of its RDAP service; empty for none.
    pub(crate) url: &'static str,
}

/// The base URL that the tests' configuration gives to the registrars of a sample.
pub(crate) const TEST_RDAP_URL: &str = "https://rdap.registrar.example/";

/// Registrars of the test registries, which IANA's list does not have.
const TEST_REGISTRARS: [Registrar; 12] = {
    const fn with(id: u32, url: &'static str) -> Registrar {
        Registrar { id, is_accredited: true, is_reserved: false, url }
    }
    [
        with(9998, TEST_RDAP_URL),
        with(77, "https://rdap.mueller.example/domain/"),
        with(101, ""),
        with(102, ""),
        with(610, ""),
        with(611, ""),
        with(612, ""),
        with(613, ""),
        // For planted mistakes.
        with(70_001, "http://rdap.plain.example/"),
        with(70_002, "https://rdap.other.example/"),
        // Of `tests/deposits/every-field.xml`.
        with(90_007, TEST_RDAP_URL),
        with(90_000, ""),
    ]
};

/// The identifiers of a sample's registrars.
const SAMPLE_REGISTRARS: std::ops::RangeInclusive<u32> = 90_001..=91_000;

/// The registrar with an identifier.
pub(crate) fn registrar(id: u32) -> Option<Registrar> {
    let of_list = REGISTRARS.iter().find(|registrar| registrar.id == id).copied();
    let of_sample = || {
        let url = TEST_RDAP_URL;
        let is_one = SAMPLE_REGISTRARS.contains(&id);
        is_one.then_some(Registrar { id, is_accredited: true, is_reserved: false, url })
    };
    of_list.or_else(of_sample)
}

/// Whether a word is a value of a type of RDAP's JSON values.
pub(crate) fn is_value(of_type: &str, word: &str) -> bool {
    VALUES.contains(format!("{of_type}: {word}").as_str())
}

pub(crate) fn is_link_relation(word: &str) -> bool {
    RELATIONS.contains(word)
}

pub(crate) fn is_media_type(word: &str) -> bool {
    MEDIA_TYPES.contains(word)
}

/// Whether a word is an extension, or `rdap_level_0`, which is the protocol itself.
pub(crate) fn is_extension(word: &str) -> bool {
    word == "rdap_level_0" || EXTENSIONS.contains(word)
}

pub(crate) fn is_repository(id: &str) -> bool {
    REPOSITORIES.contains(id) || TEST_REPOSITORIES.contains(&id)
}

pub(crate) fn signs_zones(algorithm: u64) -> bool {
    ALGORITHMS.contains(&algorithm)
}

pub(crate) fn is_digest_type(number: u64) -> bool {
    DIGESTS.contains(&number)
}

/// Whether an address is kept for a special purpose.
pub(crate) fn is_special(address: IpAddr) -> bool {
    SPECIAL.iter().any(|prefix| prefix.contains(&address))
}

/// Whether an address lies in space that is allocated: unicast of IPv4 but 0/8, 10/8 and 127/8
/// (IANA IPv4 Address Space Registry), 2000::/3 (IPv6 Address Space).
pub(crate) fn is_allocated(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            first < 224 && ![0, 10, 127].contains(&first)
        }
        IpAddr::V6(address) => address.segments()[0] >> 13 == 1,
    }
}

pub(crate) fn is_country(code: &str) -> bool {
    code.len() == 2 && COUNTRIES.as_bytes().chunks(2).any(|country| country == code.as_bytes())
}

/// ISO 3166-1 alpha-2 codes, one after another.
const COUNTRIES: &str = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBW\
BYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGI\
GLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLR\
LSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPL\
PMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTV\
TWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

#[test]
fn lists_are_read() {
    assert!(is_value("status", "client hold") && !is_value("role", "client hold"));
    assert!(is_link_relation("glossary") && is_media_type("application/rdap+json"));
    assert!(is_extension("redacted") && !is_extension("jscontact"));
    assert!(is_repository("VRSN") && is_repository("DEMO") && !is_repository("NOBODY9"));
    assert!(signs_zones(13) && !signs_zones(1) && is_digest_type(2) && !is_digest_type(0));
    assert!(is_country("CH") && !is_country("HA") && !is_country("ch"));
    let is_special = |text: &str| is_special(text.parse().unwrap());
    assert!(is_special("192.0.2.1") && is_special("2001:db8::1") && !is_special("198.41.0.4"));
    assert!(registrar(3878).is_some_and(|registrar| registrar.is_accredited));
    assert!(registrar(9994).is_some_and(|registrar| registrar.is_reserved));
    assert!(registrar(90_024).is_some() && registrar(5).is_none());
}
