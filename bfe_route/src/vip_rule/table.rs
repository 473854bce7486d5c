//! The table that vips are looked up in.

use super::check::VipRules;
use crate::hash::Map;
use crate::host_rule::{HostTable, ProductHit};
use bfe_basic::pace;
use std::net::IpAddr;

/// Addresses and their products.
#[derive(Debug)]
pub(crate) struct VipTable {
    pub(crate) version: String,
    vips: Map<IpAddr, ProductHit>,
}

impl VipTable {
    /// The table; the numbers of products are those of `hosts`.
    pub(crate) fn new(rules: VipRules, hosts: &HostTable) -> Self {
        let vips = rules.vips.into_iter().inspect(|_| pace::step());
        Self {
            version: rules.version,
            vips: vips.map(|(vip, product)| (vip, hosts.untagged(product))).collect(),
        }
    }

    /// Number of addresses.
    pub(crate) fn len(&self) -> usize {
        self.vips.len()
    }

    /// The product of an address, in whichever form an IPv4 address is written.
    pub(crate) fn find(&self, vip: IpAddr) -> Option<&ProductHit> {
        self.vips.get(&vip.to_canonical())
    }
}
