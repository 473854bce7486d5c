//! `host_rule.data` as it is written.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Name to names; null in the place of a list is told apart from an empty one.
pub(super) type Lists = BTreeMap<String, Option<Vec<String>>>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawHostRule {
    /// Label; may be empty.
    pub(super) version: Option<String>,
    /// Product of requests that nothing else matches.
    pub(super) default_product: Option<String>,
    /// Tag to hosts.
    pub(super) hosts: Option<Lists>,
    /// Product to tags.
    pub(super) host_tags: Option<Lists>,
}
