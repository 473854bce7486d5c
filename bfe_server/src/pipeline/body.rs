//! Reading a request body ahead, where a condition looks into it (lifecycle 14).

use crate::worker::Worker;
use bfe_basic::{BodyPeek, NeedBody, Request};
use bfe_http::counter::Shards;
use bfe_module::{HandlerResult, Point, Progress};
use bytes::Bytes;
use std::sync::LazyLock;

/// Bytes of request bodies that are held in memory now, because somebody looked into them.
static HELD: LazyLock<Shards> = LazyLock::new(|| Shards::new(1));

/// Bytes of request bodies that are held in memory now (`/monitor/server_stat`).
pub(crate) fn bytes_held() -> i64 {
    HELD.get(0).cast_signed()
}

/// The start of a body, counted as held for as long as it is there.
struct Held(Bytes);

impl Held {
    fn new(start: Bytes) -> Self {
        HELD.add(0, start.len() as u64);
        Self(start)
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.add(0, (self.0.len() as u64).wrapping_neg());
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
    let max = worker.config().server.accessible_body_size;
    req.body_peek = match req.http.body.peek(max).await {
        Ok(start) => BodyPeek::Read(Bytes::from_owner(Held::new(start))),
        Err(e) => {
            log::debug!("request body cannot be read: {e}");
            BodyPeek::Failed
        }
    };
}
