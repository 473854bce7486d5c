//! A strict reader of the text format of Prometheus: what it takes, any scraper takes.

use std::collections::{BTreeMap, BTreeSet};

/// Name and labels of a series, sorted by label.
type Series = (String, BTreeMap<String, String>);

/// A page that has been read.
#[derive(Debug, Default)]
pub struct Exposition {
    /// The type of each family.
    pub families: BTreeMap<String, String>,
    series: BTreeMap<Series, f64>,
}

impl Exposition {
    /// Reads a page.
    ///
    /// # Panics
    /// Where the page is not as the format says: a family without HELP and TYPE or with two of them, series
    /// of a family in two places, a series twice, bad names, bad escapes, histograms that do not add up.
    #[must_use]
    pub fn parse(page: &str) -> Self {
        let mut parsed = Self::default();
        let mut helped = BTreeSet::new();
        let mut current = String::new();
        assert!(page.ends_with('\n'), "the last line has no end");
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
                assert!(!text.is_empty() && is_name(name), "{line}");
                assert!(helped.insert(name.to_owned()), "HELP twice: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(helped.contains(name), "TYPE without HELP: {line}");
                let twice = parsed.families.insert(name.into(), kind.into());
                assert!(twice.is_none(), "TYPE twice: {line}");
                current = name.into();
            } else {
                parsed.sample(line, &current);
            }
        }
        assert_eq!(helped.len(), parsed.families.len(), "HELP without TYPE");
        parsed.check_histograms();
        parsed
    }

    /// The value of a series.
    #[must_use]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.series.get(&(name.to_owned(), labels)).copied()
    }

    /// The sum of all series of a name.
    #[must_use]
    pub fn sum(&self, name: &str) -> f64 {
        self.series.iter().filter(|((n, _), _)| n == name).map(|(_, v)| v).sum()
    }

    /// Number of series.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Whether some series has that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.series.keys().any(|(n, _)| n == name)
    }

    fn sample(&mut self, line: &str, current: &str) {
        let name_end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
        let (name, rest) = line.split_at(name_end);
        assert!(is_name(name), "{line}");
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest, line),
            None => (BTreeMap::new(), rest),
        };
        let value: f64 = value.trim_start().parse().unwrap_or_else(|e| panic!("{e}: {line}"));
        let kind = &self.families.get(current).unwrap_or_else(|| panic!("no TYPE before: {line}"))[..];
        let belongs = match kind {
            "histogram" => {
                ["_bucket", "_sum", "_count"].iter().any(|s| name.strip_suffix(s) == Some(current))
            }
            _ => name == current,
        };
        assert!(belongs, "{name} is no series of {current}");
        assert!(kind == "gauge" || value >= 0.0, "below zero: {line}");
        assert!(self.series.insert((name.into(), labels), value).is_none(), "twice: {line}");
    }

    fn check_histograms(&self) {
        for family in self.families.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            let mut buckets: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
            for ((_, labels), count) in
                self.series.iter().filter(|((n, _), _)| *n == format!("{family}_bucket"))
            {
                let mut labels = labels.clone();
                let bound = labels.remove("le").unwrap_or_else(|| panic!("{family}: a bucket without le"));
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect("a bound") };
                buckets.entry(labels).or_default().push((bound, *count));
            }
            for (labels, mut bounds) in buckets {
                bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(bounds.windows(2).all(|w| w[0].1 <= w[1].1), "{family}{labels:?}: {bounds:?}");
                let count = self.series.get(&(format!("{family}_count"), labels.clone()));
                assert_eq!(
                    bounds.last(),
                    Some(&(f64::INFINITY, *count.expect("a count"))),
                    "{family}{labels:?}"
                );
                assert!(self.series.contains_key(&(format!("{family}_sum"), labels)), "{family}: no sum");
            }
        }
    }
}

/// Reads labels behind their brace; gives what follows them.
fn labels<'l>(text: &'l str, line: &str) -> (BTreeMap<String, String>, &'l str) {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return (labels, after);
        }
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert!(is_name(name) && !name.contains(':'), "label {name}: {line}");
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().unwrap_or_else(|| panic!("a label without end: {line}")) {
                (at, '"') => break at,
                (_, '\\') => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, c @ ('"' | '\\'))) => value.push(c),
                    other => panic!("bad escape {other:?}: {line}"),
                },
                (_, c) => value.push(c),
            }
        };
        assert!(labels.insert(name.into(), value).is_none(), "label {name} twice: {line}");
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}
