//! Checks of `route_rule.data` (config 7).

use super::ADVANCED_MODE;
use super::basic::{BasicTable, Target};
use super::pattern::{check_host, check_path};
use super::raw::{RawBasicRule, RawProductRule, RawRouteRule};
use super::table::{BasicRules, ProductRoutes, ProductRule, ProductRules, RouteTable};
use crate::hash::Map;
use crate::number::ClusterNumber;
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

    let mut c = Checker {
        source: &source,
        faults: Faults::new(),
        warnings: Vec::new(),
        names: Vec::new(),
        numbers: Map::default(),
    };
    let mut products: BTreeMap<String, ProductRoutes> = BTreeMap::new();
    for (product, rules) in raw.basic_rule.unwrap_or_default() {
        let basic = c.basic_rules(&product, &rules);
        products.entry(product).or_default().basic = Some(Box::new(basic));
    }
    for (product, rules) in raw.product_rule.unwrap_or_default() {
        let advanced = c.product_rules(&product, &rules);
        products.entry(product).or_default().advanced = Some(advanced);
    }
    c.faults.into_result()?;
    warnings.extend(c.warnings);
    let clusters = c.names;
    Ok((RouteTable::new(raw.version.unwrap_or_default(), products, clusters), source, warnings))
}

struct Checker<'s> {
    source: &'s Source,
    faults: Faults,
    warnings: Vec<ConfError>,
    /// Names of clusters, by number.
    names: Vec<Arc<str>>,
    numbers: Map<Arc<str>, ClusterNumber>,
}

impl Checker<'_> {
    fn fault(&mut self, path: impl FnOnce() -> Path, reason: impl FnOnce() -> String) {
        self.faults.push_with(|| self.source.error(&path(), reason()));
    }

    fn cluster(&mut self, name: &str) -> ClusterNumber {
        if let Some(known) = self.numbers.get(name) {
            return *known;
        }
        let number = ClusterNumber::new(self.names.len());
        let shared: Arc<str> = Arc::from(name);
        self.names.push(Arc::clone(&shared));
        self.numbers.insert(shared, number);
        number
    }

    /// Where a basic rule leads.
    fn target(&mut self, cluster: &str) -> Target {
        if cluster == ADVANCED_MODE { Target::Advanced } else { Target::Cluster(self.cluster(cluster)) }
    }

    fn basic_rules(&mut self, product: &str, rules: &[RawBasicRule]) -> BasicRules {
        let mut table = BasicTable::default();
        let mut targets = Vec::with_capacity(rules.len());
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
            let target = self.target(name);
            if self.patterns(product, index, rule) {
                self.insert(&mut table, product, index, rule, target);
            }
            targets.push(target);
        }
        BasicRules { table, targets }
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
        target: Target,
    ) {
        let all = [String::from("*")];
        let hosts = if rule.hostname.is_empty() { &all[..] } else { &rule.hostname };
        let paths = if rule.path.is_empty() { &all[..] } else { &rule.path };
        for host in hosts {
            for (at, path) in paths.iter().enumerate() {
                if let Err(existing) = table.insert(host, path, target) {
                    let cluster = match existing {
                        Target::Cluster(number) => {
                            self.names.get(number.place()).cloned().unwrap_or_default()
                        }
                        Target::Advanced => Arc::from(ADVANCED_MODE),
                    };
                    self.fault(
                        || json_path!["BasicRule", product, index, "Path", at],
                        || {
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
                Ok(condition) => checked.push(ProductRule { condition, cluster, named: !name.is_empty() }),
                Err(why) => {
                    self.fault(|| place().then("Cond"), || format!("error build [{cond}] [{why}]"));
                }
            }
        }
        ProductRules::new(checked)
    }
}
