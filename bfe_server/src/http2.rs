//! Client connections that carry many requests at once, HTTP/2 and SPDY/3.1: each request is a task of its own
//! (lifecycle 16, 17).

use crate::boxed::boxed;
use crate::connection::finish;
use crate::pipeline::{self, After};
use crate::state::{Active, of_connections, proxy_state as s};
use crate::websocket;
use crate::worker::{Place, Worker};
use bfe_basic::{Proto, Request, Session};
use bfe_http::h1::Stream;
use bfe_http::h2::{Connection, Settings, StreamExchange};
use bfe_tls::ProtocolParams;
use std::future::poll_fn;
use std::rc::Rc;

/// Serves a connection to its end.
pub(crate) async fn serve(
    worker: &Rc<Worker>,
    place: &Place,
    session: &Rc<Session>,
    stream: Stream,
    proto: Proto,
    params: ProtocolParams,
) {
    session.proto.set(proto);
    let total = (s::CLIENT_CONN_SERVED, s::CLIENT_CONN_ACTIVE);
    let active = Active::begin(total, of_connections(proto));
    let settings = settings(worker, params);
    let connection = match proto {
        Proto::Spdy31 => Connection::spdy(stream, settings),
        _ => Connection::new(stream, settings),
    };
    while let Some((http, exchange)) = next(worker, place, &connection).await {
        let (worker, session) = (Rc::clone(worker), Rc::clone(session));
        tokio::task::spawn_local(boxed(|| request(worker, session, http, exchange)));
    }
    drop(active);
    finish(worker, session);
}

fn settings(worker: &Worker, params: ProtocolParams) -> Settings {
    let server = &worker.config().server;
    Settings {
        max_streams: params.max_streams.unwrap_or(Settings::MAX_STREAMS),
        window: params.window.unwrap_or(Settings::WINDOW),
        max_header_bytes: server.max_header_bytes,
        max_uri_bytes: server.max_header_uri_bytes,
        client_read_timeout: server.client_read_timeout,
        graceful_timeout: server.graceful_shutdown_timeout,
        extended_connect: worker.config().https_basic.enable_http2_websocket,
    }
}

/// Waits for the next request, and keeps the requests before it going.
async fn next(
    worker: &Worker,
    place: &Place,
    connection: &Connection,
) -> Option<(Box<bfe_http::Request>, StreamExchange)> {
    poll_fn(|cx| {
        if worker.is_draining() {
            connection.go_away();
        } else {
            place.wake_with(cx.waker());
        }
        connection.poll_request(cx)
    })
    .await
}

/// Serves one request, or a stream that is to carry another protocol.
async fn request(
    worker: Rc<Worker>,
    session: Rc<Session>,
    http: Box<bfe_http::Request>,
    exchange: StreamExchange,
) {
    if exchange.protocol().is_some() {
        // Rare, and not to make the tasks of requests larger.
        return Box::pin(websocket::serve_stream(&worker, &session, *http, exchange)).await;
    }
    let mut req = Request::new(session, *http);
    let after = exchange.watch(pipeline::serve(&worker, &mut req, &exchange)).await;
    exchange.finish(after != After::Keep).await;
}
