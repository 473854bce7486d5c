//! Checks of `cluster_table.data`.

use super::raw::{RawBackend, RawClusterTable};
use super::table::{BackendDef, ClusterTableConf};
use bfe_basic::conf::json::Source;
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::{json_path, pace};
use std::collections::BTreeMap;

/// Every backend needs all four fields, every sub-cluster a backend of positive weight.
pub(super) fn check(raw: RawClusterTable, source: &Source) -> Result<ClusterTableConf, ConfErrors> {
    let mut faults = Faults::new();
    if raw.version.is_none() {
        faults.push(source.error(&json_path![], "no Version"));
    }
    if raw.config.is_none() {
        faults.push(source.error(&json_path![], "no Config"));
    }
    let mut clusters = BTreeMap::new();
    for (cluster, raw_subs) in raw.config.unwrap_or_default() {
        let mut subs = BTreeMap::new();
        for (sub, raw_backends) in raw_subs {
            let mut backends = Vec::with_capacity(raw_backends.len());
            let mut complete = true;
            for (index, raw) in raw_backends.into_iter().enumerate() {
                pace::step();
                match backend(raw) {
                    Ok(backend) => backends.push(backend),
                    Err(reason) => {
                        complete = false;
                        let at = || json_path!["Config", &cluster, &sub, index];
                        faults.push_with(|| source.error(&at(), reason));
                    }
                }
            }
            if complete && !backends.iter().any(|backend| backend.weight > 0) {
                let count = backends.len();
                faults.push_with(|| {
                    let reason = format!("no avail backend: none of {count} backends has a positive Weight");
                    source.error(&json_path!["Config", &cluster, &sub], reason)
                });
            }
            subs.insert(sub, backends);
        }
        clusters.insert(cluster, subs);
    }
    faults.into_result()?;
    Ok(ClusterTableConf { version: raw.version.unwrap_or_default(), clusters })
}

fn backend(raw: Option<RawBackend>) -> Result<BackendDef, &'static str> {
    let raw = raw.ok_or("null is no backend")?;
    let name = raw.name.ok_or("no Name")?;
    let addr = raw.addr.ok_or("no Addr")?;
    let port = raw.port.ok_or("no Port")?;
    let weight = raw.weight.ok_or("no Weight")?;
    Ok(BackendDef::new(&name, &addr, port, weight))
}
