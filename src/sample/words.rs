//! The vocabulary of generated names: real words and coined ones, as a prefix-free code.
//!
//! # Invariants
//!
//! - `prefix-free`: no word begins with another one. So a name that is a row of words, digits and
//!   hyphens can be read back in one way only, and two different rows are two different names.
//! - Every word is 3 to 7 letters `a` to `z`.
//!
//! # Does not
//!
//! Depend on the seed: which words a name gets does.

use hashbrown::HashSet;

use super::mix::{Permutation, index};

/// Number of words in [`Vocabulary::any`]: a power of two keeps the arithmetic of names simple.
pub(crate) const WORD_COUNT: u64 = 1 << 15;

/// Words of everyday names. One that begins with another of the list is left out at run time.
const REAL: &str = "
    acorn active adapt agenda alarm album alpine amber anchor angle apple april arcade arena arrow
    artist aspen asset atlas attic august aurora autumn avenue azure bagel baker balance bamboo
    banana banner barley basil basket beach beacon bench berry bicycle birch bistro blanket blend
    bloom blossom blue board bonus border botany bottle boulder branch brass bread breeze brick
    bridge bright bronze brook bubble bucket budget buffet bundle butter button cabin cable cactus
    cafe camera camp canal candle canvas canyon caramel carbon cargo carpet castle cedar celery
    cello center ceramic chalet chalk charm cheese cherry chess choice cider cinema circle citrus
    city clay clever cliff clinic clock cloud clover coast cobalt cocoa coffee comet compass
    concert copper coral corner cosmic cotton couch county course cousin coyote craft crane credit
    cricket crisp crown crystal curious cycle daily dance daring dawn decade delta dental desert
    design diamond diary digital dinner direct dolphin domino donut dragon drama drift drum dune
    eager eagle early earth east easy echo eclipse edge editor eight elastic elder ember emerald
    empire engine enjoy epic equal escape estate evening event ever exact expert express fabric
    factor falcon family famous fancy farm fashion fast feather fern festival fiber field figure
    final finch fine fire first fish fitness flag flame flat fleet flight flora flour flow flute
    focus forest forge fork formula fossil fountain fox frame free fresh friend frost fruit fudge
    future galaxy gallery garage garden garlic gather gazelle gentle giant ginger give glacier
    glad glass globe glow gold good gorge grace grain grand grape graph gravel green grid grove
    guide guitar habit hammer handy happy harbor harvest haven hazel health heart hedge helium
    herald herb heron hidden high hill hobby holiday honest honey hope horizon horn hotel house
    human hundred ideal igloo image impact inbox index indigo indoor infinity ink inner insight
    iris iron island ivory jacket jade jasmine jazz jelly jewel job journey joy judge juice july
    jump june jungle junior juniper kettle key kind king kitchen kite kiwi koala label lace ladder
    lagoon lake lamp lantern larch laser lava lawn leaf legend lemon lens level library lichen
    light lilac lily lime linen lion liquid lively lobster local locust loft logic lotus loud lucky
    lumber lunar lunch lyric magic magnet major mango manor maple marble march margin marina market
    marsh mason master matrix meadow medal melody memory mental meteor metro micro middle mighty
    mile milk mill mineral mint minute mirror mobile modern moment money monkey moon morning mosaic
    motor mountain mouse movie museum music mustard narrow native nature navy nectar needle nest
    network nice night nimble noble noodle north novel number nurse nutmeg oak oasis ocean october
    office olive onion online opal open opera optic orange orbit orchard organic otter outdoor oval
    owl oxygen oyster pacific paint palace palm panda panel paper parade park parrot pasta patio
    peach peanut pearl pebble pelican pencil pepper perfect petal phone photo piano picnic pilot
    pine pink pixel pizza plain planet plaza plum pocket poem point polar pond poppy portal potato
    power prairie premium present pretty prime print prism profit proud public pulse pumpkin pure
    purple puzzle quality quartz queen quest quick quiet quilt quiz rabbit radar radio rain ranch
    rapid raven ready real recipe record reef relax remote report ribbon ridge right ring ripple
    rise river road robin robot rocket roof room rose round royal ruby runner rural rust safari
    saffron sage sail salad salmon salt sand sapphire saturn sauce scarlet school science scout
    screen search season secret seed select senior seven shadow shape sharp shell shine ship shore
    short signal silk silver simple single sister six skill sky slate sleek smart smile smooth snow
    social soft solar solid sonic soup south space spark speed spice spirit spring spruce square
    stable stage star state stone storm story street strong studio sugar summer sun super surf swan
    swift table talent tango target taste teacher team temple tender tennis terra thunder ticket
    tidal tiger timber tiny toast token tomato topaz torch total tower town track trade trail train
    travel tree trend tribe trip tropic true trust tulip tuna tunnel turbo turtle twin ultra
    umbrella under union unique unit upper urban useful valley vanilla vapor vector velvet venture
    verde vessel vibrant victory video view village vine vintage violet vision vital vivid vocal
    voice volcano voyage wagon walnut walrus warm water wave weather wedding week well west whale
    wheat wheel white wide wild willow wind wing winter wire wise wolf wonder wood wool work world
    yacht yard yellow yoga young zebra zenith zero zigzag zinc zone";

/// The words, real ones first.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// Length in the last byte, letters before it.
    slots: Vec<[u8; 8]>,
    real_count: u64,
}

impl Vocabulary {
    /// Chooses the words: some 2 ms.
    pub(crate) fn new() -> Self {
        let real = real_words();
        let known: HashSet<&str, ahash::RandomState> = real.iter().copied().collect();
        let mut slots: Vec<[u8; 8]> = real.iter().filter_map(|word| slot(word)).collect();
        let real_count = slots.len() as u64;
        let orders = PATTERNS.map(|(_, count, _)| Permutation::new(count, 0, count));
        for position in 0.. {
            if slots.len() as u64 >= WORD_COUNT {
                break;
            }
            let word = coined(position, &orders);
            let begins_with_real = (3..=word.len()).any(|end| known.contains(&word[..end]));
            // Sorted: the first real word from here on is the only candidate.
            let after = real.partition_point(|other| *other < word.as_str());
            let begins_a_real = real.get(after).is_some_and(|other| other.starts_with(&word));
            if !begins_with_real && !begins_a_real {
                slots.extend(slot(&word));
            }
        }
        Self { slots, real_count }
    }

    /// How many of the words are real; they come first.
    pub(crate) fn real_count(&self) -> u64 {
        self.real_count
    }

    /// The word of `position`, below [`WORD_COUNT`].
    pub(crate) fn any(&self, position: u64) -> &str {
        let slot = &self.slots[index(position)];
        std::str::from_utf8(&slot[..usize::from(slot[7])]).unwrap_or_default()
    }

    /// Whether `label` is a row of words, digits and hyphens with a word in front.
    #[cfg(test)]
    pub(crate) fn reads(&self, label: &str) -> bool {
        let mut rest = label;
        let mut words = 0;
        while !rest.is_empty() {
            if rest.starts_with(|c: char| c.is_ascii_digit() || c == '-') && words > 0 {
                rest = &rest[1..];
                continue;
            }
            let Some(word) = (0..WORD_COUNT).map(|p| self.any(p)).find(|w| rest.starts_with(w))
            else {
                return false;
            };
            rest = &rest[word.len()..];
            words += 1;
        }
        words > 0
    }
}

/// The real words, sorted, without those that begin with another one or are too long.
fn real_words() -> Vec<&'static str> {
    let mut words: Vec<&str> =
        REAL.split_ascii_whitespace().filter(|word| (3..=7).contains(&word.len())).collect();
    words.sort_unstable();
    words.dedup();
    let mut kept: Vec<&str> = Vec::with_capacity(words.len());
    for word in words {
        // Sorted: a word's prefix comes before it, and everything between them begins with it too.
        if kept.last().is_none_or(|last| !word.starts_with(last)) {
            kept.push(word);
        }
    }
    kept
}

fn slot(word: &str) -> Option<[u8; 8]> {
    let mut slot = [0u8; 8];
    slot.get_mut(..word.len())?.copy_from_slice(word.as_bytes());
    slot[7] = u8::try_from(word.len()).ok()?;
    Some(slot)
}

/// The patterns of coined words, of which none begins another, with how many words each has and
/// its share of every eight coined words.
const PATTERNS: [(&[u8], u64, u64); 3] =
    [(b"cvcvc", 102_400, 4), (b"vcvcv", 32_000, 2), (b"cvccvc", 1_638_400, 2)];

/// The coined word of `position`: consonants (`c`) and vowels (`v`) in one of [`PATTERNS`].
fn coined(position: u64, orders: &[Permutation; 3]) -> String {
    const CONSONANTS: &[u8] = b"bdfgklmnprstvzhj";
    const VOWELS: &[u8] = b"aeiou";
    let (round, mut turn) = (position / 8, position % 8);
    let mut word = String::with_capacity(7);
    for (&(pattern, count, share), order) in PATTERNS.iter().zip(orders) {
        if turn >= share {
            turn -= share;
            continue;
        }
        let mut rest = order.at((round * share + turn) % count);
        for &kind in pattern {
            let letters = if kind == b'c' { CONSONANTS } else { VOWELS };
            word.push(char::from(letters[index(rest % letters.len() as u64)]));
            rest /= letters.len() as u64;
        }
        break;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_prefix_free_and_complete() {
        let vocabulary = Vocabulary::new();
        let mut words: Vec<&str> = (0..WORD_COUNT).map(|p| vocabulary.any(p)).collect();
        assert!(vocabulary.real_count() > 500, "{}", vocabulary.real_count());
        words.sort_unstable();
        for pair in words.windows(2) {
            assert!(!pair[1].starts_with(pair[0]), "{} begins {}", pair[0], pair[1]);
        }
        assert!(words.iter().all(|w| (3..=7).contains(&w.len())));
    }

    #[test]
    fn a_row_of_words_is_told_from_what_is_none() {
        let vocabulary = Vocabulary::new();
        assert!(vocabulary.reads("tulip-yacht24"));
        assert!(!vocabulary.reads("24tulip"));
        assert!(!vocabulary.reads("tulipx"));
    }
}
