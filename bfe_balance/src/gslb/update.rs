//! Filling a balancer, and bringing it in line with other files (balance 12).

use super::{Balancer, SubCluster};
use crate::conf::cluster_table_conf::ClusterBackends;
use crate::conf::gslb_conf::ClusterWeights;

impl Balancer {
    /// Sets the sub-clusters at process start.
    pub(crate) fn init(&self, weights: &ClusterWeights) {
        let mut subs = self.lock();
        subs.list = weights.iter().map(|(name, weight)| SubCluster::new(name, *weight, &self.env)).collect();
        subs.settle();
        self.hint(&subs);
    }

    /// Fills the sub-clusters at process start.
    pub(crate) fn init_backends(&self, backends: &ClusterBackends) {
        for sub in &mut self.lock().list {
            if let Some(defs) = backends.get(&*sub.name) {
                sub.backends.init(defs);
            }
        }
    }

    /// Takes over other weights. A sub-cluster of the same name stays what it is; a new one has no backends
    /// yet; those of one that is gone are not checked any more.
    pub(crate) fn reload(&self, weights: &ClusterWeights) {
        let mut subs = self.lock();
        let mut fresh = weights.clone();
        subs.list.retain_mut(|sub| match fresh.remove(&*sub.name) {
            Some(weight) => {
                sub.set_weight(weight);
                true
            }
            None => {
                log::info!("release subcluster {}", sub.name);
                sub.backends.close();
                false
            }
        });
        subs.list.extend(fresh.iter().map(|(name, weight)| SubCluster::new(name, *weight, &self.env)));
        subs.settle();
        self.hint(&subs);
    }

    /// Takes over other backends. A sub-cluster that the file does not list keeps its old ones.
    pub(crate) fn reload_backends(&self, backends: &ClusterBackends) {
        for sub in &mut self.lock().list {
            if let Some(defs) = backends.get(&*sub.name) {
                sub.backends.update(defs);
            }
        }
    }
}
