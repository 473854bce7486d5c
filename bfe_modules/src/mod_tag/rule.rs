//! `tag_rule.data`: one rule.

use crate::rule_file::walk::{Conditional, Successive};
use crate::rule_file::{RawRule, RuleFault, RuleIndex, Version, condition};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawTagRule {
    cond: Option<String>,
    #[serde(default)]
    param: RawParam,
    #[serde(default)]
    last: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawParam {
    #[serde(default)]
    tag_name: String,
    #[serde(default)]
    tag_value: String,
}

/// A rule.
#[derive(Debug)]
pub(super) struct TagRule {
    condition: Condition,
    pub(super) name: String,
    pub(super) value: String,
    last: bool,
}

impl RawRule for RawTagRule {
    const VERSION: Version = Version::NotEmpty;
    type Rule = TagRule;

    fn check(self) -> Result<TagRule, RuleFault> {
        let condition = condition(self.cond)?;
        let RawParam { tag_name: name, tag_value: value } = self.param;
        for (field, text) in [("TagName", &name), ("TagValue", &value)] {
            if text.is_empty() {
                return Err(RuleFault::new(json_path!["Param", field], format!("{field} may not be empty")));
            }
        }
        Ok(TagRule { condition, name, value, last: self.last })
    }

    fn index(rules: &[TagRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }
}

impl Conditional for TagRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl Successive for TagRule {
    fn is_last(&self) -> bool {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn tag_3_what_loads() {
        for (rules, want) in [
            (r#"[{"Cond":"default_t()","Param":{"TagName":"n","TagValue":"v"}}]"#, ""),
            ("null", ""),
            (r#"[{"Cond":"","Param":{"TagName":"n","TagValue":"v"}}]"#, "error build"),
            (r#"[{"Cond":"default_t()","Param":{"TagValue":"v"}}]"#, "TagName may not be empty"),
            (
                r#"[{"Cond":"default_t()","Param":{"TagName":"n","TagValue":""}}]"#,
                "TagValue may not be empty",
            ),
            (r#"[{"Cond":"default_t()"}]"#, "TagName may not be empty"),
        ] {
            let error = testing::check::<RawTagRule>(rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
        assert!(testing::load::<RawTagRule>(r#"{"Version":"","Config":{}}"#).is_err());
    }
}
