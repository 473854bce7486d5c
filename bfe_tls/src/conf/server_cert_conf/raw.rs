//! `server_cert_conf.data` as it is written.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawServerCertConf {
    /// Label; never empty.
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) config: RawConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawConfig {
    /// Name of the certificate for clients that nothing else fits.
    #[serde(default)]
    pub(super) default: String,
    /// Name to files.
    #[serde(default)]
    pub(super) cert_conf: BTreeMap<String, RawCert>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawCert {
    #[serde(default)]
    pub(super) server_cert_file: String,
    #[serde(default)]
    pub(super) server_key_file: String,
    /// Optional.
    #[serde(default)]
    pub(super) ocsp_response_file: String,
}
