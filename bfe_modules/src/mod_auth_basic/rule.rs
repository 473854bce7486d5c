//! `auth_basic_rule.data`: one rule.

use super::user_file::{self, Users};
use crate::auth_rule;
use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use bytes::Bytes;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawAuthRule {
    cond: Option<String>,
    user_file: Option<String>,
    realm: Option<String>,
}

/// A rule.
pub(super) struct AuthRule {
    condition: Condition,
    pub(super) users: Users,
    /// Value of `WWW-Authenticate` for those that do not pass.
    pub(super) challenge: Bytes,
}

impl RawRule for RawAuthRule {
    type Rule = AuthRule;

    fn index(rules: &[Self::Rule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn check(self) -> Result<AuthRule, RuleFault> {
        let condition = auth_rule::condition(self.cond)?;
        let file = auth_rule::not_empty(self.user_file, "UserFile")?;
        let users =
            user_file::load(&file).map_err(|reason| RuleFault::new(json_path!["UserFile"], reason))?;
        Ok(AuthRule { condition, users, challenge: auth_rule::challenge("Basic", self.realm) })
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("RuleList")
    }
}

impl Conditional for AuthRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}
