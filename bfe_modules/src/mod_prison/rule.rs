//! `prison.data`: one rule.

use super::cells::{Cells, LONGEST, Limits};
use super::sign::Signer;
use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex};
use bfe_basic::action::{Action, Command};
use bfe_basic::condition::{Condition, Pattern};
use bfe_basic::json_path;
use bytes::Bytes;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// The commands that this module allows.
const ALLOWED: [Command; 4] = [Command::Close, Command::Finish, Command::Pass, Command::ReqHeaderSet];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawPrisonRule {
    cond: Option<String>,
    action: Option<Action>,
    access_sign_conf: Option<RawSign>,
    name: Option<String>,
    check_period: Option<i64>,
    stay_period: Option<i64>,
    threshold: Option<i32>,
    access_dict_size: Option<i64>,
    prison_dict_size: Option<i64>,
}

/// The switches `UseSocketIP` and `UseConnectID` are here for their types only.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawSign {
    #[serde(default, rename = "UseSocketIP")]
    _use_socket_ip: bool,
    #[serde(default, rename = "UseClientIP")]
    use_client_ip: bool,
    #[serde(default, rename = "UseConnectID")]
    _use_connect_id: bool,
    #[serde(default)]
    use_url: bool,
    #[serde(default)]
    use_host: bool,
    #[serde(default)]
    use_path: bool,
    #[serde(default)]
    use_headers: bool,
    #[serde(default)]
    url_regexp: String,
    #[serde(default)]
    query: Vec<String>,
    #[serde(default)]
    header: Vec<String>,
    #[serde(default)]
    cookie: Vec<String>,
}

/// A rule.
pub(super) struct PrisonRule {
    condition: Condition,
    pub(super) name: Box<str>,
    pub(super) signer: Signer,
    pub(super) action: Action,
    pub(super) limits: Limits,
    /// Outlives the rule where a reload brings another one of its name.
    pub(super) cells: Arc<Cells>,
    /// How many entries the file wants: counters, cells.
    sizes: (usize, usize),
}

impl RawRule for RawPrisonRule {
    const IGNORES_REST: bool = false;
    type Rule = PrisonRule;

    fn index(rules: &[Self::Rule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn check(self) -> Result<PrisonRule, RuleFault> {
        let cond = given(self.cond, "Cond")?;
        let action = given(self.action, "Action")?;
        let sign = given(self.access_sign_conf, "AccessSignConf")?;
        let name = given(self.name, "Name")?;
        let check_period = given(self.check_period, "CheckPeriod")?;
        let stay_period = given(self.stay_period, "StayPeriod")?;
        let threshold = given(self.threshold, "Threshold")?;
        let sizes = [
            ("AccessDictSize", given(self.access_dict_size, "AccessDictSize")?),
            ("PrisonDictSize", given(self.prison_dict_size, "PrisonDictSize")?),
        ];
        if action.check_allowed(&ALLOWED).is_err() {
            let reason = format!("mod_prison action: [{}] not allowed", action.command());
            return Err(RuleFault::new(json_path!["Action"], reason));
        }
        let condition = Condition::build(&cond)
            .map_err(|e| RuleFault::new(json_path!["Cond"], format!("cond.Build(): [{cond}][{e}]")))?;
        let signer = signer(&cond, sign)?;
        let number = |field: &str, value: i64, least: u64| {
            u64::try_from(value).ok().filter(|value| *value >= least).ok_or_else(|| {
                let reason = format!("{value} should be at least {least}");
                RuleFault::new(json_path![field], reason)
            })
        };
        let check_period = number("CheckPeriod", check_period, 1)?;
        let threshold = number("Threshold", threshold.into(), 0)?;
        let stay_period = number("StayPeriod", stay_period, 0)?;
        let [access, prison] = sizes.map(|(field, size)| number(field, size, 1));
        let entries = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        let sizes = (entries(access?), entries(prison?));
        let seconds = |s: u64| Duration::from_secs(s).min(LONGEST);
        Ok(PrisonRule {
            condition,
            name: name.into_boxed_str(),
            signer,
            action,
            limits: Limits {
                check_period: seconds(check_period),
                stay_period: seconds(stay_period),
                threshold: u32::try_from(threshold).unwrap_or(u32::MAX),
            },
            cells: Arc::new(Cells::new(sizes.0, sizes.1)),
            sizes,
        })
    }

    fn check_product(rules: &[PrisonRule]) -> Result<(), (usize, RuleFault)> {
        let mut names = HashSet::new();
        match rules.iter().enumerate().find(|(_, rule)| !names.insert(&rule.name)) {
            None => Ok(()),
            Some((index, rule)) => {
                let reason = format!("duplicated rule name[{}]", rule.name);
                Err((index, RuleFault::new(json_path!["Name"], reason)))
            }
        }
    }

    fn inherit(rules: &mut [PrisonRule], before: &[PrisonRule]) {
        for rule in rules {
            if let Some(old) = before.iter().find(|old| old.name == rule.name) {
                old.cells.enlarge(rule.sizes.0, rule.sizes.1);
                rule.cells = Arc::clone(&old.cells);
            }
        }
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("prisonRuleList")
    }
}

fn given<T>(value: Option<T>, field: &str) -> Result<T, RuleFault> {
    value.ok_or_else(|| RuleFault::new(json_path![field], format!("field {field} is not set")))
}

fn signer(cond: &str, raw: RawSign) -> Result<Signer, RuleFault> {
    let wrong = |reason: String| RuleFault::new(json_path!["AccessSignConf", "UrlRegexp"], reason);
    let url_pattern = match raw.url_regexp.as_str() {
        "" => None,
        text => {
            let pattern = Pattern::with_groups(text).map_err(wrong)?;
            if pattern.group_count() == 0 {
                return Err(wrong(format!("regExpr[{text}] without subexpression")));
            }
            Some(pattern)
        }
    };
    let boxed = |names: Vec<String>| names.into_iter().map(String::into_boxed_str).collect::<Vec<_>>();
    let canonical = |name: &str| Bytes::copy_from_slice(&bfe_http::canonical(name.as_bytes()));
    Ok(Signer {
        label: cond.into(),
        client_ip: raw.use_client_ip,
        url: raw.use_url,
        host: raw.use_host,
        path: raw.use_path,
        url_pattern,
        headers: boxed(raw.header).into_iter().map(|name| (name.clone(), canonical(&name))).collect(),
        cookies: boxed(raw.cookie),
        queries: boxed(raw.query),
        all_headers: raw.use_headers,
    })
}

impl Conditional for PrisonRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}
