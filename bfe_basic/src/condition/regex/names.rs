//! Names of Unicode properties and POSIX classes that the contract knows.

/// General categories, exact and case-sensitive.
const CATEGORIES: &str = "C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk \
    Sm So Z Zl Zp Zs";

/// Scripts of Unicode 15.0, exact and case-sensitive.
const SCRIPTS: &str = "Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak \
    Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian \
    Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari \
    Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic \
    Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana \
    Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana \
    Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A \
    Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi \
    Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro \
    Multani Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham \
    Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian \
    Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician \
    Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sogdian \
    Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil \
    Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi \
    Yezidi Yi Zanabazar_Square";

/// POSIX classes as items of a bracket class.
const POSIX: [(&str, &str); 14] = [
    ("alnum", "0-9A-Za-z"),
    ("alpha", "A-Za-z"),
    ("ascii", r"\x{0}-\x{7F}"),
    ("blank", r"\x{9}\x{20}"),
    ("cntrl", r"\x{0}-\x{1F}\x{7F}"),
    ("digit", "0-9"),
    ("graph", r"\x{21}-\x{7E}"),
    ("lower", "a-z"),
    ("print", r"\x{20}-\x{7E}"),
    ("punct", r"\x{21}-\x{2F}\x{3A}-\x{40}\x{5B}-\x{60}\x{7B}-\x{7E}"),
    ("space", r"\x{9}-\x{D}\x{20}"),
    ("upper", "A-Z"),
    ("word", "0-9A-Za-z_"),
    ("xdigit", "0-9A-Fa-f"),
];

/// All characters, as items of a bracket class.
pub(super) const EVERYTHING: &str = r"\x{0}-\x{10FFFF}";

/// A set of characters as items of a bracket class.
pub(super) struct Items {
    /// The items; none where the set is empty.
    pub(super) text: String,
}

impl Items {
    fn new(items: &str, negated: bool) -> Self {
        let text = match (items, negated) {
            ("", true) => EVERYTHING.to_owned(),
            (EVERYTHING, true) => String::new(),
            (items, true) => format!("[^{items}]"),
            (items, false) => items.to_owned(),
        };
        Self { text }
    }
}

/// A Unicode property; `None` where there is none of that name.
pub(super) fn property(name: &str, negated: bool) -> Option<Items> {
    let items = match name {
        "Any" => EVERYTHING.to_owned(),
        // Characters that are not assigned are none of these in the contract. Surrogates never occur.
        "C" => r"\p{gc=Cc}\p{gc=Cf}\p{gc=Co}".to_owned(),
        "Cs" => String::new(),
        name if CATEGORIES.split_ascii_whitespace().any(|n| n == name) => format!(r"\p{{gc={name}}}"),
        name if SCRIPTS.split_ascii_whitespace().any(|n| n == name) => format!(r"\p{{sc={name}}}"),
        _ => return None,
    };
    Some(Items::new(&items, negated))
}

/// A POSIX class by what stands between `[:` and `:]`.
pub(super) fn posix(name: &str) -> Option<Items> {
    let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let (_, items) = POSIX.iter().find(|(n, _)| *n == name)?;
    Some(Items::new(items, negated))
}

/// A class by the letter of its escape.
pub(super) fn perl(letter: char) -> Option<Items> {
    let items = match letter.to_ascii_lowercase() {
        'd' => "0-9",
        's' => r"\x{9}\x{A}\x{C}\x{D}\x{20}",
        'w' => "0-9A-Za-z_",
        _ => return None,
    };
    Some(Items::new(items, letter.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_is_known_to_the_engine() {
        let names = CATEGORIES.split_ascii_whitespace().chain(SCRIPTS.split_ascii_whitespace());
        for (name, negated) in names.flat_map(|name| [(name, false), (name, true)]) {
            let items = property(name, negated).unwrap().text;
            let class =
                if items.is_empty() { String::from(r"[^\x{0}-\x{10FFFF}]") } else { format!("[{items}]") };
            regex::Regex::new(&class).unwrap();
        }
        assert_eq!(SCRIPTS.split_ascii_whitespace().count(), 163);
    }
}
