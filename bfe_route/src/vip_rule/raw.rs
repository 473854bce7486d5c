//! `vip_rule.data` as it is written.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RawVipRule {
    /// Label; must not be empty.
    pub(super) version: String,
    /// Product to addresses.
    pub(super) vips: BTreeMap<String, Vec<String>>,
}
