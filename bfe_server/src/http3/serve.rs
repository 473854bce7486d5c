//! A connection of HTTP/3 from its first packet to its end: each request is a task of its own (lifecycle 3 to 6).

use super::endpoint::Setup;
use crate::boxed::boxed;
use crate::connection::{PanicWatch, Unfinished, canonical, finish};
use crate::pipeline::{self, After};
use crate::state::{Active, count, proxy_state as s};
use crate::tls;
use crate::worker::{Place, Worker};
use bfe_basic::{Proto, Request, Session};
use bfe_http::h3::{self, Incoming, http3_state};
use bfe_module::{HandlerResult, Point};
use bfe_tls::QuicState;
use quinn::Endpoint;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::time::timeout;

/// Handshakes under way on a worker beyond which clients first have to show that they are where they say: an answer
/// to a hello is larger than the hello, and takes a signature.
const UNPROVEN: usize = 64;

/// Each handshake that is under way holds one, and the accept loop one more.
type Handshaking = Rc<()>;

/// An open connection, on the page of HTTP/3.
struct Open;

impl Open {
    fn begin() -> Self {
        http3_state::group().inc(http3_state::H3_CLIENT_CONN_SERVED);
        http3_state::group().inc(http3_state::H3_CLIENT_CONN_ACTIVE);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        http3_state::group().dec(http3_state::H3_CLIENT_CONN_ACTIVE);
    }
}

/// Accepts connections until it is aborted.
pub(super) async fn accept_loop(worker: Rc<Worker>, endpoint: Endpoint, setup: Arc<Setup>) {
    let handshakes = Handshaking::default();
    while let Some(incoming) = endpoint.accept().await {
        if !worker.has_room() {
            http3_state::group().inc(http3_state::H3_REFUSED);
            incoming.refuse();
            continue;
        }
        if Rc::strong_count(&handshakes) > UNPROVEN && !incoming.remote_address_validated() {
            http3_state::group().inc(http3_state::H3_RETRY);
            // It fails only for those who have proved it.
            let _ = incoming.retry();
            continue;
        }
        let place = Place::new(Rc::clone(&worker));
        let handshaking = Rc::clone(&handshakes);
        tokio::task::spawn_local(connection(
            Rc::clone(&worker),
            place,
            Arc::clone(&setup),
            incoming,
            handshaking,
        ));
    }
}

async fn connection(
    worker: Rc<Worker>,
    place: Place,
    setup: Arc<Setup>,
    incoming: quinn::Incoming,
    handshaking: Handshaking,
) {
    let _watch = PanicWatch;
    let server = &worker.config().server;
    let local = incoming.local_ip().map(|ip| canonical(SocketAddr::new(ip, server.https.port)));
    let session = Rc::new(Session {
        start: Some((Instant::now(), SystemTime::now())),
        remote_addr: Some(canonical(incoming.remote_address())),
        local_addr: local,
        accessible_body_size: server.accessible_body_size,
        is_secure: true,
        ..Session::default()
    });
    if worker.callbacks().run_session(Point::HandleAccept, &session) == HandlerResult::Close {
        http3_state::group().inc(http3_state::H3_REFUSED);
        incoming.refuse();
        return finish(&worker, &session);
    }
    let _unfinished = Unfinished(Rc::clone(&session));
    let shaken = shake_hands(&worker, &session, &setup, incoming).await;
    drop(handshaking);
    match shaken {
        Some(quic)
            if worker.callbacks().run_session(Point::HandleHandshake, &session) != HandlerResult::Close =>
        {
            serve(&worker, &place, &session, quic).await;
        }
        _ => {}
    }
    finish(&worker, &session);
}

/// Shakes hands, within `TlsHandshakeTimeout`; `None` where that failed. The client knows, and the session says why.
async fn shake_hands(
    worker: &Worker,
    session: &Session,
    setup: &Setup,
    incoming: quinn::Incoming,
) -> Option<quinn::Connection> {
    let begin = Instant::now();
    count(s::TLS_HANDSHAKE_ALL);
    http3_state::group().inc(http3_state::H3_HANDSHAKE_ALL);
    let config = Arc::new(setup.config(worker, canonical(incoming.remote_address()).ip()));
    let limit = worker.config().server.tls_handshake_timeout;
    let shaken = match incoming.accept_with(config) {
        Ok(connecting) => timeout(limit, connecting).await,
        Err(error) => Ok(Err(error)),
    };
    let quic = match shaken {
        Ok(Ok(quic)) => quic,
        Ok(Err(error)) => {
            tls::failed(worker, session, begin, error.to_string());
            return None;
        }
        Err(_) => {
            tls::failed(worker, session, begin, "i/o timeout".to_owned());
            return None;
        }
    };
    http3_state::group().inc(http3_state::H3_HANDSHAKE_SUCC);
    if let Some(state) = quic.handshake_data().and_then(|data| data.downcast::<QuicState>().ok()) {
        tls::count_lookup(&state.lookup);
        tls::succeeded(worker, session, state.tls);
    }
    Some(quic)
}

/// Serves a connection to its end.
async fn serve(worker: &Rc<Worker>, place: &Place, session: &Rc<Session>, quic: quinn::Connection) {
    let server = &worker.config().server;
    let settings = h3::Settings {
        max_header_bytes: server.max_header_bytes,
        max_uri_bytes: server.max_header_uri_bytes,
        client_read_timeout: server.client_read_timeout,
    };
    session.proto.set(Proto::H3);
    let _active = Active::begin((s::CLIENT_CONN_SERVED, s::CLIENT_CONN_ACTIVE), None);
    let _open = Open::begin();
    let Ok(connection) = h3::Connection::open(quic, settings).await else { return };
    while let Some(incoming) = next(worker, place, &connection).await {
        let (worker, session) = (Rc::clone(worker), Rc::clone(session));
        tokio::task::spawn_local(boxed(|| request(worker, session, incoming)));
    }
    connection.close();
}

/// Waits for the next request.
async fn next(worker: &Worker, place: &Place, connection: &h3::Connection) -> Option<Incoming> {
    let mut next = pin!(connection.accept());
    poll_fn(|cx| {
        if worker.is_draining() {
            connection.go_away();
        } else {
            place.wake_with(cx.waker());
        }
        next.as_mut().poll(cx)
    })
    .await
}

async fn request(worker: Rc<Worker>, session: Rc<Session>, incoming: Incoming) {
    // Who could not be understood has been told, and counted.
    let Ok((http, exchange)) = incoming.read().await else { return };
    let mut req = Request::new(session, *http);
    let after = pipeline::serve(&worker, &mut req, &exchange).await;
    // With it goes what of its body nobody wanted.
    drop(req);
    exchange.finish(after != After::Keep).await;
}
