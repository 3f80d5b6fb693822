//! Words of internationalised names, script by script, with the variants of some.
//!
//! # Invariants
//!
//! - Every word is a valid U-label fragment (NFC, PVALID by RFC 5892) without digits and hyphens.
//! - A word's variant is another spelling that the script's IDN table takes for the same name;
//!   no variant is itself a word of the script.
//! - [`SCRIPTS`] begins with the [`VARIANT_SCRIPTS`] scripts that have variants.
//!
//! # Does not
//!
//! Follow any registry's published table: the tables of the sample are fictional.

/// One script: its IDN table, how words join, and the words.
pub(crate) struct Script {
    /// Identifier of its IDN table.
    pub(crate) table: &'static str,
    /// Between two words: scripts whose words all have two characters need no hyphen.
    pub(crate) joint: &'static str,
    /// Word and variant; the variant is empty in scripts without.
    pub(crate) words: [(&'static str, &'static str); 12],
}

/// IDN table of ASCII labels below an internationalised suffix: the name as a whole is an IDN, and
/// an IDN names its table (RFC 9022 section 5.1.1.1).
pub(crate) const ASCII_TABLE: &str = "und-Latn";

/// How many of [`SCRIPTS`] have variants.
pub(crate) const VARIANT_SCRIPTS: u64 = 5;

/// The scripts of internationalised names.
pub(crate) const SCRIPTS: [Script; 8] = [
    Script {
        table: "de",
        joint: "-",
        words: [
            ("grün", "gruen"),
            ("schön", "schoen"),
            ("käse", "kaese"),
            ("süß", "suess"),
            ("straße", "strasse"),
            ("köln", "koeln"),
            ("zürich", "zuerich"),
            ("bücher", "buecher"),
            ("möbel", "moebel"),
            ("brötchen", "broetchen"),
            ("glück", "glueck"),
            ("wärme", "waerme"),
        ],
    },
    Script {
        table: "el",
        joint: "-",
        words: [
            ("αθήνα", "αθηνα"),
            ("θάλασσα", "θαλασσα"),
            ("βιβλίο", "βιβλιο"),
            ("μουσική", "μουσικη"),
            ("ταξίδι", "ταξιδι"),
            ("καφές", "καφες"),
            ("ήλιος", "ηλιος"),
            ("νησί", "νησι"),
            ("δρόμος", "δρομος"),
            ("γράμμα", "γραμμα"),
            ("τέχνη", "τεχνη"),
            ("χώρα", "χωρα"),
        ],
    },
    Script {
        table: "ru",
        joint: "-",
        words: [
            ("ёлка", "елка"),
            ("мёд", "мед"),
            ("самолёт", "самолет"),
            ("зелёный", "зеленый"),
            ("звёзды", "звезды"),
            ("ребёнок", "ребенок"),
            ("тёплый", "теплый"),
            ("лёд", "лед"),
            ("полёт", "полет"),
            ("чёрный", "черный"),
            ("жёлтый", "желтый"),
            ("весёлый", "веселый"),
        ],
    },
    Script {
        table: "zh",
        joint: "",
        words: [
            ("网络", "網絡"),
            ("电脑", "電腦"),
            ("书店", "書店"),
            ("龙门", "龍門"),
            ("东方", "東方"),
            ("华夏", "華夏"),
            ("云海", "雲海"),
            ("银行", "銀行"),
            ("车站", "車站"),
            ("学校", "學校"),
            ("飞机", "飛機"),
            ("长城", "長城"),
        ],
    },
    Script {
        table: "ar",
        joint: "-",
        words: [
            ("كتاب", "کتاب"),
            ("مكتبة", "مکتبة"),
            ("شركة", "شرکة"),
            ("بيت", "بیت"),
            ("مدينة", "مدینة"),
            ("طريق", "طریق"),
            ("سيارة", "سیارة"),
            ("كرة", "کرة"),
            ("تعليم", "تعلیم"),
            ("سماكة", "سماکة"),
            ("حديقة", "حدیقة"),
            ("ربيع", "ربیع"),
        ],
    },
    Script {
        table: "he",
        joint: "-",
        words: [
            ("ספר", ""),
            ("בית", ""),
            ("חוף", ""),
            ("מוזיקה", ""),
            ("טיול", ""),
            ("קפה", ""),
            ("שמש", ""),
            ("ירח", ""),
            ("אור", ""),
            ("עיר", ""),
            ("דרך", ""),
            ("חלום", ""),
        ],
    },
    Script {
        table: "hi",
        joint: "-",
        words: [
            ("भारत", ""),
            ("किताब", ""),
            ("संगीत", ""),
            ("समय", ""),
            ("यात्रा", ""),
            ("सूरज", ""),
            ("चाय", ""),
            ("घर", ""),
            ("फल", ""),
            ("नदी", ""),
            ("पुस्तक", ""),
            ("विद्यालय", ""),
        ],
    },
    Script {
        table: "ko",
        joint: "",
        words: [
            ("한국", ""),
            ("서울", ""),
            ("커피", ""),
            ("음악", ""),
            ("여행", ""),
            ("바다", ""),
            ("하늘", ""),
            ("도서", ""),
            ("학교", ""),
            ("사랑", ""),
            ("시장", ""),
            ("구름", ""),
        ],
    },
];

/// The U-label of `rank` in the numbering of all internationalised names, as words or, where
/// `variant` says so, as their variants; and the script's table.
pub(crate) fn write_label(rank: u64, variant: bool, out: &mut String) -> &'static str {
    let script = &SCRIPTS[super::mix::index(rank % SCRIPTS.len() as u64)];
    let place = rank / SCRIPTS.len() as u64;
    let count = script.words.len() as u64;
    let spelling = |position: u64| {
        let (word, other) = script.words[super::mix::index(position % count)];
        if variant { other } else { word }
    };
    out.push_str(spelling(place / count));
    out.push_str(script.joint);
    // The diagonal first, then its neighbours: small registries see every word early.
    out.push_str(spelling(place + place / count));
    let number = place / (count * count);
    if number > 0 {
        out.push('-');
        super::mix::write_decimal(number, out);
    }
    script.table
}

/// The rank of the `v`-th name that has a variant.
pub(crate) const fn rank_of_variant(v: u64) -> u64 {
    (v / VARIANT_SCRIPTS) * SCRIPTS.len() as u64 + v % VARIANT_SCRIPTS
}

/// The A-label of a U-label; a label of ASCII stays as it is.
pub(crate) fn write_a_label(u_label: &str, out: &mut String) {
    if u_label.is_ascii() {
        out.push_str(u_label);
    } else if let Some(encoded) = idna::punycode::encode_str(u_label) {
        out.push_str("xn--");
        out.push_str(&encoded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_is_valid_by_uts_46_and_unique() {
        let mut seen = hashbrown::HashSet::<String, ahash::RandomState>::default();
        for rank in 0..40_000 {
            for variant in [false, true] {
                if variant && rank % 8 >= VARIANT_SCRIPTS {
                    continue;
                }
                let (mut u, mut a) = (String::new(), String::new());
                write_label(rank, variant, &mut u);
                write_a_label(&u, &mut a);
                assert!(a.len() <= 63, "{u} {a}");
                assert_eq!(idna::domain_to_ascii_strict(&u).unwrap(), a, "{u}");
                assert!(seen.insert(a), "{u} twice");
            }
        }
    }

    #[test]
    fn no_variant_in_ascii_can_be_a_name_of_the_vocabulary() {
        let vocabulary = crate::sample::words::Vocabulary::new();
        for (_, variant) in SCRIPTS[0].words {
            assert!(!vocabulary.reads(variant), "{variant}");
        }
    }
}
