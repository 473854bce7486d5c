//! The rule file: one rule.

use super::action::Action;
use super::check::RawAction;
use crate::rule_file::walk::{Conditional, Successive};
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition, required};
use bfe_basic::condition::Condition;
use bfe_basic::conf::json::Path as JsonPath;
use bfe_basic::json_path;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawHeaderRule {
    cond: Option<String>,
    actions: Option<Vec<RawAction>>,
    last: Option<bool>,
}

/// A rule. In a direction without actions it is as if it were not there.
#[derive(Debug)]
pub(super) struct HeaderRule {
    condition: Condition,
    /// What it does to requests.
    pub(super) request: Vec<Action>,
    /// What it does to responses.
    pub(super) response: Vec<Action>,
    last: bool,
}

impl RawRule for RawHeaderRule {
    type Rule = HeaderRule;

    fn check(self) -> Result<HeaderRule, RuleFault> {
        let condition = condition(self.cond)?;
        let actions = required(self.actions, "Actions")?;
        let last = required(self.last, "Last")?;
        if actions.is_empty() {
            return Err(RuleFault::new(json_path!["Actions"], "no Actions: at least one is needed"));
        }
        let (mut request, mut response) = (Vec::new(), Vec::new());
        for (index, action) in actions.into_iter().enumerate() {
            let path: JsonPath = json_path!["Actions", index];
            let action =
                action.check().map_err(|(field, reason)| RuleFault::new(path.then(field), reason))?;
            if action.is_for_response() { &mut response } else { &mut request }.push(action);
        }
        Ok(HeaderRule { condition, request, response, last })
    }

    fn index(rules: &[HeaderRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("RuleList")
    }
}

impl Conditional for HeaderRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl Successive for HeaderRule {
    fn is_last(&self) -> bool {
        self.last
    }
}
