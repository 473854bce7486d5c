//! Which new traces are reported. Traces that come from elsewhere have been decided about there.

use super::remote::Remote;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Decides about new traces.
#[derive(Debug)]
pub(super) enum Sampler {
    Never,
    Always,
    /// A share of them, in 2^64ths.
    Share(u64),
    /// So many in a second, over all workers.
    Rate(Mutex<Bucket>),
    /// As a server says.
    Remote(Arc<Remote>),
}

/// What a request would be called in its trace.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Operation<'r> {
    pub(super) host: &'r [u8],
    pub(super) path: &'r [u8],
}

impl<'r> Operation<'r> {
    /// The operation of a request: its host without the port, and its path.
    pub(super) fn of(req: &'r bfe_http::Request) -> Self {
        Self { host: req.host.split(|b| *b == b':').next().unwrap_or_default(), path: &req.url.path }
    }

    /// Its name.
    pub(super) fn name(self) -> Vec<u8> {
        [self.host, self.path].concat()
    }
}

/// What a rate has left.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    /// Most that can be saved up.
    most: f64,
    left: f64,
    filled: Instant,
}

impl Sampler {
    /// A share between 0 and 1.
    pub(super) fn share(share: f64) -> Self {
        if share >= 1.0 {
            return Self::Always;
        }
        // Between 0 and 2^64, which is what the cast makes of it.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        Self::Share((share * u64::MAX as f64) as u64)
    }

    /// So many in a second; one can always be saved up.
    pub(super) fn rate_limiting(per_second: f64) -> Self {
        let most = per_second.max(1.0);
        Self::Rate(Mutex::new(Bucket { per_second, most, left: most, filled: Instant::now() }))
    }

    /// Whether a new trace is reported; `id` is a random number.
    pub(super) fn decide(&self, id: u64, operation: Operation<'_>) -> bool {
        match self {
            Self::Remote(remote) => remote.decide(id, operation),
            Self::Never => false,
            Self::Always => true,
            Self::Share(share) => id < *share,
            Self::Rate(bucket) => bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()),
        }
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.left = (self.left + passed * self.per_second).min(self.most);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn shares() {
        let decide = |sampler: &Sampler, id| sampler.decide(id, Operation::default());
        assert!(matches!(Sampler::share(1.0), Sampler::Always));
        let quarter = Sampler::share(0.25);
        assert!(decide(&quarter, 0) && decide(&quarter, u64::MAX / 4 - (1 << 12)));
        assert!(!decide(&quarter, u64::MAX / 4 + (1 << 12)) && !decide(&quarter, u64::MAX));
        assert!(!decide(&Sampler::share(0.0), 0));
    }

    #[test]
    fn rates() {
        let Sampler::Rate(bucket) = Sampler::rate_limiting(2.0) else { panic!() };
        let mut bucket = bucket.into_inner().unwrap();
        let start = bucket.filled;
        let taken = |bucket: &mut Bucket, ms| bucket.take(start + Duration::from_millis(ms));
        assert_eq!([0, 0, 0].map(|ms| taken(&mut bucket, ms)), [true, true, false]);
        assert_eq!([400, 500, 600].map(|ms| taken(&mut bucket, ms)), [false, true, false]);
        assert_eq!([60_000; 3].map(|ms| taken(&mut bucket, ms)), [true, true, false]);
    }
}
