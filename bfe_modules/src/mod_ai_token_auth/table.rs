//! `token_rule.data`: as requests look things up in it.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RuleIndex, RuleList};
use bfe_basic::condition::Condition;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Rules and tokens of all products.
#[derive(Default)]
pub(super) struct TokenTable {
    products: HashMap<Box<str>, Product>,
}

impl TokenTable {
    pub(super) fn new(products: HashMap<Box<str>, Product>) -> Self {
        Self { products }
    }

    /// The rules of a product.
    pub(super) fn rules(&self, product: &str) -> RuleList<'_, TokenRule> {
        let product = self.products.get(product);
        product.map(|product| RuleList::new(&product.rules, product.index.as_ref())).unwrap_or_default()
    }

    /// The token under a key.
    pub(super) fn token(&self, product: &str, key: &[u8]) -> Option<&Arc<Token>> {
        self.products.get(product)?.tokens.get(key)
    }
}

/// Rules and tokens of a product.
#[derive(Default)]
pub(super) struct Product {
    rules: Vec<TokenRule>,
    index: Option<RuleIndex>,
    tokens: HashMap<Box<[u8]>, Arc<Token>>,
}

impl Product {
    pub(super) fn set_rules(&mut self, rules: Vec<TokenRule>) {
        self.index = RuleIndex::new(rules.iter().map(Conditional::condition));
        self.rules = rules;
    }

    pub(super) fn add_token(&mut self, key: String, token: Token) {
        self.tokens.insert(key.into_bytes().into(), Arc::new(token));
    }
}

/// A rule: requests that it matches need a key.
#[derive(Debug)]
pub(super) struct TokenRule(Condition);

impl TokenRule {
    pub(super) fn new(condition: Condition) -> Self {
        Self(condition)
    }
}

impl Conditional for TokenRule {
    fn condition(&self) -> &Condition {
        &self.0
    }
}

/// What a token is good for, by the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Enabled,
    Disabled,
    Expired,
    Exhausted,
}

/// A client's key, and what it may do.
#[derive(Debug)]
pub(super) struct Token {
    /// Public name.
    pub(super) key_id: String,
    pub(super) status: Status,
    /// In seconds since 1970; -1 for never.
    pub(super) expired_time: i64,
    /// Its plans are charged, but not asked.
    pub(super) unlimited_quota: bool,
    /// Only these, unless it is empty.
    pub(super) allow_models: Vec<String>,
    pub(super) block_models: Vec<String>,
    /// Only from these, unless it is empty.
    pub(super) subnets: Vec<IpNet>,
    /// Name, value.
    pub(super) tags: Vec<(String, String)>,
    pub(super) plans: Vec<Arc<Plan>>,
}

impl Token {
    pub(super) fn is_expired(&self, now: i64) -> bool {
        self.status == Status::Expired || is_over(self.expired_time, now)
    }

    /// Whether requests may come from one of these addresses.
    pub(super) fn allows_addresses(&self, addresses: &[IpAddr]) -> bool {
        let inside = |net: &IpNet| addresses.iter().any(|address| net.contains(&address.to_canonical()));
        self.subnets.is_empty() || self.subnets.iter().any(inside)
    }
}

/// What a plan is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Tokens,
    /// 1e-8 yuan.
    Rmb,
}

/// A plan: what its key in Redis holds can be used up.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) id: String,
    /// Neither asked nor charged.
    pub(super) unlimited: bool,
    /// Charged, but not asked.
    pub(super) pass_no_quota: bool,
    /// May be empty, which fails when it is needed.
    pub(super) redis_key: String,
    /// In seconds since 1970; -1 for never.
    pub(super) expired_time: i64,
    /// What an RMB plan starts with where Redis does not know it.
    pub(super) quota: i64,
    pub(super) unit: Unit,
}

impl Plan {
    pub(super) fn is_expired(&self, now: i64) -> bool {
        is_over(self.expired_time, now)
    }
}

/// Whether a time has passed; -1 never does.
fn is_over(time: i64, now: i64) -> bool {
    time != -1 && time < now
}
