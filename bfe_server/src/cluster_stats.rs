//! What a cluster's requests took, and how many failed: for `/metrics`.

use bfe_http::counter::Shards;
use std::time::Duration;

/// Upper bounds of the buckets, in microseconds; what is slower counts in the sum only.
pub(crate) const BOUNDS_US: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

const REQUESTS: usize = 0;
const ERRORS: usize = 1;
const SUM_US: usize = 2;
const FIRST_BUCKET: usize = 3;
/// How many numbers there are.
const LEN: usize = FIRST_BUCKET + BOUNDS_US.len();

/// Requests of one cluster. Each worker counts in memory of its own.
#[derive(Debug)]
pub(crate) struct ClusterStats(Shards);

/// The counts over all workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterCounts {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) sum_us: u64,
    /// Requests in each bucket alone, by [`BOUNDS_US`].
    pub(crate) buckets: [u64; BOUNDS_US.len()],
}

impl Default for ClusterStats {
    fn default() -> Self {
        Self(Shards::new(LEN))
    }
}

impl ClusterStats {
    /// Counts a request that took so long, from the first attempt to the head of the answer.
    pub(crate) fn observe(&self, took: Duration, failed: bool) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.add(REQUESTS, 1);
        self.0.add(SUM_US, us);
        if failed {
            self.0.add(ERRORS, 1);
        }
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        if bucket < BOUNDS_US.len() {
            self.0.add(FIRST_BUCKET + bucket, 1);
        }
    }

    pub(crate) fn counts(&self) -> ClusterCounts {
        let get = |place| self.0.get(place);
        ClusterCounts {
            requests: get(REQUESTS),
            errors: get(ERRORS),
            sum_us: get(SUM_US),
            buckets: std::array::from_fn(|i| get(FIRST_BUCKET + i)),
        }
    }
}

impl ClusterCounts {
    /// Adds the counts of another cluster.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.sum_us += other.sum_us;
        for (to, from) in self.buckets.iter_mut().zip(other.buckets) {
            *to += from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_fall_into_their_bucket() {
        let stats = ClusterStats::default();
        for us in [1, 500, 501, 4_000_000, 6_000_000] {
            stats.observe(Duration::from_micros(us), us == 1);
        }
        let counts = stats.counts();
        assert_eq!((counts.requests, counts.errors, counts.sum_us), (5, 1, 10_001_002));
        assert_eq!((counts.buckets[0], counts.buckets[1], counts.buckets[11]), (2, 1, 1));
    }
}
