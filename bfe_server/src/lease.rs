//! The count of what a backend is busy with.

use bfe_balance::Backend;
use std::sync::Arc;

/// A backend that counts as busy as long as this lives: for a request, or for a tunnel.
pub(crate) struct Lease(Arc<Backend>);

impl Lease {
    pub(crate) fn new(backend: Arc<Backend>) -> Self {
        backend.inc_conn();
        Self(backend)
    }

    /// The backend.
    pub(crate) fn backend(&self) -> &Backend {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.dec_conn();
    }
}
