//! Reading a request body ahead, where a condition looks into it (lifecycle 14).

use crate::worker::Worker;
use bfe_basic::{BodyPeek, NeedBody, Request};
use bfe_http::counter::Shards;
use bfe_module::{HandlerResult, Point, Progress};
use bytes::Bytes;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

/// What is counted as held from the start on, for tests of the limit (ai-gateway 3.1).
const SEED: &str = "BFE_TEST_INITIAL_TOTAL_BYTES_BODY_BUFFER";

/// Bytes of request bodies that are held in memory now, because somebody looked into them.
static HELD: LazyLock<Shards> = LazyLock::new(|| {
    let held = Shards::new(1);
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse::<i64>().ok());
    held.add(0, seed.and_then(|seed| u64::try_from(seed).ok()).unwrap_or(0));
    held
});

/// Bytes of request bodies that are held in memory now (`/monitor/server_stat`).
pub(crate) fn bytes_held() -> i64 {
    HELD.get(0).cast_signed()
}

/// Whether as much is held as `TotalBodyBufferSize` allows.
pub(super) fn is_full(limit: Option<NonZeroUsize>) -> bool {
    limit.is_some_and(|limit| usize::try_from(bytes_held()).is_ok_and(|held| held >= limit.get()))
}

/// The start of a body, counted as held for as long as it is there. What would go beyond the limit is held all the
/// same, and not counted (ai-gateway 3.3).
struct Held {
    start: Bytes,
    counted: u64,
}

/// Counts the start of a body as held for as long as somebody has it.
pub(super) fn held(start: Bytes, limit: Option<NonZeroUsize>) -> Bytes {
    if start.is_empty() {
        return start;
    }
    // The sum over all workers is made only where there is a limit.
    let after = || usize::try_from(bytes_held()).unwrap_or(0).saturating_add(start.len());
    let counted = if limit.is_some_and(|limit| after() > limit.get()) { 0 } else { start.len() as u64 };
    HELD.add(0, counted);
    Bytes::from_owner(Held { start, counted })
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.start
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.add(0, self.counted.wrapping_neg());
    }
}

/// Calls the handlers of a request point, reading the body where one of them wants it.
pub(super) async fn with_body(worker: &Worker, point: Point, req: &mut Request) -> HandlerResult {
    let mut progress = Progress::default();
    loop {
        match worker.callbacks().run_request(point, req, &mut progress).await {
            Ok(result) => return result,
            Err(NeedBody) => read(worker, req).await,
        }
    }
}

/// Calls the handlers of ReadResponse, reading the request body where one of them wants it.
pub(super) async fn response_with_body(worker: &Worker, req: &mut Request) -> HandlerResult {
    let mut progress = Progress::default();
    loop {
        match worker.callbacks().run_read_response(req, &mut progress).await {
            Ok(result) => return result,
            Err(NeedBody) => read(worker, req).await,
        }
    }
}

/// Reads the body, or the first `AccessibleBodySize` bytes of it, and leaves it to be read again.
pub(super) async fn read(worker: &Worker, req: &mut Request) {
    let server = &worker.config().server;
    req.body_peek = match req.http.body.peek(server.accessible_body_size).await {
        Ok(start) => BodyPeek::Read(held(start, server.total_body_buffer_size)),
        Err(e) => {
            log::debug!("request body cannot be read: {e}");
            BodyPeek::Failed
        }
    };
}
