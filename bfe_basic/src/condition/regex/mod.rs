//! Regular expressions in the syntax and with the meaning of the contract (condition 8), on the `regex`
//! crate.
//!
//! `syntax` reads a pattern as the reference does, refuses what it refuses and writes what is left in a form
//! that leaves the crate nothing to interpret: characters by their number, classes by their ranges, no flags
//! but those it has put there itself.

mod class;
mod names;
mod repeat;
mod syntax;

use super::fold::replace_invalid;
use regex::bytes::{Regex, RegexBuilder};
use syntax::Translated;

/// Limit on the memory of a compiled pattern; that of the syntax (condition 8.1) is usually met before.
const SIZE_LIMIT: usize = 512 << 20;

/// Limit on the depth of a pattern as the crate counts it: each of the contract's 1000 levels can be a
/// group, a repetition and a class.
const NEST_LIMIT: u32 = 4096;

/// A compiled pattern.
pub struct Pattern {
    regex: Regex,
    /// Whether an empty match can be found between the bytes of a character, where there is none.
    splits_characters: bool,
    /// What every match begins with, where it has to be at the start of the text.
    beginning: Box<[u8]>,
}

/// Patterns up to this height are compiled on the stack of the caller.
const FLAT: u32 = 40;

/// Stack for patterns that are higher; the limit of the syntax needs a part of it.
const DEEP_STACK: usize = 64 << 20;

impl Pattern {
    /// Compiles a pattern that is only asked whether it matches.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the contract.
    pub fn new(pattern: &str) -> Result<Self, String> {
        Self::build(pattern, false)
    }

    /// Compiles a pattern whose groups are asked for.
    ///
    /// # Errors
    /// As [`Pattern::new`].
    pub fn with_groups(pattern: &str) -> Result<Self, String> {
        Self::build(pattern, true)
    }

    fn build(pattern: &str, keeps_groups: bool) -> Result<Self, String> {
        let fail = |reason: String| format!("compile regexp err error parsing regexp: {reason}");
        let translated = syntax::translate(pattern, keeps_groups).map_err(fail)?;
        let regex = compile(&translated).ok_or_else(|| fail(format!("expression too large: `{pattern}`")))?;
        let beginning = literal_beginning(pattern).into();
        Ok(Self { regex, splits_characters: translated.has_non_boundary, beginning })
    }

    /// What a text must begin with to match; empty where that cannot be told plainly.
    pub(crate) fn beginning(&self) -> &[u8] {
        &self.beginning
    }

    /// How many groups capture; 0 for a pattern made by [`Pattern::new`].
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.regex.captures_len().saturating_sub(1)
    }

    /// Hands each group of the first match to `each`, in order; one that took no part is empty. Says whether
    /// there is a match. Bytes that are not UTF-8 count as U+FFFD, also in the groups.
    pub fn for_each_group(&self, text: &[u8], mut each: impl FnMut(&[u8])) -> bool {
        let replaced = replace_invalid(text);
        let text = replaced.as_ref().map_or(text, |replaced| replaced.as_bytes());
        let Some(captures) = self.regex.captures(text) else { return false };
        for group in captures.iter().skip(1) {
            each(group.map(|group| group.as_bytes()).unwrap_or_default());
        }
        true
    }

    /// Whether the pattern is found in the text; each byte of it that is not UTF-8 counts as U+FFFD.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        match replace_invalid(text) {
            Some(replaced) => self.is_match_valid(replaced.as_bytes()),
            None => self.is_match_valid(text),
        }
    }

    fn is_match_valid(&self, text: &[u8]) -> bool {
        if !self.splits_characters || text.is_ascii() {
            return self.regex.is_match(text);
        }
        let is_inside = |at: usize| text.get(at).is_some_and(|b| b & 0xc0 == 0x80);
        let mut from = 0;
        while let Some(found) = self.regex.find_at(text, from) {
            if !found.is_empty() || !is_inside(found.start()) {
                return true;
            }
            from = found.start() + 1;
        }
        false
    }
}

/// The letters that a value must begin with to match a regular expression; empty where that is not plain.
fn literal_beginning(pattern: &str) -> Vec<u8> {
    let Some(rest) = pattern.strip_prefix('^').filter(|rest| !rest.contains('|')) else { return Vec::new() };
    let mut literal = Vec::new();
    let mut letters = rest.bytes().peekable();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            b'\\' => match letters.next() {
                Some(escaped) if escaped.is_ascii_punctuation() => escaped,
                _ => break,
            },
            plain if plain.is_ascii_alphanumeric() || b"/-_ :,;=%&~@!<>\"'#".contains(&plain) => plain,
            _ => break,
        };
        // What may be left out, or comes in numbers, is not certain.
        if letters.peek().is_some_and(|next| b"*?+{".contains(next)) {
            break;
        }
        literal.push(letter);
    }
    literal
}

/// Compiles; `None` where the result would be too large.
fn compile(translated: &Translated) -> Option<Regex> {
    let build =
        || RegexBuilder::new(&translated.pattern).size_limit(SIZE_LIMIT).nest_limit(NEST_LIMIT).build().ok();
    if translated.height <= FLAT {
        return build();
    }
    // The engine's compiler recurses, and what the contract allows is too deep for the stack of a thread
    // that was made for other things.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(DEEP_STACK).spawn_scoped(scope, build);
        thread.ok().and_then(|thread| thread.join().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().is_match(text.as_bytes())
    }

    #[test]
    fn cond_67_to_69_meaning() {
        for (pattern, text, want) in [
            (r"^\d$", "٣", false),
            (r"^\D$", "٣", true),
            (r"^\s$", "\x0b", false),
            (r"^\S$", "\x0b", true),
            (r"^[[:space:]]$", "\x0b", true),
            (r"^[\d-a]+$", "1-a", true),
            (r"^[\d-a]+$", "b", false),
            (r"(?i)^\w$", "ſ", true),
            (r"(?i)^\W$", "ſ", false),
            (r"(?i)^[^\W]$", "\u{212a}", true),
            (r"^[a&&b]+$", "a&b", true),
            (r"^[a~~b]+$", "~", true),
            (r"^[--a]+$", "/", true),
            (r"^[+--]+$", ",", true),
            (r"^[[a]]$", "[]", true),
            (r"^[[a]]$", "a]", true),
            (r"^[a[b]]$", "b]", true),
            (r"^[[.a.]]$", ".]", true),
            (r"^[]-a]$", "^", true),
            (r"^[^]a]$", "b", true),
            (r"\<a\>", "<a>", true),
            (r"^x\b{start}$", "x{start}", true),
            (r"^a{01}$", "a{01}", true),
            (r"^a{ 1}$", "a{ 1}", true),
            (r"^a{1, 2}$", "a{1, 2}", true),
            (r"^a{,2}$", "a{,2}", true),
            (r"^a{2,$", "a{2,", true),
            (r"^{$", "{", true),
            (r"^x{-1}$", "x{-1}", true),
            (r"^\Qa.b*\E+$", "a.b**", true),
            (r"^\Qa.b", "a.b", true),
            (r"^\0\07\101\12\377$", "\0\x07A\nÿ", true),
            (r"^[\101\0]$", "A", true),
            (r"^[a[b]$", "[", true),
            (r"^[[]$", "[", true),
            (r"^[[]a]$", "[a]", true),
            (r"^[[:alpha]$", ":", true),
            (r"^\p{^Greek}$", "a", true),
            (r"^\p{^Greek}$", "α", false),
            (r"^[^\p{^L}]$", "é", true),
            (r"^\P{^L}$", "1", false),
            (r"^\PC$", "\u{378}", true),
            (r"^\p{C}$", "\u{1}", true),
            (r"\p{Cs}", "a", false),
            (r"^[\P{Cs}]$", "a", true),
            (r"\x{D800}", "a", false),
            (r"^[\x{D000}-\x{E000}]$", "\u{e000}", true),
            (r"^[^\x{D800}]$", "a", true),
            (r"(?P<n>a)(?P<n>b)(?P<1n>c)(?<m>d)", "abcd", true),
            (r"(?)(?ii)(?i-i)a", "A", false),
            (r"(?i)a(?-i)b", "Ab", true),
            (r"(?i)a(?-i)b", "AB", false),
            (r"((?i)a)b", "AB", false),
            (r"(?i:a|b)c", "Bc", true),
            (r"(?s).", "\n", true),
            (r".", "\n", false),
            (r"(?m)^b$", "a\nb\nc", true),
            (r"^b$", "a\nb\nc", false),
            (r"a(?i)*b", "aab", true),
            (r"^a+(?i)?$", "aa", true),
            (r"(?U)^a*?$", "aaa", true),
            (r"\Bé", "aé", false),
            (r"\B", "aéb", false),
            (r"\B", "aéé", true),
            (r"a\z", "a\n", false),
            (r"\x41\x{1F600}\a\f\v", "A😀\x07\x0c\x0b", true),
            (r"\pN\p{Any}", "1x", true),
            (r"[[:^digit:]]", "1", false),
            (r"[[:word:][:punct:]]", "~", true),
            ("", "", true),
            ("a||b|", "zzz", true),
            ("(|a)*", "", true),
            (r"^*a", "a", true),
        ] {
            assert_eq!(is_match(pattern, text), want, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn cond_70_refused() {
        for (pattern, reason) in [
            ("a**", "invalid nested repetition operator: `**`"),
            ("a*+", "invalid nested repetition operator: `*+`"),
            ("a???", "invalid nested repetition operator: `???`"),
            ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
            ("a{2}*?b", "invalid nested repetition operator: `{2}*?`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
            ("(a{100}){11}", "invalid repeat count: `{11}`"),
            ("((a{2,}){501})", "invalid repeat count: `{501}`"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?-u)", "invalid or unsupported Perl syntax: `(?-u`"),
            ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
            ("(?", "invalid or unsupported Perl syntax: `(?`"),
            ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
            ("(?#c)", "invalid or unsupported Perl syntax: `(?#`"),
            ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
            ("(?P<n", "invalid named capture: `(?P<n`"),
            ("(?P<n-m>a)", "invalid named capture: `(?P<n-m>`"),
            ("(?<>a)", "invalid named capture: `(?<>`"),
            ("(?<é>a)", "invalid named capture: `(?<é>`"),
            (r"\u0041", r"invalid escape sequence: `\u`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"\1x", r"invalid escape sequence: `\1`"),
            (r"\E", r"invalid escape sequence: `\E`"),
            (r"\C", r"invalid escape sequence: `\C`"),
            (r"\Z", r"invalid escape sequence: `\Z`"),
            (r"\é", r"invalid escape sequence: `\é`"),
            (r"\x4", r"invalid escape sequence: `\x4`"),
            (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
            (r"\x{}", r"invalid escape sequence: `\x{}`"),
            ("\\", "trailing backslash at end of expression: ``"),
            (r"\p{greek}", r"invalid character class range: `\p{greek}`"),
            (r"\pl", r"invalid character class range: `\pl`"),
            (r"\p", r"invalid character class range: `\p`"),
            (r"\p{L", r"invalid character class range: `\p{L`"),
            (r"[\p{Cn}]", r"invalid character class range: `\p{Cn}`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[a--b]", "invalid character class range: `a--`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            ("[[:ALPHA:]]", "invalid character class range: `[:ALPHA:]`"),
            (r"[a-\d]", r"invalid escape sequence: `\d`"),
            ("x[a", "missing closing ]: `[a`"),
            ("[", "missing closing ]: `[`"),
            ("[]", "missing closing ]: `[]`"),
            ("(a", "missing closing ): `(a`"),
            ("a)", "unexpected ): `a)`"),
            ("(a))b", "unexpected ): `(a))b`"),
            ("*", "missing argument to repetition operator: `*`"),
            ("a|*", "missing argument to repetition operator: `*`"),
            ("(*?b)", "missing argument to repetition operator: `*?`"),
            ("{2}", "missing argument to repetition operator: `{2}`"),
            ("(?i)*", "missing argument to repetition operator: `*`"),
        ] {
            let want = format!("compile regexp err error parsing regexp: {reason}");
            assert_eq!(Pattern::new(pattern).err(), Some(want), "{pattern}");
        }
    }

    #[test]
    fn groups_are_those_of_the_pattern() {
        let groups = |pattern: &str, text: &str| {
            let mut found = Vec::new();
            let pattern = Pattern::with_groups(pattern).unwrap();
            let matched = pattern.for_each_group(text.as_bytes(), |group| {
                found.push(String::from_utf8_lossy(group).into_owned());
            });
            matched.then_some(found)
        };
        for (pattern, text, want) in [
            ("/a/([a-z]+)/x([0-9]*)", "/a/bc/x", Some(&["bc", ""][..])),
            ("(?:a)(?P<n>b)((?i)c)?(d|(e))", "abCd", Some(&["b", "C", "d", ""])),
            ("(a.)+", "a1a2", Some(&["a2"])),
            ("(a)", "b", None),
            ("a", "a", Some(&[])),
        ] {
            let want = want.map(|groups| groups.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(groups(pattern, text), want, "{pattern} on {text}");
        }
        assert_eq!(Pattern::new("(a)").unwrap().group_count(), 0);
        assert_eq!(Pattern::with_groups("(a)(?:b)").unwrap().group_count(), 1);
    }

    #[test]
    fn cond_71_invalid_bytes() {
        let pattern = Pattern::new("^/..$").unwrap();
        assert!(pattern.is_match(b"/\xe4\xb8") && !pattern.is_match("/中".as_bytes()));
    }

    #[test]
    fn cond_72_large_patterns() {
        for (depth, deep) in [(999, false), (1000, true)] {
            let nested = format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
            let error = Pattern::new(&nested).err();
            let want =
                format!("compile regexp err error parsing regexp: expression nests too deeply: `{nested}`");
            assert_eq!(error, deep.then_some(want));
        }
        assert!(is_match(&format!("{}a{}", "(x|".repeat(300), ")*".repeat(300)), "a"));
        assert!(is_match(r"^\pL{1000}$", &"é".repeat(1000)));
        let large = "(?:x{1000})".repeat(3400);
        assert!(Pattern::new(&large).err().is_some_and(|e| e.contains("expression too large")));
    }
}
