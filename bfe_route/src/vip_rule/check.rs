//! Checks of `vip_rule.data` (config 6).

use super::raw::RawVipRule;
use crate::hash::Map;
use bfe_basic::conf::json::Document;
use bfe_basic::conf::{ConfError, ConfErrors, Faults, MAX_ERRORS};
use bfe_basic::json_path;
use std::net::IpAddr;
use std::sync::Arc;

/// A file that has been checked.
#[derive(Debug)]
pub(crate) struct VipRules {
    pub(super) version: String,
    /// Address, IPv4 always in its own form, to product.
    pub(super) vips: Map<IpAddr, Arc<str>>,
}

/// Where an address is given to two products, Go BFE takes either; here the last in the order of their names
/// gets it.
pub(super) fn check(document: Document<RawVipRule>) -> Result<(VipRules, Vec<ConfError>), ConfErrors> {
    let (raw, source, mut warnings) = document.into_parts();
    let mut faults = Faults::new();
    if raw.version.is_empty() {
        faults.push(source.error(&json_path!["Version"], "no Version"));
    }
    let mut vips: Map<IpAddr, Arc<str>> = Map::default();
    for (product, texts) in &raw.vips {
        let shared: Arc<str> = Arc::from(product.as_str());
        for (index, text) in texts.iter().enumerate() {
            let path = || json_path!["Vips", product, index];
            let Ok(address) = text.parse::<IpAddr>() else {
                let reason = format!("invalid vip {text} for {product}: expected an IPv4 or IPv6 address");
                faults.push_with(|| source.error(&path(), reason));
                continue;
            };
            if let Some(other) = vips.insert(address.to_canonical(), Arc::clone(&shared))
                && *other != **product
                && warnings.len() < MAX_ERRORS
            {
                let reason = format!("vip {text} belongs to {other} too; {product} gets it");
                warnings.push(source.error(&path(), reason));
            }
        }
    }
    faults.into_result()?;
    Ok((VipRules { version: raw.version, vips }, warnings))
}
