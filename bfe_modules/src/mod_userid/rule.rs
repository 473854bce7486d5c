//! `userid_rule.data`: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, Version, condition, required};
use bfe_basic::condition::Condition;
use bytes::Bytes;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawUserIdRule {
    cond: Option<String>,
    params: Option<RawParams>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawParams {
    #[serde(default)]
    name: String,
    #[serde(default)]
    domain: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    max_age: i64,
}

/// A rule.
#[derive(Debug)]
pub(super) struct UserIdRule {
    condition: Condition,
    pub(super) name: Bytes,
    pub(super) domain: Bytes,
    pub(super) path: Bytes,
    /// In seconds.
    pub(super) max_age: i64,
}

impl RawRule for RawUserIdRule {
    const VERSION: Version = Version::Optional;
    const NEEDS_CONFIG: bool = false;
    type Rule = UserIdRule;

    fn check(self) -> Result<UserIdRule, RuleFault> {
        let condition = condition(self.cond)?;
        let params = required(self.params, "Params")?;
        Ok(UserIdRule {
            condition,
            name: params.name.into(),
            domain: params.domain.into(),
            path: params.path.into(),
            max_age: params.max_age,
        })
    }

    fn index(rules: &[UserIdRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(_is_null: bool) -> Option<&'static str> {
        Some("rules")
    }
}

impl Conditional for UserIdRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn userid_4_what_loads() {
        for (rules, want) in [
            (r#"[{"Cond":"default_t()","Params":{},"Generator":"any"}]"#, ""),
            ("[]", "no rules for product: p"),
            ("null", "no rules for product: p"),
            (r#"[{"Cond":"default_t()"}]"#, "no Params"),
            (r#"[{"Params":{}}]"#, "no Cond"),
        ] {
            let error = testing::check::<RawUserIdRule>(rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
        assert!(testing::load::<RawUserIdRule>("{}").is_ok());
    }
}
