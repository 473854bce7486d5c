//! The table that clusters are looked up in (config 13.2).

use super::basic::{BasicTable, Target};
use crate::hash::Map;
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
    products: Map<Arc<str>, ProductRoutes>,
    /// Names of the products, sorted.
    names: Vec<Arc<str>>,
}

/// The rules of a product.
#[derive(Debug, Default)]
pub(crate) struct ProductRoutes {
    pub(super) basic: Option<BasicRules>,
    pub(super) advanced: Option<ProductRules>,
}

/// Basic rules.
#[derive(Debug)]
pub(super) struct BasicRules {
    pub(super) table: BasicTable,
    /// The clusters of the rules, in the order of the file.
    pub(super) clusters: Vec<Arc<str>>,
}

/// Rules with conditions, in the order of the file.
#[derive(Debug)]
pub(super) struct ProductRules {
    rules: Box<[ProductRule]>,
    /// Where they are many.
    index: Option<RuleIndex>,
}

/// A rule with a condition.
#[derive(Debug)]
pub(super) struct ProductRule {
    pub(super) condition: Condition,
    pub(super) cluster: Arc<str>,
}

impl Conditional for ProductRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl ProductRules {
    pub(super) fn new(rules: Vec<ProductRule>) -> Self {
        let index = RuleIndex::new(rules.iter().map(ProductRule::condition));
        Self { rules: rules.into(), index }
    }

    /// The first rule whose condition is true.
    fn find(&self, req: &Request) -> Result<Option<&ProductRule>, NeedBody> {
        first_match(RuleList::new(&self.rules, self.index.as_ref()), req)
    }
}

impl RouteTable {
    pub(super) fn new(version: String, products: BTreeMap<String, ProductRoutes>) -> Self {
        Self {
            version,
            advanced_products: products.values().filter(|routes| routes.advanced.is_some()).count(),
            basic_products: products.values().filter(|routes| routes.basic.is_some()).count(),
            names: products.keys().inspect(|_| pace::step()).map(|name| Arc::from(name.as_str())).collect(),
            products: products
                .into_iter()
                .inspect(|_| pace::step())
                .map(|(name, routes)| (Arc::from(name), routes))
                .collect(),
        }
    }

    /// Lets go of it, a little at a time.
    pub(crate) fn discard(self) {
        for routes in self.products.into_values() {
            pace::discard(routes.advanced.into_iter().flat_map(|advanced| advanced.rules));
            pace::step();
        }
    }

    /// The products and their rules, sorted by name.
    pub(crate) fn products(&self) -> impl Iterator<Item = (&Arc<str>, &ProductRoutes)> {
        self.names.iter().filter_map(|name| self.products.get_key_value(name))
    }

    /// The cluster of a request: by the basic rules, else by the first product rule whose condition is true.
    pub(crate) fn find(
        &self,
        product: &str,
        req: &Request,
    ) -> Result<Result<&Arc<str>, RouteError>, NeedBody> {
        let Some(routes) = self.products.get(product) else { return Ok(Err(RouteError::NoProductRule)) };
        if let Some(basic) = &routes.basic
            && let Some(Target::Cluster(cluster)) = basic.table.find(&req.http.host, &req.http.url.path)
        {
            return Ok(Ok(cluster));
        }
        let Some(rules) = &routes.advanced else { return Ok(Err(RouteError::NoProductRule)) };
        // A rule without a name for its cluster ends the search, but leads nowhere.
        let rule = rules.find(req)?.filter(|rule| !rule.cluster.is_empty());
        Ok(rule.map(|rule| &rule.cluster).ok_or(RouteError::NoMatchRule))
    }
}

impl ProductRoutes {
    /// The clusters of the product rules, in the order of the file; `None` where there are no such rules.
    pub(crate) fn advanced_clusters(&self) -> Option<impl Iterator<Item = &Arc<str>>> {
        self.advanced.as_ref().map(|advanced| advanced.rules.iter().map(|rule| &rule.cluster))
    }

    /// The clusters of the basic rules, in the order of the file; `None` where there are no such rules.
    pub(crate) fn basic_clusters(&self) -> Option<impl Iterator<Item = &Arc<str>>> {
        self.basic.as_ref().map(|rules| rules.clusters.iter())
    }
}
