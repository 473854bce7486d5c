//! Checks of `name_conf.data`.

use super::raw::{RawInstance, RawNameConf};
use super::table::{Instance, NameTable};
use bfe_basic::conf::json::Source;
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::json_path;
use std::collections::HashMap;

/// Every instance needs a host, a port that there can be, and a weight of at least 0.
pub(super) fn check(raw: RawNameConf, source: &Source) -> Result<NameTable, ConfErrors> {
    let mut faults = Faults::new();
    let mut services = HashMap::with_capacity(raw.config.len());
    for (name, raw_instances) in raw.config {
        let mut instances = Vec::with_capacity(raw_instances.len());
        for (index, raw) in raw_instances.into_iter().enumerate() {
            match instance(raw) {
                Ok(instance) => instances.push(instance),
                Err(reason) => {
                    faults.push_with(|| source.error(&json_path!["Config", &name, index], reason));
                }
            }
        }
        services.insert(name, instances);
    }
    faults.into_result()?;
    Ok(NameTable { version: raw.version, services })
}

fn instance(raw: RawInstance) -> Result<Instance, String> {
    if raw.host.is_empty() {
        return Err("invalid host: empty or missing".to_owned());
    }
    let port =
        u16::try_from(raw.port).map_err(|_| format!("invalid port: {} is not in 0-65535", raw.port))?;
    if raw.weight < 0 {
        return Err(format!("invalid weight: {} is negative", raw.weight));
    }
    Ok(Instance { host: raw.host, port, weight: raw.weight })
}
