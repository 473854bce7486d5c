//! The rule file: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, Version, condition};
use bfe_basic::condition::Condition;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawMarkdownRule {
    cond: Option<String>,
}

/// A rule.
#[derive(Debug)]
pub(super) struct MarkdownRule(Condition);

impl RawRule for RawMarkdownRule {
    const VERSION: Version = Version::NotEmpty;
    type Rule = MarkdownRule;

    fn check(self) -> Result<MarkdownRule, RuleFault> {
        condition(self.cond).map(MarkdownRule)
    }

    fn index(rules: &[MarkdownRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("rules")
    }
}

impl Conditional for MarkdownRule {
    fn condition(&self) -> &Condition {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn markdown_6_what_loads() {
        for (rules, want) in [
            (r#"[{"Cond":"default_t()"}]"#, ""),
            ("[]", ""),
            ("null", "no rules"),
            ("[null]", "no Cond"),
            (r#"[{"Cond":""}]"#, "error build"),
        ] {
            let error = testing::check::<RawMarkdownRule>(rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
        assert!(testing::load::<RawMarkdownRule>(r#"{"Version":"","Config":{}}"#).is_err());
    }
}
