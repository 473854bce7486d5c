//! Delay histograms of the core: requests and handshakes (monitor 3).

use crate::histogram::Histogram;
use bfe_basic::Request;
use bfe_http::counter::Shards;
use bfe_module::delay::Delay;
use std::sync::Arc;
use std::time::Duration;

/// Seconds of a window.
const INTERVAL: u64 = 60;
/// Buckets of a histogram.
const BUCKETS: usize = 10;
/// Width of a bucket, in milliseconds: of requests, of handshakes.
const REQUEST_MS: u64 = 1;
const HANDSHAKE_MS: u64 = 100;

/// The histograms.
pub(crate) struct Delays {
    /// From the head of a request without body to the first attempt.
    pub(crate) request: Arc<Delay>,
    /// The same of requests with a body.
    pub(crate) post: Arc<Delay>,
    /// TLS handshakes.
    pub(crate) handshake: Arc<Delay>,
    /// Of them those of new sessions.
    pub(crate) handshake_full: Arc<Delay>,
    /// Of them those of resumed sessions.
    pub(crate) handshake_resume: Arc<Delay>,
    /// The last two again, in buckets that tell them apart.
    pub(crate) handshake_times: [Histogram; 2],
    /// Handshakes that failed.
    failed_handshakes: Shards,
}

impl Delays {
    /// Histograms without entries, once the number of workers is known.
    pub(crate) fn new() -> Self {
        let new = |prefix, bucket_ms| Arc::new(Delay::new(prefix, INTERVAL, bucket_ms, BUCKETS));
        Self {
            request: new("proxy_delay", REQUEST_MS),
            post: new("proxy_post_delay", REQUEST_MS),
            handshake: new("proxy_handshake_delay", HANDSHAKE_MS),
            handshake_full: new("proxy_handshake_full_delay", HANDSHAKE_MS),
            handshake_resume: new("proxy_handshake_resume_delay", HANDSHAKE_MS),
            handshake_times: Default::default(),
            failed_handshakes: Shards::new(1),
        }
    }

    /// Page and histogram of each.
    pub(crate) fn pages(&self) -> [(&'static str, &Arc<Delay>); 5] {
        [
            ("proxy_delay", &self.request),
            ("proxy_post_delay", &self.post),
            ("proxy_handshake_delay", &self.handshake),
            ("proxy_handshake_full_delay", &self.handshake_full),
            ("proxy_handshake_resume_delay", &self.handshake_resume),
        ]
    }

    /// Records a request that is over: only one that went well, and got as far as a backend.
    pub(crate) fn record_request(&self, req: &Request) {
        let (Some(read), Some(first)) = (req.stat.read_req_end, req.stat.backend_first) else { return };
        if req.error_code.is_some() {
            return;
        }
        let histogram = if req.http.content_length == 0 { &self.request } else { &self.post };
        histogram.add(first.saturating_duration_since(read));
    }

    /// Counts a handshake that failed.
    pub(crate) fn count_failed_handshake(&self) {
        self.failed_handshakes.add(0, 1);
    }

    /// Handshakes that failed.
    pub(crate) fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.get(0)
    }

    /// Records a handshake that succeeded.
    pub(crate) fn record_handshake(&self, took: Duration, did_resume: bool) {
        self.handshake.add(took);
        let [full, resumed] = &self.handshake_times;
        let (delay, time) =
            if did_resume { (&self.handshake_resume, resumed) } else { (&self.handshake_full, full) };
        delay.add(took);
        time.observe(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bfe_basic::ErrorCode;
    use std::rc::Rc;
    use std::time::Instant;

    #[test]
    fn mon_33_which_requests_count_where() {
        let delays = Delays::new();
        let now = Instant::now();
        for (length, reached, failed) in
            [(0, true, false), (5, true, false), (-1, true, false), (0, false, false), (0, true, true)]
        {
            let http = bfe_http::Request::new("GET", "/", "a").unwrap();
            let mut req = Request::new(Rc::default(), http);
            req.http.content_length = length;
            req.stat.read_req_end = Some(now);
            req.stat.backend_first = reached.then(|| now + Duration::from_micros(2500));
            req.error_code = failed.then_some(ErrorCode::CLIENT_WRITE);
            delays.record_request(&req);
        }
        let counts = |delay: &Delay| (delay.totals().counts[2], delay.totals().sum_us);
        assert_eq!((counts(&delays.request), counts(&delays.post)), ((1, 2500), (2, 5000)));
    }

    #[test]
    fn tls_66_handshakes_by_kind() {
        let delays = Delays::new();
        delays.record_handshake(Duration::from_millis(1), false);
        delays.record_handshake(Duration::from_millis(150), true);
        delays.count_failed_handshake();
        let counts = |delay: &Delay| delay.totals().counts.iter().sum::<u64>();
        let all = [&delays.handshake, &delays.handshake_full, &delays.handshake_resume];
        assert_eq!(all.map(|d| counts(d)), [2, 1, 1]);
        assert_eq!((delays.handshake_resume.totals().counts[1], delays.failed_handshakes()), (1, 1));
    }
}
