//! Counters that cost next to nothing: each worker has its own memory, sums are made when somebody asks.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Counters to a cache line; the memory of two workers never shares one.
const LINE: usize = 8;
/// Memory of all threads that are no workers.
const SHARED: usize = 0;

static WORKERS: AtomicUsize = AtomicUsize::new(1);

thread_local! {
    static SHARD: Cell<usize> = const { Cell::new(SHARED) };
}

/// Says how many workers there will be. Groups made before this share memory between workers: correct, but
/// slower.
pub fn set_workers(workers: usize) {
    WORKERS.store(workers, Relaxed);
}

/// Makes the calling thread worker number `index`, from 0; no two threads may have the same.
pub fn enter_worker(index: usize) {
    SHARD.set(index + 1);
}

/// Numbers that each worker counts in memory of its own.
#[derive(Debug)]
pub struct Shards {
    stride: usize,
    cells: Box<[AtomicU64]>,
}

impl Shards {
    /// `len` numbers, all of them 0.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let stride = len.next_multiple_of(LINE) + LINE;
        let cells = (0..stride * (WORKERS.load(Relaxed) + 1)).map(|_| AtomicU64::new(0)).collect();
        Self { stride, cells }
    }

    /// Adds `n` to a number.
    #[inline]
    pub fn add(&self, place: usize, n: u64) {
        let shard = SHARD.get();
        if shard != SHARED
            && let Some(cell) = self.cells.get(shard * self.stride + place)
        {
            // No other thread writes here, so nothing can get lost between the two.
            cell.store(cell.load(Relaxed).wrapping_add(n), Relaxed);
        } else if let Some(cell) = self.cells.get(place) {
            cell.fetch_add(n, Relaxed);
        }
    }

    /// A number, over all workers.
    #[must_use]
    pub fn get(&self, place: usize) -> u64 {
        let shards = self.cells.chunks(self.stride);
        shards.filter_map(|s| s.get(place)).fold(0u64, |sum, c| sum.wrapping_add(c.load(Relaxed)))
    }
}

/// A group of named counters and gauges, as the monitor port shows them (monitor 2.1).
#[derive(Debug)]
pub struct CounterGroup {
    prefix: &'static str,
    names: &'static [&'static str],
    /// Which of them are gauges.
    gauges: &'static [&'static str],
    cells: Shards,
}

impl CounterGroup {
    /// A group whose counters are addressed by their place in `names`. Those also in `gauges` can fall.
    #[must_use]
    pub fn new(
        prefix: &'static str,
        names: &'static [&'static str],
        gauges: &'static [&'static str],
    ) -> Self {
        Self { prefix, names, gauges, cells: Shards::new(names.len()) }
    }

    /// Adds `n` to a counter.
    #[inline]
    pub fn add(&self, counter: usize, n: u64) {
        self.cells.add(counter, n);
    }

    /// Adds one to a counter.
    #[inline]
    pub fn inc(&self, counter: usize) {
        self.add(counter, 1);
    }

    /// Takes one from a gauge.
    #[inline]
    pub fn dec(&self, gauge: usize) {
        self.add(gauge, u64::MAX);
    }

    /// The value of a counter, over all workers.
    #[must_use]
    pub fn get(&self, counter: usize) -> i64 {
        self.cells.get(counter).cast_signed()
    }

    /// Prefix of the names on the monitor port.
    #[must_use]
    pub fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// All counters and gauges: name, whether it is a gauge, value.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, bool, i64)> {
        self.names.iter().enumerate().map(|(i, name)| (*name, self.gauges.contains(name), self.get(i)))
    }
}

/// Declares a group of counters: a type with one function a counter, and its [`CounterGroup`] as a static.
///
/// ```
/// bfe_http::counter_group! {
///     /// Counters of the example.
///     pub example_state "proxy_state" {
///         /// Things that happened.
///         THINGS_HAPPENED,
///     }
///     gauges {
///         /// Things that are there.
///         THINGS_ACTIVE,
///     }
/// }
/// example_state::group().inc(example_state::THINGS_HAPPENED);
/// assert_eq!(example_state::group().get(example_state::THINGS_HAPPENED), 1);
/// ```
#[macro_export]
macro_rules! counter_group {
    (
        $(#[$doc:meta])* $vis:vis $name:ident $prefix:literal { $($(#[$cdoc:meta])* $counter:ident,)* }
        $(gauges { $($(#[$gdoc:meta])* $gauge:ident,)* })?
    ) => {
        $(#[$doc])*
        $vis mod $name {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Place { $($counter,)* $($($gauge,)*)? }
            $($(#[$cdoc])* pub const $counter: usize = Place::$counter as usize;)*
            $($($(#[$gdoc])* pub const $gauge: usize = Place::$gauge as usize;)*)?

            static GROUP: std::sync::LazyLock<$crate::counter::CounterGroup> =
                std::sync::LazyLock::new(new_group);

            /// Another group of the same counters, all of them 0.
            #[must_use]
            pub fn new_group() -> $crate::counter::CounterGroup {
                $crate::counter::CounterGroup::new(
                    $prefix,
                    &[$(stringify!($counter),)* $($(stringify!($gauge),)*)?],
                    &[$($(stringify!($gauge),)*)?],
                )
            }

            /// The counters of this process.
            pub fn group() -> &'static $crate::counter::CounterGroup {
                &GROUP
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_workers_and_falls() {
        set_workers(2);
        let group = std::sync::Arc::new(CounterGroup::new("p", &["A", "B"], &["B"]));
        let threads: Vec<_> = (0..4)
            .map(|i| {
                let group = group.clone();
                std::thread::spawn(move || {
                    // Two workers, one too many, and one thread that is none.
                    if i < 3 {
                        enter_worker(i);
                    }
                    for _ in 0..1000 {
                        group.inc(0);
                        group.inc(1);
                        group.dec(1);
                    }
                    group.inc(1);
                })
            })
            .collect();
        for t in threads {
            t.join().unwrap();
        }
        assert_eq!(group.values().collect::<Vec<_>>(), [("A", false, 4000), ("B", true, 4)]);
    }
}
