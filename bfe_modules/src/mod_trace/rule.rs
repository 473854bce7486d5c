//! `trace_rule.data`: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, Version, condition};
use bfe_basic::condition::Condition;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawTraceRule {
    cond: Option<String>,
    #[serde(default)]
    enable: bool,
}

/// A rule.
#[derive(Debug)]
pub(super) struct TraceRule {
    condition: Condition,
    /// Without this the rule is as if it were not there.
    pub(super) enable: bool,
}

impl RawRule for RawTraceRule {
    const VERSION: Version = Version::NotEmpty;
    type Rule = TraceRule;

    fn check(self) -> Result<TraceRule, RuleFault> {
        Ok(TraceRule { condition: condition(self.cond)?, enable: self.enable })
    }

    fn index(rules: &[TraceRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }
}

impl Conditional for TraceRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}
