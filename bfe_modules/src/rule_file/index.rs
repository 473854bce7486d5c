//! Long lists of rules: which of them a request can match at all, without asking each.
//!
//! Most conditions name hosts, paths, fields or the like that a request must have
//! ([`Condition::requirements`]). Of each rule the requirement that fewest others share is put into a hash
//! table; what a request has is looked up there, and only what is found (and rules without a requirement) is
//! evaluated, in the order of the file.

use bfe_basic::Request;
use bfe_basic::condition::{Condition, Facet, Requirement};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::cmp::Reverse;

/// Lists shorter than this are walked through.
const MIN_RULES: usize = 16;
/// Most facets of a list; what the rarer ones require is not looked up.
const MAX_FACETS: usize = 16;

/// An index over the rules of a product.
#[derive(Debug)]
pub struct RuleIndex {
    facets: Vec<FacetIndex>,
    /// Rules that may match anything, ascending.
    rest: Vec<u32>,
}

#[derive(Debug)]
struct FacetIndex {
    facet: Facet,
    /// Rules by value, ascending.
    rules: FxHashMap<Box<[u8]>, Vec<u32>>,
    /// The lengths that values have, ascending; for beginnings only.
    lengths: Vec<usize>,
}

impl RuleIndex {
    /// An index over those conditions; `None` where it is not worth it.
    pub fn new<'c>(conditions: impl ExactSizeIterator<Item = &'c Condition>) -> Option<Self> {
        if conditions.len() < MIN_RULES || u32::try_from(conditions.len()).is_err() {
            return None;
        }
        let required: Vec<_> = conditions.map(Condition::requirements).collect();
        let mut shared: FxHashMap<(&Facet, &[u8]), usize> = FxHashMap::default();
        for Requirement { facet, values } in required.iter().flatten() {
            for value in values {
                *shared.entry((facet, value)).or_default() += 1;
            }
        }
        let rarity = |r: &Requirement| {
            let most = r.values.iter().filter_map(|v| shared.get(&(&r.facet, v.as_ref()))).max();
            (most.map_or(0, |most| *most), r.values.len())
        };
        let chosen: Vec<_> = required.iter().map(|all| all.iter().min_by_key(|r| rarity(r))).collect();
        let facets = most_used(&chosen);
        if facets.is_empty() {
            return None;
        }
        let mut index = Self { facets, rest: Vec::new() };
        for (number, chosen) in (0..).zip(chosen) {
            index.add(number, chosen);
        }
        for facet in &mut index.facets {
            facet.finish();
        }
        Some(index)
    }

    fn add(&mut self, number: u32, required: Option<&Requirement>) {
        let facet = required.and_then(|r| self.facets.iter_mut().find(|known| known.facet == r.facet));
        let (Some(Requirement { values, .. }), Some(facet)) = (required, facet) else {
            return self.rest.push(number);
        };
        for value in values {
            facet.rules.entry(value.clone()).or_default().push(number);
        }
    }

    /// Fills `found` with the rules from `from` on that the request may match, ascending.
    fn find(&self, req: &Request, from: u32, found: &mut Vec<u32>) {
        found.clear();
        let mut take = |rules: &[u32]| {
            let first = rules.partition_point(|rule| *rule < from);
            found.extend_from_slice(rules.get(first..).unwrap_or_default());
        };
        take(&self.rest);
        let mut lists = 0;
        for of_facet in &self.facets {
            of_facet.facet.with_value(req, |value| {
                of_facet.look_up(value, |rules| {
                    lists += 1;
                    take(rules);
                });
            });
        }
        if lists > usize::from(self.rest.is_empty()) {
            found.sort_unstable();
            found.dedup();
        }
    }
}

/// The facets that most rules are found by.
fn most_used(chosen: &[Option<&Requirement>]) -> Vec<FacetIndex> {
    let mut uses: FxHashMap<&Facet, usize> = FxHashMap::default();
    for required in chosen.iter().flatten() {
        *uses.entry(&required.facet).or_default() += 1;
    }
    let mut facets: Vec<_> = uses.into_iter().collect();
    facets.sort_by_key(|(_, uses)| Reverse(*uses));
    facets.truncate(MAX_FACETS);
    let empty = |(facet, _): (&Facet, usize)| FacetIndex {
        facet: facet.clone(),
        rules: FxHashMap::default(),
        lengths: Vec::new(),
    };
    facets.into_iter().map(empty).collect()
}

impl FacetIndex {
    fn finish(&mut self) {
        for rules in self.rules.values_mut() {
            rules.dedup();
        }
        if self.facet.is_prefix() {
            self.lengths = self.rules.keys().map(|value| value.len()).collect();
            self.lengths.sort_unstable();
            self.lengths.dedup();
        }
    }

    fn look_up(&self, value: &[u8], mut take: impl FnMut(&[u32])) {
        if !self.facet.is_prefix() {
            if let Some(rules) = self.rules.get(value) {
                take(rules);
            }
            return;
        }
        for length in &self.lengths {
            let Some(beginning) = value.get(..*length) else { return };
            if let Some(rules) = self.rules.get(beginning) {
                take(rules);
            }
        }
    }
}

/// The rules of a product, in the order of the file.
#[derive(Debug)]
pub struct RuleList<'t, R> {
    rules: &'t [R],
    index: Option<&'t RuleIndex>,
}

impl<'t, R> RuleList<'t, R> {
    pub(super) fn new(rules: &'t [R], index: Option<&'t RuleIndex>) -> Self {
        Self { rules, index }
    }

    /// All of them.
    #[must_use]
    pub fn all(self) -> &'t [R] {
        self.rules
    }

    /// Those from `from` on that the request may match, with their places.
    pub(crate) fn candidates(self, req: &Request, from: usize) -> Candidates<'t, R> {
        let mut candidates = Candidates { list: self, next: from, found: Vec::new() };
        if self.index.is_some() {
            candidates.found = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
            candidates.look_again(req, from);
        }
        candidates
    }
}

impl<R> Clone for RuleList<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for RuleList<'_, R> {}

impl<R> Default for RuleList<'_, R> {
    fn default() -> Self {
        Self { rules: &[], index: None }
    }
}

impl<'t, R> From<&'t [R]> for RuleList<'t, R> {
    fn from(rules: &'t [R]) -> Self {
        Self { rules, index: None }
    }
}

thread_local! {
    /// Memory for what lookups find; as many as there are walks within walks, which is one.
    static SCRATCH: RefCell<Vec<Vec<u32>>> = const { RefCell::new(Vec::new()) };
}

/// Rules that a request may match.
pub(crate) struct Candidates<'t, R> {
    list: RuleList<'t, R>,
    /// The next rule; where there is an index, the next of those found.
    next: usize,
    found: Vec<u32>,
}

impl<'t, R> Candidates<'t, R> {
    /// Looks again from `from` on: the request has changed.
    pub(super) fn look_again(&mut self, req: &Request, from: usize) {
        if let Some(index) = self.list.index {
            index.find(req, u32::try_from(from).unwrap_or(u32::MAX), &mut self.found);
            self.next = 0;
        }
    }
}

impl<'t, R> Iterator for Candidates<'t, R> {
    type Item = (usize, &'t R);

    fn next(&mut self) -> Option<Self::Item> {
        let at = match self.list.index {
            None => self.next,
            Some(_) => self.found.get(self.next).map(|at| *at as usize)?,
        };
        self.next += 1;
        self.list.rules.get(at).map(|rule| (at, rule))
    }
}

impl<R> Drop for Candidates<'_, R> {
    fn drop(&mut self) {
        if self.list.index.is_some() {
            let found = std::mem::take(&mut self.found);
            SCRATCH.with_borrow_mut(|kept| {
                if kept.is_empty() {
                    kept.push(found);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_file::walk::{Conditional, Successive, apply_matching, first_match};
    use crate::testing;

    struct Rule {
        condition: Condition,
        number: usize,
        path: Option<&'static str>,
    }

    impl Conditional for Rule {
        fn condition(&self) -> &Condition {
            &self.condition
        }
    }

    impl Successive for Rule {
        fn is_last(&self) -> bool {
            false
        }
    }

    /// Rules of many kinds; some of them change the path, so that others begin or cease to match.
    fn rules() -> Vec<Rule> {
        let mut rules = Vec::new();
        for i in 0..60 {
            let expression = match i % 12 {
                0 => format!(r#"req_host_in("h{i}.org|example.org")"#),
                1 => format!(r#"req_path_prefix_in("/p{i}|/a", false)"#),
                2 => format!(r#"req_path_in("/A/B", true) && req_host_in("h{i}.org|EXAMPLE.org")"#),
                3 => format!(r#"req_path_element_prefix_in("/moved/", {})"#, i % 2 == 0),
                4 => format!(r#"req_header_value_in("X-K", "v{}", false)"#, i % 24),
                5 => format!(r#"req_query_value_in("q", "{i}|17", false) || req_query_value_in("q", "9", false)"#),
                6 => format!(r#"req_cookie_value_prefix_in("c", "x{i}|y", true)"#),
                7 => "default_t()".to_owned(),
                8 => format!(r#"!req_path_prefix_in("/p{i}", false)"#),
                9 => r#"req_method_in("get|HEAD") && (req_path_suffix_in("b", false) || req_host_in("nobody"))"#.to_owned(),
                10 => r#"req_path_prefix_in("", false)"#.to_owned(),
                _ if i < 30 => r#"req_path_in("/moved", false) || req_host_in("nobody")"#.to_owned(),
                11 | 35 => r"req_path_regmatch(`^/a/.$`)".to_owned(),
                _ => r#"req_cip_range("192.0.2.0", "192.0.2.77")"#.to_owned(),
            };
            let path = match i {
                13 => Some("/moved"),
                27 => Some("/a/b"),
                _ => None,
            };
            rules.push(Rule { condition: Condition::build(&expression).unwrap(), number: i, path });
        }
        rules
    }

    #[test]
    fn an_index_finds_what_a_walk_finds() {
        let rules = rules();
        let index = RuleIndex::new(rules.iter().map(Rule::condition)).unwrap();
        let lists = [RuleList::new(&rules, None), RuleList::new(&rules, Some(&index))];
        let mut matched = 0;
        for target in ["/", "/a/b", "/A/b?q=17", "/p13?q=9", "/moved/x", "/nothing?q=53"] {
            for (name, value) in [("X-K", "v4"), ("X-K", "v5"), ("Cookie", "c=Yes"), ("Cookie", "c=x6; d=1")]
            {
                for method in ["GET", "POST"] {
                    let walks = lists.map(|list| {
                        let mut req = testing::request(method, target);
                        req.http.header.add(name, value);
                        req.client_addr = Some(([192, 0, 2, target.len() as u8 * 10], 1).into());
                        let first = first_match(list, &req).unwrap().map(|rule| rule.number);
                        let mut applied = Vec::new();
                        apply_matching(&[list], &mut req, "r", |rule, req| {
                            applied.push(rule.number);
                            if let Some(path) = rule.path {
                                req.http.url.path = path.into();
                            }
                        })
                        .unwrap();
                        (first, applied)
                    });
                    assert_eq!(walks[0], walks[1], "{method} {target} {name}: {value}");
                    matched += walks[0].1.len();
                }
            }
        }
        assert!(matched > 500, "{matched}");
    }

    #[test]
    fn few_candidates_of_many_rules() {
        let rules: Vec<_> = (0..1000)
            .map(|i| {
                let expression =
                    format!(r#"req_host_in("example.org") && req_path_prefix_in("/r{i}/", false)"#);
                Rule { condition: Condition::build(&expression).unwrap(), number: i, path: None }
            })
            .collect();
        let index = RuleIndex::new(rules.iter().map(Rule::condition)).unwrap();
        let list = RuleList::new(&rules, Some(&index));
        let places = |target: &str, from: usize| -> Vec<usize> {
            list.candidates(&testing::request("GET", target), from).map(|(at, _)| at).collect()
        };
        assert_eq!(places("/r77/x", 0), [77], "by the path, which fewer rules share");
        assert_eq!(places("/r77/x", 78), [] as [usize; 0]);
        assert_eq!(places("/other", 0), [] as [usize; 0]);
        assert!(RuleIndex::new(rules.iter().take(3).map(Rule::condition)).is_none());
    }
}
