//! Times of requests and handshakes, for `/metrics` and the live page.

use bfe_http::counter::Shards;
use std::sync::OnceLock;
use std::time::Duration;

/// Upper bounds of the buckets, in microseconds; one more bucket has what is slower.
pub(crate) const BOUNDS_US: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

const BUCKETS: usize = BOUNDS_US.len() + 1;
/// The sum comes first, and the buckets after it: most requests are fast, so that one line of the processor's cache
/// has all that an entry touches.
const SUM_US: usize = 0;
const FIRST_BUCKET: usize = 1;

/// A histogram. Each worker counts in memory of its own, and there is none before the first entry.
#[derive(Debug, Default)]
pub(crate) struct Histogram(OnceLock<Shards>);

/// The counts over all workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Entries in each bucket alone, by [`BOUNDS_US`]; the last has what is slower.
    pub(crate) buckets: [u64; BUCKETS],
    /// Sum of all entries, in microseconds.
    pub(crate) sum_us: u64,
}

impl Histogram {
    /// Adds an entry.
    pub(crate) fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let cells = self.0.get_or_init(|| Shards::new(BUCKETS + 1));
        cells.add(FIRST_BUCKET + BOUNDS_US.partition_point(|bound| *bound < us), 1);
        cells.add(SUM_US, us);
    }

    pub(crate) fn counts(&self) -> Counts {
        let Some(cells) = self.0.get() else { return Counts::default() };
        Counts { buckets: std::array::from_fn(|i| cells.get(FIRST_BUCKET + i)), sum_us: cells.get(SUM_US) }
    }
}

impl Counts {
    /// Entries.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Adds the counts of another histogram.
    pub(crate) fn add(&mut self, other: &Self) {
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
    fn entries_fall_into_their_bucket() {
        let histogram = Histogram::default();
        assert_eq!(histogram.counts(), Counts::default());
        for us in [1, 500, 501, 4_000_000, 6_000_000] {
            histogram.observe(Duration::from_micros(us));
        }
        let counts = histogram.counts();
        assert_eq!((counts.count(), counts.sum_us), (5, 10_001_002));
        assert_eq!(
            (counts.buckets[0], counts.buckets[1], counts.buckets[11], counts.buckets[12]),
            (2, 1, 1, 1)
        );
        let mut twice = counts.clone();
        twice.add(&counts);
        assert_eq!((twice.count(), twice.sum_us), (10, 20_002_004));
    }
}
