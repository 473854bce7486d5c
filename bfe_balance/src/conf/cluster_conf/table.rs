//! The checked table: what the pipeline, the balancers and the health checks read.

use super::raw::RawClusterConf;
use super::sections::{BackendConf, CheckConf, ClusterBasic, GslbBasic};
use super::{AiConf, HttpsConf, check};
use bfe_basic::conf::{ConfErrors, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// All clusters of `cluster_conf.data`.
#[derive(Debug, Default)]
pub struct ClusterTable {
    pub(super) version: String,
    pub(super) clusters: HashMap<Arc<str>, Arc<ClusterConf>>,
}

impl ClusterTable {
    /// Reads and checks the file, and the certificates and keys that it names.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ConfErrors> {
        let (raw, source, warnings) = json::read_file::<RawClusterConf>(path)?.into_parts();
        crate::conf::warn(&warnings);
        check::check(raw, &source)
    }

    /// The cluster of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<ClusterConf>> {
        self.clusters.get(name)
    }

    /// The file's version label.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All clusters, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ClusterConf>> {
        self.clusters.values()
    }
}

/// One cluster, every value checked and defaulted.
#[derive(Debug)]
pub struct ClusterConf {
    /// Name of the cluster.
    pub name: Arc<str>,
    /// How to talk to backends.
    pub backend: BackendConf,
    /// How to check backends that are down.
    pub check: CheckConf,
    /// How to share requests among backends, and how often to retry.
    pub gslb: GslbBasic,
    /// How to treat clients and their requests.
    pub basic: ClusterBasic,
    /// TLS to backends. Absent where the file has none: requests of an `https` cluster then go out in
    /// plain HTTP (config Q48).
    pub https: Option<HttpsConf>,
    /// TLS for health checks, where their scheme needs it. A cluster without `HTTPSConf` is checked as if that
    /// were empty.
    pub check_tls: Option<HttpsConf>,
    /// AI gateway.
    pub ai: Option<AiConf>,
}

impl ClusterConf {
    /// A cluster that the file gives nothing but a name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            backend: BackendConf::default(),
            check: CheckConf::default(),
            gslb: GslbBasic::default(),
            basic: ClusterBasic::default(),
            https: None,
            check_tls: None,
            ai: None,
        }
    }
}
