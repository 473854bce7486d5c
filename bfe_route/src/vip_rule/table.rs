//! The table that vips are looked up in.

use super::check::VipRules;
use crate::hash::Map;
use std::net::IpAddr;
use std::sync::Arc;

/// Addresses and their products.
#[derive(Debug)]
pub(crate) struct VipTable {
    pub(crate) version: String,
    vips: Map<IpAddr, Arc<str>>,
}

impl VipTable {
    pub(super) fn new(rules: VipRules) -> Self {
        Self { version: rules.version, vips: rules.vips }
    }

    /// Number of addresses.
    pub(crate) fn len(&self) -> usize {
        self.vips.len()
    }

    /// The product of an address, in whichever form an IPv4 address is written.
    pub(crate) fn find(&self, vip: IpAddr) -> Option<&Arc<str>> {
        self.vips.get(&vip.to_canonical())
    }
}
