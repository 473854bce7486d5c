//! The table that clusters are looked up in (config 13.2).

use super::basic::{BasicTable, Target};
use crate::number::{ClusterNumber, ProductNumber};
use bfe_basic::condition::Condition;
use bfe_basic::pace;
use bfe_basic::rule_index::{Conditional, RuleIndex, RuleList, first_match};
use bfe_basic::{NeedBody, Request};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why no product or cluster was found (config 13.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Neither the host nor the vip is known, and there is no default product.
    #[error("no product found")]
    NoProduct,
    /// The product has no product rules, and no basic rule matched.
    #[error("no route rule found for product")]
    NoProductRule,
    /// None of the product's rules matched.
    #[error("no rule match for this req")]
    NoMatchRule,
}

impl RouteError {
    /// The text that logs show.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoProduct => "no product found",
            Self::NoProductRule => "no route rule found for product",
            Self::NoMatchRule => "no rule match for this req",
        }
    }
}

/// Products and their rules.
#[derive(Debug)]
pub(crate) struct RouteTable {
    pub(crate) version: String,
    /// Number of products with product rules, which may be an empty list.
    pub(crate) advanced_products: usize,
    /// Number of products with basic rules, likewise.
    pub(crate) basic_products: usize,
    /// Names of the clusters in the rules, by number.
    pub(crate) clusters: Vec<Arc<str>>,
    /// Products and their rules, in the order of their names.
    products: Vec<(Arc<str>, ProductRoutes)>,
    /// Their places in that list, by number; none where a product has no rules.
    places: Vec<Option<u32>>,
}

/// The rules of a product. Small, as there may be many and most products have one kind of rules only.
#[derive(Debug, Default)]
pub(crate) struct ProductRoutes {
    pub(super) basic: Option<Box<BasicRules>>,
    pub(super) advanced: Option<ProductRules>,
}

/// Basic rules.
#[derive(Debug)]
pub(super) struct BasicRules {
    pub(super) table: BasicTable,
    /// Where the rules lead, in the order of the file.
    pub(super) targets: Vec<Target>,
}

/// Rules with conditions, in the order of the file.
#[derive(Debug)]
pub(super) struct ProductRules {
    rules: Box<[ProductRule]>,
    /// Where they are many.
    index: Option<Box<RuleIndex>>,
}

/// A rule with a condition.
#[derive(Debug)]
pub(super) struct ProductRule {
    pub(super) condition: Condition,
    pub(super) cluster: ClusterNumber,
    /// Whether its name is not empty.
    pub(super) named: bool,
}

impl Conditional for ProductRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl ProductRules {
    pub(super) fn new(rules: Vec<ProductRule>) -> Self {
        let index = RuleIndex::new(rules.iter().map(ProductRule::condition)).map(Box::new);
        Self { rules: rules.into(), index }
    }

    /// The first rule whose condition is true.
    fn find(&self, req: &Request) -> Result<Option<&ProductRule>, NeedBody> {
        first_match(RuleList::new(&self.rules, self.index.as_deref()), req)
    }
}

impl RouteTable {
    pub(super) fn new(
        version: String,
        products: BTreeMap<String, ProductRoutes>,
        clusters: Vec<Arc<str>>,
    ) -> Self {
        Self {
            version,
            advanced_products: products.values().filter(|routes| routes.advanced.is_some()).count(),
            basic_products: products.values().filter(|routes| routes.basic.is_some()).count(),
            clusters,
            products: products
                .into_iter()
                .inspect(|_| pace::step())
                .map(|(name, routes)| (Arc::from(name), routes))
                .collect(),
            places: Vec::new(),
        }
    }

    /// Lets products be found by number. `number` tells it, for all that have one; there are `count`.
    pub(crate) fn number_products(&mut self, count: usize, number: impl Fn(&str) -> Option<ProductNumber>) {
        self.places = vec![None; count];
        for (place, (name, _)) in self.products.iter().enumerate() {
            if let Some(slot) = number(name).and_then(|number| self.places.get_mut(number.place())) {
                *slot = u32::try_from(place).ok();
            }
            pace::step();
        }
    }

    /// Lets go of it, a little at a time.
    pub(crate) fn discard(self) {
        for (_, routes) in self.products {
            pace::discard(routes.advanced.into_iter().flat_map(|advanced| advanced.rules));
            pace::step();
        }
    }

    /// The products and their rules, sorted by name.
    pub(crate) fn products(&self) -> impl Iterator<Item = (&Arc<str>, &ProductRoutes)> {
        self.products.iter().map(|(name, routes)| (name, routes))
    }

    /// The rules of a product, by its name.
    #[cfg(test)]
    pub(super) fn named(&self, product: &str) -> Option<&ProductRoutes> {
        self.products.iter().find(|(name, _)| **name == *product).map(|(_, routes)| routes)
    }

    /// The rules of a product.
    pub(crate) fn of(&self, product: ProductNumber) -> Option<&ProductRoutes> {
        let place = self.places.get(product.place()).copied().flatten()?;
        self.products.get(usize::try_from(place).ok()?).map(|(_, routes)| routes)
    }
}

impl ProductRoutes {
    /// The cluster of a request: by the basic rules, else by the first product rule whose condition is true.
    pub(crate) fn find(&self, req: &Request) -> Result<Result<ClusterNumber, RouteError>, NeedBody> {
        if let Some(basic) = &self.basic
            && let Some(Target::Cluster(cluster)) = basic.table.find(&req.http.host, &req.http.url.path)
        {
            return Ok(Ok(cluster));
        }
        let Some(rules) = &self.advanced else { return Ok(Err(RouteError::NoProductRule)) };
        // A rule without a name for its cluster ends the search, but leads nowhere.
        let rule = rules.find(req)?.filter(|rule| rule.named);
        Ok(rule.map(|rule| rule.cluster).ok_or(RouteError::NoMatchRule))
    }

    /// The clusters of the product rules, in the order of the file; `None` where there are no such rules.
    pub(crate) fn advanced_clusters(&self) -> Option<impl Iterator<Item = ClusterNumber>> {
        self.advanced.as_ref().map(|advanced| advanced.rules.iter().map(|rule| rule.cluster))
    }

    /// Where the basic rules lead, in the order of the file; `None` where there are no such rules.
    pub(crate) fn basic_targets(&self) -> Option<&[Target]> {
        self.basic.as_ref().map(|rules| &*rules.targets)
    }
}
