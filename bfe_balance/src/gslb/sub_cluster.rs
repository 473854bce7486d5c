//! Sub-clusters and the choice among them (balance 3).

use super::GSLB_BLACKHOLE;
use crate::health::CheckEnv;
use crate::slb::BackendList;
use std::sync::Arc;

/// The largest weight of a sub-cluster: sums of a million of them fit.
const MAX_WEIGHT: i64 = 1 << 42;

pub(super) struct SubCluster {
    pub(super) name: Arc<str>,
    /// Whether this is the black hole.
    pub(super) blackhole: bool,
    /// Zero: for cross retries only. Negative: never.
    pub(super) weight: i64,
    pub(super) backends: BackendList,
}

impl SubCluster {
    pub(super) fn new(name: &str, weight: i64, env: &Arc<CheckEnv>) -> Self {
        let name: Arc<str> = name.into();
        Self {
            blackhole: *name == *GSLB_BLACKHOLE,
            weight: clamp(weight),
            backends: BackendList::new(Arc::clone(&name), Arc::clone(env)),
            name,
        }
    }

    pub(super) fn set_weight(&mut self, weight: i64) {
        self.weight = clamp(weight);
    }
}

fn clamp(weight: i64) -> i64 {
    weight.clamp(-MAX_WEIGHT, MAX_WEIGHT)
}

/// The sub-clusters of a cluster, sorted by name in byte order.
#[derive(Default)]
pub(super) struct SubClusters {
    pub(super) list: Vec<SubCluster>,
    /// Sum of the positive weights.
    total: u64,
    /// The only one with a positive weight, where there is only one.
    pub(super) single: Option<usize>,
}

impl SubClusters {
    /// Sorts the list and sums up its weights.
    pub(super) fn settle(&mut self) {
        self.list.sort_by(|a, b| a.name.cmp(&b.name));
        let mut positive = self.list.iter().enumerate().filter(|(_, sub)| sub.weight > 0);
        self.single = match (positive.next(), positive.next()) {
            (Some((index, _)), None) => Some(index),
            _ => None,
        };
        self.total = self.list.iter().map(|sub| u64::try_from(sub.weight).unwrap_or(0)).sum();
    }

    /// The home of a request: the one in whose share of the weights its hash falls. `hash` is only asked for
    /// where there is a choice.
    pub(super) fn home(&self, hash: impl FnOnce() -> u64) -> Option<usize> {
        if self.single.is_some() {
            return self.single;
        }
        let mut rest = hash().checked_rem(self.total)?;
        for (index, sub) in self.list.iter().enumerate() {
            let share = u64::try_from(sub.weight).unwrap_or(0);
            if rest < share {
                return Some(index);
            }
            rest -= share;
        }
        None
    }

    /// Another one than `home`, for a cross retry: any that is not the black hole and has no negative
    /// weight, all alike.
    pub(super) fn other(&self, home: usize) -> Option<usize> {
        let eligible =
            |(index, sub): &(usize, &SubCluster)| *index != home && sub.weight >= 0 && !sub.blackhole;
        let others = || self.list.iter().enumerate().filter(eligible).map(|(index, _)| index);
        match others().count() {
            0 => None,
            count => others().nth(fastrand::usize(..count)),
        }
    }
}
