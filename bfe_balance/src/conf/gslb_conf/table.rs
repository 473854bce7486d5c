//! The checked file.

use super::{check, raw::RawGslbConf};
use bfe_basic::conf::{ConfErrors, json};
use std::collections::BTreeMap;
use std::path::Path;

/// The sub-clusters of a cluster and their weights.
pub type ClusterWeights = BTreeMap<String, i64>;

/// `gslb.data`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GslbConf {
    /// Weights by cluster.
    pub clusters: BTreeMap<String, ClusterWeights>,
    /// Label: who made the file.
    pub hostname: String,
    /// Label: when.
    pub ts: String,
}

impl GslbConf {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ConfErrors> {
        let (raw, source, warnings) = json::read_file::<RawGslbConf>(path)?.into_parts();
        crate::conf::warn(&warnings);
        check::check(raw, &source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<GslbConf, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        GslbConf::load(file.path()).map_err(|e| e.first().reason.clone())
    }

    #[test]
    fn bal_1_cfg_105_required_fields() {
        for (text, want) in [
            (r#"{"Hostname":"","Ts":""}"#, "no Clusters"),
            (r#"{"Clusters":null,"Ts":"1"}"#, "no Clusters"),
            (r#"{"Clusters":{},"Ts":"1"}"#, "no HostName"),
            (r#"{"Clusters":{},"Hostname":""}"#, "no Ts"),
            ("null", "no Clusters"),
        ] {
            assert_eq!(load(text).unwrap_err(), want, "{text}");
        }
        let text = r#"{"clusters":{"c":{"s":100,"t":-3,"u":0}},"HOSTNAME":"","Ts":"","x":1} junk"#;
        let conf = load(text).unwrap();
        assert_eq!((conf.hostname.as_str(), conf.clusters["c"]["t"]), ("", -3));
    }

    #[test]
    fn bal_2_cfg_106_weights() {
        for (weights, good) in [
            (r#"{"a":1,"b":-5}"#, true),
            (r#"{"GSLB_BLACKHOLE":100}"#, true),
            (r#"{"a":0,"b":-5}"#, false),
            ("{}", false),
            ("null", false),
        ] {
            let text = format!(r#"{{"Clusters":{{"c":{weights}}},"Hostname":"","Ts":""}}"#);
            assert_eq!(load(&text).is_ok(), good, "{weights}");
        }
        assert!(load(r#"{"Clusters":{"c":{"a":1.0}},"Hostname":"","Ts":""}"#).is_err());
        assert!(load(r#"{"Clusters":{},"Hostname":"","Ts":5}"#).is_err());
    }
}
