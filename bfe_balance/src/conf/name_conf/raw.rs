//! The file's shape. `Version` is a label that nothing looks at.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawNameConf {
    pub(super) version: String,
    pub(super) config: BTreeMap<String, Vec<RawInstance>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawInstance {
    pub(super) host: String,
    pub(super) port: i64,
    pub(super) weight: i64,
}
