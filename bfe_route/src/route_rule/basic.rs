//! The basic rules of a product: host, then path (config 13.2).

use super::path::PathTable;
use crate::fold::{table_host, with_request_host};
use crate::hash::Map;
use crate::number::ClusterNumber;

/// Where a basic rule leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// To a cluster.
    Cluster(ClusterNumber),
    /// On to the product rules.
    Advanced,
}

/// Host patterns and their paths.
#[derive(Debug, Default)]
pub(super) struct BasicTable {
    exact: Map<Box<[u8]>, PathTable>,
    /// Patterns that begin with `*.`, by what comes after.
    wild: Map<Box<[u8]>, PathTable>,
    /// The pattern `*`.
    any: Option<PathTable>,
}

impl BasicTable {
    /// Adds a pair of patterns that have been checked; gives back where it leads already, if it is there.
    pub(super) fn insert(&mut self, host: &str, path: &str, target: Target) -> Result<(), Target> {
        let host = table_host(host);
        let paths = if host == "*" {
            self.any.get_or_insert_default()
        } else if let Some(end) = host.strip_prefix("*.") {
            self.wild.entry(end.as_bytes().into()).or_default()
        } else {
            self.exact.entry(host.into_bytes().into()).or_default()
        };
        paths.insert(path, target)
    }

    /// Where a request leads. One host pattern is chosen, and only its paths count: there is no way back to a
    /// less specific host.
    pub(super) fn find(&self, host: &[u8], path: &[u8]) -> Option<Target> {
        with_request_host(host, |host| self.paths(host))?.find(path)
    }

    fn paths(&self, host: &[u8]) -> Option<&PathTable> {
        // A wildcard stands for one label, so that the only end to look up is the one after the first dot.
        let wild = || {
            let dot = memchr::memchr(b'.', host).filter(|_| !self.wild.is_empty())?;
            self.wild.get(host.get(dot + 1..)?)
        };
        self.exact.get(host).or_else(wild).or(self.any.as_ref())
    }
}
