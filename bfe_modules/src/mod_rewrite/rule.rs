//! `rewrite.data`: one rule.

use crate::rule_file::walk::{Conditional, Successive};
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition, required};
use bfe_basic::action::{Action, Command};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use serde::Deserialize;

/// The commands that this module allows.
const ALLOWED: [Command; 10] = [
    Command::HostSet,
    Command::HostSetFromPathPrefix,
    Command::HostSuffixReplace,
    Command::PathSet,
    Command::PathPrefixAdd,
    Command::PathPrefixTrim,
    Command::QueryAdd,
    Command::QueryRename,
    Command::QueryDel,
    Command::QueryDelAllExcept,
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawRewriteRule {
    cond: Option<String>,
    actions: Option<Vec<Action>>,
    last: Option<bool>,
}

/// A rule.
#[derive(Debug)]
pub(super) struct RewriteRule {
    condition: Condition,
    pub(super) actions: Vec<Action>,
    last: bool,
}

impl RawRule for RawRewriteRule {
    type Rule = RewriteRule;

    fn check(self) -> Result<RewriteRule, RuleFault> {
        let condition = condition(self.cond)?;
        let actions = required(self.actions, "Actions")?;
        let last = required(self.last, "Last")?;
        for (index, action) in actions.iter().enumerate() {
            action
                .check_allowed(&ALLOWED)
                .map_err(|e| RuleFault::new(json_path!["Actions", index], e.to_string()))?;
        }
        Ok(RewriteRule { condition, actions, last })
    }

    fn index(rules: &[RewriteRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("RuleList")
    }
}

impl Conditional for RewriteRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl Successive for RewriteRule {
    fn is_last(&self) -> bool {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn rewrite_1_to_4_what_loads() {
        for (actions, last, want) in [
            ("[]", "true", ""),
            (r#"[{"Cmd":"path_set","Params":["/"]}]"#, "false", ""),
            ("[]", "null", "no Last"),
            ("null", "true", "no Actions"),
            (r#"[{"Cmd":"HOST_SUFFIX_REPLACE","Params":["a","b"]}]"#, "true", "invalid cmd"),
            (r#"[{"Cmd":"REQ_HEADER_SET","Params":["X-Bfe-A","b"]}]"#, "true", "is not allowed"),
            (r#"[{"Cmd":"QUERY_ADD","Params":["a","b","c","d"]}]"#, "true", "num of params:[ok:2, now:4]"),
        ] {
            let rules = format!(r#"[{{"Cond":"default_t()","Actions":{actions},"Last":{last}}}]"#);
            let error = testing::check::<RawRewriteRule>(&rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
    }
}
