//! `redirect.data`: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition, required};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawRedirectRule {
    cond: Option<String>,
    actions: Option<Vec<RawAction>>,
    status: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawAction {
    cmd: Option<String>,
    params: Option<Vec<String>>,
}

/// Where to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// There.
    Url(String),
    /// Where the query says under that key.
    FromQuery(String),
    /// That text, then path and query of the request.
    Prefix(String),
    /// The same URL with that scheme.
    Scheme(String),
}

/// A rule.
#[derive(Debug)]
pub(super) struct RedirectRule {
    condition: Condition,
    pub(super) target: Target,
    pub(super) status: u16,
}

impl RawRule for RawRedirectRule {
    type Rule = RedirectRule;

    fn check(self) -> Result<RedirectRule, RuleFault> {
        let condition = condition(self.cond)?;
        let actions = required(self.actions, "Actions")?;
        let count = actions.len();
        let mut actions = actions.into_iter();
        let (Some(action), None) = (actions.next(), actions.next()) else {
            let reason = format!("only support exclusive action: one is needed, not {count}");
            return Err(RuleFault::new(json_path!["Actions"], reason));
        };
        let target = action.check()?;
        let status = match self.status {
            None | Some(0) => {
                return Err(RuleFault::new(json_path!["Status"], "redirect code not provided"));
            }
            Some(status) => status_code(status)?,
        };
        Ok(RedirectRule { condition, target, status })
    }

    fn index(rules: &[RedirectRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("RuleList")
    }
}

/// Statuses that are no HTTP status at all cannot be sent, and are refused here.
fn status_code(status: i64) -> Result<u16, RuleFault> {
    match u16::try_from(status) {
        Ok(code) if code <= 999 => Ok(code),
        _ => Err(RuleFault::new(
            json_path!["Status"],
            format!("{status} is no status code, expected 1 to 999"),
        )),
    }
}

impl RawAction {
    fn check(self) -> Result<Target, RuleFault> {
        let at = |field: &str, reason: String| RuleFault::new(json_path!["Actions", 0, field], reason);
        let cmd = self.cmd.ok_or_else(|| at("Cmd", "no Cmd".into()))?;
        let params = self.params.ok_or_else(|| at("Params", "no Params".into()))?;
        let make: fn(String) -> Target = match cmd.as_str() {
            "URL_SET" => Target::Url,
            "URL_FROM_QUERY" => Target::FromQuery,
            "URL_PREFIX_ADD" => Target::Prefix,
            "SCHEME_SET" => Target::Scheme,
            other => return Err(at("Cmd", format!("invalid cmd: {other}"))),
        };
        let [param] = <[String; 1]>::try_from(params)
            .map_err(|params| at("Params", format!("num of params:[ok:1, now:{}]", params.len())))?;
        match make(param) {
            Target::Scheme(scheme) => {
                let lower = scheme.to_ascii_lowercase();
                if !matches!(lower.as_str(), "http" | "https") {
                    return Err(at("Params", format!("{scheme} is not supported, expected http or https")));
                }
                Ok(Target::Scheme(lower))
            }
            target => Ok(target),
        }
    }
}

impl Conditional for RedirectRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn redirect_1_what_loads() {
        let action = r#"{"Cmd":"URL_SET","Params":["/"]}"#;
        for (actions, status, want) in [
            (action.to_owned(), "302", ""),
            (action.to_owned(), "7", ""),
            (action.to_owned(), "0", "redirect code not provided"),
            (action.to_owned(), "null", "redirect code not provided"),
            (format!("{action},{action}"), "302", "only support exclusive action"),
            (String::new(), "302", "only support exclusive action"),
            (r#"{"Cmd":"url_set","Params":["/"]}"#.into(), "302", "invalid cmd: url_set"),
            (r#"{"Cmd":"URL_SET","Params":[]}"#.into(), "302", "num of params:[ok:1, now:0]"),
            (r#"{"Cmd":"URL_SET"}"#.into(), "302", "no Params"),
            (r#"{"Cmd":"SCHEME_SET","Params":["ftp"]}"#.into(), "302", "ftp is not supported"),
        ] {
            let rules = format!(r#"[{{"Cond":"default_t()","Actions":[{actions}],"Status":{status}}}]"#);
            let error = testing::check::<RawRedirectRule>(&rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
    }
}
