//! `token_rule.data`: its shape.

use serde::Deserialize;
use std::collections::BTreeMap;

/// By product.
pub(super) type ByProduct<T> = BTreeMap<String, Option<T>>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawFile {
    pub(super) version: Option<String>,
    pub(super) config: Option<ByProduct<Vec<RawTokenRule>>>,
    pub(super) tokens: Option<ByProduct<BTreeMap<String, Option<RawToken>>>>,
    pub(super) quota_plans: Option<ByProduct<Vec<RawPlan>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RawTokenRule {
    pub(super) cond: Option<String>,
    pub(super) action: Option<RawAction>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RawAction {
    pub(super) cmd: String,
}

/// Names of its fields have no underscores: others are unknown, as in the original.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RawPlan {
    pub(super) id: String,
    pub(super) unlimited: bool,
    pub(super) pass_no_quota: bool,
    pub(super) redis_key: String,
    /// Without effect.
    #[serde(rename = "CreateTime")]
    pub(super) _create_time: i64,
    pub(super) expired_time: i64,
    pub(super) quota: i64,
    pub(super) reset_mode: i64,
    pub(super) unit: String,
}

/// Names of its fields have underscores.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawToken {
    pub(super) key: String,
    pub(super) key_id: String,
    /// Without effect.
    #[serde(rename = "enabled")]
    pub(super) _enabled: i64,
    pub(super) status: i64,
    /// Without effect.
    #[serde(rename = "update_time")]
    pub(super) _update_time: i64,
    pub(super) expired_time: i64,
    pub(super) unlimited_quota: bool,
    pub(super) allow_models: String,
    pub(super) block_models: String,
    pub(super) subnet: String,
    #[serde(rename = "Tags")]
    pub(super) tags: Vec<RawTag>,
    pub(super) quota_plans: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RawTag {
    pub(super) tag_name: String,
    pub(super) tag_value: String,
}
