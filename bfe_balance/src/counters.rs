//! Counters of the monitor page `bal_state` (balance 15).

use std::sync::atomic::{AtomicU64, Ordering};

/// Failures of balancing, for the whole process. Each counter stands on the page under its field's name in
/// upper case.
#[derive(Debug, Default)]
pub struct BalState {
    /// A sub-cluster had no backend to give.
    pub err_bk_no_backend: AtomicU64,
    /// No sub-cluster could be chosen.
    pub err_bk_no_sub_cluster: AtomicU64,
    /// There was no other sub-cluster to retry in.
    pub err_bk_no_sub_cluster_cross: AtomicU64,
    /// All retries were used up.
    pub err_bk_retry_too_many: AtomicU64,
    /// The black hole was chosen.
    pub err_gslb_blackhole: AtomicU64,
}

/// The counters of this process.
pub static BAL_STATE: BalState = BalState::new();

impl BalState {
    /// All counters at 0.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            err_bk_no_backend: AtomicU64::new(0),
            err_bk_no_sub_cluster: AtomicU64::new(0),
            err_bk_no_sub_cluster_cross: AtomicU64::new(0),
            err_bk_retry_too_many: AtomicU64::new(0),
            err_gslb_blackhole: AtomicU64::new(0),
        }
    }

    /// Names and counters as the page lists them.
    #[must_use]
    pub const fn counters(&self) -> [(&'static str, &AtomicU64); 5] {
        [
            ("ERR_BK_NO_BACKEND", &self.err_bk_no_backend),
            ("ERR_BK_NO_SUB_CLUSTER", &self.err_bk_no_sub_cluster),
            ("ERR_BK_NO_SUB_CLUSTER_CROSS", &self.err_bk_no_sub_cluster_cross),
            ("ERR_BK_RETRY_TOO_MANY", &self.err_bk_retry_too_many),
            ("ERR_GSLB_BLACKHOLE", &self.err_gslb_blackhole),
        ]
    }
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
