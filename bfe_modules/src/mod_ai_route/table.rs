//! The tables of routes: the file as it is written, its checks, and the lookup.

use bfe_basic::ai::{AiRoute, AiTarget};
use bfe_basic::condition::Condition;
use bfe_basic::conf::json::{self, Document, Path as JsonPath, Source};
use bfe_basic::conf::{ConfError, ConfErrors, Faults};
use bfe_basic::json_path;
use bfe_basic::rule_index::{Conditional, RuleIndex, RuleList, first_match};
use bfe_basic::{NeedBody, Request};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

const BINDINGS: &str = "ApikeyRouteTableBindings";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawFile {
    /// Any text, but a text.
    #[serde(rename = "Version")]
    _version: String,
    route_rules: Option<BTreeMap<String, RawTable>>,
    #[serde(rename = "RouteRules")]
    route_rules_upper: Option<BTreeMap<String, RawTable>>,
    #[serde(rename = "ApikeyRouteTableBindings")]
    bindings: Option<BTreeMap<String, Option<Vec<String>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawTable {
    r#type: String,
    owner: String,
    rules: Option<Vec<RawRule>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawRule {
    name: String,
    #[serde(rename = "Cond")]
    cond: String,
    targets: Option<Vec<RawTarget>>,
    fallbacks: Option<Vec<RawFallback>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RawTarget {
    cluster_name: String,
    model: String,
    weight: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RawFallback {
    cluster_name: String,
    model: String,
}

/// The tables that each key is routed by.
#[derive(Debug, Default)]
pub(super) struct RouteTables {
    keys: HashMap<Box<[u8]>, Vec<Arc<Table>>>,
}

#[derive(Debug)]
struct Table {
    rules: Vec<Rule>,
    index: Option<RuleIndex>,
}

#[derive(Debug)]
struct Rule {
    condition: Condition,
    route: Arc<AiRoute>,
}

impl Conditional for Rule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl RouteTables {
    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn read(path: &Path) -> Result<Self, ConfErrors> {
        json::read_file(path).map_err(without_key).and_then(Self::load)
    }

    fn load(document: Document<RawFile>) -> Result<Self, ConfErrors> {
        let (raw, source, warnings) = document.into_parts();
        for warning in warnings {
            log::warn!("{warning}");
        }
        let mut faults = Faults::new();
        if let Some(error) = source.rest_error() {
            faults.push(error);
        }
        let (name, tables) = match raw.route_rules {
            Some(tables) => ("route_rules", tables),
            None => ("RouteRules", raw.route_rules_upper.unwrap_or_default()),
        };
        let mut built = BTreeMap::new();
        for (key, table) in tables {
            let at = json_path![name, &key];
            let table = check_table(table, &at, &source, &mut faults);
            built.insert(key, Arc::new(table));
        }
        faults.into_result()?;
        let mut keys = HashMap::new();
        for (api_key, names) in raw.bindings.unwrap_or_default() {
            // Tables that are not there are passed over.
            let tables =
                names.unwrap_or_default().iter().filter_map(|name| built.get(name).cloned()).collect();
            keys.insert(api_key.into_bytes().into_boxed_slice(), tables);
        }
        Ok(Self { keys })
    }

    /// The first rule that matches, of the tables of a key in their order.
    ///
    /// # Errors
    /// [`NeedBody`] where a condition wants the request body.
    pub(super) fn find(&self, api_key: &[u8], req: &Request) -> Result<Option<&Arc<AiRoute>>, NeedBody> {
        for table in self.keys.get(api_key).into_iter().flatten() {
            if let Some(rule) = first_match(RuleList::new(&table.rules, table.index.as_ref()), req)? {
                return Ok(Some(&rule.route));
            }
        }
        Ok(None)
    }
}

/// An error about a binding names the place, and not the API key, which is secret.
fn without_key(errors: ConfErrors) -> ConfErrors {
    let first = errors.first();
    if first.key.starts_with(BINDINGS) {
        return ConfError { key: BINDINGS.to_owned(), ..first.clone() }.into();
    }
    errors
}

fn check_table(raw: RawTable, at: &JsonPath, source: &Source, faults: &mut Faults) -> Table {
    let kind = if raw.r#type == "api_key" { "apikey".to_owned() } else { raw.r#type };
    if !matches!(kind.as_str(), "apikey" | "entity" | "global") {
        let reason = format!("invalid route table type: {kind:?}");
        faults.push_with(|| source.error(&at.then("type"), reason));
    }
    let mut rules = Vec::new();
    for (index, rule) in raw.rules.unwrap_or_default().into_iter().enumerate() {
        match check_rule(rule, &kind, &raw.owner) {
            Ok(rule) => rules.push(rule),
            Err((field, reason)) => {
                faults.push_with(|| source.error(&at.then("rules").then(index).then(field), reason));
            }
        }
    }
    let index = RuleIndex::new(rules.iter().map(Conditional::condition));
    Table { rules, index }
}

fn check_rule(raw: RawRule, kind: &str, owner: &str) -> Result<Rule, (&'static str, String)> {
    let name = raw.name;
    if name.is_empty() {
        return Err(("name", "rule name is empty".to_owned()));
    }
    if raw.cond.is_empty() {
        return Err(("Cond", format!("rule {name:?}: Cond is empty")));
    }
    let condition = Condition::build(&raw.cond)
        .map_err(|e| ("Cond", format!("rule {name:?}: error build [{}] [{e}]", raw.cond)))?;
    let target = |t: RawTarget| AiTarget { cluster: t.cluster_name, model: t.model, weight: t.weight };
    let targets: Vec<_> = raw.targets.unwrap_or_default().into_iter().map(target).collect();
    if targets.is_empty() {
        return Err(("targets", format!("rule {name:?}: no targets")));
    }
    let total = targets.iter().fold(0i64, |sum, target| sum.wrapping_add(target.weight));
    if total != 100 {
        return Err(("targets", format!("rule {name:?}: the weights must add up to 100, not {total}")));
    }
    let fallback = |f: RawFallback| AiTarget { cluster: f.cluster_name, model: f.model, weight: 0 };
    let fallbacks = raw.fallbacks.unwrap_or_default().into_iter().map(fallback).collect();
    let route = AiRoute { kind: kind.to_owned(), owner: owner.to_owned(), rule: name, targets, fallbacks };
    Ok(Rule { condition, route: Arc::new(route) })
}

#[cfg(test)]
pub(super) fn of(text: &str) -> Result<RouteTables, String> {
    json::from_slice("r.data", text.as_bytes())
        .map_err(without_key)
        .and_then(RouteTables::load)
        .map_err(|e| e.to_string())
}
