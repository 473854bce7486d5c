//! Client connections: accepting them, and serving their requests one after the other (lifecycle 3 to 5).

use crate::boxed::boxed;
use crate::config::Layer4LoadBalancer;
use crate::pipeline::{self, After};
use crate::state::{Active, count, of_connections, proxy_state as s};
use crate::worker::{Place, Worker};
use crate::{http2, keepalive, proxy_header, stream, tls, websocket};
use bfe_basic::{ErrorCode, Proto, Request, Session};
use bfe_http::h1::Stream;
use bfe_http::h1::server::{Connection, Expectation, FlushPolicy, Limits, Origin, ReadError, SendOptions};
use bfe_http::{Exchange, Response};
use bfe_module::{HandlerResult, Point};
use bfe_tls::{Protocol, ProtocolParams};
use bytes::BytesMut;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};
use tokio::net::{TcpListener, TcpStream};

/// How long a client that may still be sending gets to read its last answer.
const LINGER: Duration = Duration::from_millis(500);
/// Pause after an accept that failed; doubled with each failure in a row.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Accepts connections until it is aborted.
pub(crate) async fn accept_loop(worker: Rc<Worker>, listener: TcpListener, is_secure: bool) {
    let mut pause = ACCEPT_PAUSE.0;
    loop {
        worker.room().await;
        match listener.accept().await {
            Ok((stream, peer)) => {
                pause = ACCEPT_PAUSE.0;
                // It counts from now on, not from when its task first runs: many may be accepted before.
                let place = Place::new(Rc::clone(&worker));
                // In a box of its own, as are all protocols but the first: what they need is not to make each
                // connection larger for as long as it lives.
                let accepted = Box::pin(accepted(Rc::clone(&worker), stream, peer, is_secure));
                tokio::task::spawn_local(serve(Rc::clone(&worker), place, accepted));
            }
            Err(e) => {
                // Out of descriptors, most likely: the connections that are there go first.
                count(s::ERR_CLIENT_CONN_ACCEPT);
                log::warn!("accept: {e}; next try in {pause:?}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(ACCEPT_PAUSE.1);
            }
        }
    }
}

/// Counts a connection whose task panicked; everything else is given back by the guards it dropped.
pub(crate) struct PanicWatch;

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            count(s::PANIC_CLIENT_CONN_SERVE);
        }
    }
}

/// Counts a connection that ends while a request of it is still in the pipeline: after a panic, or with
/// streams that are under way.
pub(crate) struct Unfinished(pub(crate) Rc<Session>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.0.requests_active.get() > 0 {
            count(s::CLIENT_CONN_UNFINISHED_REQ);
        }
    }
}

/// Serves a connection from its accept to its end.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn keeps its arguments twice, for as long as the connection lives"
)]
fn serve(
    worker: Rc<Worker>,
    place: Place,
    accepted: Pin<Box<impl Future<Output = Option<(Rc<Session>, Spoken)>>>>,
) -> impl Future<Output = ()> {
    async move {
        let _watch = PanicWatch;
        let Some((session, spoken)) = accepted.await else { return };
        let _unfinished = Unfinished(Rc::clone(&session));
        match spoken {
            Spoken::Http1(connection) => serve_http1(&worker, &place, &session, connection).await,
            Spoken::Multiplexed(stream, proto, params) => {
                Box::pin(http2::serve(&worker, &place, &session, stream, proto, params)).await;
            }
            Spoken::Stream(stream, params) => {
                Box::pin(stream::serve(&worker, &session, stream, params)).await;
            }
        }
    }
}

/// A connection whose protocol is known, and what serving it takes.
enum Spoken {
    Http1(Connection),
    /// HTTP/2 or SPDY.
    Multiplexed(Stream, Proto, ProtocolParams),
    Stream(Stream, ProtocolParams),
}

/// What comes before a connection's protocol is known: the PROXY header, the handlers of the accept, and the TLS
/// handshake with its own. Nothing where that was the connection's end.
async fn accepted(
    worker: Rc<Worker>,
    mut stream: TcpStream,
    peer: SocketAddr,
    is_secure: bool,
) -> Option<(Rc<Session>, Spoken)> {
    let server = &worker.config().server;
    let first_head = Instant::now() + server.client_read_timeout;
    let mut session = Session {
        start: Some((Instant::now(), SystemTime::now())),
        remote_addr: Some(canonical(peer)),
        local_addr: stream.local_addr().ok().map(canonical),
        accessible_body_size: server.accessible_body_size,
        is_secure,
        ..Session::default()
    };
    let mut early = BytesMut::new();
    let mut broken = None;
    if server.layer4_load_balancer == Layer4LoadBalancer::Proxy {
        match proxy_header::read(&mut stream, &mut early, server.max_proxy_header_bytes, first_head).await {
            Ok(Some(addresses)) => {
                session.balancer_addr = session.remote_addr;
                session.remote_addr = Some(canonical(addresses.source));
                session.vip = Some(addresses.destination.ip().to_canonical());
                session.vport = addresses.destination.port();
                let product = session.vip.and_then(|vip| worker.tables().routes.product_of_vip(vip));
                *session.product.borrow_mut() = product;
            }
            Ok(None) => {}
            Err(error) => broken = Some(error),
        }
    }
    let session = Rc::new(session);
    let spoken = spoken(&worker, &session, stream, Before { early, first_head, broken }).await;
    if spoken.is_none() {
        finish(&worker, &session);
    }
    Some((session, spoken?))
}

/// What is known of a connection before its protocol is.
struct Before {
    /// What has been read of it already.
    early: BytesMut,
    /// Until when its first request must have come, where there is no handshake.
    first_head: Instant,
    /// What was wrong with its PROXY header.
    broken: Option<String>,
}

/// Calls the handlers of the accept, and does the TLS handshake with its own; what is spoken then.
async fn spoken(worker: &Rc<Worker>, session: &Session, stream: TcpStream, before: Before) -> Option<Spoken> {
    let server = &worker.config().server;
    let verdict = worker.callbacks().run_session(Point::HandleAccept, session);
    keepalive::apply(session, &stream);
    if verdict == HandlerResult::Close {
        return None;
    }
    let limits =
        Limits { max_header_bytes: server.max_header_bytes, max_uri_bytes: server.max_header_uri_bytes };
    let http1 = |stream, early, first_head| {
        let connection = Connection::new(stream, early, limits);
        connection.set_read_deadline(Some(first_head));
        Spoken::Http1(connection)
    };
    if !session.is_secure {
        if let Some(error) = before.broken {
            let _active = begin(session);
            count(s::ERR_CLIENT_BAD_REQUEST);
            session.set_error(ErrorCode::CLIENT_BAD_REQUEST, error);
            return None;
        }
        return Some(http1(Stream::Tcp(stream), before.early, before.first_head));
    }
    // Much more than plain connections need here.
    let (stream, protocol, params) =
        Box::pin(tls::shake_hands(worker, session, stream, before.early, before.broken)).await?;
    if worker.callbacks().run_session(Point::HandleHandshake, session) == HandlerResult::Close {
        return None;
    }
    Some(match protocol {
        Protocol::Http1 => http1(stream, BytesMut::new(), Instant::now() + server.client_read_timeout),
        Protocol::H2 => Spoken::Multiplexed(stream, Proto::H2, params),
        Protocol::Spdy31 => Spoken::Multiplexed(stream, Proto::Spdy31, params),
        Protocol::Stream => Spoken::Stream(stream, params),
    })
}

/// Counts a connection that speaks HTTP/1.
fn begin(session: &Session) -> Active {
    let proto = if session.is_secure { Proto::Https } else { Proto::Http };
    session.proto.set(proto);
    Active::begin((s::CLIENT_CONN_SERVED, s::CLIENT_CONN_ACTIVE), of_connections(proto))
}

/// Serves a connection that speaks HTTP/1, request after request, to its end. While it waits for one it needs next to
/// no memory: all that a request takes is in a box of its own.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn keeps its arguments twice, for as long as the connection lives"
)]
fn serve_http1(
    worker: &Rc<Worker>,
    place: &Place,
    session: &Rc<Session>,
    connection: Connection,
) -> impl Future<Output = ()> {
    async move {
        let active = begin(session);
        let end = loop {
            match next_bytes(worker, place, &connection).await {
                Some(Ok(())) => {}
                Some(Err(error)) => break Box::pin(refuse(session, &connection, &error)).await,
                None => break End::Close,
            }
            if let Some(end) = boxed(|| request(worker, session, &connection)).await {
                break end;
            }
        };
        drop(active);
        if let End::WebSocket(http) = end {
            Box::pin(websocket::serve(worker, session, connection, *http)).await;
            finish(worker, session);
        } else {
            finish(worker, session);
            let linger = matches!(end, End::CloseSlowly).then_some(LINGER);
            Box::pin(connection.close(linger)).await;
        }
    }
}

/// Calls the last handlers of a connection.
pub(crate) fn finish(worker: &Worker, session: &Session) {
    session.end.set(Some(Instant::now()));
    let _ = worker.callbacks().run_session(Point::HandleFinish, session);
}

/// How the requests of a connection ended.
enum End {
    /// The connection is to be closed.
    Close,
    /// The same, but the client may still be sending.
    CloseSlowly,
    /// The first request asked for a WebSocket.
    WebSocket(Box<bfe_http::Request>),
}

/// Serves one request. `None` where the connection goes on.
async fn request(worker: &Rc<Worker>, session: &Rc<Session>, connection: &Connection) -> Option<End> {
    let mut http = match connection.read_request().await {
        Ok(http) => http,
        Err(error) => return Some(refuse(session, connection, &error).await),
    };
    match connection.expectation(&mut http) {
        Expectation::None => {}
        Expectation::Continue => note_continue(session),
        Expectation::ContinueWithoutBody => {
            note_continue(session);
            count(s::ERR_CLIENT_ZERO_CONTENTLEN);
            session.set_error(ErrorCode::CLIENT_ZERO_CONTENTLEN, "content length is zero");
            return Some(answer_and_close(worker, connection, 400).await);
        }
        Expectation::Unknown => {
            count(s::ERR_CLIENT_EXPECT_FAIL);
            session.set_error(ErrorCode::CLIENT_EXPECT_FAIL, "invalid Expect header");
            return Some(answer_and_close(worker, connection, 417).await);
        }
    }
    if connection.serial() == 1 && websocket::is_wanted(&http) {
        return Some(End::WebSocket(Box::new(http)));
    }
    let mut req = Request::new(Rc::clone(session), http);
    match pipeline::serve(worker, &mut req, connection).await {
        After::Keep => None,
        After::Close => Some(End::Close),
        After::CloseSlowly => Some(End::CloseSlowly),
    }
}

/// Waits for the first bytes of the next request; `None` where there will be none because the process is
/// shutting down.
fn next_bytes(
    worker: &Worker,
    place: &Place,
    connection: &Connection,
) -> impl Future<Output = Option<Result<(), ReadError>>> {
    poll_fn(move |cx| match connection.poll_readable(cx) {
        Poll::Ready(ready) => Poll::Ready(Some(ready)),
        Poll::Pending if worker.is_draining() && connection.serial() > 0 => Poll::Ready(None),
        Poll::Pending => {
            place.wake_with(cx.waker());
            Poll::Pending
        }
    })
}

fn note_continue(session: &Session) {
    session.use_100_continue.set(true);
    count(s::CLIENT_CONN_USE100_CONTINUE);
}

/// Notes why there was no request, and sends the raw answer that there is for it (lifecycle 5.4).
async fn refuse(session: &Session, connection: &Connection, error: &ReadError) -> End {
    let (code, counter) = match error {
        ReadError::Closed => (ErrorCode::CLIENT_CLOSE, s::ERR_CLIENT_CLOSE),
        ReadError::Timeout => (ErrorCode::CLIENT_TIMEOUT, s::ERR_CLIENT_TIMEOUT),
        ReadError::Reset(_) => (ErrorCode::CLIENT_RESET, s::ERR_CLIENT_RESET),
        ReadError::LongHeader => (ErrorCode::CLIENT_LONG_HEADER, s::ERR_CLIENT_LONG_HEADER),
        ReadError::LongTarget(_) => (ErrorCode::CLIENT_LONG_URL, s::ERR_CLIENT_LONG_URL),
        ReadError::Bad(_) | ReadError::Cut => (ErrorCode::CLIENT_BAD_REQUEST, s::ERR_CLIENT_BAD_REQUEST),
    };
    count(counter);
    session.set_error(code, error.to_string());
    let Some(answer) = error.answer() else { return End::Close };
    connection.set_write_deadline(Instant::now().checked_add(LINGER));
    if connection.send_raw(answer).await.is_ok() { End::CloseSlowly } else { End::Close }
}

/// Answers without the pipeline, and tells the client that the connection ends.
async fn answer_and_close(worker: &Worker, connection: &Connection, status: u16) -> End {
    let options = SendOptions {
        flush: FlushPolicy::Buffered,
        origin: Origin::Proxy,
        keep_alive_enabled: false,
        draining: worker.is_draining(),
        cancel_on_close: false,
    };
    connection.set_write_deadline(Instant::now().checked_add(worker.config().server.client_read_timeout));
    let mut response = Response::new(status);
    response.header.set("Connection", "close");
    let sent = connection.respond(&mut response, &options).await;
    if sent.error.is_none() { End::CloseSlowly } else { End::Close }
}

/// IPv4 in its own form, however the socket tells it.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
