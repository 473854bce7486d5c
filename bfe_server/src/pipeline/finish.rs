//! The end of a request: last handlers, last counters.

use super::{After, count, proxy_state};
use crate::worker::Worker;
use bfe_basic::Request;
use bfe_module::{Finishing, HandlerResult};

/// Ends a request whose answer has been sent, or whose client has gone.
pub(super) async fn finish(worker: &Worker, req: &mut Request, body_sent: u64, after: After) -> After {
    if req.http.content_length > 0 {
        req.stat.body_len_in = body_sent;
    }
    let result = match worker.callbacks().run_request_finish(req) {
        Finishing::Done(result) => result,
        Finishing::Waits(rest) => rest.await,
    };
    if req.error_code.is_some() {
        count(proxy_state::CLIENT_REQ_FAIL);
    }
    worker.delays().record_request(req);
    let session = &req.session;
    session.requests_active.set(session.requests_active.get().saturating_sub(1));
    if result == HandlerResult::Finish && after == After::Keep { After::Close } else { after }
}
