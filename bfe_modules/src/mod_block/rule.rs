//! `block_rules.data`: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition, required};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::HashSet;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawBlockRule {
    cond: Option<String>,
    name: Option<String>,
    action: Option<RawAction>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawAction {
    cmd: Option<String>,
    params: Option<Vec<IgnoredAny>>,
}

/// What happens to a request that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// The connection is closed.
    Close,
    /// The request goes on; no later rule is looked at.
    Allow,
}

/// A rule.
#[derive(Debug)]
pub(super) struct BlockRule {
    condition: Condition,
    pub(super) name: Box<str>,
    pub(super) command: Command,
}

impl RawRule for RawBlockRule {
    type Rule = BlockRule;

    fn check(self) -> Result<BlockRule, RuleFault> {
        let condition = condition(self.cond)?;
        let name = required(self.name, "Name")?.into_boxed_str();
        let action = required(self.action, "Action")?;
        let inside = |field: &str, reason: String| RuleFault::new(json_path!["Action", field], reason);
        let cmd = action.cmd.ok_or_else(|| inside("Cmd", "no Cmd".into()))?;
        let params = action.params.ok_or_else(|| inside("Params", "no Params".into()))?;
        let command = match cmd.as_str() {
            "CLOSE" => Command::Close,
            "ALLOW" => Command::Allow,
            other => return Err(inside("Cmd", format!("invalid cmd: {other}, expected CLOSE or ALLOW"))),
        };
        if !params.is_empty() {
            return Err(inside("Params", format!("params num should be 0: {}", params.len())));
        }
        Ok(BlockRule { condition, name, command })
    }

    fn index(rules: &[BlockRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn check_product(rules: &[BlockRule]) -> Result<(), (usize, RuleFault)> {
        let mut names = HashSet::new();
        match rules.iter().position(|rule| !names.insert(&rule.name)) {
            None => Ok(()),
            Some(index) => {
                let name = rules.get(index).map(|r| r.name.as_ref()).unwrap_or_default();
                let reason = format!("two rules have same name: {name}");
                Err((index, RuleFault::new(json_path!["Name"], reason)))
            }
        }
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("blockRuleList")
    }
}

impl Conditional for BlockRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}
