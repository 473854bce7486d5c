//! WebSocket: the first request of a connection may ask for a tunnel to a backend (lifecycle 18), and where it is
//! enabled, any stream of an HTTP/2 connection may (`stream`).
//!
//! No request handlers run; the request goes to the backend as it is, and once the backend agrees, bytes go
//! both ways until one side ends.

mod key;
mod stream;

pub(crate) use stream::serve_stream;

use crate::lease::Lease;
use crate::state::{Active, of_connections, proxy_state as s};
use crate::tunnel::{self, Counters};
use crate::worker::Worker;
use bfe_basic::{Proto, Session};
use bfe_http::Response;
use bfe_http::h1::Stream;
use bfe_http::h1::client::{Outgoing, Upgrade, upgrade};
use bfe_http::h1::encode::{self, OutFraming, RequestHead};
use bfe_http::h1::server::{Connection, FlushPolicy, Origin, SendOptions};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use websocket_state as ws;

/// Limit on the backend's answer, and on sending it to the client. The reference has none.
const HANDSHAKE: Duration = Duration::from_secs(60);

bfe_http::counter_group! {
    /// `/monitor/websocket_state`.
    pub websocket_state "proxy_state" {
        /// Tries without a backend.
        WEB_SOCKET_ERR_BALANCE,
        /// Backends that could not be connected.
        WEB_SOCKET_ERR_CONNECT,
        /// Requests for which all tries failed.
        WEB_SOCKET_ERR_PROXY,
        /// Requests whose backend did not agree.
        WEB_SOCKET_ERR_HANDSHAKE,
        /// Of them those that got an ordinary answer.
        WEB_SOCKET_ERR_BACKEND_REJECT,
        /// Directions that ended with an error.
        WEB_SOCKET_ERR_TRANSFER,
        /// Never moves: panics are counted for the connection.
        WEB_SOCKET_PANIC_CONN,
        /// Bytes from clients, once that direction has ended.
        WEB_SOCKET_BYTES_RECV,
        /// Bytes to clients, once that direction has ended.
        WEB_SOCKET_BYTES_SENT,
    }
}

static COUNTERS: Counters = Counters {
    group: ws::group,
    balance: ws::WEB_SOCKET_ERR_BALANCE,
    connect: ws::WEB_SOCKET_ERR_CONNECT,
    proxy: ws::WEB_SOCKET_ERR_PROXY,
    transfer: ws::WEB_SOCKET_ERR_TRANSFER,
    received: ws::WEB_SOCKET_BYTES_RECV,
    sent: ws::WEB_SOCKET_BYTES_SENT,
};

/// Whether a request asks for a WebSocket.
pub(crate) fn is_wanted(http: &bfe_http::Request) -> bool {
    http.method.as_ref() == b"GET"
        && http.header.get("Upgrade").is_some_and(|v| v.eq_ignore_ascii_case(b"websocket"))
        && http
            .header
            .get("Connection")
            .is_some_and(|v| v.to_ascii_lowercase().windows(7).any(|w| w == b"upgrade"))
}

/// Serves a connection whose first request asked for a WebSocket, to its end.
pub(crate) async fn serve(
    worker: &Worker,
    session: &Rc<Session>,
    connection: Connection,
    http: bfe_http::Request,
) {
    let proto = if session.is_secure { Proto::Wss } else { Proto::Ws };
    session.proto.set(proto);
    let total = (s::CLIENT_CONN_SERVED, s::CLIENT_CONN_ACTIVE);
    let _active = Active::begin(total, of_connections(proto));
    connection.set_read_deadline(None);
    connection.set_write_deadline(Instant::now().checked_add(HANDSHAKE));
    if let Some((client, backend, _busy)) = handshake(worker, session, connection, http).await {
        tunnel::run(client, backend, &COUNTERS).await;
    }
}

/// Finds a backend that agrees; says so to the client.
async fn handshake(
    worker: &Worker,
    session: &Rc<Session>,
    connection: Connection,
    http: bfe_http::Request,
) -> Option<(Stream, Stream, Lease)> {
    let group = ws::group();
    let (mut http, connected) = tunnel::connect(worker, session, http, &COUNTERS).await;
    let (stream, busy) = connected?;
    let answer = upgrade(Stream::Tcp(stream), outgoing(&mut http), Some(HANDSHAKE)).await;
    let (response, mut backend, early) = match answer {
        Ok(Upgrade::Switched(response, stream, early)) if agrees(&response) => (response, stream, early),
        Ok(Upgrade::Switched(response, ..) | Upgrade::Refused(response)) => {
            group.inc(ws::WEB_SOCKET_ERR_BACKEND_REJECT);
            group.inc(ws::WEB_SOCKET_ERR_HANDSHAKE);
            relay(worker, connection, response).await;
            return None;
        }
        Err(e) => {
            log::debug!("websocket: {}: {e}", busy.backend().addr_info);
            group.inc(ws::WEB_SOCKET_ERR_HANDSHAKE);
            return None;
        }
    };
    connection.send_head(&response).await.ok()?;
    let (mut client, client_early) = connection.into_parts()?;
    client.write_all(&early).await.ok()?;
    backend.write_all(&client_early).await.ok()?;
    Some((client, backend, busy))
}

/// The request with all its fields, as the client sent it, and with its body, should it have one.
fn outgoing(http: &mut bfe_http::Request) -> Outgoing {
    let mut out = Vec::new();
    let target = encode::target(http);
    let framing = match http.content_length {
        0 => OutFraming::None,
        n if n < 0 => OutFraming::Chunked,
        n => OutFraming::Length(n.unsigned_abs()),
    };
    let head =
        RequestHead { method: &http.method, target: &target, host: &http.host, framing, trailers: b"" };
    encode::request_head(&mut out, &head, &http.header, |_, _| true);
    let body = std::mem::take(&mut http.body);
    Outgoing { head: out, body, chunked: framing == OutFraming::Chunked, is_head: false }
}

fn agrees(response: &Response) -> bool {
    let is = |name, value: &[u8]| response.header.get(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
    is("Upgrade", b"websocket") && is("Connection", b"upgrade")
}

/// Passes a refusal on, and ends the connection.
async fn relay(worker: &Worker, connection: Connection, mut response: Response) {
    // A write that fails is not counted: the reference does not look at it.
    if response.status < 200 {
        // What is no agreement has no body either: bytes behind it would look like those of a tunnel.
        let _ = connection.send_head(&response).await;
    } else {
        connection.send_response(&mut response, &options(worker, Origin::Backend)).await;
    }
    connection.close(None).await;
}

/// How a refusal is sent.
fn options(worker: &Worker, origin: Origin) -> SendOptions {
    SendOptions {
        flush: FlushPolicy::Immediate,
        origin,
        keep_alive_enabled: true,
        draining: worker.is_draining(),
        cancel_on_close: false,
    }
}
