//! `auth_jwt_rule.data`: one rule.

use super::key::Key;
use super::key_file;
use crate::auth_rule;
use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use bytes::Bytes;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawJwtRule {
    cond: Option<String>,
    key_file: Option<String>,
    realm: Option<String>,
}

/// A rule.
pub(super) struct JwtRule {
    condition: Condition,
    /// In the order of the file.
    pub(super) keys: Vec<Key>,
    /// Value of `WWW-Authenticate` for those that do not pass.
    pub(super) challenge: Bytes,
}

impl RawRule for RawJwtRule {
    type Rule = JwtRule;

    fn index(rules: &[Self::Rule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn check(self) -> Result<JwtRule, RuleFault> {
        let condition = auth_rule::condition(self.cond)?;
        let file = auth_rule::not_empty(self.key_file, "KeyFile")?;
        let keys = key_file::load(&file).map_err(|reason| RuleFault::new(json_path!["KeyFile"], reason))?;
        Ok(JwtRule { condition, keys, challenge: auth_rule::challenge("Bearer", self.realm) })
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("RuleList")
    }
}

impl Conditional for JwtRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}
