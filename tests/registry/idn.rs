//! Internationalised names, their tables, and variants of variants.

use snapshot_format::object::{Domain, IdnTable};

use super::{domain, text};

pub(super) fn tables() -> Vec<IdnTable> {
    let table = |id: &str| IdnTable {
        id: text(id),
        url: format!("https://nic.demo/idn/{id}"),
        policy_url: String::new(),
    };
    vec![table("de"), table("ja"), table("ru")]
}

pub(super) fn domains() -> Vec<Domain> {
    vec![
        Domain {
            u_name: text("münchen.demo"),
            idn_table: text("de"),
            ..domain("xn--mnchen-3ya.demo", "I1-DEMO")
        },
        Domain { original_name: text("xn--mnchen-3ya.demo"), ..domain("muenchen.demo", "I2-DEMO") },
        // A variant of a variant.
        Domain { original_name: text("muenchen.demo"), ..domain("munchen.demo", "I3-DEMO") },
        // Two that are variants of each other.
        Domain { original_name: text("loop-b.demo"), ..domain("loop-a.demo", "I4-DEMO") },
        Domain { original_name: text("loop-a.demo"), ..domain("loop-b.demo", "I5-DEMO") },
        // Without a U-label in the deposit.
        domain("xn--fa-hia.demo", "I6-DEMO"),
        domain("fass.demo", "I7-DEMO"),
        Domain { idn_table: text("ja"), ..domain("xn--r8jz45g.demo", "I8-DEMO") },
        Domain { idn_table: text("ru"), ..domain("xn--e1afmkfd.xn--80adxhks", "I9-DEMO") },
        // An A-label that is not punycode.
        domain("xn--99999999.demo", "I10-DEMO"),
    ]
}
