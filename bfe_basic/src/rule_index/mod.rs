//! Long lists of rules: which of them a request can match at all, without asking each.
//!
//! Most conditions name hosts, paths, fields or the like that a request must have. Of each rule the requirement
//! that fewest others share goes into a hash table; what a request has is looked up there, and only what is
//! found (and rules without a requirement) is evaluated, in the order of the file. What is left out would have
//! been false, so that the outcome is that of a walk through all of them. One thing differs: a rule that is
//! left out does not settle what later conditions see of the cookies and the query.
//!
//! A table with a thousand products has a thousand of these, and each request reads another one from memory.
//! So a lookup touches few places: the facets with the lengths that their values have, one slot of the hash
//! table for each length that fits, and the list of the rules that are always asked. The table keeps no values,
//! only numbers made of them: where two have the same number, a condition is evaluated for nothing.

mod build;
mod list;
mod slots;

pub use list::{Candidates, Conditional, RuleList, first_match};

use crate::Request;
use crate::condition::{Facet, Facts};
use slots::{Lengths, Slots, Tag};

/// Lists shorter than this are walked through, as are those where an index would save less than that.
pub const MIN_RULES: usize = 8;
/// Most facets of a list; what the rarer ones require is not looked up.
const MAX_FACETS: usize = 16;

/// An index over the rules of a list.
#[derive(Debug)]
pub struct RuleIndex {
    probes: Box<[Probe]>,
    slots: Slots,
}

/// What of a request is looked up.
#[derive(Debug)]
struct Probe {
    facet: Facet<'static>,
    /// The lengths that values have; others need not be looked up.
    lengths: Lengths,
}

impl RuleIndex {
    /// Fills `found` with the rules from `from` on that the request may match, ascending.
    fn find(&self, req: &Request, from: u32, found: &mut Vec<u32>) {
        found.clear();
        let mut take = |rules: &[u32]| {
            let first = rules.partition_point(|rule| *rule < from);
            found.extend_from_slice(rules.get(first..).unwrap_or_default());
        };
        take(self.slots.rest());
        let mut lists = usize::from(!self.slots.rest().is_empty());
        let facts = Facts::new(req);
        for (place, probe) in (0..).zip(&self.probes) {
            let mut look_up = |tag: Tag| {
                if let Some(rules) = self.slots.get(tag.in_place(place)) {
                    lists += 1;
                    take(rules);
                }
            };
            probe.facet.with_value(&facts, |value| {
                if probe.facet.is_prefix() {
                    probe.lengths.beginnings(value).for_each(&mut look_up);
                } else if probe.lengths.has(value.len()) {
                    look_up(Tag::of(value));
                }
            });
        }
        if lists > 1 {
            found.sort_unstable();
            found.dedup();
        }
    }
}

#[cfg(test)]
mod tests;
