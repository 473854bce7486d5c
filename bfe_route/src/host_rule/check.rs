//! Checks of `host_rule.data` (config 5).

use super::raw::{Lists, RawHostRule};
use crate::hash::Map;
use crate::number::ProductNumber;
use bfe_basic::conf::json::{Document, Path};
use bfe_basic::conf::{ConfError, ConfErrors, Faults, MAX_ERRORS};
use bfe_basic::{json_path, pace};
use std::sync::Arc;

/// A file that has been checked.
#[derive(Debug)]
pub(super) struct HostRules {
    pub(super) version: String,
    pub(super) default_product: Option<Arc<str>>,
    /// Products that own a tag, in the order of their names.
    pub(super) products: Vec<Arc<str>>,
    /// Number of different tags that products own.
    pub(super) tags: usize,
    /// Hosts as they are written, in the order in which later ones replace earlier ones.
    pub(super) hosts: Vec<HostRule>,
}

/// A host.
#[derive(Debug)]
pub(super) struct HostRule {
    pub(super) host: String,
    pub(super) tag: Arc<str>,
    pub(super) product: ProductNumber,
}

/// Checks presence first, as nothing else can be told without; then all the rest.
pub(super) fn check(document: Document<RawHostRule>) -> Result<(HostRules, Vec<ConfError>), ConfErrors> {
    let (raw, source, mut warnings) = document.into_parts();
    let mut faults = Faults::new();
    for (absent, key) in [
        (raw.version.is_none(), "Version"),
        (raw.hosts.is_none(), "Hosts"),
        (raw.host_tags.is_none(), "HostTags"),
    ] {
        if absent {
            faults.push(source.error(&json_path![key], format!("no {key}")));
        }
    }
    faults.into_result()?;
    let (version, hosts, host_tags) =
        (raw.version.unwrap_or_default(), raw.hosts.unwrap_or_default(), raw.host_tags.unwrap_or_default());

    let mut c = Checker {
        fault: |path: &Path, reason| source.error(path, reason),
        faults: Faults::new(),
        warnings: Vec::new(),
    };
    let (owners, products) = c.tags(&host_tags);
    c.hosts_have_products(&hosts, &owners);
    let default_product = c.default_product(raw.default_product, &host_tags);
    let hosts = c.hosts(hosts, &owners);
    c.faults.into_result()?;
    warnings.extend(c.warnings);

    let tags = owners.len();
    pace::discard(owners);
    pace::discard(host_tags);
    Ok((HostRules { version, default_product, products, tags, hosts }, warnings))
}

struct Checker<F> {
    /// Makes an error about a path.
    fault: F,
    faults: Faults,
    warnings: Vec<ConfError>,
}

/// Tag to its shared name and its product.
type Owners<'r> = Map<&'r str, (Arc<str>, ProductNumber)>;

impl<F: Fn(&Path, String) -> ConfError> Checker<F> {
    fn fault(&mut self, path: impl FnOnce() -> Path, reason: impl FnOnce() -> String) {
        let fault = &self.fault;
        self.faults.push_with(|| fault(&path(), reason()));
    }

    fn warn(&mut self, path: impl FnOnce() -> Path, reason: impl FnOnce() -> String) {
        if self.warnings.len() < MAX_ERRORS {
            self.warnings.push((self.fault)(&path(), reason()));
        }
    }

    /// The products of the tags, and those that own one by their numbers. Where a tag is given to two, Go BFE
    /// takes either; here the last in the order of their names gets it.
    fn tags<'r>(&mut self, host_tags: &'r Lists) -> (Owners<'r>, Vec<Arc<str>>) {
        let mut owners = Owners::default();
        let mut products: Vec<Arc<str>> = Vec::new();
        for (product, tags) in host_tags {
            pace::step();
            let Some(tags) = tags else {
                self.fault(|| json_path!["HostTags", product], || format!("no HostTagList for {product}"));
                continue;
            };
            let number = ProductNumber::new(products.len());
            for (index, tag) in tags.iter().enumerate() {
                pace::step();
                if let Some((_, other)) = owners.insert(tag, (Arc::from(tag.as_str()), number))
                    && let Some(other) = products.get(other.place())
                {
                    self.warn(
                        || json_path!["HostTags", product, index],
                        || format!("tag {tag} belongs to {other} too; {product} gets its hosts"),
                    );
                }
            }
            if !tags.is_empty() {
                products.push(Arc::from(product.as_str()));
            }
        }
        (owners, products)
    }

    fn hosts_have_products(&mut self, hosts: &Lists, owners: &Owners<'_>) {
        for (tag, hosts) in hosts {
            pace::step();
            if hosts.is_none() {
                self.fault(|| json_path!["Hosts", tag], || format!("no HostnameList for {tag}"));
            } else if !owners.contains_key(tag.as_str()) {
                self.fault(
                    || json_path!["Hosts", tag],
                    || format!("hostTag[{tag}] in Hosts should also exist in HostTags!"),
                );
            }
        }
    }

    fn default_product(&mut self, product: Option<String>, host_tags: &Lists) -> Option<Arc<str>> {
        let product = product?;
        if !host_tags.contains_key(&product) {
            // The name is misspelt in Go BFE's message too; people search for it.
            self.fault(
                || json_path!["DefaultProduct"],
                || format!("defaultProruct[{product}], must exist in HostTags"),
            );
        }
        // An empty product that does exist stands for none.
        (!product.is_empty()).then(|| Arc::from(product))
    }

    /// The hosts, none twice; hosts under the tag with the empty name escape that check.
    fn hosts(&mut self, hosts: Lists, owners: &Owners<'_>) -> Vec<HostRule> {
        let count = hosts.values().flatten().map(Vec::len).sum();
        let mut rules: Vec<HostRule> = Vec::with_capacity(count);
        let mut seen: Map<String, usize> = Map::with_capacity_and_hasher(count, Default::default());
        for (tag, hosts) in hosts {
            let Some((shared, product)) = owners.get(tag.as_str()) else { continue };
            for (index, host) in hosts.into_iter().flatten().enumerate() {
                pace::step();
                let earlier = seen.insert(host.clone(), rules.len()).and_then(|earlier| rules.get(earlier));
                if earlier.is_some_and(|earlier| !earlier.tag.is_empty()) {
                    self.fault(|| json_path!["Hosts", &tag, index], || format!("host duplicate for {host}"));
                    continue;
                }
                if let Some(why) = why_never_matched(&host) {
                    self.warn(
                        || json_path!["Hosts", &tag, index],
                        || format!("host {host} can never match: {why}"),
                    );
                }
                rules.push(HostRule { host, tag: Arc::clone(shared), product: *product });
            }
        }
        pace::discard(seen);
        rules
    }
}

/// What keeps an entry from ever matching; such entries are not refused (config 13.1).
fn why_never_matched(host: &str) -> Option<&'static str> {
    if host.contains(':') {
        Some("hosts are looked up without their port")
    } else if host.split('.').skip(1).any(|label| label == "*") {
        Some("\"*\" must be the first label, and the only one")
    } else {
        None
    }
}
