//! Countries with their people, streets and cities, in ASCII and as they are written there.
//!
//! # Invariants
//!
//! - The ASCII spelling serves the internationalised form of an address (RFC 5733 section 2.3),
//!   the local one the localised form; where they do not differ they are the same text.
//! - Telephone numbers begin with a prefix that the country's regulator keeps for fiction, or with
//!   the unassigned country code 999.
//! - Every list has an entry, which a test of `people.txt` holds.
//!
//! # Does not
//!
//! Name anybody: given names and family names are common ones, combined by chance.

use super::mix::Draw;

/// A word in ASCII and as written where it is at home.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spelling {
    /// ASCII.
    pub(crate) int: &'static str,
    /// Local; the same if the word needs no more than ASCII.
    pub(crate) loc: &'static str,
}

/// A country.
#[derive(Debug, Default)]
pub(crate) struct Country {
    /// ISO 3166-1 alpha-2.
    pub(crate) cc: &'static str,
    phone: &'static str,
    postal_code: &'static str,
    /// Whether the family name comes first, without a blank, in the localised form.
    pub(crate) family_first: bool,
    /// Given names.
    pub(crate) given: Vec<Spelling>,
    /// Family names.
    pub(crate) family: Vec<Spelling>,
    /// Streets.
    pub(crate) streets: Vec<Spelling>,
    /// Cities, each with its state or province, which may be empty.
    pub(crate) cities: Vec<(Spelling, Spelling)>,
}

/// The countries and the people of each.
#[derive(Debug)]
pub(crate) struct World {
    countries: Vec<Country>,
    /// A hundred entries: a country's share is how often it is here.
    shares: Vec<usize>,
}

impl World {
    /// Reads the table: some 0.1 ms.
    pub(crate) fn new() -> Self {
        let (mut countries, mut shares) = (Vec::<Country>::new(), Vec::new());
        for line in include_str!("people.txt").lines() {
            let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
            if key == "country" {
                let fields: Vec<&str> = rest.split(';').collect();
                if let [cc, share, phone, postal_code, order] = fields[..] {
                    let share = share.parse().unwrap_or(0);
                    shares.extend(std::iter::repeat_n(countries.len(), share));
                    let family_first = order == "family-first";
                    countries.push(Country {
                        cc,
                        phone,
                        postal_code,
                        family_first,
                        ..Country::default()
                    });
                }
            } else if let Some(country) = countries.last_mut() {
                country.read(key, rest);
            }
        }
        Self { countries, shares }
    }

    /// A country, by its share.
    pub(crate) fn country(&self, draw: &mut Draw) -> &Country {
        &self.countries[*draw.pick(&self.shares)]
    }

    /// The country with code `cc`, or the first one.
    pub(crate) fn by_code(&self, cc: &str) -> &Country {
        self.countries.iter().find(|country| country.cc == cc).unwrap_or(&self.countries[0])
    }
}

impl Country {
    fn read(&mut self, key: &str, rest: &'static str) {
        let spellings = || rest.split('|').map(spelling);
        match key {
            "given" => self.given.extend(spellings()),
            "family" => self.family.extend(spellings()),
            "street" => self.streets.extend(spellings()),
            "city" => self.cities.extend(rest.split('|').map(|city| {
                let (city, state) = city.split_once(';').unwrap_or((city, ""));
                (spelling(city), spelling(state))
            })),
            _ => {}
        }
    }

    /// Writes a telephone number.
    pub(crate) fn write_phone(&self, draw: &mut Draw, out: &mut String) {
        fill(self.phone, draw, out);
    }

    /// Writes a postal code, or nothing where the country has none.
    pub(crate) fn write_postal_code(&self, draw: &mut Draw, out: &mut String) {
        fill(self.postal_code, draw, out);
    }
}

/// Writes `pattern` with `#` and `9` as digits and `A` as letters, by chance. A `9` of a telephone
/// number stays what it is: such a pattern has `#`.
fn fill(pattern: &str, draw: &mut Draw, out: &mut String) {
    let is_phone = pattern.starts_with('+');
    let mut bits = draw.bits();
    for symbol in pattern.chars() {
        let radix = match symbol {
            '#' => 10,
            '9' if !is_phone => 10,
            'A' => 26,
            _ => {
                out.push(symbol);
                continue;
            }
        };
        let base = if radix == 26 { b'A' } else { b'0' };
        out.push(char::from(base + u8::try_from(bits % radix).unwrap_or(0)));
        bits /= radix;
    }
}

fn spelling(text: &'static str) -> Spelling {
    let (int, loc) = text.split_once('~').unwrap_or((text, text));
    Spelling { int, loc }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::mix::Stream;

    #[test]
    fn the_table_is_complete_and_its_int_spellings_are_ascii() {
        let world = World::new();
        assert_eq!(world.shares.len(), 100);
        for country in &world.countries {
            let words = [&country.given, &country.family, &country.streets];
            assert!(words.iter().all(|list| !list.is_empty()), "{}", country.cc);
            assert!(!country.cities.is_empty(), "{}", country.cc);
            assert!(words.iter().flat_map(|list| list.iter()).all(|w| w.int.is_ascii()));
            assert!(country.cities.iter().all(|(c, s)| c.int.is_ascii() && s.int.is_ascii()));
        }
    }

    #[test]
    fn telephone_numbers_fit_epp() {
        let world = World::new();
        let mut draw = Draw::new(1, Stream::Contact, 0);
        for country in &world.countries {
            let mut phone = String::new();
            country.write_phone(&mut draw, &mut phone);
            let (code, number) = phone[1..].split_once('.').unwrap();
            assert!(phone.starts_with('+') && phone.len() <= 17, "{phone}");
            assert!((1..=3).contains(&code.len()) && number.bytes().all(|b| b.is_ascii_digit()));
        }
    }
}
