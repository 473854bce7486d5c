//! Lists of rules with an index or without, and the walk to the first rule that matches.

use super::RuleIndex;
use crate::condition::Condition;
use crate::{NeedBody, Request};
use std::cell::RefCell;
use std::sync::Arc;

/// A rule with a condition.
pub trait Conditional {
    /// Says which requests it is for.
    fn condition(&self) -> &Condition;
}

impl<R: Conditional> Conditional for Arc<R> {
    fn condition(&self) -> &Condition {
        self.as_ref().condition()
    }
}

/// The first rule that matches.
///
/// # Errors
/// [`NeedBody`] where a condition wants the request body.
pub fn first_match<'r, R: Conditional>(
    rules: impl Into<RuleList<'r, R>>,
    req: &Request,
) -> Result<Option<&'r R>, NeedBody> {
    for (_, rule) in rules.into().candidates(req, 0) {
        if rule.condition().matches(req)? {
            return Ok(Some(rule));
        }
    }
    Ok(None)
}

/// Rules in the order of the file, with the index over them if there is one.
#[derive(Debug)]
pub struct RuleList<'t, R> {
    rules: &'t [R],
    index: Option<&'t RuleIndex>,
}

impl<'t, R> RuleList<'t, R> {
    /// Rules, and the index that was made over the conditions of just these.
    #[must_use]
    pub fn new(rules: &'t [R], index: Option<&'t RuleIndex>) -> Self {
        Self { rules, index }
    }

    /// All of them.
    #[must_use]
    pub fn all(self) -> &'t [R] {
        self.rules
    }

    /// Those from `from` on that the request may match, with their places.
    #[must_use]
    pub fn candidates(self, req: &Request, from: usize) -> Candidates<'t, R> {
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

/// Rules that a request may match, in order, each with its place.
#[derive(Debug)]
pub struct Candidates<'t, R> {
    list: RuleList<'t, R>,
    /// The next rule; where there is an index, the next of those found.
    next: usize,
    found: Vec<u32>,
}

impl<'t, R> Candidates<'t, R> {
    /// Looks again from `from` on: the request has changed.
    pub fn look_again(&mut self, req: &Request, from: usize) {
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
