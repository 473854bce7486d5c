//! Work that takes long, such as hashing a password, away from the workers.
//!
//! A worker serves many connections; what keeps it busy for milliseconds delays all of them.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;
use tokio::sync::Semaphore;

/// How much of it may run at a time: half of the CPUs, so that the other half goes on forwarding. What is
/// beyond that waits; the number of connections bounds it.
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cpus = available_parallelism().map_or(1, NonZeroUsize::get);
    Arc::new(Semaphore::new(cpus.div_ceil(2)))
});

/// Runs `work` on a thread that is made for waiting; `None` where it panicked, or the process ends.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // The turn is given back when the work is done, also where nobody waits for it any more.
    let turn = Arc::clone(&TURNS).acquire_owned().await.ok()?;
    let work = move || {
        let _turn = turn;
        work()
    };
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    #[tokio::test]
    async fn at_most_half_of_the_cpus_are_kept_busy() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let limit = available_parallelism().unwrap().get().div_ceil(2);
        let work = || {
            MOST.fetch_max(RUNNING.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::sleep(Duration::from_millis(2));
            RUNNING.fetch_sub(1, SeqCst);
        };
        let all: Vec<_> = (0..4 * limit).map(|_| tokio::spawn(run(work))).collect();
        // One that nobody waits for any more gives its turn back all the same.
        all[0].abort();
        for one in all.into_iter().skip(1) {
            assert_eq!(one.await.unwrap(), Some(()));
        }
        assert!((1..=limit).contains(&MOST.load(SeqCst)));
        assert_eq!(run(|| 7).await, Some(7));
    }
}
