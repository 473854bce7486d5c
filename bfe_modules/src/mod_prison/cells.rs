//! Counters and cells of one rule, shared by all workers.

use foldhash::fast::RandomState;
use lru::LruCache;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What makes requests the same client: a digest of their features.
pub(super) type Sign = [u8; 16];

/// How much is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// How long requests are counted together.
    pub(super) check_period: Duration,
    /// How long a client stays, after the rest of that.
    pub(super) stay_period: Duration,
    /// How many pass.
    pub(super) threshold: u32,
}

/// Periods beyond this are as good as for ever; sums of them can still be represented.
pub(super) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sentence {
    /// It passes.
    Free,
    /// It passes; the client was locked out until then.
    Served(Instant),
    /// It is denied, as all are until then.
    Denied(Instant),
}

/// The two tables of a rule. The lock is held for a few lookups, and never while anything waits.
pub(super) struct Cells(Mutex<Tables>);

struct Tables {
    access: Bounded<Counter>,
    prison: Bounded<Instant>,
}

/// Requests of one client in a period.
#[derive(Clone, Copy)]
struct Counter {
    count: u32,
    start: Instant,
}

/// A table that forgets the entry longest not looked at once it is full. Its memory grows with its entries: a
/// size in the file is a bound, not a wish.
struct Bounded<V> {
    entries: LruCache<Sign, V, RandomState>,
    capacity: usize,
}

// === impl Cells ===

impl Cells {
    pub(super) fn new(access: usize, prison: usize) -> Self {
        Self(Mutex::new(Tables { access: Bounded::new(access), prison: Bounded::new(prison) }))
    }

    /// Enlarges the tables; smaller sizes change nothing.
    pub(super) fn enlarge(&self, access: usize, prison: usize) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.access.capacity = tables.access.capacity.max(access);
        tables.prison.capacity = tables.prison.capacity.max(prison);
    }

    /// Counts a request, unless its client is locked out already.
    pub(super) fn check(&self, sign: &Sign, limits: Limits, now: Instant) -> Sentence {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Tables { access, prison } = &mut *tables;
        let served = match prison.entries.get(sign) {
            Some(free) if now < *free => return Sentence::Denied(*free),
            Some(free) => Some(*free),
            None => None,
        };
        if served.is_some() {
            prison.entries.pop(sign);
        }
        let counter = access.get_or_insert(sign, || Counter { count: 0, start: now });
        if counter.start + limits.check_period < now {
            *counter = Counter { count: 0, start: now };
        }
        counter.count = counter.count.saturating_add(1);
        let Counter { count, start } = *counter;
        if count <= limits.threshold {
            return served.map_or(Sentence::Free, Sentence::Served);
        }
        access.entries.pop(sign);
        // The period may end at this very moment, and then there may be nothing to stay for.
        let free = start + limits.check_period + limits.stay_period;
        if now < free {
            *prison.get_or_insert(sign, || free) = free;
            return Sentence::Denied(free);
        }
        Sentence::Served(free)
    }
}

// === impl Bounded ===

impl<V> Bounded<V> {
    fn new(capacity: usize) -> Self {
        Self { entries: LruCache::unbounded_with_hasher(RandomState::default()), capacity }
    }

    fn get_or_insert(&mut self, sign: &Sign, value: impl FnOnce() -> V) -> &mut V {
        if self.entries.len() >= self.capacity && !self.entries.contains(sign) {
            self.entries.pop_lru();
        }
        self.entries.get_or_insert_mut(*sign, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Sign = [1; 16];
    const OTHER: Sign = [2; 16];

    fn limits(check: u64, stay: u64, threshold: u32) -> Limits {
        let seconds = Duration::from_secs;
        Limits { check_period: seconds(check), stay_period: seconds(stay), threshold }
    }

    /// Asks at each of the times, in milliseconds; gives a letter for each answer.
    fn play(cells: &Cells, limits: Limits, asks: &[(Sign, u64)], zero: Instant) -> String {
        let letter =
            |&(sign, at): &(Sign, u64)| match cells.check(&sign, limits, zero + Duration::from_millis(at)) {
                Sentence::Free => 'f',
                Sentence::Served(_) => 's',
                Sentence::Denied(_) => 'D',
            };
        asks.iter().map(letter).collect()
    }

    #[test]
    fn prison_1_to_5_periods() {
        for (id, limits, asks, want) in [
            ("PRISON-1", limits(10, 10, 2), &[0, 1, 2, 3, 9000][..], "ffDDD"),
            // Denied requests change nothing: free at the end of the period and the stay.
            ("PRISON-2, 4", limits(10, 5, 1), &[0, 4000, 14_000, 14_999, 15_000, 15_001], "fDDDsD"),
            ("PRISON-3 threshold 0", limits(10, 5, 0), &[0, 1], "DD"),
            ("PRISON-3 stay 0", limits(10, 0, 1), &[0, 1000, 9999, 10_000], "fDDs"),
            ("PRISON-5", limits(10, 0, 2), &[0, 1, 2, 10_000, 10_001, 10_002], "ffDsfD"),
            ("a period that is over", limits(10, 10, 2), &[0, 1, 10_001, 10_002, 10_003], "ffffD"),
            ("a period that is just not over", limits(10, 10, 2), &[0, 1, 10_000], "ffD"),
        ] {
            let asks: Vec<_> = asks.iter().map(|at| (CLIENT, *at)).collect();
            assert_eq!(play(&Cells::new(10, 10), limits, &asks, Instant::now()), want, "{id}");
        }
    }

    #[test]
    fn prison_16_the_oldest_is_forgotten() {
        let asks = [(CLIENT, 0), (CLIENT, 1), (OTHER, 2), (OTHER, 3), (CLIENT, 4)];
        assert_eq!(play(&Cells::new(10, 2), limits(10, 10, 1), &asks, Instant::now()), "fDfDD");
        assert_eq!(play(&Cells::new(10, 1), limits(10, 10, 1), &asks, Instant::now()), "fDfDf");
        // The same of counters: each new client pushes the other out.
        let asks = [(CLIENT, 0), (OTHER, 1), (CLIENT, 2), (OTHER, 3)];
        assert_eq!(play(&Cells::new(1, 10), limits(10, 10, 1), &asks, Instant::now()), "ffff");
        assert_eq!(play(&Cells::new(2, 10), limits(10, 10, 1), &asks, Instant::now()), "ffDD");
    }

    #[test]
    fn the_longest_periods_do_not_overflow() {
        let long = Limits { check_period: LONGEST, stay_period: LONGEST, threshold: 0 };
        assert_eq!(play(&Cells::new(1, 1), long, &[(CLIENT, 0), (CLIENT, 9)], Instant::now()), "DD");
    }

    #[test]
    fn prison_15_tables_only_grow() {
        let cells = Cells::new(2, 2);
        cells.enlarge(1, 3);
        let tables = cells.0.lock().unwrap();
        assert_eq!((tables.access.capacity, tables.prison.capacity), (2, 3));
    }
}
