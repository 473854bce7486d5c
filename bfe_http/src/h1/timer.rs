//! A deadline that costs a timer only while somebody waits.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
#[cfg(feature = "http3")]
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// A point in time that moves; polled only where an operation has to wait.
#[derive(Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// What the timer will wake.
    waker: Option<Waker>,
}

impl Deadline {
    /// One that passes after so long.
    #[cfg(feature = "http3")]
    pub(crate) fn after(time: Duration) -> Self {
        Self { at: Instant::now().checked_add(time), ..Self::default() }
    }

    /// Moves the deadline; `None` takes it away.
    pub(crate) fn set(&mut self, at: Option<std::time::Instant>) {
        self.at = at.map(Instant::from_std);
    }

    /// Ready once the deadline has passed. A deadline that has moved on moves its timer only when that fires.
    pub(crate) fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        // Most looks find the timer running, for the task that looks.
        if self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        loop {
            if sleep.as_mut().poll(cx).is_pending() {
                self.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if sleep.deadline() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::time::Duration;
    use tokio::time::sleep;

    const SHORT: Duration = Duration::from_secs(1);
    const FAR: Duration = Duration::from_secs(3600);

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Runs a test on a clock that stands still but where everything waits.
    fn run<F: Future>(test: F) -> F::Output {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(test)
    }

    async fn is_pending(deadline: &mut Deadline) -> bool {
        poll_fn(|cx| Poll::Ready(deadline.poll_passed(cx).is_pending())).await
    }

    #[test]
    fn passes_however_often_it_was_looked_at_and_moved() {
        run(async {
            let mut deadline = Deadline::default();
            let start = Instant::now();
            deadline.set(Some((start + FAR).into_std()));
            for _ in 0..3 {
                assert!(is_pending(&mut deadline).await);
            }
            // Earlier than its timer.
            deadline.set(Some((start + SHORT).into_std()));
            poll_fn(|cx| deadline.poll_passed(cx)).await;
            assert!(Instant::now() >= start + SHORT && Instant::now() < start + 2 * SHORT);
            // Later than its timer, which fires in between.
            deadline.set(Some((start + 3 * SHORT).into_std()));
            assert!(is_pending(&mut deadline).await);
            deadline.set(Some((start + 5 * SHORT).into_std()));
            assert!(is_pending(&mut deadline).await);
            poll_fn(|cx| deadline.poll_passed(cx)).await;
            assert!(Instant::now() >= start + 5 * SHORT && Instant::now() < start + 6 * SHORT);
        });
    }

    #[test]
    fn wakes_who_has_looked_last() {
        run(async {
            let mut deadline = Deadline::default();
            deadline.set(Some((Instant::now() + SHORT).into_std()));
            let others = [Arc::new(Woken::default()), Arc::new(Woken::default())];
            for other in &others {
                let waker = Waker::from(Arc::clone(other));
                let mut cx = Context::from_waker(&waker);
                assert!(
                    deadline.poll_passed(&mut cx).is_pending() && deadline.poll_passed(&mut cx).is_pending()
                );
            }
            sleep(2 * SHORT).await;
            assert_eq!(others.map(|other| other.0.load(Ordering::SeqCst)), [0, 1]);
            assert!(!is_pending(&mut deadline).await);
        });
    }
}
