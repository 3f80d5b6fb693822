//! Remarks that are right by design, each with its reason.

use Corpus::{Conversations, Open, Policy2025, Specification2018};

/// Where answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Corpus {
    /// The generated registry under the policy of 2025.
    Policy2025,
    /// The same under the specification of 2018.
    Specification2018,
    /// The same, everything shown.
    Open,
    /// `tests/rdap/*.txt`.
    Conversations,
}

/// A remark, and the corpora that have it. Each of them must have it, so that the list cannot go
/// stale.
pub(crate) struct Known {
    pub(crate) code: i32,
    pub(crate) seen_in: &'static [Corpus],
    pub(crate) reason: &'static str,
}

const fn known(code: i32, seen_in: &'static [Corpus], reason: &'static str) -> Known {
    Known { code, seen_in, reason }
}

const EVERYWHERE: &[Corpus] = &[Policy2025, Specification2018, Open, Conversations];

/// The remarks, in the order of their codes.
pub(crate) const KNOWN: &[Known] = &[
    known(
        -10102,
        EVERYWHERE,
        "Samples have addresses that are kept for documents and benchmarks. A registry's own glue is \
         shown as it is.",
    ),
    known(-10202, EVERYWHERE, "As for IPv4."),
    known(
        -11703,
        &[Conversations],
        "The registry has an A-label that is no punycode. The name is the key of the record.",
    ),
    known(-12205, &[Conversations], "As above: the code of the domain's member."),
    known(
        -12320,
        &[Conversations],
        "The deposit has no valid mail address there. It is shown as port 43 shows it.",
    ),
    known(
        -12601,
        &[Conversations],
        "The tool does not know the members by which RFC 8977 and RFC 8982 describe a page, its \
         order and its fields. A plain search for nameservers of an address has none of them, \
         unless it is longer than a page.",
    ),
    known(
        -23200,
        &[Conversations],
        "The configuration has no `rdap_url` for the registrar, or the domain has no registrar. The \
         guide asks for the link where the registrar has a service.",
    ),
    known(-46300, &[Conversations], "The deposit has no creation date."),
    known(-46400, &[Conversations], "The deposit has no expiry date."),
    known(-46701, &[Conversations], "The configuration leaves the complaint form out."),
    known(-47300, &[Conversations], "The deposit has no registrar."),
    known(
        -47500,
        &[Conversations],
        "The configuration has no abuse contact for the registrar, and deposits have none at all.",
    ),
    known(-47700, &[Conversations], "The configuration has no `rdap_url` for the registrar."),
    known(
        -52105,
        &[Open, Conversations],
        "The registrant has no country, or wishes that it be hidden, and the preset `open` obeys.",
    ),
    known(-60101, &[Conversations], "The deposit has no address, telephone or mail address."),
    known(
        -62101,
        &[Open, Conversations],
        "A registrant without a country, as above; or a contact that has no country, of whose address \
         other parts are shown or emptied.",
    ),
    known(
        -63300,
        &[Open],
        "The registrant has no organisation. RFC 9537 names what is redacted, and nothing is.",
    ),
    known(-63601, &[Open], "The registrant has no postal code, as above."),
    known(
        -63802,
        &[Conversations],
        "The extension is hidden and its number is shown: both are one value, of which a part is \
         left out (`partialValue`). Removal would need the whole number to go.",
    ),
];

#[test]
fn remarks_are_in_order() {
    assert!(KNOWN.is_sorted_by(|one, other| one.code > other.code));
}
