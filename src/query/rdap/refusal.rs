//! Why a request gets no object, as error answers say it (RFC 9083 section 6).
//!
//! # Does not
//!
//! Write answers.

/// Why a request gets no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No path of RDAP, or an incomplete one.
    Path,
    /// An escape that is not one, or bytes that are not UTF-8.
    Escape,
    /// Longer than a request may be.
    Long,
    /// A search without its parameter, or with several.
    Parameters,
    /// Not the name of a domain or a host.
    Name,
    /// Not an IP address.
    Address,
    /// A pattern of addresses.
    AddressPattern,
    /// A kind of query that is not offered here.
    Unsupported,
    /// A name under no suffix that is served here.
    Elsewhere,
    /// A suffix itself, or a name above one.
    Suffix,
    /// No such object.
    NotFound,
    /// A record that cannot be read.
    Damaged,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Path,
        Self::Escape,
        Self::Long,
        Self::Parameters,
        Self::Name,
        Self::Address,
        Self::AddressPattern,
        Self::Unsupported,
        Self::Elsewhere,
        Self::Suffix,
        Self::NotFound,
        Self::Damaged,
    ];

    /// The status of the answer (RFC 9110 section 15).
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Path
            | Self::Escape
            | Self::Long
            | Self::Parameters
            | Self::Name
            | Self::Address => Status::BAD_REQUEST,
            Self::AddressPattern => Status::UNPROCESSABLE,
            Self::Unsupported => Status::NOT_IMPLEMENTED,
            Self::Elsewhere | Self::Suffix | Self::NotFound => Status::NOT_FOUND,
            Self::Damaged => Status::FAILED,
        }
    }

    /// What the requester reads.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Path => {
                "The path is not one of RDAP; expected domain/NAME, nameserver/NAME, \
                 entity/HANDLE, nameservers?ip=ADDRESS or help."
            }
            Self::Escape => {
                "An escape is not valid, or the text is not UTF-8; send % and two hexadecimal \
                 digits for each byte, or a name in its xn-- form."
            }
            Self::Long => "The request is too long; its path and parameters may have 4096 bytes.",
            Self::Parameters => "A search needs exactly one search parameter; expected ip=ADDRESS.",
            Self::Name => {
                "This cannot be the name of a domain or a nameserver; labels have 1 to 63 \
                 letters, digits and hyphens, or are names in Unicode."
            }
            Self::Address => {
                "This is not an IP address; expected IPv4 such as 192.0.2.1, without leading \
                 zeros, or IPv6 such as 2001:db8::1, without a range."
            }
            Self::AddressPattern => "Nameservers are found by one whole address, not by a pattern.",
            Self::Unsupported => "This server does not answer that kind of query; see help.",
            Self::Elsewhere => "This server is not responsible for names under that suffix.",
            Self::Suffix => {
                "This is a suffix, or a name above one, not a name under it; ask for a whole name."
            }
            Self::NotFound => "There is no such object in this registry.",
            Self::Damaged => {
                "The record cannot be read; the operator of this server can repair it."
            }
        }
    }
}

/// A status of HTTP, with its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The number.
    pub code: u16,
    /// In words.
    pub title: &'static str,
}

impl Status {
    /// Answered.
    pub const OK: Self = Self::new(200, "OK");
    /// Not a request that could be answered.
    pub const BAD_REQUEST: Self = Self::new(400, "Bad Request");
    /// Refused to the caller.
    pub const FORBIDDEN: Self = Self::new(403, "Forbidden");
    /// No such object.
    pub const NOT_FOUND: Self = Self::new(404, "Not Found");
    /// A search that is not offered in this form.
    pub const UNPROCESSABLE: Self = Self::new(422, "Unprocessable Content");
    /// Over a limit.
    pub const TOO_MANY: Self = Self::new(429, "Too Many Requests");
    /// A damaged record.
    pub const FAILED: Self = Self::new(500, "Internal Server Error");
    /// A kind of query that is not offered.
    pub const NOT_IMPLEMENTED: Self = Self::new(501, "Not Implemented");

    /// A status with its title.
    #[must_use]
    pub const fn new(code: u16, title: &'static str) -> Self {
        Self { code, title }
    }
}
