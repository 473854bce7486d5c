//! The table that hosts are looked up in (config 13.1).
//!
//! What the contract describes as a trie of labels is kept as two hash maps, of hosts and of what comes after
//! `*.`: a look-up hashes the host once, and then as many of its ends as there are different depths of
//! wildcards, which usually are one or two.

use super::check::{HostRule, HostRules};
use crate::fold::{table_host, with_request_host};
use crate::hash::{Depths, Map};
use crate::number::ProductNumber;
use bfe_basic::pace;
use std::sync::Arc;

/// The product that was found for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductHit {
    /// Tag of the host; empty where the product came from the vip table or is the default.
    pub host_tag: Arc<str>,
    /// Product (tenant).
    pub product: Arc<str>,
    /// Its number; a product without a tag has none, and no rules.
    pub number: Option<ProductNumber>,
}

/// Hosts and the default product.
#[derive(Debug, Default)]
pub(crate) struct HostTable {
    pub(crate) version: String,
    /// Number of hosts in the file.
    pub(crate) hosts: usize,
    /// Number of tags that products own.
    pub(crate) tags: usize,
    /// Products that own a tag, in the order of their names.
    pub(crate) products: Vec<Arc<str>>,
    pub(crate) default: Option<ProductHit>,
    /// The tag of requests whose product does not come from a host, shared by all of them.
    no_tag: Arc<str>,
    exact: Map<Box<[u8]>, ProductHit>,
    wild: WildTable,
}

/// Hosts that begin with `*.`, by what comes after.
#[derive(Debug, Default)]
struct WildTable {
    ends: Map<Box<[u8]>, ProductHit>,
    /// How many labels they have.
    depths: Depths,
    /// Length of the longest, in bytes.
    longest: usize,
    /// The entry `*`.
    any: Option<ProductHit>,
}

impl HostTable {
    pub(super) fn new(rules: HostRules) -> Self {
        let mut table = Self {
            version: rules.version,
            hosts: rules.hosts.len(),
            tags: rules.tags,
            products: rules.products,
            default: None,
            no_tag: Arc::from(""),
            exact: Map::with_capacity_and_hasher(rules.hosts.len(), Default::default()),
            wild: WildTable::default(),
        };
        for rule in rules.hosts {
            table.insert(rule);
            pace::step();
        }
        table.exact.shrink_to_fit();
        table.default = rules.default_product.map(|product| table.untagged(product));
        table
    }

    /// The number of a product that owns a tag.
    pub(crate) fn number(&self, product: &str) -> Option<ProductNumber> {
        self.products.binary_search_by(|name| (**name).cmp(product)).ok().map(ProductNumber::new)
    }

    /// A product that does not come from a host.
    pub(crate) fn untagged(&self, product: Arc<str>) -> ProductHit {
        ProductHit { host_tag: Arc::clone(&self.no_tag), number: self.number(&product), product }
    }

    /// Lets go of it, a little at a time.
    pub(crate) fn discard(self) {
        pace::discard(self.exact);
        pace::discard(self.wild.ends);
    }

    /// Adds a host; one that cannot match is left out, one that is the same but for case or a trailing dot
    /// replaces what is there.
    fn insert(&mut self, HostRule { host, tag, product }: HostRule) {
        let Some(name) = self.products.get(product.place()) else { return };
        let hit = ProductHit { host_tag: tag, product: Arc::clone(name), number: Some(product) };
        let host = table_host(&host);
        if host.split('.').skip(1).any(|label| label == "*") {
            return;
        }
        if host == "*" {
            self.wild.any = Some(hit);
        } else if let Some(end) = host.strip_prefix("*.") {
            self.wild.depths.insert(end.split('.').count());
            self.wild.longest = self.wild.longest.max(end.len());
            self.wild.ends.insert(end.as_bytes().into(), hit);
        } else {
            self.exact.insert(host.into_bytes().into(), hit);
        }
    }

    /// The product of a request's host: of the host itself, else of the longest end that has a wildcard.
    pub(crate) fn find(&self, host: &[u8]) -> Option<&ProductHit> {
        with_request_host(host, |host| self.exact.get(host).or_else(|| self.wild.find(host)))
    }
}

impl WildTable {
    fn find(&self, host: &[u8]) -> Option<&ProductHit> {
        let mut found = self.any.as_ref();
        if self.ends.is_empty() {
            return found;
        }
        // Ends longer than any in the table are not looked at, so that a host made of dots costs no more.
        for (depth, dot) in (1..).zip(memchr::memrchr_iter(b'.', host)) {
            let Some(end) = host.get(dot + 1..).filter(|end| end.len() <= self.longest) else { break };
            if self.depths.contains(depth)
                && let Some(hit) = self.ends.get(end)
            {
                found = Some(hit);
            }
        }
        found
    }
}
