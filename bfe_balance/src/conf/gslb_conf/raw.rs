//! The file's shape.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawGslbConf {
    pub(super) clusters: Option<BTreeMap<String, BTreeMap<String, i64>>>,
    pub(super) hostname: Option<String>,
    pub(super) ts: Option<String>,
}
