//! Sets of patterns, prepared once for many lookups (condition 5.2).

use super::fold;
use super::hash::BucketSet;
use super::regex::Pattern;
use memchr::memmem::Finder;
use std::collections::HashSet;

/// Sets up to this size are searched one by one, which beats hashing.
const FEW: usize = 4;

/// Members of a list argument: `|` separates, nothing is trimmed, empty members count (condition 5.1).
pub(crate) fn members(list: &str) -> impl Iterator<Item = &str> {
    list.split('|')
}

/// A test of a value.
pub(crate) enum Matcher {
    /// Equals a member.
    Exact(ExactSet),
    /// Begins with a member.
    Prefix(PrefixSet),
    /// Begins with a member, both completed by `/`.
    ElementPrefix(PrefixSet),
    /// Ends with a member.
    Suffix(SuffixSet),
    /// Has a member in it.
    Contain(ContainSet),
    /// One of the above on the upper case of the value; members are in upper case.
    Folded(Box<Matcher>),
    /// Matches a regular expression somewhere.
    Regex(Pattern),
    /// Falls into a bucket.
    Hash(BucketSet),
    /// Falls into a bucket once in lower case.
    LowerHash(BucketSet),
}

impl Matcher {
    pub(crate) fn exact(list: &str, fold: bool) -> Self {
        Self::folded(fold, Self::Exact(ExactSet::new(prepare(list, fold))))
    }

    /// The whole argument is one member.
    pub(crate) fn exact_one(text: &str) -> Self {
        Self::folded(true, Self::Exact(ExactSet::new(vec![fold::upper(text.as_bytes()).into()])))
    }

    pub(crate) fn prefix(list: &str, fold: bool) -> Self {
        Self::folded(fold, Self::Prefix(PrefixSet::new(prepare(list, fold))))
    }

    pub(crate) fn suffix(list: &str, fold: bool) -> Self {
        Self::folded(fold, Self::Suffix(SuffixSet::new(prepare(list, fold))))
    }

    pub(crate) fn contain(list: &str, fold: bool) -> Self {
        Self::folded(fold, Self::Contain(ContainSet::new(&prepare(list, fold))))
    }

    pub(crate) fn element_prefix(list: &str, fold: bool) -> Self {
        let mut members = prepare(list, fold);
        for member in members.iter_mut().filter(|m| !m.ends_with(b"/")) {
            *member = [member, b"/".as_slice()].concat().into();
        }
        Self::folded(fold, Self::ElementPrefix(PrefixSet::new(members)))
    }

    fn folded(fold: bool, matcher: Self) -> Self {
        if fold { Self::Folded(Box::new(matcher)) } else { matcher }
    }

    /// Whether the value passes.
    pub(crate) fn test(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(set) => set.has(value),
            Self::Prefix(set) => set.has_prefix_of(value),
            Self::ElementPrefix(set) => fold::with_slash(value, |value| set.has_prefix_of(value)),
            Self::Suffix(set) => set.has_suffix_of(value),
            Self::Contain(set) => set.has_part_of(value),
            Self::Folded(matcher) => match matcher.as_ref() {
                // Members are in upper case already, and ASCII folds to nothing but ASCII.
                Self::Exact(ExactSet::Few(members)) if value.is_ascii() => {
                    members.iter().any(|m| m.eq_ignore_ascii_case(value))
                }
                matcher => fold::with_upper(value, |value| matcher.test(value)),
            },
            Self::Regex(pattern) => pattern.is_match(value),
            Self::Hash(set) => set.has_value(value),
            Self::LowerHash(set) => set.has_value(&fold::lower(value)),
        }
    }
}

fn prepare(list: &str, fold: bool) -> Vec<Box<[u8]>> {
    let member = |m: &str| if fold { fold::upper(m.as_bytes()).into() } else { m.as_bytes().into() };
    members(list).map(member).collect()
}

/// Values of which one must be equal.
pub(crate) enum ExactSet {
    Few(Vec<Box<[u8]>>),
    Many(HashSet<Box<[u8]>>),
}

impl ExactSet {
    pub(crate) fn new(members: Vec<Box<[u8]>>) -> Self {
        if members.len() <= FEW { Self::Few(members) } else { Self::Many(members.into_iter().collect()) }
    }

    /// The members, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let (few, many) = match self {
            Self::Few(members) => (Some(members), None),
            Self::Many(members) => (None, Some(members)),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten()).map(AsRef::as_ref)
    }

    pub(crate) fn has(&self, value: &[u8]) -> bool {
        match self {
            Self::Few(members) => members.iter().any(|m| m.as_ref() == value),
            Self::Many(members) => members.contains(value),
        }
    }
}

/// Values one of which must lead: sorted, and none leads another, so that only the nearest below a value
/// can lead it.
pub(crate) struct PrefixSet(Vec<Box<[u8]>>);

impl PrefixSet {
    pub(crate) fn new(members: Vec<Box<[u8]>>) -> Self {
        Self(drop_covered(members))
    }

    pub(crate) fn has_prefix_of(&self, value: &[u8]) -> bool {
        let after = self.0.partition_point(|m| m.as_ref() <= value);
        after.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|m| value.starts_with(m))
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// Values one of which must end a value; kept reversed, as in [`PrefixSet`].
pub(crate) struct SuffixSet(Vec<Box<[u8]>>);

impl SuffixSet {
    pub(crate) fn new(mut members: Vec<Box<[u8]>>) -> Self {
        for member in &mut members {
            member.reverse();
        }
        Self(drop_covered(members))
    }

    pub(crate) fn has_suffix_of(&self, value: &[u8]) -> bool {
        let after = self.0.partition_point(|m| m.iter().le(value.iter().rev()));
        after
            .checked_sub(1)
            .and_then(|i| self.0.get(i))
            .is_some_and(|m| m.len() <= value.len() && m.iter().eq(value.iter().rev().take(m.len())))
    }
}

/// Sorts, and drops what another member leads.
fn drop_covered(mut members: Vec<Box<[u8]>>) -> Vec<Box<[u8]>> {
    members.sort_unstable();
    let mut kept: Vec<Box<[u8]>> = Vec::with_capacity(members.len());
    for member in members {
        if !kept.last().is_some_and(|last| member.starts_with(last)) {
            kept.push(member);
        }
    }
    kept
}

/// Values one of which must be part of a value.
pub(crate) enum ContainSet {
    /// An empty member is part of everything.
    Everything,
    Few(Vec<Finder<'static>>),
    /// All members as one automaton.
    Many(regex::bytes::Regex),
}

impl ContainSet {
    pub(crate) fn new(members: &[Box<[u8]>]) -> Self {
        if members.iter().any(|m| m.is_empty()) {
            return Self::Everything;
        }
        if members.len() > FEW
            && let Some(regex) = one_of(members)
        {
            return Self::Many(regex);
        }
        Self::Few(members.iter().map(|m| Finder::new(m).into_owned()).collect())
    }

    pub(crate) fn has_part_of(&self, value: &[u8]) -> bool {
        match self {
            Self::Everything => true,
            Self::Few(finders) => finders.iter().any(|f| f.find(value).is_some()),
            Self::Many(regex) => regex.is_match(value),
        }
    }
}

/// An automaton that finds any of the members; `None` where it would be too large.
fn one_of(members: &[Box<[u8]>]) -> Option<regex::bytes::Regex> {
    let mut pattern = String::from("(?-u:");
    for (i, member) in members.iter().enumerate() {
        if i > 0 {
            pattern.push('|');
        }
        for byte in member {
            pattern.push_str(&format!("\\x{byte:02x}"));
        }
    }
    pattern.push(')');
    regex::bytes::RegexBuilder::new(&pattern).size_limit(64 << 20).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_find_what_they_should() {
        for (list, value, prefix, suffix, part) in [
            ("", "", true, true, true),
            ("a|ab|b", "abc", true, false, true),
            ("ab|a", "ac", true, false, true),
            ("b|bc", "abc", false, true, true),
            ("c|ac", "abc", false, true, true),
            ("x|y|z|w|bb", "abb", false, true, true),
            ("x|y|z|w|v", "abb", false, false, false),
            ("x|y|z|w|", "abb", true, true, true),
        ] {
            assert_eq!(Matcher::prefix(list, false).test(value.as_bytes()), prefix, "{list} {value}");
            assert_eq!(Matcher::suffix(list, false).test(value.as_bytes()), suffix, "{list} {value}");
            assert_eq!(Matcher::contain(list, false).test(value.as_bytes()), part, "{list} {value}");
        }
    }
}
