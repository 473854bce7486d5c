//! What requests took, and how they ended, by cluster and by product: for `/metrics` and the live page.

use crate::histogram::{Counts, Histogram};
use bfe_http::counter::Shards;
use std::sync::OnceLock;
use std::time::Duration;

/// Requests that were forwarded to one cluster.
#[derive(Debug, Default)]
pub(crate) struct ClusterStats {
    took: Histogram,
    /// There are none before the first: most clusters of a large tree never have any.
    errors: OnceLock<Shards>,
}

impl ClusterStats {
    /// Counts a request that took so long, from the first attempt to the head of the answer.
    pub(crate) fn observe(&self, took: Duration, failed: bool) {
        self.took.observe(took);
        if failed {
            self.errors.get_or_init(|| Shards::new(1)).add(0, 1);
        }
    }

    /// Times of all requests, and how many of them no backend answered.
    pub(crate) fn counts(&self) -> (Counts, u64) {
        (self.took.counts(), self.errors.get().map_or(0, |errors| errors.get(0)))
    }
}

/// Classes of status codes; the first is for requests that were closed without an answer.
pub(crate) const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests of one product.
#[derive(Debug, Default)]
pub(crate) struct ProductStats([Histogram; CLASSES.len()]);

impl ProductStats {
    /// Counts a request that took so long, from its head to the last byte of its answer, and got that status.
    pub(crate) fn observe(&self, status: Option<u16>, took: Duration) {
        let class = status.map_or(0, |status| usize::from(status / 100));
        // What a backend sends may be no class at all.
        if let Some(histogram) = self.0.get(class).or(self.0.first()) {
            histogram.observe(took);
        }
    }

    /// Times of all requests, by [`CLASSES`].
    pub(crate) fn counts(&self) -> [Counts; CLASSES.len()] {
        std::array::from_fn(|class| self.0.get(class).map(Histogram::counts).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_by_class_of_their_status() {
        let stats = ProductStats::default();
        for status in [Some(200), Some(204), Some(404), Some(599), None, Some(42), Some(999)] {
            stats.observe(status, Duration::from_millis(1));
        }
        assert_eq!(stats.counts().map(|c| c.count()), [3, 0, 2, 0, 1, 1]);
    }

    #[test]
    fn failed_requests_of_a_cluster() {
        let stats = ClusterStats::default();
        stats.observe(Duration::from_millis(1), true);
        stats.observe(Duration::from_millis(1), false);
        let (took, errors) = stats.counts();
        assert_eq!((took.count(), took.sum_us, errors), (2, 2000, 1));
    }
}
