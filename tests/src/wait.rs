//! Waiting for something that can be seen.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what should come at once. Long, because the machine may be busy.
pub const LIMIT: Duration = Duration::from_secs(20);
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `look` is true, and panics with `what` after [`LIMIT`].
#[track_caller]
pub fn wait_until(what: &str, mut look: impl FnMut() -> bool) {
    wait_for(what, || look().then_some(()));
}

/// Looks until `look` has something, and panics with `what` after [`LIMIT`].
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(PAUSE);
    }
}

/// Tells threads that a test is over, also where it ends by a panic: without it a scope would wait for ever
/// for threads that wait for the end.
pub struct TellsOver<'f>(pub &'f AtomicBool);

impl Drop for TellsOver<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}
