//! The hash maps of the tables. They are built from the configuration and then only read, so that a client
//! cannot make them slow; the hasher is a fast one with a seed of its own.

use std::collections::HashMap;

pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A set of small numbers: which depths there are in a table, so that others need not be looked up. All depths
/// from 63 on count as one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Depths(u64);

impl Depths {
    const fn bit(depth: usize) -> u64 {
        1 << if depth < 63 { depth } else { 63 }
    }

    pub(crate) fn insert(&mut self, depth: usize) {
        self.0 |= Self::bit(depth);
    }

    pub(crate) fn contains(self, depth: usize) -> bool {
        self.0 & Self::bit(depth) != 0
    }
}
