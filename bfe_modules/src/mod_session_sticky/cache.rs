//! The backends of sessions, by their identifiers; the least recently used ones go.

use bfe_basic::StickyBackend;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

/// Shared by all workers: the lock is held for one lookup.
pub(super) struct Cache(Mutex<LruCache<Box<[u8]>, StickyBackend>>);

impl Cache {
    pub(super) fn new(size: NonZeroUsize) -> Self {
        Self(Mutex::new(LruCache::new(size)))
    }

    pub(super) fn get(&self, id: &[u8]) -> Option<StickyBackend> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(super) fn set(&self, id: &[u8], backend: StickyBackend) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(id.into(), backend);
    }
}
