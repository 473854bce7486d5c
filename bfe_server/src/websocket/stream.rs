//! WebSocket on a stream of HTTP/2 (RFC 8441). What the client asks for becomes the same request as over HTTP/1
//! before a product and a backend are looked for, and goes to the backend as that.
//!
//! A refusal of the backend is passed on. What the client would take for an agreement, and failures that end a
//! connection of HTTP/1 without a word, are answered with 500; another protocol than WebSocket with 501, as in
//! RFC 9220.

use super::{COUNTERS, HANDSHAKE, agrees, key, options, outgoing, websocket_state as ws};
use crate::lease::Lease;
use crate::state::{Active, count, proxy_state as s};
use crate::tunnel;
use crate::worker::Worker;
use bfe_basic::Session;
use bfe_http::h1::Stream;
use bfe_http::h1::client::{Upgrade, upgrade};
use bfe_http::h1::server::Origin;
use bfe_http::h2::StreamExchange;
use bfe_http::{Exchange, Response};
use bytes::Bytes;
use std::time::Instant;
use tokio::io::AsyncWriteExt;

/// Serves a stream on which a client wants to speak another protocol, to its end.
pub(crate) async fn serve_stream(
    worker: &Worker,
    session: &Session,
    http: bfe_http::Request,
    exchange: StreamExchange,
) {
    if !exchange.protocol().is_some_and(|p| p.eq_ignore_ascii_case(b"websocket")) {
        return refuse(worker, exchange, Refusal::of_proxy(501)).await;
    }
    // The connection counts as one of HTTP/2, and goes on counting as that.
    let _active = Active::begin((s::WSS_CLIENT_CONN_SERVED, s::WSS_CLIENT_CONN_ACTIVE), None);
    let agreed = tokio::select! {
        biased;
        agreed = handshake(worker, session, http) => agreed,
        () = exchange.gone() => return exchange.finish(false).await,
    };
    let Agreed { response, mut backend, early, busy: _busy } = match agreed {
        Ok(agreed) => agreed,
        Err(refusal) => return refuse(worker, exchange, refusal).await,
    };
    let mut client = exchange.into_tunnel(&response.header);
    if client.write_all(&early).await.is_err() {
        return abort(&mut backend);
    }
    drop(early);
    let mut ended = tunnel::run(client, backend, &COUNTERS).await;
    if ended.client_broke {
        abort(&mut ended.backend);
    }
}

/// A backend that agreed.
struct Agreed {
    response: Response,
    backend: Stream,
    /// What it sent behind its answer.
    early: Bytes,
    busy: Lease,
}

/// An answer that is no agreement.
struct Refusal {
    response: Box<Response>,
    origin: Origin,
    /// The backend whose answer it is.
    busy: Option<Lease>,
}

impl Refusal {
    fn of_proxy(status: u16) -> Self {
        Self { response: Box::new(Response::internal(status)), origin: Origin::Proxy, busy: None }
    }

    /// There is nothing of a backend that could be passed on.
    fn failure() -> Self {
        Self::of_proxy(500)
    }
}

/// Finds a backend, and asks it.
async fn handshake(
    worker: &Worker,
    session: &Session,
    mut http: bfe_http::Request,
) -> Result<Agreed, Refusal> {
    let group = ws::group();
    let key = key::generate();
    to_http1(&mut http, &key);
    let (mut http, connected) = tunnel::connect(worker, session, http, &COUNTERS).await;
    let (stream, busy) = connected.ok_or_else(Refusal::failure)?;
    let answer = upgrade(Stream::Tcp(stream), outgoing(&mut http), Some(HANDSHAKE)).await;
    match answer {
        Ok(Upgrade::Switched(mut response, backend, early)) if accepts(&response, &key) => {
            response.header.del("Sec-Websocket-Accept");
            Ok(Agreed { response, backend, early: early.freeze(), busy })
        }
        Ok(Upgrade::Switched(response, ..) | Upgrade::Refused(response)) => {
            group.inc(ws::WEB_SOCKET_ERR_BACKEND_REJECT);
            group.inc(ws::WEB_SOCKET_ERR_HANDSHAKE);
            if response.status < 300 {
                log::debug!("websocket: {}: {} is no agreement", busy.backend().addr_info, response.status);
                return Err(Refusal::failure());
            }
            Err(Refusal { response: Box::new(response), origin: Origin::Backend, busy: Some(busy) })
        }
        Err(e) => {
            log::debug!("websocket: {}: {e}", busy.backend().addr_info);
            group.inc(ws::WEB_SOCKET_ERR_HANDSHAKE);
            Err(Refusal::failure())
        }
    }
}

/// Turns what came over HTTP/2 into the request that asks the same over HTTP/1 (RFC 8441, 5).
fn to_http1(http: &mut bfe_http::Request, key: &str) {
    http.method = Bytes::from_static(b"GET");
    // What the client sends on the stream is no body, but what goes through the tunnel.
    http.content_length = 0;
    for name in ["Te", "Sec-Websocket-Accept"] {
        http.header.del(name);
    }
    http.header.set("Connection", "Upgrade");
    http.header.set("Upgrade", "websocket");
    http.header.set("Sec-Websocket-Key", key.to_owned());
    if !http.header.contains("Sec-Websocket-Version") {
        http.header.set("Sec-Websocket-Version", "13");
    }
}

/// Whether a backend agrees, and has understood what it agrees to.
fn accepts(response: &Response, key: &str) -> bool {
    let wanted = key::accept(key);
    agrees(response) && response.header.get("Sec-Websocket-Accept") == Some(wanted.as_bytes())
}

/// Answers without a tunnel.
async fn refuse(worker: &Worker, exchange: StreamExchange, refusal: Refusal) {
    let Refusal { mut response, origin, busy: _busy } = refusal;
    exchange.set_write_deadline(Instant::now().checked_add(HANDSHAKE));
    let options = options(worker, origin);
    let sent = exchange.watch(exchange.respond(&mut response, &options)).await;
    if sent.error.is_some() {
        count(s::ERR_CLIENT_WRITE);
    }
    exchange.finish(false).await;
}

/// Lets a backend see that its client has gone without a word: by a reset.
fn abort(backend: &mut Stream) {
    if let Stream::Tcp(tcp) = backend {
        let _ = tcp.set_zero_linger();
    }
}
