//! Work beside requests, a little at a time: what takes long (a load of tables, a page with thousands of series) is
//! done on a thread of its own, but that thread may share its CPU with a worker, and the kernel would let it
//! run for milliseconds while requests wait. So it has a lower priority, and stretches of work that end early.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

/// How much nicer than a worker such a thread is: of a CPU that both want all of the time, it gets a tenth. More would
/// starve it on a machine that is full of requests.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;
/// How much processor time the work takes at a stretch: what a worker on the same CPU may have to wait for it.
const RUN: Duration = Duration::from_micros(300);
/// Then others have their turn.
const REST: Duration = Duration::from_micros(200);
/// Steps between two looks at the clock.
const STEPS: u32 = 32;

thread_local! {
    /// The thread's processor time when the stretch began; none where the work need not rest.
    static BEGAN: Cell<Option<Duration>> = const { Cell::new(None) };
    static IS_NICE: Cell<bool> = const { Cell::new(false) };
    static LEFT: Cell<u32> = const { Cell::new(STEPS) };
}

/// Does work that rests after some of its [`step`]s. For threads that may block, and do nothing else: they stay
/// [nice](be_nice).
pub fn gently<T>(work: impl FnOnce() -> T) -> T {
    /// Whatever becomes of the work, the thread does not stay gentle.
    struct Over(Option<Duration>);
    impl Drop for Over {
        fn drop(&mut self) {
            BEGAN.set(self.0);
        }
    }
    be_nice();
    let _over = Over(BEGAN.replace(Some(time_taken())));
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
    if BEGAN.get().is_some_and(|began| time_taken().saturating_sub(began) >= RUN) {
        thread::sleep(REST);
        BEGAN.set(Some(time_taken()));
    }
}

/// Lowers the priority of the calling thread, for good: where it wants the same CPU as a worker, requests go first.
pub fn be_nice() {
    // Elsewhere a priority is that of the whole process.
    #[cfg(target_os = "linux")]
    if !IS_NICE.replace(true) {
        // Where it fails, requests wait a little longer.
        let _ = rustix::process::nice(NICE);
    }
}

/// Processor time of the calling thread. While others run, it stands still.
fn time_taken() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
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
    use std::time::Instant;

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
