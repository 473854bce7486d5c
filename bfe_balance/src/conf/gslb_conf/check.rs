//! Checks of `gslb.data`.

use super::raw::RawGslbConf;
use super::table::GslbConf;
use bfe_basic::conf::json::Source;
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::{json_path, pace};

/// All three fields must be there, and each cluster must have a sub-cluster of positive weight.
pub(super) fn check(raw: RawGslbConf, source: &Source) -> Result<GslbConf, ConfErrors> {
    let mut faults = Faults::new();
    for (there, key, reason) in [
        (raw.clusters.is_some(), "Clusters", "no Clusters"),
        (raw.hostname.is_some(), "Hostname", "no HostName"),
        (raw.ts.is_some(), "Ts", "no Ts"),
    ] {
        if !there {
            faults.push(source.error(&json_path![key], reason));
        }
    }
    let clusters = raw.clusters.unwrap_or_default();
    for (name, weights) in &clusters {
        pace::step();
        // As the reference adds: a sum beyond 64 bits is no weight, either.
        let total = weights.values().filter(|weight| **weight > 0).fold(0i64, |sum, w| sum.wrapping_add(*w));
        if total <= 0 {
            let count = weights.len();
            faults.push_with(|| {
                let reason = if total == 0 {
                    format!("total weight <= 0: none of {count} sub-clusters has a positive weight")
                } else {
                    format!("total weight <= 0: the sum of {count} weights overflows")
                };
                source.error(&json_path!["Clusters", name], reason)
            });
        }
    }
    faults.into_result()?;
    Ok(GslbConf { clusters, hostname: raw.hostname.unwrap_or_default(), ts: raw.ts.unwrap_or_default() })
}
