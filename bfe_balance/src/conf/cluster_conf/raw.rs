//! The file's shape. Numbers are as wide as Go's; ranges are checked later.

use super::ai::AiConf;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawClusterConf {
    pub(super) version: Option<String>,
    pub(super) config: Option<BTreeMap<String, RawCluster>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawCluster {
    pub(super) backend_conf: RawBackendConf,
    pub(super) check_conf: RawCheckConf,
    pub(super) gslb_basic: RawGslbBasic,
    pub(super) cluster_basic: RawClusterBasic,
    #[serde(rename = "HTTPSConf")]
    pub(super) https_conf: Option<RawHttpsConf>,
    #[serde(rename = "AIConf")]
    pub(super) ai_conf: Option<AiConf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawBackendConf {
    pub(super) protocol: Option<String>,
    pub(super) timeout_conn_srv: Option<i64>,
    pub(super) timeout_response_header: Option<i64>,
    pub(super) max_idle_conns_per_host: Option<i64>,
    pub(super) max_conns_per_host: Option<i64>,
    pub(super) retry_level: Option<i64>,
    pub(super) slow_start_time: Option<i64>,
    pub(super) outlier_detection_http_code: Option<String>,
    #[serde(rename = "FCGIConf")]
    pub(super) fcgi_conf: RawFcgiConf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawFcgiConf {
    pub(super) env_vars: BTreeMap<String, String>,
    pub(super) root: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawCheckConf {
    pub(super) schem: Option<String>,
    pub(super) uri: Option<String>,
    pub(super) host: Option<String>,
    pub(super) host_type: Option<String>,
    pub(super) status_code: Option<i64>,
    pub(super) status_code_range: Option<String>,
    pub(super) fail_num: Option<i64>,
    pub(super) succ_num: Option<i64>,
    pub(super) check_timeout: Option<i64>,
    pub(super) check_interval: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawGslbBasic {
    pub(super) cross_retry: Option<i64>,
    pub(super) retry_max: Option<i64>,
    pub(super) hash_conf: RawHashConf,
    pub(super) balance_mode: Option<String>,
    #[serde(rename = "EPPAddr")]
    pub(super) epp_addr: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawHashConf {
    pub(super) hash_strategy: Option<i64>,
    pub(super) hash_header: Option<String>,
    pub(super) session_sticky: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RawClusterBasic {
    pub(super) timeout_read_client: Option<i64>,
    pub(super) timeout_write_client: Option<i64>,
    pub(super) timeout_read_client_again: Option<i64>,
    pub(super) req_write_buffer_size: Option<i64>,
    pub(super) req_flush_interval: Option<i64>,
    pub(super) res_flush_interval: Option<i64>,
    pub(super) cancel_on_client_close: Option<bool>,
    pub(super) disable_host_header: Option<bool>,
    pub(super) disable_health_check: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawHttpsConf {
    #[serde(rename = "RSHost")]
    pub(super) rs_host: Option<String>,
    #[serde(rename = "RSInsecureSkipVerify")]
    pub(super) rs_insecure_skip_verify: Option<bool>,
    #[serde(rename = "RSCAList")]
    pub(super) rs_ca_list: Vec<String>,
    #[serde(rename = "BFECertFile")]
    pub(super) bfe_cert_file: Option<String>,
    #[serde(rename = "BFEKeyFile")]
    pub(super) bfe_key_file: Option<String>,
}
