//! Raw TCP inside TLS: a tunnel to a backend, without requests (lifecycle 19).

use crate::connection::finish;
use crate::state::{Active, of_connections, proxy_state as s};
use crate::tunnel::{self, Counters};
use crate::worker::Worker;
use bfe_basic::{Proto, Session};
use bfe_http::h1::Stream;
use bfe_http::protocol_state::stream_state as st;
use bfe_http::proxy_protocol::{self, Addresses};
use bfe_tls::ProtocolParams;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::AsyncWriteExt;

static COUNTERS: Counters = Counters {
    group: st::group,
    balance: st::STREAM_ERR_BALANCE,
    connect: st::STREAM_ERR_CONNECT,
    proxy: st::STREAM_ERR_PROXY,
    transfer: st::STREAM_ERR_TRANSFER,
    received: st::STREAM_BYTES_RECV,
    sent: st::STREAM_BYTES_SENT,
};

/// Serves a connection to its end.
pub(crate) async fn serve(worker: &Worker, session: &Rc<Session>, client: Stream, params: ProtocolParams) {
    session.proto.set(Proto::Stream);
    let total = (s::CLIENT_CONN_SERVED, s::CLIENT_CONN_ACTIVE);
    let active = Active::begin(total, of_connections(Proto::Stream));
    tunnel(worker, session, client, params).await;
    drop(active);
    finish(worker, session);
}

async fn tunnel(worker: &Worker, session: &Session, client: Stream, params: ProtocolParams) {
    // There is no request: balancing sees one without host and path.
    let Ok(nothing) = bfe_http::Request::new("", "*", "") else { return };
    let (_, Some((mut backend, _busy))) = tunnel::connect(worker, session, nothing, &COUNTERS).await else {
        return;
    };
    if let Some(header) = proxy_header(session, params.proxy_protocol)
        && let Err(e) = backend.write_all(&header).await
    {
        log::info!("stream: PROXY header to a backend: {e}");
        return;
    }
    tunnel::run(client, Stream::Tcp(backend), &COUNTERS).await;
}

/// The PROXY header that the backend gets, where the rule asks for one.
fn proxy_header(session: &Session, version: u8) -> Option<Vec<u8>> {
    let destination = match session.vip {
        Some(vip) => SocketAddr::new(vip, session.vport),
        None => session.local_addr?,
    };
    proxy_protocol::encode(&Addresses { source: session.remote_addr?, destination }, version)
}
