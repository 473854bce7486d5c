//! `ai_rate_limit.data`: as requests look things up in it.

use super::limiter::{Concurrency, Limiter, Models};
use crate::rule_file::walk::Conditional;
use crate::rule_file::{RuleIndex, RuleList};
use bfe_basic::action::Command;
use bfe_basic::condition::Condition;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rules of all products, policies, and the policies of each key.
pub(super) struct LimitTable {
    pub(super) version: String,
    /// The file, as the monitor port shows it.
    pub(super) page: String,
    pub(super) products: HashMap<Box<str>, Product>,
    pub(super) policies: BTreeMap<String, Arc<Policy>>,
    /// In the order in which they are checked.
    pub(super) bindings: HashMap<Box<[u8]>, Vec<Arc<Policy>>>,
}

impl LimitTable {
    /// The rules of a product.
    pub(super) fn rules(&self, product: &str) -> RuleList<'_, Rule> {
        let product = self.products.get(product);
        product.map(|product| RuleList::new(&product.rules, product.index.as_ref())).unwrap_or_default()
    }

    /// A policy by its id.
    pub(super) fn policy(&self, id: &str) -> Option<&Arc<Policy>> {
        self.policies.get(id)
    }
}

/// The rules of a product.
pub(super) struct Product {
    rules: Vec<Rule>,
    index: Option<RuleIndex>,
}

impl Product {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        Self { index: RuleIndex::new(rules.iter().map(Conditional::condition)), rules }
    }
}

/// A rule: which requests are limited, and what is done with those that are too many.
pub(super) struct Rule {
    condition: Condition,
    pub(super) action: Command,
}

impl Rule {
    pub(super) fn new(condition: Condition, action: Command) -> Self {
        Self { condition, action }
    }
}

impl Conditional for Rule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

/// A policy, and its limits.
pub(super) struct Policy {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) models: Models,
    /// Tokens in some minutes.
    pub(super) tpm: Vec<Arc<Limiter>>,
    /// Requests in some minutes.
    pub(super) rpm: Vec<Arc<Limiter>>,
    /// Requests at once.
    pub(super) concurrency: Option<Arc<Concurrency>>,
}
