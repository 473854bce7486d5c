//! Sending the answer (lifecycle 10, 11).

use super::{After, Way, body, count, deadline, proxy_state, redirect};
use crate::worker::Worker;
use bfe_balance::conf::cluster_conf::FlushMode;
use bfe_basic::{ErrorCode, Request};
use bfe_http::h1::server::{FlushPolicy, Origin, SendError, SendOptions};
use bfe_http::transport::h2c::is_grpc;
use bfe_http::transport::http_state;
use bfe_http::{BodyError, Exchange, Response};
use bfe_module::{HandlerResult, Point};
use std::time::{Duration, Instant};

/// Limits where no cluster says anything else.
const WRITE_CLIENT: Duration = Duration::from_secs(60);
const READ_CLIENT_AGAIN: Duration = Duration::from_secs(60);
/// How often an answer is flushed where the client asked for nothing but an event stream.
const SSE_FLUSH: Duration = Duration::from_secs(1);

/// Where handlers may have changed the fields of a request before its response is sent.
const POINTS: [Point; 5] = [
    Point::HandleBeforeLocation,
    Point::HandleFoundProduct,
    Point::HandleAfterLocation,
    Point::HandleForward,
    Point::HandleReadResponse,
];

/// Calls the ReadResponse handlers and sends the response.
pub(super) async fn respond<E: Exchange>(
    worker: &Worker,
    req: &mut Request,
    way: &mut Way<'_>,
    exchange: &E,
    mut after: After,
) -> After {
    let from_backend = way.lease.is_some() && req.error_code.is_none();
    if from_backend && let Some(response) = &mut req.response {
        response.is_sse = is_event_stream(response);
        if response.is_sse && !req.is_sse {
            count(proxy_state::SSE_REQ_SERVED);
        }
    }
    // In the AI gateway it is the answer alone that counts from here on (ai-gateway 4.5).
    let endless = req.is_sse && req.ai.is_none() || req.response.as_ref().is_some_and(|r| r.is_sse);
    req.is_sse |= endless && req.ai.is_some();
    let basic = way.cluster.map(|c| &c.conf.basic);
    let limit = basic.map_or(Some(WRITE_CLIENT), |b| b.write_client);
    exchange.set_write_deadline(deadline(way.now, if endless { None } else { limit }));
    if endless {
        exchange.set_read_deadline(None);
    }
    let result = if worker.callbacks().is_empty(Point::HandleReadResponse) {
        HandlerResult::GoOn
    } else {
        body::response_with_body(worker, req).await
    };
    match result {
        HandlerResult::Finish => {
            req.bfe_status_code = 500;
            after = After::Close;
        }
        HandlerResult::Redirect => return redirect(worker, req, way, exchange).await,
        HandlerResult::GoOn | HandlerResult::Response | HandlerResult::Close => {}
    }
    let flush = flush_policy(req, way);
    let after = send(worker, req, way, exchange, flush, endless, after).await;
    let again = basic.map_or(Some(READ_CLIENT_AGAIN), |b| b.read_client_again);
    exchange.set_read_deadline(deadline(way.now, again));
    after
}

/// Sends what a handler left, or an empty 200, without the ReadResponse handlers; then the connection ends.
pub(super) async fn finish<E: Exchange>(
    worker: &Worker,
    req: &mut Request,
    way: &mut Way<'_>,
    exchange: &E,
) -> After {
    if req.response.is_some() {
        let flush = flush_policy(req, way);
        return send(worker, req, way, exchange, flush, false, After::Close).await;
    }
    // The handlers of RequestFinish are to see that nobody made this response.
    req.response = Some(Response::new(200));
    let after = send(worker, req, way, exchange, FlushPolicy::Buffered, false, After::Close).await;
    req.response = None;
    after
}

/// Sends the redirect that a handler asked for. `req.response` stays what it was.
pub(super) async fn redirect<E: Exchange>(
    worker: &Worker,
    req: &mut Request,
    way: &mut Way<'_>,
    exchange: &E,
) -> After {
    req.bfe_status_code = req.redirect.code;
    let before = req.response.replace(redirect::response(req));
    let after = send(worker, req, way, exchange, FlushPolicy::Buffered, false, After::Keep).await;
    req.response = before;
    after
}

/// When the answer is flushed: as the cluster says, once there is one.
fn flush_policy(req: &Request, way: &Way<'_>) -> FlushPolicy {
    let Some(cluster) = way.cluster else { return FlushPolicy::Buffered };
    // A message of a call waits for no other.
    if req.response.as_ref().is_some_and(|response| is_grpc(&response.header)) {
        return FlushPolicy::Immediate;
    }
    match cluster.conf.basic.res_flush {
        FlushMode::EachWrite => FlushPolicy::Immediate,
        FlushMode::Buffered if req.http.header.get("Accept") == Some(b"text/event-stream") => {
            FlushPolicy::Every(SSE_FLUSH)
        }
        FlushMode::Buffered => FlushPolicy::Buffered,
        FlushMode::Every(interval) => FlushPolicy::Every(interval),
    }
}

async fn send<E: Exchange>(
    worker: &Worker,
    req: &mut Request,
    way: &mut Way<'_>,
    exchange: &E,
    flush: FlushPolicy,
    endless: bool,
    after: After,
) -> After {
    let Some(mut response) = req.response.take() else { return After::Close };
    if req.session.advertises_http3.get() {
        advertise_http3(worker, &mut response);
    }
    let basic = way.cluster.map(|c| &c.conf.basic);
    let options = SendOptions {
        flush,
        origin: if way.lease.is_some() { Origin::Backend } else { Origin::Proxy },
        keep_alive_enabled: worker.config().server.keep_alive_enabled,
        draining: worker.is_draining(),
        cancel_on_close: endless || basic.is_some_and(|b| b.cancel_on_client_close),
    };
    if POINTS.iter().any(|point| !worker.callbacks().is_empty(*point)) {
        exchange.set_connection_field(req.http.header.get("Connection").unwrap_or_default());
    }
    req.stat.response_start = Some(way.now);
    way.status = Some(response.status);
    let sent = exchange.respond(&mut response, &options).await;
    req.response = Some(response);
    way.now = Instant::now();
    req.stat.response_end = Some(way.now);
    req.stat.header_len_out = sent.header_len;
    req.stat.body_len_out = sent.body_len;
    if let Some(error) = sent.error {
        if matches!(error, SendError::Body(BodyError::ClientGone)) {
            http_state::group().inc(http_state::HTTP_CANCEL_ON_CLIENT_CLOSE);
        }
        count(proxy_state::ERR_CLIENT_WRITE);
        req.set_error(ErrorCode::CLIENT_WRITE, error.to_string());
        // Of a connection with many streams only this one is lost.
        return if sent.keep { after } else { After::Close };
    }
    match (after, sent.keep) {
        (After::Keep, true) => After::Keep,
        _ if sent.linger => After::CloseSlowly,
        _ => After::Close,
    }
}

/// Tells the client that it may come back by HTTP/3, unless the response says something about that itself.
#[cold]
fn advertise_http3(worker: &Worker, response: &mut Response) {
    let http3 = worker.config().https_basic.http3.as_ref();
    if let Some(advertisement) = http3.and_then(|http3| http3.advertisement.as_ref())
        && !response.header.contains("Alt-Svc")
    {
        response.header.set("Alt-Svc", advertisement.clone());
    }
}

/// Whether a client asks for an event stream: `Accept` of its first field has that element, without parameters.
pub(super) fn accepts_event_stream(http: &bfe_http::Request) -> bool {
    http.header.get("Accept").is_some_and(|accept| {
        accept.len() >= 17
            && accept.split(|b| *b == b',').any(|e| e.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
    })
}

/// Whether a response is an event stream (lifecycle 14).
fn is_event_stream(response: &Response) -> bool {
    const TYPES: [&[u8]; 3] = [b"text/event-stream", b"application/sse", b"application/x-sse"];
    // Most responses have a type that is shorter than any of these.
    let Some(kind) = response.header.get("Content-Type").filter(|kind| kind.len() >= 15) else {
        return false;
    };
    let mut parts = kind.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    parts.any(|p| TYPES.iter().any(|t| p.eq_ignore_ascii_case(t)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aif_11_what_is_an_event_stream() {
        for (kind, want) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("application/sse", true),
            ("application/x-sse;x=y", true),
            ("x; text/event-stream", true),
            ("text/plain", false),
            ("text/event-streams", false),
            ("", false),
        ] {
            let mut response = Response::new(200);
            response.header.add("Content-Type", kind);
            assert_eq!(is_event_stream(&response), want, "{kind}");
        }
        for (accept, want) in [
            ("text/event-stream", true),
            ("text/html, Text/Event-Stream ,*/*", true),
            ("text/event-stream;q=1", false),
            ("*/*", false),
        ] {
            let mut http = bfe_http::Request::new("GET", "/", "h").unwrap();
            http.header.add("Accept", accept);
            assert_eq!(accepts_event_stream(&http), want, "{accept}");
        }
    }
}
