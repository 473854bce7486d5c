//! `auth_request_rule.data`: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, Version, condition};
use bfe_basic::condition::Condition;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawAuthRequestRule {
    cond: Option<String>,
    #[serde(default)]
    enable: bool,
}

/// A rule.
pub(super) struct AuthRequestRule {
    condition: Condition,
    pub(super) enable: bool,
}

impl RawRule for RawAuthRequestRule {
    const VERSION: Version = Version::NotEmpty;
    type Rule = AuthRequestRule;

    fn check(self) -> Result<AuthRequestRule, RuleFault> {
        Ok(AuthRequestRule { condition: condition(self.cond)?, enable: self.enable })
    }

    fn index(rules: &[AuthRequestRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }
}

impl Conditional for AuthRequestRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}
