//! The balancer of a cluster: first a sub-cluster, then a backend in it (balance 3 and 7).

mod balance;
mod picked;
mod sub_cluster;
mod update;

#[cfg(test)]
mod props;
#[cfg(test)]
mod tests;

pub use balance::BalanceError;

use crate::backend::Backend;
use crate::conf::cluster_conf::{ClusterConf, GslbBasic};
use crate::counters::bal_state;
use crate::epp::Picker;
use crate::health::CheckEnv;
use arc_swap::{ArcSwap, ArcSwapOption};
use bfe_http::counter::CounterGroup;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use sub_cluster::{SubCluster, SubClusters};

/// The name of the sub-cluster whose requests are dropped.
pub const GSLB_BLACKHOLE: &str = "GSLB_BLACKHOLE";

/// The balancer of one cluster. All picks of a cluster are one sequence, whichever worker they are made on.
pub struct Balancer {
    name: Arc<str>,
    env: Arc<CheckEnv>,
    settings: ArcSwap<GslbBasic>,
    /// Chooses backends instead, in mode EPP.
    picker: ArcSwapOption<Picker>,
    /// A hint that picks need the hash of the request, so that it is made before the lock is taken.
    hashes: AtomicBool,
    subs: Mutex<SubClusters>,
    counters: &'static CounterGroup,
}

/// How many backends the balancer of a cluster has, for the monitor page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BalancerState {
    /// Name of each sub-cluster, sorted, and its number of backends.
    pub(crate) subs: Vec<(Arc<str>, usize)>,
}

// === impl Balancer ===

impl Balancer {
    /// A balancer without sub-clusters. Until a `cluster_conf` is applied it retries more than that file's
    /// defaults would (balance 1).
    pub(crate) fn new(env: Arc<CheckEnv>) -> Self {
        let settings = GslbBasic { retry_max: 3, cross_retry: 1, ..GslbBasic::default() };
        Self {
            name: Arc::clone(env.cluster()),
            env,
            settings: ArcSwap::from_pointee(settings),
            picker: ArcSwapOption::empty(),
            hashes: AtomicBool::new(true),
            subs: Mutex::default(),
            counters: bal_state::group(),
        }
    }

    /// Name of the cluster.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How many sub-clusters there are.
    #[must_use]
    pub fn sub_cluster_num(&self) -> usize {
        self.lock().list.len()
    }

    pub(crate) fn state(&self) -> BalancerState {
        let subs = self.lock();
        BalancerState {
            subs: subs.list.iter().map(|sub| (Arc::clone(&sub.name), sub.backends.len())).collect(),
        }
    }

    /// All backends, in the order of sub-clusters.
    #[must_use]
    pub fn backends(&self) -> Vec<Arc<Backend>> {
        self.lock().list.iter().flat_map(|sub| sub.backends.backends().cloned()).collect()
    }

    /// Takes over what `cluster_conf` says of balancing: at once, also for requests under way.
    pub(crate) fn set_gslb_basic(&self, conf: &ClusterConf) {
        self.settings.store(Arc::new(conf.gslb.clone()));
        self.set_picker(&conf.gslb);
        let subs = self.lock();
        self.hint(&subs);
    }

    /// Takes over the slow start time of `cluster_conf`.
    pub(crate) fn set_slow_start(&self, conf: &ClusterConf) {
        for sub in &mut self.lock().list {
            sub.backends.set_slow_start(conf.backend.slow_start);
        }
    }

    /// The cluster leaves the table.
    pub(crate) fn release(&self) {
        for sub in &self.lock().list {
            sub.backends.close();
        }
    }

    fn hint(&self, subs: &SubClusters) {
        let sticky = self.settings.load().hash.session_sticky;
        self.hashes.store(sticky || subs.single.is_none(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, SubClusters> {
        // Nothing panics while it is held; were it to, the lists would still be sound.
        self.subs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.release();
    }
}

impl std::fmt::Debug for Balancer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Balancer").field("name", &self.name).finish_non_exhaustive()
    }
}
