//! The fuzz targets: a name, and one call of the driver that is beside the parser.
//!
//! # Does not
//!
//! Define the laws: the drivers do (`src/*/fuzz.rs`, `snapshot-format/src/fuzz.rs`).

use std::cell::OnceCell;

use whoisd::policy::Rules;
use whoisd::policy::display::settings::Settings;
use whoisd::view::View;

use super::registry;
use super::registry::index::ModelIndex;

/// A name, what it does with an input, and the most memory that this may take, bytes.
pub(crate) type Target = (&'static str, fn(&[u8]), u64);

/// What the readers of deposits may take: `memory_bytes` of their options.
const DEPOSIT_BYTES: u64 = 64 << 20;
const MIB: u64 = 1 << 20;

/// Every target of this crate.
pub(crate) const TARGETS: [Target; 10] = [
    ("query_line", query_line, MIB),
    ("rdap_target", rdap_target, 8 * MIB),
    ("proxy_header", whoisd::port43::proxy::fuzz::header, MIB),
    ("lists", whoisd::policy::lists::fuzz::file, 4 * MIB),
    ("configuration", whoisd::config::fuzz::file, 4 * MIB),
    ("change_record", whoisd::feed::fuzz::change_record, MIB),
    ("change_batch", whoisd::feed::fuzz::change_batch, 4 * MIB),
    ("deposit_xml", whoisd::import::fuzz::deposit_xml, DEPOSIT_BYTES),
    ("deposit_csv", whoisd::import::fuzz::deposit_csv, DEPOSIT_BYTES),
    ("manifest", whoisd::store::fuzz::manifest, MIB),
];

/// What questions are asked of.
struct World {
    view: View,
    index: ModelIndex,
    rules: [Rules; 2],
}

impl World {
    fn new() -> Self {
        let view = registry::small();
        let index = ModelIndex::of(&view);
        Self { view, index, rules: [Rules::standard(), open()] }
    }
}

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

/// The line after the first byte, under the rules that this byte names.
fn query_line(input: &[u8]) {
    let Some((&first, line)) = input.split_first() else { return };
    WORLD.with(|world| {
        let World { view, rules, .. } = world.get_or_init(World::new);
        whoisd::query::whois::fuzz::line(view, &rules[usize::from(first & 1)], line);
    });
}

/// The target after the first byte, under the rules that this byte names.
fn rdap_target(input: &[u8]) {
    let Some((&first, target)) = input.split_first() else { return };
    WORLD.with(|world| {
        let World { view, index, rules } = world.get_or_init(World::new);
        whoisd::query::rdap::fuzz::target((view, index), &rules[usize::from(first & 1)], target);
    });
}

/// Rules that show everything.
fn open() -> Rules {
    let settings: Settings =
        toml::from_str("[defaults]\npreset = \"open\"\nextras = \"all\"").unwrap();
    Rules::compile(&settings).unwrap()
}
