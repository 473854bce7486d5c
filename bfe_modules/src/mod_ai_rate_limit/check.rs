//! `ai_rate_limit.data`: what can be wrong with it.

use super::limiter::{Concurrency, Counts, Limiter, Models};
use super::page;
use super::raw::{RawFile, RawLimits, RawPolicy, RawRule};
use super::table::{LimitTable, Policy, Product, Rule};
use crate::secret_path::without_keys;
use bfe_basic::action::Command;
use bfe_basic::condition::Condition;
use bfe_basic::conf::json::{self, Document, Path as JsonPath};
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::json_path;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Where keys of clients are names.
const BINDINGS: &str = "ApikeyRateLimitPolicyBindings";
/// The longest window, in minutes.
const MAX_WINDOW: i64 = 360;
/// Most rules of a kind.
const MAX_RULES: usize = 3;
/// What a rule may do.
const ACTIONS: [Command; 3] = [Command::Close, Command::Finish, Command::Pass];

/// Reads the file. Counters go on where the file before had a rule of that name in a policy of that id.
pub(super) fn read(path: &Path, before: Option<&LimitTable>) -> Result<LimitTable, ConfErrors> {
    json::read_file(path)
        .and_then(|document| table(document, before))
        .map_err(|errors| without_keys(errors, BINDINGS))
}

/// A fault: the place below, and the reason.
type Fault = (JsonPath, String);

fn fault<T>(path: JsonPath, reason: impl Into<String>) -> Result<T, Fault> {
    Err((path, reason.into()))
}

pub(super) fn table(
    document: Document<RawFile>,
    before: Option<&LimitTable>,
) -> Result<LimitTable, ConfErrors> {
    let (raw, source, warnings) = document.into_parts();
    for warning in warnings {
        log::warn!("{warning}");
    }
    let mut faults = Faults::new();
    if let Some(error) = source.rest_error() {
        faults.push(error);
    }
    for (name, is_there) in [
        ("Version", raw.version.is_some()),
        ("Config", raw.config.is_some()),
        ("RateLimitPolicies", raw.rate_limit_policies.is_some()),
        (BINDINGS, raw.bindings.is_some()),
    ] {
        if !is_there {
            faults.push(source.error(&json_path![name], format!("{name} is not set")));
        }
    }
    let page = page::of_file(&raw);
    let mut products = HashMap::new();
    for (product, rules) in raw.config.unwrap_or_default() {
        let path = json_path!["Config", &product];
        match check_product(&product, rules) {
            Ok(checked) => {
                products.insert(product.into_boxed_str(), checked);
            }
            Err((below, reason)) => faults.push_with(|| source.error(&joined(path, below), reason)),
        }
    }
    let mut policies: BTreeMap<String, Arc<Policy>> = BTreeMap::new();
    for (id, policy) in raw.rate_limit_policies.unwrap_or_default() {
        let path = json_path!["RateLimitPolicies", &id];
        match check_policy(&id, policy, before.and_then(|before| before.policy(&id))) {
            Ok(policy) => {
                policies.insert(id, Arc::new(policy));
            }
            Err((below, reason)) => faults.push_with(|| source.error(&joined(path, below), reason)),
        }
    }
    let mut bindings = HashMap::new();
    for (key, ids) in raw.bindings.unwrap_or_default() {
        let path = json_path![BINDINGS, &key];
        if key.is_empty() {
            faults.push_with(|| source.error(&path, "a key is empty"));
        }
        let Some(ids) = ids else {
            faults.push_with(|| source.error(&path, "the policies of a key are null"));
            continue;
        };
        // Unknown ones are skipped.
        let bound: Vec<_> = ids.iter().filter_map(|id| policies.get(id).cloned()).collect();
        bindings.insert(key.into_bytes().into_boxed_slice(), bound);
    }
    faults.into_result()?;
    Ok(LimitTable { version: raw.version.unwrap_or_default(), page, products, policies, bindings })
}

fn joined(mut path: JsonPath, below: JsonPath) -> JsonPath {
    path.0.extend(below.0);
    path
}

fn check_product(product: &str, rules: Option<Vec<Option<RawRule>>>) -> Result<Product, Fault> {
    let Some(rules) = rules else {
        return fault(json_path![], format!("no RuleList for product:{product}"));
    };
    let (mut checked, mut seen) = (Vec::new(), HashSet::new());
    for (at, rule) in rules.into_iter().enumerate() {
        let Some(rule) = rule else { return fault(json_path![at], "no rule") };
        let Some(text) = rule.cond else { return fault(json_path![at, "cond"], "cond is not set") };
        let condition = match Condition::build(&text) {
            Ok(condition) => condition,
            Err(e) => return fault(json_path![at, "cond"], format!("error build [{text}] [{e}]")),
        };
        let Some(action) = rule.hit_action else {
            return fault(json_path![at, "hit_action"], "hit_action is not set");
        };
        if let Err(e) = action.check_allowed(&ACTIONS) {
            return fault(json_path![at, "hit_action"], format!("{e}: expected CLOSE, FINISH or PASS"));
        }
        if !seen.insert(text.clone()) {
            return fault(json_path![at, "cond"], format!("can't have same cond[{text}]"));
        }
        checked.push(Rule::new(condition, action.command()));
    }
    Ok(Product::new(checked))
}

fn check_policy(id: &str, raw: Option<RawPolicy>, before: Option<&Arc<Policy>>) -> Result<Policy, Fault> {
    if id.is_empty() {
        return fault(json_path![], "policyId is empty");
    }
    let Some(raw) = raw else { return fault(json_path![], "the policy is null") };
    let Some(limits) = raw.rules else { return fault(json_path!["rules"], "rules are not set") };
    check_limits(&limits)?;
    let before = before.map(AsRef::as_ref);
    let tpm = limits.tpm.into_iter().map(|rule| {
        let counts = counts_of(before.map(|before| &before.tpm), &rule.name);
        Arc::new(Limiter::new(
            id,
            ("tpm", rule.name),
            rule.window_minutes,
            rule.max_tokens,
            Models(rule.models.unwrap_or_default()),
            counts,
        ))
    });
    let rpm = limits.rpm.into_iter().map(|rule| {
        let counts = counts_of(before.map(|before| &before.rpm), &rule.name);
        Arc::new(Limiter::new(
            id,
            ("rpm", rule.name),
            rule.window_minutes,
            rule.max_requests,
            Models(rule.models.unwrap_or_default()),
            counts,
        ))
    });
    let concurrency = limits.max_concurrency.map(|max| {
        let old = before.and_then(|before| before.concurrency.as_ref());
        let counts = old.map(|old| Arc::clone(&old.counts)).unwrap_or_default();
        Arc::new(Concurrency::new(id, max, counts))
    });
    Ok(Policy {
        id: id.to_owned(),
        name: raw.name,
        enabled: raw.enabled,
        models: Models(raw.models.unwrap_or_default()),
        tpm: tpm.collect(),
        rpm: rpm.collect(),
        concurrency,
    })
}

/// The counts of the rule of that name before, which a reload carries over.
fn counts_of(before: Option<&Vec<Arc<Limiter>>>, name: &str) -> Arc<Counts> {
    let old = before.and_then(|before| before.iter().find(|old| old.name == name));
    old.map(|old| Arc::clone(&old.counts)).unwrap_or_default()
}

fn check_limits(limits: &RawLimits) -> Result<(), Fault> {
    let tpm = limits.tpm.iter().map(|rule| (rule.name.as_str(), rule.window_minutes));
    check_rules("tpm", tpm)?;
    for (at, rule) in limits.tpm.iter().enumerate() {
        let step = if rule.step_minutes <= 0 { 1 } else { rule.step_minutes };
        if step > rule.window_minutes {
            let reason = format!("step_minutes should <= window_minutes, {} is more", rule.step_minutes);
            return fault(json_path!["rules", "tpm", at, "step_minutes"], reason);
        }
    }
    let rpm = limits.rpm.iter().map(|rule| (rule.name.as_str(), rule.window_minutes));
    check_rules("rpm", rpm)?;
    if limits.tpm.is_empty() && limits.rpm.is_empty() && limits.max_concurrency.is_none() {
        return fault(json_path!["rules"], "at least one of tpm/rpm/max_concurrency should be configured");
    }
    Ok(())
}

/// Names and windows of the rules of a kind.
fn check_rules<'a>(kind: &str, rules: impl ExactSizeIterator<Item = (&'a str, i64)>) -> Result<(), Fault> {
    if rules.len() > MAX_RULES {
        return fault(json_path!["rules", kind], format!("{kind} rules should <= {MAX_RULES}"));
    }
    let mut names = HashSet::new();
    for (at, (name, window)) in rules.enumerate() {
        let path = |field: &str| json_path!["rules", kind, at, field];
        if !(1..=MAX_WINDOW).contains(&window) {
            let reason = format!("window_minutes should be in [1, {MAX_WINDOW}], not {window}");
            return fault(path("window_minutes"), reason);
        }
        if name.is_empty() {
            return fault(path("name"), "a rule needs a name");
        }
        if !names.insert(name) {
            return fault(path("name"), format!("duplicate name {name:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<LimitTable, String> {
        let loaded = json::from_slice("x.data", text.as_bytes()).and_then(|document| table(document, None));
        loaded.map_err(|errors| without_keys(errors, BINDINGS).to_string())
    }

    const GOOD: &str = r#"{"Version":"1",
        "Config":{"p":[{"cond":"default_t()","hit_action":{"cmd":"FINISH","params":[]}}]},
        "RateLimitPolicies":{"l":{"name":"n","enabled":true,"rules":{
            "tpm":[{"name":"t","window_minutes":1,"max_tokens":5}],
            "rpm":[{"name":"r","window_minutes":360,"max_requests":5}],
            "max_concurrency":2}}},
        "ApikeyRateLimitPolicyBindings":{"KEY":["l","unknown"]}}"#;

    #[test]
    fn ail_1_and_2_what_loads() {
        let table = load(GOOD).unwrap();
        assert_eq!(table.bindings.get(b"KEY".as_slice()).map(Vec::len), Some(1));
        for (from, to, want) in [
            ("\"Version\"", "\"X\"", "Version is not set"),
            ("\"Config\"", "\"X\"", "Config is not set"),
            ("\"RateLimitPolicies\"", "\"X\"", "RateLimitPolicies is not set"),
            ("\"ApikeyRateLimitPolicyBindings\"", "\"X\"", "ApikeyRateLimitPolicyBindings is not set"),
            ("\"1\"", "null", "Version is not set"),
            ("\"p\":[", "\"q\":null,\"p\":[", "Config.q: no RuleList for product:q"),
            ("\"p\":[", "\"p\":[null,", "Config.p[0]: no rule"),
            ("\"cond\"", "\"x\"", "cond is not set"),
            (
                "default_t()",
                "nope()",
                "Config.p[0].cond: error build [nope()] [1:1 primitive nope not found]",
            ),
            ("\"hit_action\"", "\"x\"", "hit_action is not set"),
            (
                "\"p\":[",
                "\"p\":[{\"cond\":\"default_t()\",\"hit_action\":{\"cmd\":\"pass\"}},",
                "can't have same cond",
            ),
            ("FINISH", "finish", ""),
            ("FINISH", "Close", ""),
            ("FINISH", "REDIRECT", "invalid cmd:REDIRECT"),
            ("\"FINISH\",\"params\":[]", "\"HOST_SET\",\"params\":[\"a\"]", "cmd[HOST_SET], is not allowed"),
            ("\"params\":[]", "\"params\":[\"x\"]", "num of params"),
            ("\"l\":{", "\"\":{", "policyId is empty"),
            ("\"l\":{", "\"m\":null,\"l\":{", "RateLimitPolicies.m: the policy is null"),
            ("\"rules\"", "\"x\"", "RateLimitPolicies.l.rules: rules are not set"),
            (
                "\"window_minutes\":1,",
                "\"window_minutes\":0,",
                "tpm[0].window_minutes: window_minutes should be in [1, 360], not 0",
            ),
            ("360", "361", "rpm[0].window_minutes: window_minutes should be in [1, 360], not 361"),
            ("\"t\"", "\"\"", "tpm[0].name: a rule needs a name"),
            ("\"r\",", "\"\",", "rpm[0].name: a rule needs a name"),
            (
                "\"max_tokens\":5",
                "\"max_tokens\":5,\"step_minutes\":2",
                "step_minutes should <= window_minutes",
            ),
            ("\"max_tokens\":5", "\"max_tokens\":-5,\"step_minutes\":-2", ""),
            (
                "\"tpm\":[",
                "\"tpm\":[{\"name\":\"t\",\"window_minutes\":1},",
                "tpm[1].name: duplicate name \"t\"",
            ),
            ("\"name\":\"r\"", "\"name\":\"t\",\"burst\":-1", ""),
            ("\"KEY\"", "\"\"", "ApikeyRateLimitPolicyBindings.*: a key is empty"),
            (
                "[\"l\",\"unknown\"]",
                "null",
                "ApikeyRateLimitPolicyBindings.*: the policies of a key are null",
            ),
            ("[\"l\",\"unknown\"]", "5", "ApikeyRateLimitPolicyBindings.*: "),
            ("\"Version\":\"1\"", "\"Version\":\"\"", ""),
            ("\"KEY\":[\"l\",\"unknown\"]}}", "}} x", "bytes left after"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let error = load(&text).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{to}: {error}");
            assert!(!error.contains("KEY"), "{error}");
        }
        let none = r#"{"Version":"1","Config":{},"RateLimitPolicies":{"l":{"rules":{@}}},"ApikeyRateLimitPolicyBindings":{}}"#;
        let rule = |name: usize| format!(r#"{{"name":"{name}","window_minutes":1}}"#);
        let four: Vec<_> = (0..4).map(rule).collect();
        for (rules, want) in [
            (String::new(), "at least one of tpm/rpm/max_concurrency"),
            (
                "\"max_concurrency\":null,\"tpm\":[],\"rpm\":null".into(),
                "at least one of tpm/rpm/max_concurrency",
            ),
            (format!("\"tpm\":[{}]", four.join(",")), "tpm rules should <= 3"),
            (format!("\"rpm\":[{}]", four.join(",")), "rpm rules should <= 3"),
            (format!("\"rpm\":[{}]", four[..3].join(",")), ""),
        ] {
            let error = load(&none.replace('@', &rules)).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
    }
}
