//! Threads for the costly step of handshakes.
//!
//! To answer a hello takes hundreds of microseconds, most of them for a signature. A worker that did it itself
//! would leave its requests standing that long, again and again. So each worker has a thread beside it that does
//! this step and nothing else. It has a lower priority than the worker: where both want the same CPU, requests go
//! first.

use bfe_basic::pace;
use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use tokio::sync::mpsc;

/// Most steps that wait for their turn. More have to wait for room, within the time limit of their handshakes.
const WAITING: usize = 1024;

/// A step of a handshake.
type Step = Box<dyn FnOnce() + Send>;

/// Where a step leaves what came of it.
struct Slot<T>(Mutex<Left<T>>);

enum Left<T> {
    /// Nothing yet; whether somebody has looked meanwhile.
    Nothing { looked: bool },
    /// What came of it, or its panic.
    Result(Result<T, Box<dyn Any + Send>>),
}

impl<T> Slot<T> {
    fn new() -> Self {
        Self(Mutex::new(Left::Nothing { looked: false }))
    }

    /// Leaves something; whether somebody has looked before.
    fn leave(&self, result: Result<T, Box<dyn Any + Send>>) -> bool {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *left, Left::Result(result));
        matches!(before, Left::Nothing { looked: true })
    }

    /// Takes what is there; if nothing is, notes whether somebody `looks` for it.
    fn take(&self, looks: bool) -> Option<Result<T, Box<dyn Any + Send>>> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *left, Left::Nothing { looked: looks }) {
            Left::Result(result) => Some(result),
            Left::Nothing { .. } => None,
        }
    }
}

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
            pace::be_nice();
            crate::warm_up();
            while let Some(step) = waiting.blocking_recv() {
                step();
                // A kernel may let it run on for milliseconds while the worker has something to do.
                thread::yield_now();
            }
        })?;
        Ok(Self { steps })
    }

    /// Has the thread poll a future once in the name of the caller, and gives it back with what came of it. Where
    /// the future has to wait for something, the caller is woken only when that happens. What nobody waits for
    /// any more when its turn comes is dropped. A panic becomes one of the caller.
    ///
    /// # Errors
    /// Where the thread has ended.
    pub(crate) async fn poll_once<F>(&self, mut future: F) -> io::Result<(Poll<F::Output>, F)>
    where
        F: Future + Unpin + Send + 'static,
        F::Output: Send + 'static,
    {
        let slot = Arc::new(Slot::new());
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let caller = Arc::downgrade(&slot);
        let step = move || {
            let Some(slot) = caller.upgrade() else { return };
            let polled = catch_unwind(AssertUnwindSafe(|| {
                let polled = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
                (polled, future)
            }));
            let waits = matches!(polled, Ok((Poll::Pending, _)));
            // A caller that was woken too early has to be woken again.
            if slot.leave(polled) || !waits {
                waker.wake();
            }
        };
        let ended = |_| io::Error::other("the thread for handshakes has ended");
        self.steps.send(Box::new(step)).await.map_err(ended)?;
        let mut was_woken = false;
        let left = poll_fn(|_| match slot.take(std::mem::replace(&mut was_woken, true)) {
            Some(left) => Poll::Ready(left),
            None => Poll::Pending,
        });
        left.await.or_else(|panic| resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{Ready, ready};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::Duration;
    use tokio::sync::oneshot;

    fn started() -> HandshakeThread {
        HandshakeThread::start("steps".into()).unwrap()
    }

    /// A future that does something when it is polled.
    fn doing<T>(mut what: impl FnMut() -> T + Unpin) -> impl Future<Output = T> + Unpin {
        poll_fn(move |_| Poll::Ready(what()))
    }

    #[tokio::test]
    async fn steps_are_done_elsewhere_one_after_the_other() {
        let thread = started();
        let log = Arc::new(AtomicUsize::new(0));
        let step = |n: usize| {
            let log = Arc::clone(&log);
            thread.poll_once(doing(move || {
                log.store(log.load(Relaxed) * 10 + n, Relaxed);
                thread::current().name().unwrap_or_default().to_owned()
            }))
        };
        let (a, b, c) = tokio::join!(step(1), step(2), step(3));
        for done in [a, b, c] {
            assert_eq!(done.unwrap().0, Poll::Ready("steps".to_owned()));
        }
        assert_eq!(log.load(Relaxed), 123);
    }

    #[tokio::test]
    async fn a_future_that_waits_wakes_the_caller_when_it_goes_on() {
        let thread = started();
        let (go, mut wait) = oneshot::channel::<u8>();
        let (tell, is_polled) = oneshot::channel();
        let mut tell = Some(tell);
        let future = poll_fn(move |cx| {
            let polled = Pin::new(&mut wait).poll(cx);
            tell.take().map_or(Ok(()), |tell| tell.send(())).unwrap();
            polled
        });
        let caller = async {
            let (polled, future) = thread.poll_once(future).await.unwrap();
            assert_eq!(polled, Poll::Pending);
            future.await.unwrap()
        };
        let goes_on = async {
            is_polled.await.unwrap();
            go.send(7).unwrap();
        };
        let both = async { tokio::join!(caller, goes_on).0 };
        assert_eq!(tokio::time::timeout(Duration::from_secs(20), both).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_caller_that_was_woken_too_early_is_woken_again() {
        let thread = started();
        let future = poll_fn(|cx| {
            cx.waker().wake_by_ref();
            // The caller looks meanwhile, and finds nothing.
            thread::sleep(Duration::from_millis(50));
            Poll::<()>::Pending
        });
        let caller = tokio::time::timeout(Duration::from_secs(20), thread.poll_once(future));
        assert_eq!(caller.await.unwrap().unwrap().0, Poll::Pending);
    }

    #[tokio::test]
    async fn a_step_that_nobody_waits_for_is_dropped() {
        let thread = started();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = thread.poll_once(doing(move || wait.recv().is_ok()));
        let ran = Arc::new(AtomicUsize::new(0));
        let given_up = async {
            let ran = Arc::clone(&ran);
            let step = thread.poll_once(doing(move || ran.fetch_add(1, Relaxed)));
            assert!(tokio::time::timeout(Duration::from_millis(20), step).await.is_err());
            go.send(()).unwrap();
        };
        let (first, ()) = tokio::join!(first, given_up);
        assert_eq!(first.unwrap().0, Poll::Ready(true));
        let last: (_, Ready<u8>) = thread.poll_once(ready(7)).await.unwrap();
        assert_eq!((last.0, ran.load(Relaxed)), (Poll::Ready(7), 0));
    }

    #[tokio::test]
    async fn a_panic_is_the_callers_and_the_thread_goes_on() {
        let thread = Arc::new(started());
        let caller = Arc::clone(&thread);
        let step = || -> u8 { panic!("a step") };
        let caller =
            tokio::spawn(async move { caller.poll_once(doing(step)).await.map(|(polled, _)| polled) });
        assert!(caller.await.unwrap_err().is_panic());
        assert_eq!(thread.poll_once(ready(7)).await.unwrap().0, Poll::Ready(7));
    }
}
