//! `token_rule.data`: what can be wrong with it.

use super::raw::{RawFile, RawPlan, RawToken, RawTokenRule};
use super::table::{Plan, Product, Status, Token, TokenRule, TokenTable, Unit};
use crate::secret_path::without_keys;
use bfe_basic::condition::Condition;
use bfe_basic::conf::json::{self, Document, Path as JsonPath, Source};
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::json_path;
use ipnet::{IpNet, Ipv4Net};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The only command of a rule.
const CHECK_TOKEN: &str = "CHECK_TOKEN";

/// Where keys of clients are names.
const TOKENS: &str = "Tokens";

/// Reads the file.
pub(super) fn read(path: &Path, _before: Option<&TokenTable>) -> Result<TokenTable, ConfErrors> {
    table(json::read_file(path).map_err(|errors| without_keys(errors, TOKENS))?)
        .map_err(|errors| without_keys(errors, TOKENS))
}

/// The faults of a file, and where they are.
struct Check {
    source: Source,
    faults: Faults,
}

/// A fault: the field, and the reason.
type Fault = (&'static str, String);

impl Check {
    fn fault(&mut self, path: &JsonPath, reason: impl Into<String>) {
        let reason = reason.into();
        self.faults.push_with(|| self.source.error(path, reason));
    }

    /// What a file must have.
    fn required<T: Default>(&mut self, value: Option<T>, name: &'static str) -> T {
        value.unwrap_or_else(|| {
            self.fault(&json_path![name], format!("no {name}"));
            T::default()
        })
    }

    /// The value of a place, where it has none of those faults.
    fn keep<T>(&mut self, path: &JsonPath, checked: Result<T, Fault>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err((field, reason)) => {
                self.fault(&path.then(field), reason);
                None
            }
        }
    }
}

fn table(document: Document<RawFile>) -> Result<TokenTable, ConfErrors> {
    let (raw, source, warnings) = document.into_parts();
    for warning in warnings {
        log::warn!("{warning}");
    }
    let mut check = Check { source, faults: Faults::new() };
    check.required(raw.version, "Version");
    let config = check.required(raw.config, "Config");
    let tokens = check.required(raw.tokens, "Tokens");
    let plans = check.required(raw.quota_plans, "QuotaPlans");
    let mut products: HashMap<Box<str>, Product> = HashMap::new();
    for (product, rules) in config {
        let path = json_path!["Config", &product];
        let Some(rules) = rules else {
            check.fault(&path, format!("no tokenRuleList for product: {product}"));
            continue;
        };
        let rules = rules.into_iter().enumerate();
        let rules = rules.filter_map(|(at, rule)| check.keep(&path.then(at), check_rule(rule))).collect();
        products.entry(product.into()).or_default().set_rules(rules);
    }
    let mut plans_of: HashMap<String, HashMap<String, Arc<Plan>>> = HashMap::new();
    for (product, plans) in plans {
        let path = json_path!["QuotaPlans", &product];
        let Some(plans) = plans else {
            check.fault(&path, format!("no quotaPlanList for product: {product}"));
            continue;
        };
        let plans = plans.into_iter().enumerate();
        let plans = plans.filter_map(|(at, plan)| check.keep(&path.then(at), check_plan(plan)));
        // Of two with the same Id the later one counts.
        let plans = plans.map(|plan| (plan.id.clone(), Arc::new(plan))).collect();
        plans_of.insert(product, plans);
    }
    for (product, tokens) in tokens {
        let path = json_path!["Tokens", &product];
        let Some(tokens) = tokens else {
            check.fault(&path, format!("no tokens for product: {product}"));
            continue;
        };
        let plans = plans_of.get(&product);
        for (key, token) in tokens {
            let path = path.then(&key);
            let Some(token) = token else {
                check.fault(&path, "no token");
                continue;
            };
            if let Some(token) = check.keep(&path, check_token(token, plans)) {
                products.entry(product.as_str().into()).or_default().add_token(key, token);
            }
        }
    }
    check.faults.into_result()?;
    Ok(TokenTable::new(products))
}

fn check_rule(raw: RawTokenRule) -> Result<TokenRule, Fault> {
    let text = raw.cond.ok_or(("Cond", "no Cond".to_owned()))?;
    let condition = Condition::build(&text).map_err(|e| ("Cond", format!("error build [{text}] [{e}]")))?;
    let action = raw.action.ok_or(("Action", "no Action".to_owned()))?;
    if action.cmd != CHECK_TOKEN {
        return Err(("Action", format!("invalid cmd: {}, expected {CHECK_TOKEN}", action.cmd)));
    }
    Ok(TokenRule::new(condition))
}

fn check_plan(raw: RawPlan) -> Result<Plan, Fault> {
    let wrong = |field: &'static str, reason: String| Err((field, reason));
    if raw.id.is_empty() {
        return wrong("Id", "no Id".into());
    }
    if raw.expired_time < -1 {
        return wrong(
            "ExpiredTime",
            format!("invalid ExpiredTime: {}, expected -1 or more", raw.expired_time),
        );
    }
    if !(0..=1).contains(&raw.reset_mode) {
        return wrong("ResetMode", format!("invalid ResetMode: {}, expected 0 or 1", raw.reset_mode));
    }
    let unit = match raw.unit.as_str() {
        "" | "total_token" => Unit::Tokens,
        "RMB" => Unit::Rmb,
        other => return wrong("Unit", format!("invalid Unit: {other}, expected total_token or RMB")),
    };
    let least = if unit == Unit::Rmb { 0 } else { 1 };
    if !raw.unlimited && raw.quota < least {
        return wrong("Quota", format!("invalid Quota: {}, expected {least} or more", raw.quota));
    }
    Ok(Plan {
        id: raw.id,
        unlimited: raw.unlimited,
        pass_no_quota: raw.pass_no_quota,
        redis_key: raw.redis_key,
        expired_time: raw.expired_time,
        quota: raw.quota,
        unit,
    })
}

fn check_token(raw: RawToken, plans: Option<&HashMap<String, Arc<Plan>>>) -> Result<Token, Fault> {
    let wrong = |field: &'static str, reason: String| Err((field, reason));
    if raw.key.is_empty() {
        return wrong("key", "no Key".into());
    }
    if raw.key_id.is_empty() {
        return wrong("key_id", "no KeyId".into());
    }
    let status = match raw.status {
        1 => Status::Enabled,
        2 => Status::Disabled,
        3 => Status::Expired,
        4 => Status::Exhausted,
        other => return wrong("status", format!("invalid Status: {other}, expected 1 to 4")),
    };
    if raw.expired_time < -1 {
        return wrong(
            "expired_time",
            format!("invalid ExpiredTime: {}, expected -1 or more", raw.expired_time),
        );
    }
    if !raw.unlimited_quota && raw.quota_plans.is_empty() {
        let reason = "if unlimited_quota is false, quota_plans must be non-empty";
        return wrong("quota_plans", reason.into());
    }
    let allow_models = list("allow_models", &raw.allow_models)?;
    let block_models = list("block_models", &raw.block_models)?;
    let mut subnets = Vec::new();
    for text in items(&raw.subnet) {
        subnets.push(subnet(text).ok_or_else(|| ("subnet", format!("invalid subnet {text}")))?);
    }
    let mut of_token = Vec::new();
    for id in &raw.quota_plans {
        let plan = plans.and_then(|plans| plans.get(id));
        of_token.push(Arc::clone(plan.ok_or_else(|| ("quota_plans", format!("quotaPlan {id} not found")))?));
    }
    Ok(Token {
        key_id: raw.key_id,
        status,
        expired_time: raw.expired_time,
        unlimited_quota: raw.unlimited_quota,
        allow_models,
        block_models,
        subnets,
        tags: raw.tags.into_iter().map(|tag| (tag.tag_name, tag.tag_value)).collect(),
        plans: of_token,
    })
}

/// The items of a list with commas; none in an empty text.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(move |_| !text.is_empty())
}

/// A list with commas in which no item is empty.
fn list(field: &'static str, text: &str) -> Result<Vec<String>, Fault> {
    let no_empty = |item: &str| match item {
        "" => Err((field, format!("{field} cannot contain empty strings"))),
        item => Ok(item.to_owned()),
    };
    items(text).map(no_empty).collect()
}

/// A subnet; what stands for IPv4 addresses in IPv6 is one of those.
fn subnet(text: &str) -> Option<IpNet> {
    // Addresses are stricter than nets: no leading zeros.
    let (address, length) = text.split_once('/')?;
    let length = Some(length).filter(|length| length.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    let net = IpNet::new(address.parse().ok()?, length).ok()?;
    if let IpNet::V6(net) = net
        && let Some(address) = net.network().to_ipv4_mapped()
        && net.prefix_len() >= 96
    {
        return Ipv4Net::new(address, net.prefix_len() - 96).ok().map(IpNet::V4);
    }
    Some(net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<TokenTable, String> {
        let loaded = json::from_slice("x.data", text.as_bytes()).and_then(table);
        loaded.map_err(|errors| without_keys(errors, TOKENS).to_string())
    }

    /// A file with these fields in its token and its plan.
    fn file(token: &str, plan: &str) -> String {
        format!(
            r#"{{"Version":"1","Config":{{"p":[{{"Cond":"default_t()","Action":{{"Cmd":"CHECK_TOKEN"}}}}]}},
            "Tokens":{{"p":{{"K":{{"key":"K","key_id":"I","status":1,"expired_time":-1,"quota_plans":["q"]{token}}}}}}},
            "QuotaPlans":{{"p":[{{"Id":"q","RedisKey":"r","ExpiredTime":-1,"Quota":5{plan}}}]}}}} trailing"#
        )
    }

    #[test]
    fn ait_2_what_loads() {
        for (token, plan, want) in [
            ("", "", ""),
            (r#","unlimited_quota":true,"quota_plans":null"#, "", ""),
            (r#","status":4,"subnet":"10.0.0.0/8 , ::/0","allow_models":" a,b ","block_models":"""#, "", ""),
            (r#","KEY_ID":"other","tags":[{"tagname":"a","TagValue":"b"}]"#, "", ""),
            ("", r#","Unit":"RMB","Quota":0"#, ""),
            ("", r#","Unlimited":true,"Quota":-1"#, ""),
            ("", r#","Unit":"total_token","ResetMode":1"#, ""),
            (r#","key":"""#, "", "Tokens.*: no Key"),
            (r#","key_id":"""#, "", "no KeyId"),
            (r#","status":0"#, "", "invalid Status: 0"),
            (r#","status":5"#, "", "invalid Status: 5"),
            (r#","expired_time":-2"#, "", "invalid ExpiredTime: -2"),
            (r#","quota_plans":[]"#, "", "quota_plans must be non-empty"),
            (r#","quota_plans":["x"]"#, "", "quotaPlan x not found"),
            (r#","allow_models":"a,,b""#, "", "allow_models cannot contain empty strings"),
            (r#","block_models":" ""#, "", "block_models cannot contain empty strings"),
            (r#","subnet":"10.0.0.1""#, "", "invalid subnet 10.0.0.1"),
            (r#","subnet":"10.0.0.0/33""#, "", "invalid subnet 10.0.0.0/33"),
            (r#","subnet":"010.0.0.0/8""#, "", "invalid subnet 010.0.0.0/8"),
            (r#","subnet":"10.0.0.0/+8""#, "", "invalid subnet 10.0.0.0/+8"),
            ("", r#","Id":"""#, "QuotaPlans.p[0].Id: no Id"),
            ("", r#","ExpiredTime":-2"#, "invalid ExpiredTime: -2"),
            ("", r#","ResetMode":2"#, "invalid ResetMode: 2"),
            ("", r#","Unit":"USD""#, "invalid Unit: USD"),
            ("", r#","Quota":0"#, "invalid Quota: 0"),
            ("", r#","Unit":"RMB","Quota":-1"#, "invalid Quota: -1"),
        ] {
            let error = load(&file(token, plan)).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{token} {plan}: {error}");
        }
        for key in ["Version", "Config", "Tokens", "QuotaPlans"] {
            let text = file("", "").replace(&format!("\"{key}\""), "\"x\"");
            assert!(load(&text).err().unwrap().contains(&format!("{key}: no {key}")), "{key}");
        }
        for (from, to, want) in [
            (r#"[{"Cond":"default_t()","Action":{"Cmd":"CHECK_TOKEN"}}]"#, "null", "no tokenRuleList"),
            (r#""default_t()""#, "null", "no Cond"),
            ("default_t()", "no()", "primitive no not found"),
            (r#","Action":{"Cmd":"CHECK_TOKEN"}"#, "", "no Action"),
            ("CHECK_TOKEN", "check_token", "invalid cmd: check_token"),
            (r#"[{"Id""#, r#"null,"r":[{"Id""#, "no quotaPlanList for product: p"),
            (r#"{"p":{"K":"#, r#"{"q":null,"p":{"K":"#, "no tokens for product: q"),
            (
                r#""status":1"#,
                r#""status":"1""#,
                "x.data:2:65: Tokens.*: expected an integer (digits only, within 64 bits)",
            ),
            (r#"{"K":"#, r#"{"secret":null,"K":"#, "Tokens.*: no token"),
        ] {
            let text = file("", "");
            assert!(text.contains(from));
            let error = load(&text.replacen(from, to, 1)).err().unwrap_or_default();
            assert!(
                error.contains(want) && !error.contains("secret") && !error.contains(", found "),
                "{to}: {error}"
            );
        }
    }

    #[test]
    fn subnets_of_mapped_addresses() {
        for (text, address, want) in [
            ("10.1.2.3/8", "10.200.0.1", true),
            ("::ffff:10.0.0.0/104", "10.200.0.1", true),
            ("::ffff:10.0.0.0/104", "11.0.0.1", false),
            ("::/0", "10.0.0.1", false),
            ("2001:db8::1/32", "2001:db8::2", true),
        ] {
            let address: std::net::IpAddr = address.parse().unwrap();
            assert_eq!(subnet(text).unwrap().contains(&address), want, "{text}");
        }
    }
}
