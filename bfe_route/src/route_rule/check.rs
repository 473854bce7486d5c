//! Checks of `route_rule.data` (config 7).

use super::basic::{BasicTable, Target};
use super::pattern::{check_host, check_path};
use super::raw::{RawBasicRule, RawProductRule, RawRouteRule};
use super::table::{BasicRules, ProductRoutes, ProductRule, ProductRules, RouteTable};
use crate::hash::Set;
use bfe_basic::condition::Condition;
use bfe_basic::conf::json::{Document, Path, Source};
use bfe_basic::conf::{ConfError, ConfErrors, Faults, MAX_ERRORS};
use bfe_basic::json_path;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Checks presence first, as nothing else can be told without; then the basic rules, then the product rules.
pub(super) fn check(
    document: Document<RawRouteRule>,
) -> Result<(RouteTable, Source, Vec<ConfError>), ConfErrors> {
    let (raw, source, mut warnings) = document.into_parts();
    let mut faults = Faults::new();
    if raw.version.is_none() {
        faults.push(source.error(&json_path!["Version"], "no Version"));
    }
    if raw.basic_rule.is_none() && raw.product_rule.is_none() {
        faults.push(source.error(&json_path![], "no product rule: expected BasicRule or ProductRule"));
    }
    faults.into_result()?;

    let mut c =
        Checker { source: &source, faults: Faults::new(), warnings: Vec::new(), clusters: Set::default() };
    let mut products: BTreeMap<String, ProductRoutes> = BTreeMap::new();
    for (product, rules) in raw.basic_rule.unwrap_or_default() {
        let basic = c.basic_rules(&product, &rules);
        products.entry(product).or_default().basic = Some(basic);
    }
    for (product, rules) in raw.product_rule.unwrap_or_default() {
        let advanced = c.product_rules(&product, &rules);
        products.entry(product).or_default().advanced = Some(advanced);
    }
    c.faults.into_result()?;
    warnings.extend(c.warnings);
    Ok((RouteTable::new(raw.version.unwrap_or_default(), products), source, warnings))
}

struct Checker<'s> {
    source: &'s Source,
    faults: Faults,
    warnings: Vec<ConfError>,
    /// Names of clusters, each kept once.
    clusters: Set<Arc<str>>,
}

impl Checker<'_> {
    fn fault(&mut self, path: impl FnOnce() -> Path, reason: impl FnOnce() -> String) {
        self.faults.push_with(|| self.source.error(&path(), reason()));
    }

    fn cluster(&mut self, name: &str) -> Arc<str> {
        if let Some(shared) = self.clusters.get(name) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = Arc::from(name);
        self.clusters.insert(Arc::clone(&shared));
        shared
    }

    fn basic_rules(&mut self, product: &str, rules: &[RawBasicRule]) -> BasicRules {
        let mut table = BasicTable::default();
        let mut clusters = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            let place = || json_path!["BasicRule", product, index];
            let Some(name) = &rule.cluster_name else {
                self.fault(place, || format!("no cluster name in basic route rule for ({product}, {index})"));
                continue;
            };
            if rule.hostname.is_empty() && rule.path.is_empty() {
                self.fault(place, || {
                    format!("no hostname or path in basic route rule for ({product}, {index})")
                });
                continue;
            }
            let cluster = self.cluster(name);
            if self.patterns(product, index, rule) {
                self.insert(&mut table, product, index, rule, &Target::new(&cluster));
            }
            clusters.push(cluster);
        }
        BasicRules { table, clusters }
    }

    /// Checks the patterns of a basic rule; false if one of them is wrong.
    fn patterns(&mut self, product: &str, index: usize, rule: &RawBasicRule) -> bool {
        let mut good = true;
        for (at, host) in rule.hostname.iter().enumerate() {
            if let Err(why) = check_host(host) {
                good = false;
                self.fault(
                    || json_path!["BasicRule", product, index, "Hostname", at],
                    || format!("host[{host}] is invalid for ({product}, {index}), err: {why}"),
                );
            } else if host.contains(':') && self.warnings.len() < MAX_ERRORS {
                let path = json_path!["BasicRule", product, index, "Hostname", at];
                let reason = format!("host {host} can never match: hosts are looked up without their port");
                self.warnings.push(self.source.error(&path, reason));
            }
        }
        for (at, path) in rule.path.iter().enumerate() {
            if let Err(why) = check_path(path) {
                good = false;
                self.fault(
                    || json_path!["BasicRule", product, index, "Path", at],
                    || format!("path[{path}] is invalid ({product}, {index}), err: {why}"),
                );
            }
        }
        good
    }

    fn insert(
        &mut self,
        table: &mut BasicTable,
        product: &str,
        index: usize,
        rule: &RawBasicRule,
        target: &Target,
    ) {
        let all = [String::from("*")];
        let hosts = if rule.hostname.is_empty() { &all[..] } else { &rule.hostname };
        let paths = if rule.path.is_empty() { &all[..] } else { &rule.path };
        for host in hosts {
            for (at, path) in paths.iter().enumerate() {
                if let Err(existing) = table.insert(host, path, target.clone()) {
                    self.fault(
                        || json_path!["BasicRule", product, index, "Path", at],
                        || {
                            let cluster = existing.name();
                            format!("path[{path}] is duplicated in same host, existing cluster: {cluster} (host {host})")
                        },
                    );
                }
            }
        }
    }

    fn product_rules(&mut self, product: &str, rules: &[RawProductRule]) -> ProductRules {
        let mut checked = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            let place = || json_path!["ProductRule", product, index];
            let Some(name) = &rule.cluster_name else {
                self.fault(place, || format!("no cluster name in route rule for ({product}, {index})"));
                continue;
            };
            let Some(cond) = &rule.cond else {
                self.fault(place, || format!("no cond in route rule for ({product}, {index})"));
                continue;
            };
            let cluster = self.cluster(name);
            match Condition::build(cond) {
                Ok(condition) => checked.push(ProductRule { condition, cluster }),
                Err(why) => {
                    self.fault(|| place().then("Cond"), || format!("error build [{cond}] [{why}]"));
                }
            }
        }
        ProductRules::new(checked)
    }
}
