//! Threads for the costly step of handshakes.
//!
//! To answer a hello takes hundreds of microseconds, most of them for a signature. A worker that did it itself
//! would leave its requests standing that long, again and again. So each worker has a thread beside it that does
//! this step and nothing else. It has a lower priority than the worker: where both want the same CPU, requests go
//! first.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Most steps that wait for their turn. More have to wait for room, within the time limit of their handshakes.
const WAITING: usize = 1024;

/// How much nicer than a worker the thread is: of a CPU that both want all of the time, it gets a tenth. More would
/// starve handshakes on a machine that is full of requests.
const NICE: i32 = 10;

/// A step of a handshake, and what tells that it is done.
type Step = Box<dyn FnOnce() + Send>;

/// The thread beside a worker. It ends once this has been dropped and what waits has been done.
#[derive(Debug)]
pub struct HandshakeThread {
    steps: mpsc::Sender<Step>,
}

impl HandshakeThread {
    /// Starts a thread of that name.
    ///
    /// # Errors
    /// Where the machine refuses it.
    pub fn start(name: String) -> io::Result<Self> {
        let (steps, mut waiting) = mpsc::channel::<Step>(WAITING);
        thread::Builder::new().name(name).spawn(move || {
            be_nice();
            crate::warm_up();
            while let Some(step) = waiting.blocking_recv() {
                step();
                // A kernel may let it run on for milliseconds while the worker has something to do.
                thread::yield_now();
            }
        })?;
        Ok(Self { steps })
    }

    /// Has the thread do `step`. What is no longer waited for when its turn comes is dropped. A panic in it
    /// becomes one of the caller.
    ///
    /// # Errors
    /// Where the thread has ended.
    pub(crate) async fn run<T, F>(&self, step: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (done, result) = oneshot::channel::<Result<T, Box<dyn Any + Send>>>();
        let step = move || {
            if !done.is_closed() {
                // Whoever waited may have given up meanwhile.
                let _ = done.send(catch_unwind(AssertUnwindSafe(step)));
            }
        };
        let ended = || io::Error::other("the thread for handshakes has ended");
        self.steps.send(Box::new(step)).await.map_err(|_| ended())?;
        match result.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(ended()),
        }
    }
}

/// Lowers the priority of the calling thread.
#[cfg(target_os = "linux")]
fn be_nice() {
    // Without it, requests wait a little longer.
    let _ = rustix::process::nice(NICE);
}

/// Elsewhere a priority is that of the whole process.
#[cfg(not(target_os = "linux"))]
fn be_nice() {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::Duration;

    fn started() -> HandshakeThread {
        HandshakeThread::start("steps".into()).unwrap()
    }

    #[tokio::test]
    async fn steps_are_done_elsewhere_one_after_the_other() {
        let thread = started();
        let log = Arc::new(AtomicUsize::new(0));
        let step = |n: usize| {
            let log = Arc::clone(&log);
            thread.run(move || {
                log.store(log.load(Relaxed) * 10 + n, Relaxed);
                thread::current().name().unwrap_or_default().to_owned()
            })
        };
        let (a, b, c) = tokio::join!(step(1), step(2), step(3));
        for name in [a, b, c] {
            assert_eq!(name.unwrap(), "steps");
        }
        assert_eq!(log.load(Relaxed), 123);
    }

    #[tokio::test]
    async fn a_step_that_nobody_waits_for_is_dropped() {
        let thread = started();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = thread.run(move || wait.recv().is_ok());
        let ran = Arc::new(AtomicUsize::new(0));
        let given_up = async {
            let ran = Arc::clone(&ran);
            let step = thread.run(move || ran.fetch_add(1, Relaxed));
            assert!(tokio::time::timeout(Duration::from_millis(20), step).await.is_err());
            go.send(()).unwrap();
        };
        let (first, ()) = tokio::join!(first, given_up);
        assert!(first.unwrap());
        assert_eq!(thread.run(|| 7).await.unwrap(), 7);
        assert_eq!(ran.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn a_panic_is_the_callers_and_the_thread_goes_on() {
        let thread = Arc::new(started());
        let caller = Arc::clone(&thread);
        let caller = tokio::spawn(async move { caller.run(|| panic!("a step")).await });
        let error = caller.await.unwrap_err();
        assert!(error.is_panic());
        assert_eq!(thread.run(|| 7).await.unwrap(), 7);
    }
}
