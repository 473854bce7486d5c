//! `ai_rate_limit.data`: its shape.

use bfe_basic::action::Action;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawFile {
    pub(super) version: Option<String>,
    pub(super) config: Option<BTreeMap<String, Option<Vec<Option<RawRule>>>>>,
    pub(super) rate_limit_policies: Option<BTreeMap<String, Option<RawPolicy>>>,
    #[serde(rename = "ApikeyRateLimitPolicyBindings")]
    pub(super) bindings: Option<BTreeMap<String, Option<Vec<String>>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawRule {
    pub(super) cond: Option<String>,
    pub(super) hit_action: Option<Action>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawPolicy {
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) models: Option<Vec<String>>,
    pub(super) rules: Option<RawLimits>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawLimits {
    pub(super) tpm: Vec<RawTpm>,
    pub(super) rpm: Vec<RawRpm>,
    pub(super) max_concurrency: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawTpm {
    pub(super) name: String,
    pub(super) window_minutes: i64,
    pub(super) max_tokens: i64,
    /// Checked, without effect.
    pub(super) step_minutes: i64,
    pub(super) models: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawRpm {
    pub(super) name: String,
    pub(super) window_minutes: i64,
    pub(super) max_requests: i64,
    /// Without effect.
    pub(super) burst: i64,
    pub(super) models: Option<Vec<String>>,
}
