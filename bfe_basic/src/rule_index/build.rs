//! Making an index: which requirement each rule is found by.

use super::slots::{Lengths, Slots, Tag};
use super::{MAX_FACETS, MIN_RULES, Probe, RuleIndex};
use crate::condition::{Condition, Facet, Requirement};
use crate::pace;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;

/// What all rules require: facets have numbers, values are their tags and lengths.
#[derive(Default)]
struct Draft<'c> {
    facets: FxHashMap<Facet<'c>, usize>,
    values: Vec<Value>,
    /// How many rules ask for a value of a facet.
    shared: FxHashMap<(usize, Tag), u32>,
}

#[derive(Clone, Copy)]
struct Value {
    tag: Tag,
    length: usize,
}

/// A requirement: the number of its facet, and the place of its values in the draft.
#[derive(Clone, Copy)]
struct Required {
    facet: usize,
    first: usize,
    count: usize,
}

impl RuleIndex {
    /// An index over those conditions, those of rules in the order of a list; `None` where it is not worth it.
    pub fn new<'c>(conditions: impl ExactSizeIterator<Item = &'c Condition>) -> Option<Self> {
        if conditions.len() < MIN_RULES || u32::try_from(conditions.len()).is_err() {
            return None;
        }
        let mut draft = Draft::default();
        // Of all rules one after the other, and where those of each end.
        let (mut required, mut ends) = (Vec::new(), Vec::with_capacity(conditions.len()));
        for condition in conditions {
            required.extend(condition.requirements().into_iter().map(|r| draft.add(r)));
            ends.push(required.len());
            pace::step();
        }
        let mut first = 0;
        let chosen = ends.into_iter().map(|end| {
            let of_rule = required.get(first..end).unwrap_or_default();
            first = end;
            of_rule.iter().copied().min_by_key(|r| draft.rarity(*r))
        });
        let chosen: Vec<_> = chosen.collect();
        draft.index(&chosen)
    }
}

impl<'c> Draft<'c> {
    fn add(&mut self, requirement: Requirement<'c>) -> Required {
        let first = self.values.len();
        requirement.each_value(|value| self.values.push(Value { tag: Tag::of(value), length: value.len() }));
        let next = self.facets.len();
        let facet = *self.facets.entry(requirement.facet).or_insert(next);
        for value in self.values.iter().skip(first) {
            *self.shared.entry((facet, value.tag)).or_default() += 1;
        }
        Required { facet, first, count: self.values.len() - first }
    }

    fn values(&self, required: Required) -> &[Value] {
        self.values.get(required.first..required.first + required.count).unwrap_or_default()
    }

    /// How many rules ask for the most common of the values, then how many values there are.
    fn rarity(&self, required: Required) -> (u32, usize) {
        let shared = |value: &Value| self.shared.get(&(required.facet, value.tag)).copied();
        (self.values(required).iter().filter_map(shared).max().unwrap_or(0), required.count)
    }

    /// The index by what was chosen for each rule.
    fn index(self, chosen: &[Option<Required>]) -> Option<RuleIndex> {
        let mut uses = vec![0usize; self.facets.len()];
        for required in chosen.iter().flatten() {
            if let Some(uses) = uses.get_mut(required.facet) {
                *uses += 1;
            }
        }
        let mut ranked: Vec<usize> = (0..uses.len()).filter(|facet| uses.get(*facet) > Some(&0)).collect();
        ranked.sort_by_key(|facet| Reverse(uses.get(*facet).copied()));
        ranked.truncate(MAX_FACETS);
        let mut lengths = vec![Vec::new(); ranked.len()];
        let (mut entries, mut rest) = (Vec::new(), Vec::new());
        for (rule, chosen) in (0..).zip(chosen) {
            pace::step();
            let place = chosen.and_then(|r| ranked.iter().position(|facet| *facet == r.facet));
            let (Some(required), Some(place)) = (chosen, place) else {
                rest.push(rule);
                continue;
            };
            let values = self.values(*required);
            entries.extend(values.iter().map(|value| (value.tag.in_place(place as u64), rule)));
            if let Some(lengths) = lengths.get_mut(place) {
                lengths.extend(values.iter().map(|value| value.length));
            }
        }
        if chosen.len() - rest.len() < MIN_RULES {
            return None;
        }
        let mut facets: Vec<Option<Facet<'c>>> = vec![None; uses.len()];
        for (facet, number) in self.facets {
            if let Some(place) = facets.get_mut(number) {
                *place = Some(facet);
            }
        }
        let probe = |(number, lengths): (usize, Vec<usize>)| {
            let facet = facets.get(number)?.clone()?.into_owned();
            Some(Probe { facet, lengths: Lengths::new(lengths.into_iter()) })
        };
        let probes = ranked.into_iter().zip(lengths).map(probe).collect::<Option<_>>()?;
        Some(RuleIndex { probes, slots: Slots::new(entries, &rest)? })
    }
}
