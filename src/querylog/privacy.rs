//! What of a client's address is written: all of it, a prefix, or a keyed hash.
//!
//! # Invariants
//!
//! - `stable`: within one period of the key, one address gives one hash, and its network another.
//! - `hidden`: without the key nobody can tell which address a hash is of; with a key in memory
//!   alone, nobody at all once its period is over.
//! - Periods begin at whole multiples of their length since the Unix epoch, so nodes that share a
//!   file have the same key at the same time.
//!
//! # Does not
//!
//! Run on a shard: the writer thread hides addresses.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use ipnet::IpNet;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::Sha256;

use super::error::LogError;
use crate::bounds::{UnknownWord, of_word};
use crate::hex::LOWER;

/// Networks by which clients are counted: what one site usually has.
const NETWORK_V4_BITS: u8 = 24;
/// As above.
const NETWORK_V6_BITS: u8 = 48;
/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
/// Bytes of a hash that are written, in hex: 128 bits, so that no two addresses meet.
const HASH_BYTES: usize = 16;
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;
/// Permission bits of others, who may not read a key.
const OTHERS_MODE: u32 = 0o077;
/// Longest file of a key that is read, bytes; 65 are expected.
const KEY_FILE_BYTES_MAX: u64 = 1024;

/// How much of an address is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Privacy {
    /// The address as it is.
    #[default]
    None,
    /// A prefix of it.
    Truncate,
    /// A hash with a key.
    Hash,
}

impl Privacy {
    /// The word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Truncate => "truncate",
            Self::Hash => "hash",
        }
    }
}

impl FromStr for Privacy {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        of_word(text, [Self::None, Self::Truncate, Self::Hash], Self::word)
    }
}

/// How addresses are hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivacySettings {
    /// How much is written.
    pub privacy: Privacy,
    /// Bits of an IPv4 address that are written with `truncate`.
    pub prefix_v4: u64,
    /// Bits of an IPv6 address that are written with `truncate`.
    pub prefix_v6: u64,
    /// Hours after which another key is used.
    pub key_hours: u64,
    /// File of the key that nodes share; `None`: one in memory, new with each period.
    pub key_file: Option<PathBuf>,
}

type Keyed = Hmac<Sha256>;

/// Hides addresses.
pub(super) struct Masker {
    settings: PrivacySettings,
    key: Option<Key>,
    /// The last file of a key that could be read.
    secret: Option<[u8; KEY_BYTES]>,
}

/// The key of one period.
struct Key {
    period: i64,
    keyed: Keyed,
}

impl Masker {
    /// Reads the file of the key, if one is set and needed.
    pub(super) fn new(settings: &PrivacySettings) -> Result<Self, LogError> {
        let file = settings.key_file.as_deref().filter(|_| settings.privacy == Privacy::Hash);
        let secret = file.map(read_key).transpose()?;
        Ok(Self { settings: settings.clone(), key: None, secret })
    }

    /// Writes what is shown of `address`, and of its network.
    pub(super) fn write(
        &mut self,
        at_ms: i64,
        address: IpAddr,
        client: &mut String,
        network: &mut String,
    ) {
        client.clear();
        network.clear();
        let address = address.to_canonical();
        let (bits, kept) = match address {
            IpAddr::V4(_) => (NETWORK_V4_BITS, self.settings.prefix_v4),
            IpAddr::V6(_) => (NETWORK_V6_BITS, self.settings.prefix_v6),
        };
        match self.settings.privacy {
            Privacy::None => {
                let _ = write!(client, "{address}");
                let _ = write!(network, "{}", prefix(address, bits));
            }
            Privacy::Truncate => {
                let kept = u8::try_from(kept).unwrap_or(u8::MAX);
                let _ = write!(client, "{}", prefix(address, kept));
                let _ = write!(network, "{}", prefix(address, bits.min(kept)));
            }
            Privacy::Hash => match self.key(at_ms) {
                Ok(key) => {
                    key.write(b"client", address, client);
                    key.write(b"network", prefix(address, bits).addr(), network);
                }
                // Without random numbers there is no key: then nothing is shown.
                Err(_) => {
                    client.push_str("hidden");
                    network.push_str("hidden");
                }
            },
        }
    }

    /// The key of the period of a time; makes it if another one was used last.
    fn key(&mut self, at_ms: i64) -> Result<&Key, LogError> {
        let hours = i64::try_from(self.settings.key_hours.max(1)).unwrap_or(i64::MAX);
        let period = at_ms.div_euclid(hours.saturating_mul(HOUR_MS));
        // An entry may come a moment later than one of the next period from another shard: a key in
        // memory is gone then, and the new one is taken.
        let is_late = |key: &Key| key.period == period + 1 && self.settings.key_file.is_none();
        let key = match self.key.take() {
            Some(key) if key.period == period || is_late(&key) => key,
            _ => Key { period, keyed: self.keyed_of(period)? },
        };
        Ok(self.key.insert(key))
    }

    fn keyed_of(&mut self, period: i64) -> Result<Keyed, LogError> {
        let Some(path) = &self.settings.key_file else {
            return Ok(keyed(&random_key()?));
        };
        // Read again: an operator that replaces it makes earlier rows untraceable.
        match read_key(path) {
            Ok(secret) => self.secret = Some(secret),
            Err(error) => tracing::error!(%error, "query log: the key used before goes on"),
        }
        let secret = self.secret.ok_or(LogError::NoKey)?;
        let mut derived = keyed(&secret);
        derived.update(b"whoisd query log, key of period ");
        derived.update(&period.to_be_bytes());
        Ok(keyed(&derived.finalize().into_bytes()))
    }
}

impl Key {
    /// Appends `hPERIOD:` and the hash of an address under a purpose.
    fn write(&self, purpose: &[u8], address: IpAddr, out: &mut String) {
        let mut hash = self.keyed.clone();
        hash.update(purpose);
        match address {
            IpAddr::V4(v4) => hash.update(&v4.octets()),
            IpAddr::V6(v6) => hash.update(&v6.octets()),
        }
        let _ = write!(out, "h{}:", self.period);
        let hash = hash.finalize().into_bytes();
        LOWER.write(hash.get(..HASH_BYTES).unwrap_or_default(), out);
    }
}

fn keyed(key: &[u8]) -> Keyed {
    // HMAC takes a key of any length, so this cannot fail.
    Keyed::new_from_slice(key).unwrap_or_else(|_| Keyed::new(&[0; 64].into()))
}

fn prefix(address: IpAddr, bits: u8) -> IpNet {
    let full = IpNet::from(address);
    IpNet::new(address, bits.min(full.max_prefix_len())).unwrap_or(full).trunc()
}

fn random_key() -> Result<[u8; KEY_BYTES], LogError> {
    let mut key = [0; KEY_BYTES];
    let mut filled = 0;
    while filled < KEY_BYTES {
        let rest = key.get_mut(filled..).unwrap_or_default();
        filled += getrandom(rest, GetRandomFlags::empty()).map_err(LogError::NoRandom)?;
    }
    Ok(key)
}

/// Reads a file with 64 hex digits that nobody else may read.
pub(super) fn read_key(path: &Path) -> Result<[u8; KEY_BYTES], LogError> {
    let failed = |source| LogError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & OTHERS_MODE != 0 {
        return Err(LogError::KeyExposed { path: path.to_owned(), mode: mode & 0o777 });
    }
    let mut text = String::new();
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let wrong = || LogError::KeyForm { path: path.to_owned() };
    let digits = text.trim_ascii_end().as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != KEY_BYTES || !rest.is_empty() {
        return Err(wrong());
    }
    let mut key = [0; KEY_BYTES];
    for (byte, pair) in key.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        let value = high.zip(low).map(|(high, low)| high * 16 + low).ok_or_else(wrong)?;
        *byte = u8::try_from(value).map_err(|_| wrong())?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HOUR: i64 = HOUR_MS;

    fn settings(privacy: Privacy) -> PrivacySettings {
        PrivacySettings { privacy, prefix_v4: 20, prefix_v6: 56, key_hours: 24, key_file: None }
    }

    fn shown(masker: &mut Masker, at_ms: i64, address: &str) -> (String, String) {
        let (mut client, mut network) = (String::new(), String::new());
        masker.write(at_ms, address.parse().unwrap(), &mut client, &mut network);
        (client, network)
    }

    #[test]
    fn an_address_is_written_as_it_is_or_cut_to_its_prefix() {
        let mut none = Masker::new(&settings(Privacy::None)).unwrap();
        let pair = |client: &str, network: &str| (client.to_owned(), network.to_owned());
        assert_eq!(shown(&mut none, 0, "192.0.2.7"), pair("192.0.2.7", "192.0.2.0/24"));
        assert_eq!(shown(&mut none, 0, "::ffff:192.0.2.7"), pair("192.0.2.7", "192.0.2.0/24"));
        let v6 = "2001:db8:1:2::3";
        assert_eq!(shown(&mut none, 0, v6), pair(v6, "2001:db8:1::/48"));
        let mut cut = Masker::new(&settings(Privacy::Truncate)).unwrap();
        assert_eq!(shown(&mut cut, 0, "192.0.18.7"), pair("192.0.16.0/20", "192.0.16.0/20"));
        assert_eq!(shown(&mut cut, 0, v6), pair("2001:db8:1::/56", "2001:db8:1::/48"));
    }

    #[test]
    fn a_hash_hides_and_stays_the_same_within_its_period_alone() {
        let mut masker = Masker::new(&settings(Privacy::Hash)).unwrap();
        let first = shown(&mut masker, 5, "192.0.2.7");
        // A hash may contain digits of the address by chance; its form leaves no room for them.
        for hash in [&first.0, &first.1] {
            let digits = hash.strip_prefix("h0:").unwrap();
            assert_eq!(digits.len(), 2 * HASH_BYTES, "{first:?}");
            assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first:?}");
        }
        assert_ne!(first.0, first.1);
        assert_eq!(shown(&mut masker, 24 * HOUR - 1, "192.0.2.7"), first);
        let neighbour = shown(&mut masker, 6, "192.0.2.8");
        assert_eq!(neighbour.1, first.1, "one network");
        assert_ne!(neighbour.0, first.0);
        let later = shown(&mut masker, 24 * HOUR, "192.0.2.7");
        assert!(later.0.starts_with("h1:"));
        assert_ne!(later.0[3..], first.0[3..]);
        // A late entry takes the key that there is; the first one is gone.
        assert_eq!(shown(&mut masker, 24 * HOUR - 1, "192.0.2.7"), later);
        let mut other = Masker::new(&settings(Privacy::Hash)).unwrap();
        assert_ne!(shown(&mut other, 5, "192.0.2.7"), first, "another process, another key");
    }

    #[test]
    fn nodes_with_one_key_file_write_the_same_hashes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let put = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let settings = PrivacySettings { key_file: Some(path.clone()), ..settings(Privacy::Hash) };
        put(&format!("{}\n", "a7".repeat(32)), 0o600);
        let mut one = Masker::new(&settings).unwrap();
        let mut two = Masker::new(&settings).unwrap();
        let first = shown(&mut one, 5, "2001:db8::1");
        assert_eq!(shown(&mut two, 7, "2001:db8::1"), first);
        let second = shown(&mut one, 24 * HOUR, "2001:db8::1");
        assert_ne!(second.0[3..], first.0[3..]);
        assert_eq!(shown(&mut one, 5, "2001:db8::1"), first, "a late entry finds its key");
        put(&"b8".repeat(32), 0o600);
        assert_ne!(shown(&mut one, 24 * HOUR, "2001:db8::1"), second, "the file was replaced");
        put("", 0o600);
        let third = shown(&mut one, 48 * HOUR, "2001:db8::1");
        assert!(third.0.starts_with("h2:"), "a file that is gone leaves the key before: {third:?}");
        let refused = || Masker::new(&settings).err().unwrap().to_string();
        put(&"b8".repeat(32), 0o640);
        assert!(refused().contains("chmod 600"));
        for bad in ["", "zz", &"b8".repeat(33), &"x8".repeat(32)] {
            put(bad, 0o600);
            assert!(refused().contains("expected 64 hex digits"));
        }
    }
}
