//! The checked file.

use super::{check, raw::RawClusterTable};
use bfe_basic::conf::{ConfErrors, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A backend of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendDef {
    /// Name, for logs.
    pub name: Arc<str>,
    /// Address; not checked. IPv6 is written in brackets.
    pub addr: Arc<str>,
    /// Port; not checked.
    pub port: i64,
    /// `addr:port`, by which backends are told apart.
    pub addr_info: Arc<str>,
    /// Share of the sub-cluster's requests; 0 and less is none.
    pub weight: i64,
}

impl BackendDef {
    /// A backend.
    #[must_use]
    pub fn new(name: &str, addr: &str, port: i64, weight: i64) -> Self {
        let addr_info = format!("{addr}:{port}").into();
        Self { name: name.into(), addr: addr.into(), port, addr_info, weight }
    }
}

/// The sub-clusters of a cluster and their backends, in the order of the file.
pub type ClusterBackends = BTreeMap<String, Vec<BackendDef>>;

/// `cluster_table.data`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterTableConf {
    /// Version label.
    pub version: String,
    /// Backends by cluster.
    pub clusters: BTreeMap<String, ClusterBackends>,
}

impl ClusterTableConf {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ConfErrors> {
        let (raw, source, warnings) = json::read_file::<RawClusterTable>(path)?.into_parts();
        crate::conf::warn(&warnings);
        check::check(raw, &source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(backends: &str) -> Result<ClusterTableConf, (String, String)> {
        load_text(&format!(r#"{{"Version":"","Config":{{"c":{{"s":{backends}}}}}}}"#))
    }

    fn load_text(text: &str) -> Result<ClusterTableConf, (String, String)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        ClusterTableConf::load(file.path()).map_err(|e| (e.first().key.clone(), e.first().reason.clone()))
    }

    #[test]
    fn bal_3_and_4_cfg_110_to_113() {
        const GOOD: &str = r#"{"Name":"a","Addr":"x","Port":-1,"Weight":1}"#;
        for (backends, key, reason) in [
            (format!("[{GOOD},{{}}]"), "Config.c.s[1]", "no Name"),
            (r#"[{"Name":"a"}]"#.into(), "Config.c.s[0]", "no Addr"),
            (r#"[{"Name":"a","Addr":"","Weight":1}]"#.into(), "Config.c.s[0]", "no Port"),
            (r#"[{"Name":"a","Addr":"","Port":1}]"#.into(), "Config.c.s[0]", "no Weight"),
            ("[null]".into(), "Config.c.s[0]", "null is no backend"),
        ] {
            assert_eq!(load(&backends), Err((key.into(), reason.into())), "{backends}");
        }
        for none in ["[]", "null", r#"[{"Name":"a","Addr":"x","Port":1,"Weight":0}]"#] {
            let (key, reason) = load(none).unwrap_err();
            assert!(key == "Config.c.s" && reason.starts_with("no avail backend"), "{none}: {reason}");
        }
        let conf = load(&format!("[{GOOD}]")).unwrap();
        assert_eq!(*conf.clusters["c"]["s"][0].addr_info, *"x:-1");
    }

    #[test]
    fn cfg_110_top_fields() {
        for (text, want) in [(r#"{"Config":{}}"#, "no Version"), (r#"{"Version":""}"#, "no Config")] {
            assert_eq!(load_text(text).unwrap_err().1, want);
        }
        assert!(load_text(r#"{"Version":"","Config":{"c":null,"d":{}}}"#).is_ok());
    }
}
