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
    /// A pattern with more than one `*`.
    TwoStars,
    /// A pattern that is not offered.
    Pattern,
    /// A pattern that begins with too little.
    Short,
    /// A nameserver's name that is not ASCII.
    LdhName,
    /// An empty text.
    Text,
    /// A sort criterion that is not offered.
    Sort,
    /// A cursor that is not one of this search.
    Cursor,
    /// A value of `count` that is not one.
    Count,
    /// A field set that is not offered.
    FieldSet,
    /// A parameter that is there twice.
    Twice,
    /// A reverse search that names no entity.
    Predicates,
    /// Too many objects to sort, to count, or to go out from.
    Broad,
    /// The index is not there yet.
    Building,
    /// Too many searches are under way.
    Busy,
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
    pub const ALL: [Self; 26] = [
        Self::Path,
        Self::Escape,
        Self::Long,
        Self::Parameters,
        Self::Name,
        Self::Address,
        Self::AddressPattern,
        Self::TwoStars,
        Self::Pattern,
        Self::Short,
        Self::LdhName,
        Self::Text,
        Self::Sort,
        Self::Cursor,
        Self::Count,
        Self::FieldSet,
        Self::Twice,
        Self::Predicates,
        Self::Broad,
        Self::Building,
        Self::Busy,
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
            | Self::Address
            | Self::TwoStars
            | Self::LdhName
            | Self::Text
            | Self::Sort
            | Self::Cursor
            | Self::Count
            | Self::FieldSet
            | Self::Twice
            | Self::Predicates => Status::BAD_REQUEST,
            Self::AddressPattern | Self::Pattern | Self::Short | Self::Broad => {
                Status::UNPROCESSABLE
            }
            Self::Building | Self::Busy => Status::UNAVAILABLE,
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
                 entity/HANDLE, help, or a search; see help."
            }
            Self::Escape => {
                "An escape is not valid, or the text is not UTF-8; send % and two hexadecimal \
                 digits for each byte, or a name in its xn-- form."
            }
            Self::Long => "The request is too long; its path and parameters may have 4096 bytes.",
            Self::Parameters => {
                "A search needs exactly one of its parameters: name, nsLdhName or nsIp of domains, \
                 name or ip of nameservers, fn or handle of entities."
            }
            Self::Name => {
                "This cannot be the name of a domain or a nameserver; labels have 1 to 63 \
                 letters, digits and hyphens, or are names in Unicode."
            }
            Self::Address => {
                "This is not an IP address; expected IPv4 such as 192.0.2.1, without leading \
                 zeros, or IPv6 such as 2001:db8::1, without a range."
            }
            Self::AddressPattern => "Nameservers are found by one whole address, not by a pattern.",
            Self::TwoStars => "A pattern has one * at most; expected exam* or exam*.example.",
            Self::Pattern => {
                "This pattern is not offered; the * completes the last label, or one that \
                 whole labels follow, as in exam* or exam*.example, and the end of a \
                 text."
            }
            Self::Short => {
                "The pattern is too short; at least 2 characters stand before the *, or \
                 one and whole labels after it."
            }
            Self::LdhName => "nsLdhName takes a name in ASCII; send the xn-- form.",
            Self::Text => "The text that is searched for is empty.",
            Self::Sort => {
                "The sort is not offered; expected at most 4 of the properties that \
                 sorting_metadata lists, with commas between them, each with :a or :d or \
                 nothing after it."
            }
            Self::Cursor => {
                "The cursor is not one of this search; send one that the page before \
                 gave, with the same parameters, or begin without one."
            }
            Self::Count => "count is true, yes or 1, or else false, no or 0.",
            Self::FieldSet => "The field set is not offered; expected id, brief or full.",
            Self::Twice => "sort, cursor, count and fieldSet are there once at most.",
            Self::Predicates => {
                "A reverse search needs 1 to 8 of fn, handle, email and role, and not \
                 role alone."
            }
            Self::Broad => {
                "Too many objects match; make the pattern longer, or leave sort and count \
                 out."
            }
            Self::Building => "Searches are not ready: the index is missing; ask again later.",
            Self::Busy => "Too many searches are under way; ask again in a moment.",
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
    /// Not now.
    pub const UNAVAILABLE: Self = Self::new(503, "Service Unavailable");
    /// A kind of query that is not offered.
    pub const NOT_IMPLEMENTED: Self = Self::new(501, "Not Implemented");

    /// A status with its title.
    #[must_use]
    pub const fn new(code: u16, title: &'static str) -> Self {
        Self { code, title }
    }
}
