//! Objects for the conversations about typed forms: hosts with underscores, false A-labels, names
//! of registrars that people type in other forms.

use snapshot_format::object::{Domain, Nameserver, Nndn, NndnState, Registrar};

use super::{domain, nameserver, text};

pub(super) fn registrars() -> [Registrar; 4] {
    let registrar = |id: &str, name: &str, iana_id| Registrar {
        id: text(id),
        name: text(name),
        iana_id,
        ..Registrar::default()
    };
    [
        registrar("reg-6", "Example Names Ltd.", 610),
        // Decomposed.
        registrar("reg-7", "U\u{308}ni\u{308}code Re\u{301}gistrar", 611),
        registrar("reg-8", "ガード登録", 612),
        registrar("reg-9", "100% O\u{2019}Names_", 613),
    ]
}

pub(super) fn nameservers() -> [Nameserver; 4] {
    ["ns_1.example.demo", "_ns.example.demo", "dnssrv_a.example.demo", "dnssrvxa.example.demo"]
        .map(|name| nameserver(name, ""))
}

pub(super) fn nndns() -> [Nndn; 1] {
    [Nndn { name: text("xn----7eaq.demo"), state: NndnState::Blocked, ..Nndn::default() }]
}

/// The first ones decode, and do not encode to themselves again.
pub(super) fn domains() -> Vec<Domain> {
    let names = [
        "xn----5da7e.demo",
        "xn--brandname-9j3h.demo",
        "xn--brand-nt3b.demo",
        "xn--abcd-1c7a.demo",
        "xn--a.demo",
        "xn--z9e.demo",
        // Decodes to `münchenÄ`, which the pattern `münch%` would match.
        "xn--mnchen-1na65b.demo",
        "xn----zfa7e.demo",
        "365.xn--ngbc5azd.demo",
        "xn--tdaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.demo",
        "under_score.demo",
    ];
    names.map(|name| Domain { contacts: Vec::new(), ..domain(name, "") }).into()
}
