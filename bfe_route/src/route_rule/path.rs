//! The paths of one host of the basic rules (config 13.2).

use super::basic::Target;
use crate::hash::{Depths, Map};
use std::collections::hash_map::Entry;

/// Path patterns and where they lead.
#[derive(Debug, Default)]
pub(super) struct PathTable {
    exact: Map<Box<[u8]>, Target>,
    /// Patterns with a `*`, by what comes before it and before the slash that belongs to it: `/x*` and `/x/*`
    /// both are `/x`, `/*` is the empty text.
    prefix: Map<Box<[u8]>, Target>,
    /// How many slashes the prefixes have.
    depths: Depths,
    /// Length of the longest prefix, in bytes.
    longest: usize,
    /// The pattern `*`.
    any: Option<Target>,
}

impl PathTable {
    /// Adds a pattern; gives back where it leads already, if it is there.
    pub(super) fn insert(&mut self, path: &str, target: Target) -> Result<(), Target> {
        let Some(prefix) = path.strip_suffix('*') else {
            return insert_new(&mut self.exact, path, target);
        };
        if prefix.is_empty() {
            return match &self.any {
                Some(existing) => Err(*existing),
                None => {
                    self.any = Some(target);
                    Ok(())
                }
            };
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        self.depths.insert(prefix.matches('/').count());
        self.longest = self.longest.max(prefix.len());
        insert_new(&mut self.prefix, prefix, target)
    }

    /// Where a path leads: the path itself, else the longest prefix that ends at a slash or with the path.
    pub(super) fn find(&self, path: &[u8]) -> Option<Target> {
        self.exact.get(path).copied().or_else(|| self.find_prefix(path)).or(self.any)
    }

    fn find_prefix(&self, path: &[u8]) -> Option<Target> {
        if self.prefix.is_empty() {
            return None;
        }
        let mut found = None;
        // The depth of a prefix is the number of slashes before its end. One longer than any in the table is not looked at, so that a path made of slashes costs no more.
        let slashes = memchr::memchr_iter(b'/', path.get(..=self.longest).unwrap_or(path));
        let whole =
            (!path.is_empty() && !path.ends_with(b"/") && path.len() <= self.longest).then_some(path.len());
        for (depth, end) in slashes.chain(whole).enumerate() {
            if self.depths.contains(depth)
                && let Some(target) = path.get(..end).and_then(|prefix| self.prefix.get(prefix))
            {
                found = Some(*target);
            }
        }
        found
    }
}

fn insert_new(map: &mut Map<Box<[u8]>, Target>, key: &str, target: Target) -> Result<(), Target> {
    match map.entry(key.as_bytes().into()) {
        Entry::Occupied(entry) => Err(*entry.get()),
        Entry::Vacant(entry) => {
            entry.insert(target);
            Ok(())
        }
    }
}
