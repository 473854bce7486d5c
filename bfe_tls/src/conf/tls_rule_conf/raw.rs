//! `tls_rule_conf.data` as it is written.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawTlsRuleConf {
    /// Label; never empty.
    #[serde(default)]
    pub(super) version: String,
    /// Protocols of rules that name none, and of connections without a rule.
    #[serde(default)]
    pub(super) default_next_protos: Vec<String>,
    /// For connections without a rule.
    #[serde(default)]
    pub(super) default_chacha20: bool,
    /// For connections without a rule.
    #[serde(default)]
    pub(super) default_dynamic_record: bool,
    /// Label to rule. Must be there, but may be empty.
    pub(super) config: Option<BTreeMap<String, Option<RawRule>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawRule {
    #[serde(default)]
    pub(super) cert_name: String,
    #[serde(default)]
    pub(super) vip_conf: Vec<String>,
    #[serde(default)]
    pub(super) sni_conf: Vec<String>,
    #[serde(default)]
    pub(super) next_protos: Vec<String>,
    #[serde(default)]
    pub(super) grade: String,
    #[serde(default)]
    pub(super) client_auth: bool,
    #[serde(default, rename = "ClientCAName")]
    pub(super) client_ca_name: String,
    #[serde(default)]
    pub(super) chacha20: bool,
    #[serde(default)]
    pub(super) dynamic_record: bool,
}
