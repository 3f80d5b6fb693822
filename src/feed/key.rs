//! Ed25519 keys (RFC 8032) that sign batches and snapshots: the text files that hold them, and what
//! a node trusts.
//!
//! # Invariants
//!
//! - A secret key is used only from a file that nobody but its owner may read.
//! - A key's id is made from the key: it cannot name another one.
//!
//! # Does not
//!
//! Know what is signed.

use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::hex::{self, UPPER};

/// First line of a file with a secret key.
const SECRET_LINE: &str = "whoisd-secret-key 1";
/// First line of a file with a public key.
const PUBLIC_LINE: &str = "whoisd-public-key 1";
/// Longest key file that is read, bytes: ours have about 130.
const FILE_BYTES_MAX: u64 = 1024;
/// Octets of a public key's SHA-256 that make its id.
const ID_BYTES: usize = 8;
/// Permissions of others and of the group.
const OTHERS_MODE: u32 = 0o077;

/// A key that signs.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public().id)
    }
}

impl SecretKey {
    /// A new key, from the kernel's random numbers.
    ///
    /// # Errors
    ///
    /// The kernel gives none.
    pub fn generate() -> io::Result<Self> {
        let mut seed = [0; 32];
        let got = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())?;
        if got != seed.len() {
            return Err(io::Error::other(format!("{got} random octets, expected {}", seed.len())));
        }
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// What others check its signatures with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::new(self.0.verifying_key())
    }

    /// Signs octets: 128 hexadecimal digits.
    #[must_use]
    pub fn sign(&self, signed: &[u8]) -> String {
        UPPER.encode(&self.0.sign(signed).to_bytes())
    }

    /// The text of its file.
    #[must_use]
    pub fn encode(&self) -> String {
        format!(
            "{SECRET_LINE}\nid {}\ned25519 {}\n",
            self.public().id,
            UPPER.encode(self.0.as_bytes())
        )
    }

    /// Reads the text of its file.
    ///
    /// # Errors
    ///
    /// What is wrong, as text that follows the file's name.
    pub fn decode(text: &str) -> Result<Self, KeyTextError> {
        let (id, seed) = decode(text, SECRET_LINE)?;
        let key = Self(SigningKey::from_bytes(&seed));
        check_id(id, &key.public().id)?;
        Ok(key)
    }

    /// Reads a key file that only its owner may read.
    ///
    /// # Errors
    ///
    /// It cannot be read, others may read it, or it holds no secret key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let file = File::open(path).map_err(failed(path, "open it"))?;
        let mode = file.metadata().map_err(failed(path, "look at it"))?.permissions().mode();
        let text = read(path, file)?;
        let key = Self::decode(&text);
        let key = key.map_err(|problem| KeyError::Content { path: path.to_owned(), problem })?;
        if mode & OTHERS_MODE != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode: mode & 0o7777 });
        }
        Ok(key)
    }

    /// Writes a new key file with mode 0600, and beside it, with `.pub` at its end, that of the
    /// public key. No file is overwritten. Returns the path of the public one.
    ///
    /// # Errors
    ///
    /// One of the files is there already, or cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<PathBuf, KeyError> {
        let mut public = path.as_os_str().to_owned();
        public.push(".pub");
        let public = PathBuf::from(public);
        create(&public, 0o644, &self.public().encode())?;
        if let Err(error) = create(path, 0o600, &self.encode()) {
            // A public key without its secret one would be trusted for nothing.
            let _ = std::fs::remove_file(&public);
            return Err(error);
        }
        Ok(public)
    }
}

/// A key that checks signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: String,
    key: VerifyingKey,
}

impl PublicKey {
    fn new(key: VerifyingKey) -> Self {
        let hash = Sha256::digest(key.as_bytes());
        Self { id: UPPER.encode(hash.get(..ID_BYTES).unwrap_or_default()), key }
    }

    /// Its id: 16 hexadecimal digits, the start of its SHA-256.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The text of its file.
    #[must_use]
    pub fn encode(&self) -> String {
        format!("{PUBLIC_LINE}\nid {}\ned25519 {}\n", self.id, UPPER.encode(self.key.as_bytes()))
    }

    /// Reads the text of its file.
    ///
    /// # Errors
    ///
    /// What is wrong, as text that follows the file's name.
    pub fn decode(text: &str) -> Result<Self, KeyTextError> {
        let (id, octets) = decode(text, PUBLIC_LINE)?;
        let key = VerifyingKey::from_bytes(&octets);
        let key = key.map_err(|_| KeyTextError::NotPublic)?;
        let key = Self::new(key);
        check_id(id, &key.id)?;
        Ok(key)
    }

    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// It cannot be read, or holds no public key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let file = File::open(path).map_err(failed(path, "open it"))?;
        let text = read(path, file)?;
        Self::decode(&text).map_err(|problem| KeyError::Content { path: path.to_owned(), problem })
    }

    fn verifies(&self, signed: &[u8], signature: &str) -> bool {
        let octets = hex::decode(signature).and_then(|octets| <[u8; 64]>::try_from(octets).ok());
        octets.is_some_and(|octets| {
            self.key.verify_strict(signed, &Signature::from_bytes(&octets)).is_ok()
        })
    }
}

/// The keys that a node trusts. Without one, signatures are not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted(Vec<PublicKey>);

/// A publisher's key, and the keys whose messages it goes on from.
#[derive(Debug, Clone)]
pub struct Signer {
    pub(super) key: SecretKey,
    /// Keys that may have signed the end of a stream.
    pub(super) believed: Trusted,
}

impl Signer {
    /// Signs with `key`, and goes on from what it signed itself, or the keys of `former`.
    #[must_use]
    pub fn new(key: SecretKey, former: Trusted) -> Self {
        let mut believed = former;
        believed.0.push(key.public());
        Self { key, believed }
    }

    /// Goes on from any message, whatever its signature: once, where a stream was not signed
    /// before.
    #[must_use]
    pub fn adopting(self) -> Self {
        Self { believed: Trusted::default(), ..self }
    }
}

impl From<SecretKey> for Signer {
    fn from(key: SecretKey) -> Self {
        Self::new(key, Trusted::default())
    }
}

impl Trusted {
    /// Trusts these keys.
    #[must_use]
    pub const fn new(keys: Vec<PublicKey>) -> Self {
        Self(keys)
    }

    /// Reads the files of public keys.
    ///
    /// # Errors
    ///
    /// The first file that cannot be read, or holds no public key.
    pub fn read(paths: &[PathBuf]) -> Result<Self, KeyError> {
        paths.iter().map(|path| PublicKey::read(path)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is none: signatures are not looked at then.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether octets may be relied on: always without a trusted key, else if one of them signed.
    ///
    /// # Errors
    ///
    /// No signature, none of a trusted key, or a wrong one.
    pub fn check(
        &self,
        signed: &[u8],
        signature: Option<(&str, &str)>,
    ) -> Result<(), SignatureError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let Some((id, signature)) = signature else { return Err(SignatureError::Unsigned) };
        let Some(key) = self.0.iter().find(|key| key.id == id) else {
            let trusted: Vec<&str> = self.0.iter().map(PublicKey::id).collect();
            let got = id.chars().take(2 * ID_BYTES).collect();
            return Err(SignatureError::NotTrusted { got, trusted: trusted.join(", ") });
        };
        let wrong = || SignatureError::Wrong { id: key.id.clone() };
        key.verifies(signed, signature).then_some(()).ok_or_else(wrong)
    }
}

/// Something is not signed as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No signature.
    #[error("is not signed, and only what a trusted key signed is taken; give its maker the key")]
    Unsigned,
    /// A signature of somebody else.
    #[error(
        "is signed with key {got:?}, trusted are {trusted}; if the key is right, add its public \
         file to trusted_keys"
    )]
    NotTrusted {
        /// The key's id as it stands there, at most 16 characters.
        got: String,
        /// Ids of the trusted keys.
        trusted: String,
    },
    /// The signature does not fit what it signs.
    #[error("has a wrong signature of key {id}: it was tampered with, or damaged on its way")]
    Wrong {
        /// The key's id.
        id: String,
    },
}

/// A key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refused something.
    #[error("{}: cannot {what}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Others may read a secret key.
    #[error(
        "{}: has mode {mode:04o}, a secret key needs 0600; run `chmod 600 {}`, and make a new key \
         if somebody may have read it", path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not such a key.
    #[error("{}: {problem}; make one with `whoisd key new FILE`", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: KeyTextError,
    },
}

/// The text of a key file cannot be used. The message follows the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// It is the text of something else.
    #[error("starts with {got:?}, expected {expected:?}")]
    FirstLine {
        /// The start of its first line.
        got: String,
        /// The first line of such a key.
        expected: &'static str,
    },
    /// A line is missing.
    #[error("has no line \"{name} ...\" where one is expected")]
    NoLine {
        /// Its first word.
        name: &'static str,
    },
    /// The key has another form. What is there may be a secret: it is not quoted.
    #[error("its key is not 64 hexadecimal digits")]
    Digits,
    /// The key is not a public key.
    #[error("its octets are no Ed25519 public key")]
    NotPublic,
    /// Something follows the key.
    #[error("goes on behind the key")]
    Longer,
    /// The id is another key's.
    #[error("its id is {got:?}, the key's is {expected}: it is damaged")]
    Id {
        /// The id in the file, at most 16 characters.
        got: String,
        /// The id of the key.
        expected: String,
    },
}

fn decode<'a>(text: &'a str, first: &'static str) -> Result<(&'a str, [u8; 32]), KeyTextError> {
    let mut lines = text.lines();
    let got: String = lines.next().unwrap_or_default().chars().take(40).collect();
    if got != first {
        return Err(KeyTextError::FirstLine { got, expected: first });
    }
    let mut field = |name: &'static str| {
        let value = lines.next().and_then(|line| line.strip_prefix(name));
        let value = value.and_then(|value| value.strip_prefix(' '));
        value.ok_or(KeyTextError::NoLine { name })
    };
    let (id, key) = (field("id")?, field("ed25519")?);
    let octets = hex::decode(key).and_then(|octets| octets.try_into().ok());
    let octets = octets.ok_or(KeyTextError::Digits)?;
    if lines.any(|line| !line.is_empty()) {
        return Err(KeyTextError::Longer);
    }
    Ok((id, octets))
}

fn check_id(got: &str, expected: &str) -> Result<(), KeyTextError> {
    if got == expected {
        return Ok(());
    }
    let got = got.chars().take(2 * ID_BYTES).collect();
    Err(KeyTextError::Id { got, expected: expected.to_owned() })
}

fn read(path: &Path, file: File) -> Result<String, KeyError> {
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed(path, "read it"))?;
    Ok(text)
}

fn create(path: &Path, mode: u32, text: &str) -> Result<(), KeyError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut file = options.open(path).map_err(|error| {
        let error = match error.kind() {
            ErrorKind::AlreadyExists => io::Error::new(
                ErrorKind::AlreadyExists,
                "File exists, and no key is overwritten; name another file, or move the \
                 old key away if nobody trusts it any more",
            ),
            _ => error,
        };
        failed(path, "make it")(error)
    })?;
    // The public one is there to be handed out, whatever this process's umask.
    file.set_permissions(Permissions::from_mode(mode)).map_err(failed(path, "set its mode"))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(failed(path, "write it"))
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { path, what, source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_reads_as_it_was_written_and_signs_for_its_public_one_alone() {
        let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        assert_eq!(SecretKey::decode(&key.encode()).unwrap().public(), key.public());
        assert_eq!(PublicKey::decode(&key.public().encode()), Ok(key.public()));
        let trusted = Trusted::new(vec![other.public(), key.public()]);
        let signature = key.sign(b"x");
        let public = key.public();
        assert_eq!(trusted.check(b"x", Some((public.id(), &signature))), Ok(()));
        let wrong = SignatureError::Wrong { id: public.id().to_owned() };
        assert_eq!(trusted.check(b"y", Some((public.id(), &signature))), Err(wrong.clone()));
        assert_eq!(trusted.check(b"x", Some((public.id(), "00"))), Err(wrong));
        assert_eq!(trusted.check(b"x", None), Err(SignatureError::Unsigned));
        let stranger = Trusted::new(vec![other.public()]);
        let refused = stranger.check(b"x", Some((public.id(), &signature)));
        assert!(matches!(refused, Err(SignatureError::NotTrusted { .. })), "{refused:?}");
        assert_eq!(Trusted::default().check(b"x", None), Ok(()));
    }

    #[test]
    fn a_damaged_key_file_is_refused() {
        let text = SecretKey::generate().unwrap().encode();
        for at in 0..text.len() - 1 {
            assert!(SecretKey::decode(&text[..at]).is_err(), "cut at {at}");
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            assert!(SecretKey::decode(&changed).is_err(), "changed at {at}");
        }
        let refused = PublicKey::decode(&text).unwrap_err().to_string();
        assert!(refused.contains("expected \"whoisd-public-key 1\""), "{refused}");
    }

    #[test]
    fn a_secret_key_that_others_may_read_is_refused_and_none_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("feed.key");
        let key = SecretKey::generate().unwrap();
        let public = key.write_new(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SecretKey::read(&path).unwrap().public(), key.public());
        assert_eq!(Trusted::read(&[public]).unwrap(), Trusted::new(vec![key.public()]));
        let again = key.write_new(&path).unwrap_err().to_string();
        assert!(again.contains("cannot make it"), "{again}");
        assert!(again.contains("feed.key.pub") && again.contains("name another file"), "{again}");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let exposed = SecretKey::read(&path).unwrap_err().to_string();
        assert!(exposed.contains("has mode 0640") && exposed.contains("chmod 600"), "{exposed}");
    }
}
