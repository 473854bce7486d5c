//! Which clusters there are, and which of them a key belongs to.

use bfe_basic::condition::hash::murmur3_h1;
use std::collections::HashSet;

/// The weights that a cluster can have.
const WEIGHTS: std::ops::RangeInclusive<i64> = 1..=100;
/// The most that all weights can be together.
const MOST_WEIGHT: u32 = 10_000;

/// Reads a name, or `name,weight:N` items with a bar between them; blanks do not count.
///
/// # Errors
/// What is wrong with it.
pub fn parse_services(text: &str) -> Result<Vec<(String, u32)>, String> {
    let text = text.replace(' ', "");
    if text.is_empty() {
        return Err("must not be empty: expected the name of a service in name_conf.data".into());
    }
    if !text.contains([',', '|']) {
        return Ok(vec![(text, 1)]);
    }
    let mut services = Vec::new();
    let mut names = HashSet::new();
    for item in text.split('|') {
        let weight =
            item.split_once(',').and_then(|(name, rest)| Some((name, rest.strip_prefix("weight:")?)));
        let (name, weight) = weight.ok_or_else(|| format!("{item:?}: expected name,weight:N"))?;
        let number = weight.parse().ok().filter(|number| WEIGHTS.contains(number));
        let number = number.and_then(|number: i64| u32::try_from(number).ok());
        let number = number.ok_or_else(|| {
            format!("{item:?}: invalid weight {weight:?}, expected {} to {}", WEIGHTS.start(), WEIGHTS.end())
        })?;
        if !names.insert(name) {
            return Err(format!("{name:?} is there twice"));
        }
        services.push((name.to_owned(), number));
    }
    let sum: u32 = services.iter().map(|(_, weight)| weight).sum();
    if sum > MOST_WEIGHT {
        return Err(format!("all weights together are {sum}, and can be {MOST_WEIGHT} at most"));
    }
    Ok(services)
}

/// How keys are shared out among clusters.
pub(super) struct Shares {
    /// Where the share of each ends; the last is the sum of all weights.
    ends: Vec<u64>,
}

impl Shares {
    pub(super) fn new(weights: impl Iterator<Item = u32>) -> Self {
        let ends = weights.scan(0, |end, weight| {
            *end += u64::from(weight);
            Some(*end)
        });
        Self { ends: ends.collect() }
    }

    /// The index of the cluster that a key belongs to.
    pub(super) fn of(&self, key: &[u8]) -> usize {
        match self.ends.last() {
            Some(sum) if self.ends.len() > 1 => {
                let slot = murmur3_h1(key) % sum;
                self.ends.partition_point(|end| *end <= slot)
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_weights() {
        for (text, want) in [
            ("redis", Ok(&[("redis", 1)][..])),
            (" a.b , weight:10 | c,weight:100", Ok(&[("a.b", 10), ("c", 100)])),
            ("a,weight:1", Ok(&[("a", 1)])),
            ("", Err("must not be empty")),
            ("a,weight:0", Err("invalid weight \"0\"")),
            ("a,weight:101", Err("expected 1 to 100")),
            ("a,weight:x", Err("invalid weight")),
            ("a,w:1", Err("expected name,weight:N")),
            ("a|b", Err("expected name,weight:N")),
            ("a,weight:1|", Err("expected name,weight:N")),
            ("a,weight:1|a,weight:2", Err("\"a\" is there twice")),
        ] {
            let got = parse_services(text);
            match want {
                Ok(want) => {
                    let want: Vec<_> =
                        want.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
                    assert_eq!(got, Ok(want), "{text}");
                }
                Err(reason) => assert!(got.as_ref().is_err_and(|e| e.contains(reason)), "{text}: {got:?}"),
            }
        }
        let many: Vec<_> = (0..101).map(|i| format!("n{i},weight:100")).collect();
        assert!(parse_services(&many.join("|")).unwrap_err().contains("10100"));
    }

    #[test]
    fn keys_are_shared_by_weight() {
        let shares = Shares::new([1, 3].into_iter());
        let second = (0..4000).filter(|i| shares.of(format!("key{i}").as_bytes()) == 1).count();
        assert!((2800..3200).contains(&second), "{second}");
        assert_eq!(Shares::new([7].into_iter()).of(b"x"), 0);
        // The first 64 bits of the hash decide.
        for key in ["a", "b", "c"] {
            let slot = murmur3_h1(key.as_bytes()) % 4;
            assert_eq!(shares.of(key.as_bytes()), usize::from(slot >= 1), "{key}");
        }
    }
}
