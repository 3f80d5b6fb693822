//! A law of tiers: a value that a mask hides never appears in the bytes of an answer, and a value
//! that it shows does.

use std::fmt::Write as _;
use std::io::Cursor;
use std::rc::Rc;

use snapshot_format::object::{
    Contact, ContactLink, ContactRole, Disclose, Domain, Phone, Postal, PostalKind,
};
use snapshot_format::record::Meta;
use snapshot_format::sort::MemoryScratch;
use snapshot_format::{Builder, Options, builder::contact_order_key};

use super::*;
use crate::field::contact::{BLOCK, FIELD_COUNT};
use crate::policy::Wish;
use crate::policy::display::settings::Settings;

/// Domains of the registry, each with four contacts of its own.
const DOMAIN_COUNT: u64 = 24;
const ROLES: [ContactRole; 4] =
    [ContactRole::Registrant, ContactRole::Admin, ContactRole::Tech, ContactRole::Billing];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.checked_rem(bound).unwrap()
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let length = u64::try_from(words.len()).unwrap();
        words[usize::try_from(self.below(length)).unwrap()]
    }
}

/// A contact, and what is known of it: no value of any contact is a part of another one.
struct Known {
    contact: Contact,
    /// Values by field; the street has three, of an address in the other form there are none.
    values: Vec<(usize, String)>,
    /// What is asked for each field.
    wishes: [Wish; FIELD_COUNT],
}

impl Known {
    fn drawn(id: &str, random: &mut Random, serial: &mut u64) -> Self {
        let mut text = |length: u64| {
            *serial = serial.checked_add(1).unwrap();
            format!("v{serial:07}{}", "x".repeat(usize::try_from(length).unwrap()))
        };
        let lengths: Vec<u64> = (0..24).map(|_| random.below(40)).collect();
        let mut lengths = lengths.into_iter();
        let mut next = || text(lengths.next().unwrap());
        let loc = random.below(3) == 0;
        let postal = Postal {
            kind: if loc { PostalKind::Loc } else { PostalKind::Int },
            name: next(),
            org: next(),
            street: [next(), next(), next()],
            city: next(),
            sp: next(),
            pc: next(),
            cc: next(),
        };
        let disclose = (random.below(2) == 0).then(|| Disclose {
            allow: random.below(2) == 0,
            fields: u16::try_from(random.below(1 << 10)).unwrap(),
        });
        let contact = Contact {
            id: id.to_owned(),
            roid: next(),
            postal: vec![postal],
            voice: Phone { number: next(), ext: next() },
            fax: Phone { number: next(), ext: next() },
            email: next(),
            disclose,
            ..Contact::default()
        };
        let wishes = wishes(&contact, loc);
        let p = &contact.postal[0];
        let fields: [&[&String]; FIELD_COUNT] = [
            &[&contact.roid],
            &[&p.name],
            &[&p.org],
            &[&p.street[0], &p.street[1], &p.street[2]],
            &[&p.city],
            &[&p.sp],
            &[&p.pc],
            &[&p.cc],
            &[&contact.voice.number],
            &[&contact.voice.ext],
            &[&contact.fax.number],
            &[&contact.fax.ext],
            &[&contact.email],
        ];
        let values = fields.iter().enumerate();
        let values =
            values.flat_map(|(field, of)| of.iter().map(move |text| (field, (*text).clone())));
        let values = values.collect();
        Self { contact, values, wishes }
    }
}

/// RFC 5733 section 2.9: which part of a wish is about which field.
fn wishes(contact: &Contact, loc: bool) -> [Wish; FIELD_COUNT] {
    use Disclose as D;
    let (name, org, addr) = if loc {
        (D::NAME_LOC, D::ORG_LOC, D::ADDR_LOC)
    } else {
        (D::NAME_INT, D::ORG_INT, D::ADDR_INT)
    };
    let voice = D::VOICE;
    let named =
        [0, name, org, addr, addr, addr, addr, addr, voice, voice, D::FAX, D::FAX, D::EMAIL];
    named.map(|field| match &contact.disclose {
        Some(wish) if wish.fields & field != 0 && wish.allow => Wish::Show,
        Some(wish) if wish.fields & field != 0 => Wish::Hide,
        _ => Wish::None,
    })
}

fn registry(random: &mut Random) -> (View, Vec<[Known; 4]>) {
    let mut serial = 0;
    let mut known: Vec<[Known; 4]> = Vec::new();
    for domain in 0..DOMAIN_COUNT {
        known.push(std::array::from_fn(|role| {
            Known::drawn(&format!("ID{domain:03}{role}"), random, &mut serial)
        }));
    }
    let out = Cursor::new(Vec::new());
    let mut builder = Builder::new(out, Rc::new(MemoryScratch), Options::default()).unwrap();
    let mut contacts: Vec<&Contact> = known.iter().flatten().map(|one| &one.contact).collect();
    contacts.sort_by_key(|contact| contact_order_key(&contact.id));
    for contact in contacts {
        builder.contact(contact, &mut |_defect| {}).unwrap();
    }
    for (number, contacts) in known.iter().enumerate() {
        let links = ROLES.into_iter().zip(contacts);
        let links = links.map(|(role, known)| ContactLink { role, id: known.contact.id.clone() });
        let domain = Domain {
            name: format!("name{number:03}.demo"),
            contacts: links.collect(),
            ..Domain::default()
        };
        builder.domain(&domain, &mut |_defect| {}).unwrap();
    }
    let meta = Meta { suffixes: vec!["demo".to_owned()], ..Meta::default() };
    let (out, _) = builder.finish(&meta, &mut |_name, _defect| {}).unwrap();
    (View::of_bytes(out.into_inner()).unwrap(), known)
}

/// A registry without a record.
pub(super) fn empty_view() -> View {
    let out = Cursor::new(Vec::new());
    let builder = Builder::new(out, Rc::new(MemoryScratch), Options::default()).unwrap();
    let meta = Meta { suffixes: vec!["demo".to_owned()], ..Meta::default() };
    let (out, _) = builder.finish(&meta, &mut |_name, _defect| {}).unwrap();
    View::of_bytes(out.into_inner()).unwrap()
}

const PRESETS: [&str; 3] =
    ["registration-data-policy-2025", "temporary-specification-2018", "open"];
const MODELS: [&str; 3] = ["thick", "thin", "modified-thick"];
const BLOCKS: [&str; 4] = ["registrant", "admin", "tech", "billing"];
const FIELDS: [&str; 14] = [
    "fields",
    "id",
    "name",
    "organization",
    "street",
    "city",
    "state",
    "postal_code",
    "country",
    "phone",
    "phone_ext",
    "fax",
    "fax_ext",
    "email",
];

/// A table of blocks; `words` are the rules that a field may have.
fn blocks(random: &mut Random, table: &str, blocks: &[&str], words: &[&str]) -> String {
    let mut text = String::new();
    for block in blocks {
        if random.below(2) == 0 {
            continue;
        }
        let shown = random.pick(&["true", "true", "false"]);
        writeln!(text, "[{table}.{block}]\nshown = {shown}").unwrap();
        for field in FIELDS {
            if random.below(3) == 0 {
                writeln!(text, "{field} = \"{}\"", random.pick(words)).unwrap();
            }
        }
    }
    text
}

fn head(random: &mut Random, text: &mut String) {
    if random.below(2) == 0 {
        writeln!(text, "preset = \"{}\"", random.pick(&PRESETS)).unwrap();
    }
    if random.below(2) == 0 {
        writeln!(text, "model = \"{}\"", random.pick(&MODELS)).unwrap();
    }
}

/// A configuration with a tier for each preset, and three of random tables.
fn configuration(random: &mut Random, preset: &str) -> String {
    let public = ["shown", "consent", "redacted", "empty", "left-out", "text:by post"];
    let tier = ["shown", "consent", "always", "redacted", "empty", "left-out"];
    let with_contact = ["registrant", "admin", "tech", "billing", "contact"];
    let style = random.pick(&["text", "empty", "left-out"]);
    let mut text = format!("[defaults]\npreset = \"{preset}\"\nredacted_as = \"{style}\"\n");
    text += &blocks(random, "defaults", &with_contact, &public);
    text += "[[tld]]\nsuffix = \"demo\"\n";
    head(random, &mut text);
    text += &blocks(random, "tld", &BLOCKS, &public);
    for (number, preset) in PRESETS.iter().enumerate() {
        writeln!(text, "[[tier]]\nname = \"preset-{number}\"\npreset = \"{preset}\"").unwrap();
    }
    for number in 0..3 {
        writeln!(text, "[[tier]]\nname = \"random-{number}\"").unwrap();
        head(random, &mut text);
        text += &blocks(random, "tier", &with_contact, &tier);
        if random.below(2) == 0 {
            text += "[[tier.tld]]\nsuffix = \"demo\"\n";
            head(random, &mut text);
            text += &blocks(random, "tier.tld", &BLOCKS, &tier);
        }
    }
    text
}

#[test]
fn what_a_mask_hides_never_appears_in_an_answer_and_what_it_shows_does() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (view, known) = registry(&mut random);
    let mut out = Answer::new();
    let (mut hidden, mut shown) = (0, 0);
    for turn in 0..9 {
        let text = configuration(&mut random, PRESETS[turn % 3]);
        let settings: Settings = toml::from_str(&text).unwrap();
        let rules = Rules::compile(&settings).unwrap();
        let names: Vec<String> = rules.tier_names().map(str::to_owned).collect();
        assert_eq!(names.len(), 7);
        for name in &names {
            let tier = rules.tier(name).unwrap();
            for (number, contacts) in known.iter().enumerate() {
                let line = format!("name{number:03}.demo");
                answer(&view, &rules, tier, line.as_bytes(), &mut out);
                let rule = rules.of_name("demo").seen_by(tier);
                for (block, known) in rule.mask.blocks.iter().zip(contacts) {
                    for (field, value) in &known.values {
                        let expected = block.is_shown()
                            && block.sees(BLOCK[*field].shown).shows(known.wishes[*field]);
                        let there = memchr::memmem::find(out.bytes(), value.as_bytes()).is_some();
                        assert_eq!(there, expected, "{value} for {name} under {text}");
                        *(if there { &mut shown } else { &mut hidden }) += 1;
                    }
                }
                check_contact(&view, &rules, tier, &contacts[0], &mut out);
            }
        }
    }
    assert!(hidden > 10_000 && shown > 10_000, "{hidden}, {shown}");
}

/// The same of the answer to `contact ID`, whose identifier is there in any case.
fn check_contact(view: &View, rules: &Rules, tier: Tier, known: &Known, out: &mut Answer) {
    let line = format!("contact {}", known.contact.id);
    answer(view, rules, tier, line.as_bytes(), out);
    let block = rules.defaults().seen_by(tier).contact().mask;
    for (field, value) in &known.values {
        let expected =
            block.is_shown() && block.sees(BLOCK[*field].shown).shows(known.wishes[*field]);
        assert_eq!(memchr::memmem::find(out.bytes(), value.as_bytes()).is_some(), expected);
    }
}
