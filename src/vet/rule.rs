//! The one table of what an import checks: a code, a severity, what is wrong, what was expected,
//! what is served instead, and the RFC section that says so.
//!
//! # Invariants
//!
//! - Codes never change their meaning: reports are read by scripts.
//!
//! # Does not
//!
//! Check anything: `check` and the readers do.

/// Whether a defect stops the import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The deposit cannot be used: an answer from it would be wrong or ambiguous.
    Refusal,
    /// A defect of one record or of a count: the rest is served.
    Finding,
}

impl Severity {
    /// The word of reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Finding => "finding",
        }
    }
}

/// What the table says of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleText {
    /// Stable code, `kebab-case`.
    pub code: &'static str,
    /// Whether it stops the import.
    pub severity: Severity,
    /// What is wrong.
    pub what: &'static str,
    /// What was expected.
    pub expected: &'static str,
    /// What is served instead (findings), or what to do (refusals).
    pub outcome: &'static str,
    /// Where that is written.
    pub rfc: &'static str,
}

macro_rules! rules {
    ($($rule:ident $severity:ident $code:literal, $what:literal, $expected:literal, $outcome:literal, $rfc:literal;)*) => {
        /// A rule of the import; [`Rule::text`] explains it.
        #[expect(missing_docs, reason = "the table says what each rule is")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Rule { $($rule),* }

        /// All rules, in the order of the table.
        pub const RULES: &[Rule] = &[$(Rule::$rule),*];

        impl Rule {
            /// Code, severity, texts and source of the rule.
            #[must_use]
            pub const fn text(self) -> RuleText {
                match self {
                    $(Self::$rule => RuleText {
                        code: $code,
                        severity: Severity::$severity,
                        what: $what,
                        expected: $expected,
                        outcome: $outcome,
                        rfc: $rfc,
                    }),*
                }
            }
        }
    };
}

rules! {
    // The deposit as a whole: refusals.
    XmlMalformed Refusal "xml-malformed", "the XML cannot be read", "well-formed XML with namespaces", "ask for the deposit again", "RFC 9022 section 8";
    XmlDoctype Refusal "xml-doctype", "the XML has a document type declaration", "none: entities are not expanded", "remove it", "RFC 8909 section 9";
    XmlBounds Refusal "xml-bounds", "the XML passes a bound", "nesting and token sizes of a registry deposit", "ask for the deposit again", "RFC 8909 section 9";
    XmlEncoding Refusal "xml-encoding", "the XML is in an encoding that is not read", "UTF-8 or UTF-16", "convert it to UTF-8", "RFC 8909 section 7";
    InputUnreadable Refusal "input-unreadable", "the file cannot be read to its end", "XML, gzip or tar, complete", "ask for the deposit again", "RFC 8909 section 5";
    InputTooLarge Refusal "input-too-large", "the deposit is larger than is permitted", "no more than updater.deposit_bytes_max of a server, or --unpacked-max of an import", "permit more if it is meant to be as large", "RFC 8909 section 9";
    InputBounds Refusal "input-bounds", "the input passes a bound", "a file, or a tar with the names, members and holes of a deposit", "name a file, or pack the files of the deposit again", "RFC 8909 section 9";
    DepositMissing Refusal "deposit-missing", "no XML deposit among the files", "one XML file with rde:deposit", "name the XML file", "RFC 8909 section 5";
    DepositPacked Refusal "deposit-packed", "no XML deposit among the files, and one of them is encrypted or packed in a form that is not read", "XML, tar or gzip", "decrypt or unpack it first", "RFC 8909 section 5";
    DepositSeveral Refusal "deposit-several", "several deposits of one TLD, or too many", "one FULL deposit of each TLD, at most 200", "name one deposit of each TLD", "RFC 8909 section 5";
    NotDeposit Refusal "not-a-deposit", "the outermost element is not rde:deposit", "rde:deposit of namespace rde-1.0", "name a registry data escrow deposit", "RFC 8909 section 5.1";
    DepositType Refusal "deposit-type", "the deposit is not a full one", "type FULL: differential and incremental deposits change a directory that a FULL one has made", "import a FULL deposit first", "RFC 8909 section 5.1";
    DepositNotChanges Refusal "deposit-not-changes", "the deposit is neither a differential nor an incremental one", "type DIFF or INCR", "import a FULL deposit instead of applying it", "RFC 8909 section 5.1";
    PrevIdMissing Refusal "prev-id-missing", "a differential deposit does not say which one it follows", "prevId", "ask for the deposit again", "RFC 8909 section 5.1";
    WatermarkMissing Refusal "watermark-missing", "no readable watermark", "rde:watermark, a time", "ask for the deposit again", "RFC 8909 section 5.1.1";
    HeaderMissing Refusal "header-missing", "no header object", "one rdeHeader:header", "ask for the deposit again", "RFC 9022 section 5.9";
    HeaderRepeated Refusal "header-repeated", "a second header object", "one rdeHeader:header", "ask for the deposit again", "RFC 9022 section 5.9";
    KeyRepeated Refusal "key-repeated", "two objects of one kind have the same key", "a key once", "ask the registry which of the two is right", "RFC 9022 section 8";
    BothModels Refusal "both-models", "an object is in the XML model and in the CSV model", "one model per object", "ask the registry which of the two is right", "RFC 9022 section 2";
    CsvMissing Refusal "csv-file-missing", "a CSV file of the deposit is missing", "the file beside the XML, in the same tar, or named on the command line", "supply it", "RFC 9022 section 4.6.2.1";
    CsvChecksum Refusal "csv-checksum", "the checksum of a CSV file is wrong", "the value of cksum", "ask for the file again", "RFC 9022 section 4.4";
    CsvChecksumKind Refusal "csv-checksum-algorithm", "a checksum algorithm is not supported", "CRC32 or SHA256, in hexadecimal", "ask for one of the two", "RFC 9022 section 4.6.2.1";
    CsvCompression Refusal "csv-compression", "a compression format is not supported", "gzip or none", "ask for one of the two", "RFC 9022 section 4.6.2.1";
    CsvEncoding Refusal "csv-encoding", "a CSV file is in an encoding that is not read", "UTF-8 or UTF-16", "ask for UTF-8", "RFC 9022 section 4.6.2.1";
    CsvDefinition Refusal "csv-definition", "a CSV definition cannot be used", "a known name, a separator of one ASCII character, its key column, a file", "ask for the deposit again", "RFC 9022 section 4.6.2.1";
    CsvMalformed Refusal "csv-malformed", "a CSV file cannot be read", "rows of at most 1 MiB, quoted as RFC 4180 says", "ask for the file again", "RFC 9022 section 4.6";
    // The deposit as a whole: findings.
    InputTrailing Finding "input-trailing", "bytes after the end of compressed data", "nothing, or zeros", "they are ignored, as gzip ignores them", "RFC 9022 section 4.6.2.1";
    CountWrong Finding "count-wrong", "a count of the header differs from the objects of the deposit", "the number of objects", "the objects that are there are served", "RFC 9022 section 8";
    CountMissing Finding "count-missing", "objects without a count in the header", "a count for each kind of object", "the objects are served", "RFC 9022 section 5.9.1";
    CountUnreadable Finding "count-unreadable", "a count of the header is not a number", "digits", "the count is ignored", "RFC 9022 section 5.9.1";
    MenuMismatch Finding "menu-mismatch", "menu and header counts name different kinds of object", "the same object URIs in both", "the objects that are there are served", "RFC 8909 section 5.1.2";
    HeaderRepository Finding "header-repository", "the header names no TLD", "rdeHeader:tld", "names are served under the parents of the domains", "RFC 9022 section 5.9.1";
    HeaderTld Finding "header-tld", "a zone of the header begins with a dot", "the zone without it", "it is taken without the dot", "RFC 9022 section 5.9.1";
    WatermarkFuture Finding "watermark-future", "the watermark is in the future", "a time that has passed", "it is not believed: the time at which the deposit was read takes its place", "RFC 9022 section 8";
    WatermarkOlder Finding "watermark-older", "the watermark is before that of the data that the deposit follows", "a later time", "the deposit is applied, since its prevId is right, and the later time is kept", "RFC 8909 section 5.2";
    CorrectionStays Finding "correction-after-the-fact", "a corrected deposit comes after the one that it corrects was applied", "the correction instead of it", "it is applied; what only the one before it said stays. To end that, import the last FULL deposit again (--allow older), then what follows it, this one instead of the one before it", "RFC 8909 section 5.1";
    DepositId Finding "deposit-id", "the deposit's identifier is not of the form of RFC 8909", "1 to 13 letters, digits or _", "it is kept as it is", "RFC 8909 section 5.1";
    DeletesIgnored Finding "deletes-in-full", "a FULL deposit has deletes", "none", "they are ignored", "RFC 8909 section 5.1.3";
    DeleteUnknown Finding "delete-unknown", "a delete of an object that the registry does not have", "an object of the registry", "the delete is left out", "RFC 8909 section 5.1.3";
    DeleteAmbiguous Finding "delete-ambiguous", "a delete by an identifier that several hosts have", "an identifier once", "all of them are deleted", "RFC 9022 section 5.2.1.2";
    DeleteShared Finding "delete-shared", "a delete of an object that another TLD refers to", "an object of this TLD alone", "the object stays", "RFC 8909 section 5.1.3";
    ElementUnknown Finding "element-unknown", "an element that its schema does not know", "the elements of the schema", "the element is left out", "RFC 9022 section 9";
    DiscloseBad Finding "disclose-bad", "a contact's wish on disclosure that does not read", "flag 0 or 1; name, org and addr of type int or loc, voice, fax, email", "what it may mean to hide is hidden, and it permits nothing more", "RFC 5733 section 2.9";
    DiscloseRepeated Finding "disclose-repeated", "a contact with a second wish on disclosure", "it once", "what one of them hides is hidden, and both have to permit", "RFC 5733 section 2.9";
    ElementRepeated Finding "element-repeated", "an element that may occur once occurs again", "it once", "the first one is served", "RFC 9022 section 9";
    ObjectUnknown Finding "object-unknown", "objects of a kind that is not served", "the objects of RFC 9022", "they are left out", "RFC 9022 section 7";
    PolicyUnknown Finding "policy-unknown", "a policy that is not understood", "a scope ending in an object and one of its elements", "the policy is not checked", "RFC 9022 section 5.8";
    PolicyBroken Finding "policy-broken", "an element that the deposit's policy requires is missing", "the element", "the record is served without it", "RFC 9022 section 5.8";
    // Keys and names.
    KeyUnusable Finding "key-unusable", "the key of an object is missing or cannot be one", "a name of letters, digits and hyphens; an identifier of 1 to 255 bytes", "the record is left out", "RFC 9022 section 5";
    NameNotALabel Finding "name-not-a-label", "a name is in Unicode", "its A-label form", "the A-label form is served", "RFC 9022 section 5.1.1.1";
    NameOutside Finding "name-outside", "a name is not under the TLD of the deposit", "a name below rdeHeader:tld or an rcdn", "it is taken as it is", "RFC 9022 section 5.9.1";
    NameOfOther Finding "name-of-another-tld", "a name is under a TLD that other deposits are of", "a name below rdeHeader:tld or an rcdn", "it is left out", "RFC 9022 section 5.9.1";
    RcdnOfOther Finding "rcdn-of-another-tld", "a count is of a TLD that has a deposit of its own", "an rcdn that no other deposit is of", "names below it are left out; to let a FULL deposit take that TLD over, import it by itself with --allow rcdn", "RFC 9022 section 5.9.1";
    ALabelInvalid Finding "a-label-invalid", "a label that starts with xn-- is not a valid A-label", "a label that decodes and encodes again to itself", "the record is served without a Unicode form", "RFC 5891 section 4.4";
    UNameMismatch Finding "u-name-mismatch", "the Unicode form is not the form of the name", "the Unicode form of the A-label", "the form derived from the A-label is served", "RFC 9022 section 5.1.1.1";
    OriginalNameBad Finding "original-name", "the original name of a variant is not a name", "a name", "the record is served without it", "RFC 9022 section 5.1.1.1";
    IdnTableMissing Finding "idn-table-missing", "an internationalised name without an IDN table", "idnTableId", "the record is served without it", "RFC 9022 section 5.1.1.1";
    RoidMissing Finding "roid-missing", "no repository object identifier", "roid", "the record is served without it", "RFC 9022 section 5.1.1.1";
    RoidSyntax Finding "roid-syntax", "a repository object identifier is not of the form of EPP", "1 to 80 letters, digits or _, a hyphen, 1 to 8 letters or digits", "it is served as it is", "RFC 5730 section 2.8";
    RoidRepeated Finding "roid-repeated", "two objects have the same repository object identifier", "an identifier once", "both are served", "RFC 9022 section 8";
    // References.
    ContactDangling Finding "contact-dangling", "a contact that the deposit lacks", "a contact of the deposit", "the record is served without it", "RFC 9022 section 8";
    NameserverDangling Finding "nameserver-dangling", "a nameserver that the deposit lacks", "a host of the deposit", "the domain is served with its name, if it has one", "RFC 9022 section 8";
    RegistrarDangling Finding "registrar-dangling", "a registrar that the deposit lacks", "a registrar of the deposit", "the record is served without it", "RFC 9022 section 8";
    IdnTableDangling Finding "idn-table-dangling", "an IDN table that the deposit lacks", "an idnTableRef of the deposit", "the record is served without it", "RFC 9022 section 8";
    ReferenceOther Finding "reference", "a reference cannot be followed", "an object of the deposit", "the record is served without it", "RFC 9022 section 8";
    NndnIsDomain Finding "nndn-is-domain", "a name is a domain and an NNDN", "one of the two", "the domain is served", "RFC 9022 section 5.6";
    SponsorMissing Finding "sponsor-missing", "no sponsoring registrar", "clID", "the record is served without it", "RFC 9022 section 5.1.1.1";
    // Statuses.
    StatusMissing Finding "status-missing", "no status", "at least one", "the record is served without it", "RFC 9022 section 5.1.1.1";
    StatusUnknown Finding "status-unknown", "an unknown status", "a status of EPP or of the registry grace period", "the record is served without it, a domain without ok as well", "RFC 5731 section 2.3";
    StatusOk Finding "status-ok", "status ok together with others", "ok alone (hosts and contacts: with linked)", "the record is served without ok", "RFC 5731 section 2.3";
    StatusInactive Finding "status-inactive", "status inactive of a domain with nameservers", "inactive only without nameservers", "the record is served without inactive", "RFC 5731 section 2.3";
    StatusNotInactive Finding "status-not-inactive", "a domain without nameservers that is not inactive", "inactive", "the statuses are served as they are", "RFC 5731 section 2.3";
    StatusPending Finding "status-pending", "several pending statuses", "one at a time", "the statuses are served as they are", "RFC 5731 section 2.3";
    StatusProhibited Finding "status-prohibited", "a pending status together with the status that prohibits it", "one of the two", "the statuses are served as they are", "RFC 5731 section 2.3";
    StatusGrace Finding "status-grace", "a grace-period status of a deletion without pendingDelete", "pendingDelete of EPP", "the statuses are served as they are", "RFC 3915 section 3.1";
    // Values.
    TimeBad Finding "time-bad", "a time cannot be read", "YYYY-MM-DDThh:mm:ssZ", "the record is served without it", "RFC 9022 section 4.1";
    TimeNoZone Finding "time-without-zone", "a time without a zone", "Z at its end", "it is taken as UTC", "RFC 9022 section 4.1";
    TimeBeyond Finding "time-beyond", "a time beyond the year 9999", "a year of four digits", "the end of the year 9999 is served", "RFC 9022 section 4.1";
    TimeMissing Finding "time-missing", "no date of creation or expiry", "crDate and exDate of an allocated domain", "the record is served without it", "RFC 9022 section 5.1.1.1";
    CreatedLate Finding "created-after-watermark", "a creation date not before the watermark", "a time before the watermark", "it is served as it is", "RFC 8909 section 3";
    ExpiredEarly Finding "expired-at-watermark", "an expiry date before the watermark", "a later time, or status pendingDelete", "it is served as it is", "RFC 9022 section 5.1.1.1";
    DsBad Finding "ds-bad", "a DS record cannot be read", "key tag, algorithm, digest type, and a digest in hexadecimal", "the domain is served as signed, without it", "RFC 5910 section 4.1";
    KeyDataBad Finding "key-data-bad", "key data cannot be read", "flags, protocol, algorithm, and a key in base64", "the domain is served as signed, without it", "RFC 5910 section 4.2";
    SecDnsEmpty Finding "secdns-empty", "DNSSEC data without a usable record", "DS or key data", "the record is served unsigned", "RFC 5910 section 4";
    AddressBad Finding "address-bad", "an IP address cannot be read", "an IPv4 or IPv6 address", "the record is served without it", "RFC 9022 section 4.5";
    AddressVersion Finding "address-version", "an IP address is of the other version", "the version that ip says", "it is served by what it is", "RFC 5732 section 2.5";
    AddressMissing Finding "glue-missing", "a nameserver below the TLD of the deposit has no address", "at least one address", "the record is served without it", "RFC 5732 section 1.1";
    HostAttrDiffers Finding "host-attributes-differ", "host attributes of one name differ", "the same addresses everywhere", "all addresses are served", "RFC 5731 section 1.1";
    HostRoidAmbiguous Finding "host-roid-ambiguous", "a host identifier stands for several hosts", "one host", "rows that refer to it are left out", "RFC 9022 section 5.2.2.1.1";
    ValueBad Finding "value-bad", "a value that the schema does not know", "a value of the schema", "the record is served without it", "RFC 9022 section 9";
    TextTooLong Finding "text-too-long", "a text is too long", "at most 1024 bytes", "its start is served", "RFC 9022 section 9";
    CharacterBad Finding "character-bad", "a text has control characters", "none", "the text is served without them", "RFC 9022 section 10";
    ListTooLong Finding "list-too-long", "a list is too long", "at most 256 elements", "the first ones are served", "RFC 9022 section 9";
    RecordTooLarge Finding "record-too-large", "a record is too large", "at most 32 KiB", "it is served without extras and DNSSEC data", "RFC 9022 section 9";
    ReferenceBad Finding "reference-bad", "a reference is neither a name nor an identifier", "a key of 1 to 255 bytes", "the record is served without it", "RFC 9022 section 9";
    // Contacts and registrars.
    PostalMissing Finding "postal-missing", "a contact without an address", "postalInfo", "the record is served without it", "RFC 9022 section 5.3.1.1";
    PostalRepeated Finding "postal-repeated", "two addresses of the same type", "one int and one loc", "the first one is served", "RFC 5733 section 2.3";
    PostalIncomplete Finding "postal-incomplete", "an address without a required part", "name (contacts), city and cc", "the rest is served", "RFC 5733 section 2.3";
    PostalAscii Finding "postal-not-ascii", "an internationalised address is not in ASCII", "ASCII in type int", "it is served as it is", "RFC 9022 section 4.6.3";
    CountryUnknown Finding "country-unknown", "an unknown country code", "two letters of ISO 3166-1", "it is served as it is", "RFC 9022 section 4.2";
    PhoneBad Finding "phone-bad", "a telephone number of another form", "+ country code . number, at most 17 characters", "it is served as it is", "RFC 9022 section 4.3";
    RegistrarName Finding "registrar-name-missing", "a registrar without a name", "name", "the record is served without it", "RFC 9022 section 5.4.1.1";
    WhoisServerForm Finding "whois-server-form", "a WHOIS server with more than its host name", "a host name, without scheme, port and path", "the host name alone is served", "RFC 9022 section 5.4.1.1";
    WhoisServerBad Finding "whois-server-bad", "a WHOIS server that is not a host name", "a host name with a dot", "the record is served without it", "RFC 9022 section 5.4.1.1";
    UrlForm Finding "url-form", "a URL of another form", "http:// or https://, then a host name in A-label form", "it is served in that form", "RFC 9022 section 5.4.1.1";
    UrlBad Finding "url-bad", "a URL that no program can follow", "http:// or https://, then a host name", "the record is served without it", "RFC 9022 section 5.4.1.1";
    EmailBad Finding "email-bad", "an electronic mail address is missing or of another form", "local-part@domain", "it is served as it is", "RFC 9022 section 5.3.1.1";
    // CSV rows.
    RowLength Finding "csv-row-length", "a CSV row has another number of columns than its definition", "one column for each field", "the row is left out", "RFC 9022 section 4.6.2.1";
    RowEncoding Finding "csv-row-encoding", "a CSV row is not in UTF-8", "UTF-8", "the row is left out", "RFC 9022 section 4.6.2.1";
    FieldRequired Finding "csv-field-required", "a required CSV field is empty", "a value", "the rest of the row is served", "RFC 9022 section 4.6.2.1";
    RowOrphan Finding "csv-row-orphan", "a CSV row refers to an object that the deposit lacks", "the key of an object", "the row is left out", "RFC 9022 section 4.6.1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_every_rule_names_its_source() {
        let mut codes: Vec<_> = RULES.iter().map(|rule| rule.text().code).collect();
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(RULES.iter().all(|rule| rule.text().rfc.starts_with("RFC ")));
        assert!(RULES.iter().enumerate().all(|(index, rule)| *rule as usize == index));
    }
}
