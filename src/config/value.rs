//! What is wrong with a value, whatever its key; and with which one.
//!
//! # Does not
//!
//! Say in which line: `load` does.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use ipnet::IpNet;
use toml::Spanned;

use super::contradiction::Contradiction;
use super::guard::CANARY_BYTES_MAX;
use super::policy::{FAMILIES, NAME_BYTES_MAX};
use super::registrars::RegistrarsError;
use super::web::PATH_BYTES_MAX;
use crate::bounds::UnknownWord;
use crate::feed::nats::AddressError;
use crate::place::cores::CoresError;
use crate::policy::display::settings::{SettingProblem, TextError};
use crate::policy::mining::CANARIES_MAX;
use crate::querylog::LogError;
use crate::warden::CHANNEL_BYTES_MAX;

/// A value of the file that cannot be used.
pub(super) struct Refused {
    /// The key with its table; tables of one name are counted from 1.
    pub(super) key: String,
    /// Where it is written; `None` if it is missing.
    pub(super) span: Option<Range<usize>>,
    pub(super) problem: Box<ValueError>,
}

impl Refused {
    /// A value that is written.
    pub(super) fn new<T>(key: &str, value: &Spanned<T>, problem: impl Into<ValueError>) -> Self {
        Self { key: key.to_owned(), span: Some(value.span()), problem: Box::new(problem.into()) }
    }

    /// A value that is not.
    pub(super) fn missing(key: &str, problem: ValueError) -> Self {
        Self { key: key.to_owned(), span: None, problem: Box::new(problem) }
    }
}

/// What is wrong with a value, whatever its key.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// A text is none of the words of the key.
    #[error(transparent)]
    Word(#[from] UnknownWord),
    /// A text is not a list of cores.
    #[error(transparent)]
    Cores(#[from] CoresError),
    /// A text cannot be part of an answer.
    #[error(transparent)]
    Text(#[from] TextError),
    /// How answers read cannot be set so.
    #[error(transparent)]
    Answers(#[from] SettingProblem),
    /// A value and another one cannot be together.
    #[error(transparent)]
    Together(#[from] Contradiction),
    /// A stream has no such servers, or no such name.
    #[error(transparent)]
    Stream(#[from] AddressError),
    /// One of several servers of a stream has no such address.
    #[error("number {number}: {source}")]
    Server {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        source: AddressError,
    },
    /// The stream of queries has no such subject.
    #[error(transparent)]
    QueryLog(#[from] LogError),
    /// A file of registrars cannot be used.
    #[error("{}: {source}", path.display())]
    Registrars {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<RegistrarsError>,
    },
    /// A number is below its bounds.
    #[error("{got} is too small, at least {min} {unit} is required")]
    Small {
        /// The number.
        got: u64,
        /// The least.
        min: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// A number is above its bounds.
    #[error("{got} is too large, at most {max} {unit} is allowed")]
    Large {
        /// The number.
        got: u64,
        /// The largest.
        max: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// A list is too long, and may be empty.
    #[error("{got} {what}, at most {max} may be given")]
    TooMany {
        /// How many there are.
        got: usize,
        /// What they are.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// A list is too long, or empty and may not be.
    #[error("{got} {what}, expected 1 to {max}")]
    Count {
        /// How many there are.
        got: usize,
        /// What they are.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// A path has no characters.
    #[error("\"\" is not a {what}")]
    Empty {
        /// What it would be the path of.
        what: &'static str,
    },
    /// A key without a default is not set.
    #[error("is not set; write {name} = {example}")]
    Unset {
        /// The key without its table.
        name: &'static str,
        /// A value of it.
        example: &'static str,
    },
    /// Other keys of a table are set, and the one that they need is not.
    #[error("is not set, and other keys of [{table}] are; name {what}")]
    Headless {
        /// The table.
        table: &'static str,
        /// What the key names, with an example.
        what: &'static str,
    },
    /// A text is not an address to listen on.
    #[error("{got:?} is not an address and port; write \"192.0.2.1:43\" or \"[2001:db8::1]:43\"")]
    Listen {
        /// The text.
        got: String,
    },
    /// A text is not an address at which figures are asked for.
    #[error("{got:?} is not an address and port; write \"127.0.0.1:9143\"")]
    Status {
        /// The text.
        got: String,
    },
    /// An address is listened on twice.
    #[error("{address} is named twice")]
    Twice {
        /// The address.
        address: SocketAddr,
    },
    /// Two tables are of one listener.
    #[error("{listener} has a table already; name all peers there")]
    ProxyTwice {
        /// The listener.
        listener: SocketAddr,
    },
    /// A proxy's listener is none of the servers'.
    #[error(
        "{got:?} is not listened on; server.listen has {}, web.listen has {}",
        listed(port43),
        listed(web)
    )]
    NotListened {
        /// The text.
        got: String,
        /// Where the server of port 43 listens.
        port43: Vec<SocketAddr>,
        /// Where that of RDAP does.
        web: Vec<SocketAddr>,
    },
    /// A text is not a network.
    #[error("{text:?} is not a network; write \"10.0.0.0/8\" or \"2001:db8::1\"")]
    Network {
        /// The text.
        text: String,
    },
    /// Bits of a network's address are set after the length of its prefix.
    #[error("{text} has bits behind its prefix; write \"{}\" for the network", network.trunc())]
    HostBits {
        /// The text.
        text: String,
        /// The address with its prefix.
        network: IpNet,
    },
    /// A network is that of all addresses.
    #[error("{text} is everybody, who could then say to be anybody; name balancers")]
    Everybody {
        /// The text.
        text: String,
    },
    /// A text is not the path below which RDAP lies.
    #[error(
        "{got:?} is not a path; expected one such as \"/rdap/\" or \"/\", with both slashes, at \
         most {PATH_BYTES_MAX} bytes"
    )]
    Mount {
        /// The text.
        got: String,
    },
    /// A text is not the address of an object store.
    #[error(
        "{got:?} is not an object store; write a directory, \"file:///DIRECTORY\" or \
         \"s3://BUCKET/PATH\""
    )]
    Objects {
        /// Its first characters.
        got: String,
    },
    /// A text is not a table of nftables.
    #[error(
        "{got:?} is not a family and table, such as \"inet whoisd\"; families are {}",
        FAMILIES.join(", ")
    )]
    NftTable {
        /// The text.
        got: String,
    },
    /// A text is not a set of nftables.
    #[error(
        "{got:?} is not a name of a set: 1 to {NAME_BYTES_MAX} letters, digits and \"_\", a letter \
         first"
    )]
    NftSet {
        /// The text.
        got: String,
    },
    /// A path ends in no name.
    #[error("{path:?} names no file; write one such as \"/etc/whoisd/a.toml\"")]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// A path is a pattern of another kind than ours.
    #[error(
        "{path:?} is not a pattern; `*` may stand in the last part, as in \
         \"/etc/whoisd/lists.d/*.toml\""
    )]
    Pattern {
        /// The path.
        path: PathBuf,
    },
    /// There are too many names of canary records.
    #[error("{got} names, expected at most {CANARIES_MAX}")]
    CanaryCount {
        /// How many there are.
        got: usize,
    },
    /// Texts are not names of records.
    #[error(
        "{} is not a name of 1 to {CANARY_BYTES_MAX} letters, digits, hyphens and dots; write IDNs \
         as A-labels",
        quoted(names)
    )]
    Canaries {
        /// The texts.
        names: Vec<String>,
    },
    /// A text is not the address of a Redis server. It is not quoted: it may hold a password,
    /// although it should not.
    #[error("is not the address of a Redis server; expected \"redis://127.0.0.1:6379\"")]
    Redis,
    /// The address of a Redis server has a user or a password.
    #[error(
        "the address holds a user or a password, which would be shown; put one line \
         \"user:password\" into a file and name it as site.credentials"
    )]
    RedisPassword,
    /// A text is not the name of a channel.
    #[error("{name:?} is not a name of 1 to {CHANNEL_BYTES_MAX} letters, digits and `-_.:`")]
    Channel {
        /// The text.
        name: String,
    },
}

fn quoted(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

fn listed(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    addresses.join(", ")
}
