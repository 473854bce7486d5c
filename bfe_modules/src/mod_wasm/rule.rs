//! `mod_wasm.data`: which requests get which plugins.

use super::engine::Runtime;
use super::plugin::{Plugin, Versions, instance_count};
use bfe_basic::condition::Condition;
use bfe_basic::conf::json::{self, Path as JsonPath, Source};
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::json_path;
use bfe_basic::rule_index::{Conditional, RuleIndex, RuleList};
use foldhash::fast::FixedState;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Most instances of a plugin.
const MAX_INSTANCES: i64 = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawFile {
    version: Option<String>,
    before_location_rules: Option<Vec<RawRule>>,
    found_product_rules: Option<BTreeMap<String, Option<Vec<RawRule>>>>,
    plugin_map: Option<BTreeMap<String, Option<RawPlugin>>>,
    /// What the original's documents call `FoundProductRules`. Neither program reads it.
    product_rules: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRule {
    cond: Option<String>,
    plugin_list: Option<Vec<Option<String>>>,
}

/// `Name` and `Product` have no meaning, but a type.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawPlugin {
    #[serde(rename = "Name")]
    _name: Option<String>,
    wasm_version: Option<String>,
    conf_version: Option<String>,
    instance_num: Option<i64>,
    #[serde(rename = "Product")]
    _product: Option<String>,
}

/// The plugins of a rule, in order.
pub(super) type PluginList = Arc<[Arc<Plugin>]>;

/// A rule.
pub(super) struct Rule {
    condition: Condition,
    pub(super) plugins: PluginList,
}

impl Conditional for Rule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

/// Rules in the order of the file.
#[derive(Default)]
struct Rules {
    rules: Vec<Rule>,
    index: Option<RuleIndex>,
}

/// The rules and plugins of one load.
#[derive(Default)]
pub(super) struct Table {
    version: String,
    before_location: Rules,
    products: HashMap<Box<str>, Rules, FixedState>,
    plugins: BTreeMap<String, Arc<Plugin>>,
}

impl Rules {
    fn list(&self) -> RuleList<'_, Rule> {
        RuleList::new(&self.rules, self.index.as_ref())
    }
}

// === impl Table ===

impl Table {
    /// Rules that need no product.
    pub(super) fn before_location(&self) -> RuleList<'_, Rule> {
        self.before_location.list()
    }

    /// Rules of a product; `None` where the file does not name it.
    pub(super) fn product(&self, product: &str) -> Option<RuleList<'_, Rule>> {
        if self.products.is_empty() {
            return None;
        }
        self.products.get(product).map(Rules::list)
    }

    #[cfg(test)]
    pub(super) fn plugin(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.plugins.get(name)
    }

    /// Loads a file. `None` where it has the version of this table, or none: then it changes nothing, whatever else
    /// is in it. Plugins whose versions have not changed are kept.
    ///
    /// # Errors
    /// All that is wrong with it; this table stays as it is.
    pub(super) fn load(
        &self,
        runtime: &Runtime,
        file: &Path,
        folder: &Path,
    ) -> Result<Option<Self>, ConfErrors> {
        let (raw, source, warnings) = json::read_file::<RawFile>(file)?.into_parts();
        for warning in warnings {
            log::warn!("{warning}");
        }
        let version = match raw.version {
            Some(version) if version != self.version => version,
            Some(version) if !version.is_empty() => return Ok(None),
            _ => {
                log::warn!("{}: no Version: nothing of it is used", source.file());
                return Ok(None);
            }
        };
        if raw.product_rules.is_some() {
            log::warn!("{}: ProductRules is not read; the key is FoundProductRules", source.file());
        }
        // All rules are checked before a plugin is built, which takes long.
        let raw_plugins = raw.plugin_map.unwrap_or_default();
        let mut faults = Faults::new();
        let mut check = |rules: Option<Vec<RawRule>>, path: &JsonPath| {
            let rules = rules.unwrap_or_default().into_iter().enumerate();
            let checked = rules.map(|(at, rule)| rule.check(&path.then(at), &raw_plugins, &source));
            checked
                .filter_map(|rule| {
                    rule.map_err(|errors| errors.into_iter().for_each(|e| faults.push(e))).ok()
                })
                .collect::<Vec<_>>()
        };
        let before_location = check(raw.before_location_rules, &json_path!["BeforeLocationRules"]);
        let products: Vec<_> = raw
            .found_product_rules
            .unwrap_or_default()
            .into_iter()
            .map(|(product, rules)| (check(rules, &json_path!["FoundProductRules", &product]), product))
            .collect();
        for (name, plugin) in &raw_plugins {
            let count = plugin.as_ref().and_then(|plugin| plugin.instance_num).unwrap_or(0);
            if count > MAX_INSTANCES {
                let path = json_path!["PluginMap", name, "InstanceNum"];
                faults.push(source.error(&path, format!("{count} is above {MAX_INSTANCES}")));
            }
        }
        std::mem::take(&mut faults).into_result()?;

        let mut plugins = BTreeMap::new();
        let mut resized = Vec::new();
        for (name, raw) in raw_plugins {
            let raw = raw.unwrap_or_default();
            let count = instance_count(raw.instance_num.unwrap_or(0));
            let versions = Versions {
                wasm: raw.wasm_version.unwrap_or_default(),
                conf: raw.conf_version.unwrap_or_default(),
            };
            let kept = self.plugins.get(&name).filter(|plugin| plugin.versions == versions);
            let built = match kept {
                Some(plugin) => plugin.resized(runtime, count).map(|instances| {
                    resized.push((Arc::clone(plugin), instances));
                    Arc::clone(plugin)
                }),
                None => Plugin::load(runtime, &folder.join(&name), &name, versions, count).map(Arc::new),
            };
            match built {
                Ok(plugin) => {
                    plugins.insert(name, plugin);
                }
                Err(reason) => faults.push(source.error(&json_path!["PluginMap", &name], reason)),
            }
        }
        faults.into_result()?;
        for (plugin, instances) in resized {
            plugin.set_instances(instances);
        }
        let products = products
            .into_iter()
            .map(|(rules, product)| (product.into_boxed_str(), link(rules, &plugins)))
            .collect();
        Ok(Some(Self { version, before_location: link(before_location, &plugins), products, plugins }))
    }
}

/// A rule whose plugins are known by name.
struct Checked {
    condition: Condition,
    plugins: Vec<String>,
}

impl RawRule {
    fn check(
        self,
        path: &JsonPath,
        plugins: &BTreeMap<String, Option<RawPlugin>>,
        source: &Source,
    ) -> Result<Checked, Vec<bfe_basic::conf::ConfError>> {
        let mut errors = Vec::new();
        let condition = match &self.cond {
            None => Err("no Cond".to_owned()),
            Some(text) => Condition::build(text).map_err(|e| format!("error build [{text}] [{e}]")),
        };
        let condition =
            condition.map_err(|reason| errors.push(source.error(&path.then("Cond"), reason))).ok();
        if self.plugin_list.is_none() {
            errors.push(source.error(&path.then("PluginList"), "no PluginList"));
        }
        let names: Vec<_> =
            self.plugin_list.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect();
        for (at, name) in names.iter().enumerate().filter(|(_, name)| !plugins.contains_key(*name)) {
            errors.push(source.error(&path.then("PluginList").then(at), format!("unknown plugin: {name}")));
        }
        match condition {
            Some(condition) if errors.is_empty() => Ok(Checked { condition, plugins: names }),
            _ => Err(errors),
        }
    }
}

/// Gives rules their plugins.
fn link(rules: Vec<Checked>, plugins: &BTreeMap<String, Arc<Plugin>>) -> Rules {
    let link = |rule: Checked| {
        let plugins = rule.plugins.iter().filter_map(|name| plugins.get(name).cloned()).collect();
        Rule { condition: rule.condition, plugins }
    };
    let rules: Vec<_> = rules.into_iter().map(link).collect();
    let index = RuleIndex::new(rules.iter().map(Conditional::condition));
    Rules { rules, index }
}
