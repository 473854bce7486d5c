//! Work beside requests, a little at a time: what takes long (a load of tables, a page with thousands of series) is
//! done on a thread of its own, but that thread may share its CPU with a worker, and the kernel would let it
//! run for milliseconds while requests wait.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// How long the work goes on at a stretch: what a worker on the same CPU may have to wait for it.
const RUN: Duration = Duration::from_micros(300);
/// Then others have their turn.
const REST: Duration = Duration::from_micros(200);
/// Steps between two looks at the clock.
const STEPS: u32 = 32;

thread_local! {
    /// When the stretch began; none where the work need not rest.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
    static LEFT: Cell<u32> = const { Cell::new(STEPS) };
}

/// Does work that rests after some of its [`step`]s. For threads that may block.
pub fn gently<T>(work: impl FnOnce() -> T) -> T {
    /// Whatever becomes of the work, the thread does not stay gentle.
    struct Over(Option<Instant>);
    impl Drop for Over {
        fn drop(&mut self) {
            BEGAN.set(self.0);
        }
    }
    let _over = Over(BEGAN.replace(Some(Instant::now())));
    work()
}

/// Tells that a step of some microseconds is done; nothing unless it is part of [`gently`] done work. Never to be
/// called with a lock that requests need.
pub fn step() {
    let left = LEFT.get();
    if left > 0 {
        LEFT.set(left - 1);
        return;
    }
    LEFT.set(STEPS);
    long_step();
}

/// The same after a step of a hundred microseconds, say.
pub fn long_step() {
    if BEGAN.get().is_some_and(|began| began.elapsed() >= RUN) {
        thread::sleep(REST);
        BEGAN.set(Some(Instant::now()));
    }
}

/// Drops items one after the other: letting go of a large table takes long as well.
pub fn discard<T>(items: impl IntoIterator<Item = T>) {
    for item in items {
        drop(item);
        step();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of many steps the thread slept in.
    fn rests() -> usize {
        let spin = Duration::from_micros(20);
        (0..STEPS * 40)
            .filter(|_| {
                let begin = Instant::now();
                while begin.elapsed() < spin {}
                let worked = Instant::now();
                step();
                worked.elapsed() >= REST
            })
            .count()
    }

    #[test]
    fn only_gentle_work_rests() {
        assert!(gently(rests) >= 20);
        // A busy machine may take the CPU away as well.
        assert!(rests() < 20);
        assert_eq!(BEGAN.get(), None);
    }
}
