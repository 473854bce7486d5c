//! Data of the monitor pages `bal_table_status` and `bal_table_version` (balance 15).

use super::{BalTable, BalVersion};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What `bal_table_status?cluster_name=X` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterStatus {
    /// There is such a cluster, with sub-clusters.
    Exist,
    /// There is none.
    NotExist,
    /// There is one without sub-clusters.
    NoSubCluster,
}

impl ClusterStatus {
    /// The whole answer.
    #[must_use]
    pub const fn json(self) -> &'static str {
        match self {
            Self::Exist => r#"{"status": "Exist"}"#,
            Self::NotExist => r#"{"status": "Not Exist"}"#,
            Self::NoSubCluster => r#"{"status": "No SubCluster"}"#,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TableState {
    balancers: BTreeMap<String, ClusterState>,
    backend_num: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ClusterState {
    #[serde(serialize_with = "subs_as_map")]
    sub_clusters: Vec<(Arc<str>, usize)>,
    backend_num: usize,
}

fn subs_as_map<S: Serializer>(subs: &[(Arc<str>, usize)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct SubState {
        backend_num: usize,
    }
    let mut map = serializer.serialize_map(Some(subs.len()))?;
    for (name, backend_num) in subs {
        map.serialize_entry(&**name, &SubState { backend_num: *backend_num })?;
    }
    map.end()
}

impl BalTable {
    /// The page `bal_table_status`: numbers of backends, up or down. Clusters and sub-clusters are sorted.
    #[must_use]
    pub fn status_json(&self) -> String {
        let mut table = TableState { balancers: BTreeMap::new(), backend_num: 0 };
        for (name, balancer) in self.balancers() {
            let sub_clusters = balancer.state().subs;
            let backend_num = sub_clusters.iter().map(|(_, number)| number).sum();
            table.backend_num += backend_num;
            table.balancers.insert(name.to_string(), ClusterState { sub_clusters, backend_num });
        }
        // Strings and numbers always serialize.
        go_escaped(&serde_json::to_string(&table).unwrap_or_default())
    }

    /// The page `bal_table_status?cluster_name=X`.
    #[must_use]
    pub fn cluster_status(&self, cluster: &str) -> ClusterStatus {
        match self.lookup(cluster) {
            None => ClusterStatus::NotExist,
            Some(balancer) if balancer.sub_cluster_num() == 0 => ClusterStatus::NoSubCluster,
            Some(_) => ClusterStatus::Exist,
        }
    }
}

impl BalVersion {
    /// The page `bal_table_version`.
    #[must_use]
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Page<'v> {
            #[serde(rename = "ClusterTableConfVer")]
            table: &'v str,
            #[serde(rename = "GslbConfTimeStamp")]
            time: &'v str,
            #[serde(rename = "GslbConfSrc")]
            source: &'v str,
        }
        let page = Page {
            table: &self.cluster_table_conf_ver,
            time: &self.gslb_conf_time_stamp,
            source: &self.gslb_conf_src,
        };
        go_escaped(&serde_json::to_string(&page).unwrap_or_default())
    }
}

/// Go writes these characters as escapes, so that JSON may stand in HTML. They only occur in strings.
fn go_escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}
