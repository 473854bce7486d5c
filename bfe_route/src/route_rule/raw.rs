//! `route_rule.data` as it is written.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawRouteRule {
    /// Label; may be empty.
    pub(super) version: Option<String>,
    /// Product to basic rules; null in the place of a list is an empty one.
    pub(super) basic_rule: Option<BTreeMap<String, Vec<RawBasicRule>>>,
    /// Product to rules with conditions.
    pub(super) product_rule: Option<BTreeMap<String, Vec<RawProductRule>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RawBasicRule {
    /// Host patterns; none stands for `*`.
    pub(super) hostname: Vec<String>,
    /// Path patterns; none stands for `*`.
    pub(super) path: Vec<String>,
    pub(super) cluster_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RawProductRule {
    pub(super) cond: Option<String>,
    pub(super) cluster_name: Option<String>,
}
