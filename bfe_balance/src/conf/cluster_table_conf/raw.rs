//! The file's shape.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawClusterTable {
    pub(super) version: Option<String>,
    pub(super) config: Option<BTreeMap<String, RawCluster>>,
}

/// Sub-clusters and their backends.
pub(super) type RawCluster = BTreeMap<String, Vec<Option<RawBackend>>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawBackend {
    pub(super) name: Option<String>,
    pub(super) addr: Option<String>,
    pub(super) port: Option<i64>,
    pub(super) weight: Option<i64>,
}
