//! Attempts at backends, until one answers or none is left (lifecycle 9, balance 8).

use super::{After, Exit, Way, count, internal_error, out_request, picked, proxy_state};
use crate::lease::Lease;
use crate::tables::{Cluster, ClusterTransport};
use crate::worker::Worker;
use bfe_balance::conf::cluster_conf::{BalanceMode, RetryLevel};
use bfe_balance::{Backend, BalanceError};
use bfe_basic::{ErrorCode, Proto, Request};
use bfe_http::Response;
use bfe_http::h1::client;
use bfe_http::transport::{Kind, Transport, TransportError, fcgi, h2c};
use bfe_module::HandlerResult;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

/// Most turns of the loop, whatever the configuration says.
const MAX_TURNS: usize = 20;

/// What came of the attempts at the backends of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// One has answered: `req.response`.
    Answered,
    /// None has; why stands in the request.
    Failed(After),
    /// A handler wanted none to be asked.
    Refused(After),
}

impl Outcome {
    /// The way's end, where this was all that there was to be tried.
    pub(super) fn into_exit(self, req: &mut Request) -> Exit {
        match self {
            Self::Answered => Exit::Respond(After::Keep),
            Self::Failed(after) | Self::Refused(after) => internal_error(req, after),
        }
    }
}

/// Forwards the request to a backend of the cluster.
///
/// Each of the two ways has a copy of its own: with one caller it is compiled into that, which spares a plain request a
/// hundred instructions.
pub(super) async fn forward<const AI: bool>(
    worker: &Worker,
    cluster: &Cluster,
    req: &mut Request,
    way: &mut Way<'_>,
) -> Outcome {
    let start = way.now;
    req.stat.cluster_start = Some(start);
    let Some(balancer) = cluster.balancer.load_full() else {
        req.stat.cluster_end = Some(start);
        count(proxy_state::ERR_BK_NO_BALANCE);
        req.set_error(ErrorCode::BK_NO_CLUSTER, format!("no bal found for {}", cluster.conf.name));
        return Outcome::Failed(After::Close);
    };
    let outcome = attempts::<AI>(worker, cluster, &balancer, req, way).await;
    let end = req.stat.backend_end.unwrap_or(start);
    req.stat.cluster_end = Some(end);
    cluster.stats.observe(end.duration_since(start), req.error_code.is_some());
    if req.retry_time > 0 {
        count(proxy_state::CLIENT_REQ_WITH_RETRY);
    }
    if req.stat.is_cross_cluster {
        count(proxy_state::CLIENT_REQ_WITH_CROSS_RETRY);
    }
    outcome
}

async fn attempts<const AI: bool>(
    worker: &Worker,
    cluster: &Cluster,
    balancer: &bfe_balance::Balancer,
    req: &mut Request,
    way: &mut Way<'_>,
) -> Outcome {
    for turn in 0..MAX_TURNS {
        let picked = match cluster.conf.gslb.mode {
            BalanceMode::Epp => picked::pick(worker, balancer, req).await,
            BalanceMode::Wrr | BalanceMode::Wlc => None,
        };
        let (backend, exchange) = match picked {
            Some((backend, exchange)) => (backend, Some(exchange)),
            None => match balancer.balance(req) {
                Ok(backend) => (backend, None),
                Err(BalanceError::CrossRetryBalance) => {
                    req.retry_time += 1;
                    continue;
                }
                Err(_) => break,
            },
        };
        // The attempt before counts until this one has its backend.
        way.lease = None;
        if worker.callbacks().run_forward(req) == HandlerResult::Finish {
            return Outcome::Refused(After::Close);
        }
        way.lease = Some(Lease::new(Arc::clone(&backend)));
        let start = way.now;
        req.stat.backend_start = Some(start);
        if turn == 0 {
            req.stat.backend_first = Some(start);
        }
        let result = attempt::<AI>(worker, cluster, &backend, req, start).await;
        way.now = Instant::now();
        req.stat.backend_end = Some(way.now);
        req.backend.name = (&backend.name).into();
        req.backend.addr = (&backend.addr_info).into();
        match result {
            Ok(mut response) => {
                if let Some(exchange) = exchange {
                    exchange.report(&mut response);
                }
                mark(cluster, &backend, response.status);
                way.forwarded = true;
                req.error_code = None;
                req.error_msg.clear();
                req.response = Some(response);
                return Outcome::Answered;
            }
            Err(error) => match note_failure(cluster, &backend, req, &error) {
                Next::Retry => req.retry_time += 1,
                Next::GiveUp(after) => {
                    count(proxy_state::CLIENT_REQ_FAIL_WITH_NO_RETRY);
                    return Outcome::Failed(after);
                }
            },
        }
    }
    Outcome::Failed(After::Keep)
}

/// One attempt at one backend.
async fn attempt<const AI: bool>(
    worker: &Worker,
    cluster: &Cluster,
    backend: &Backend,
    req: &mut Request,
    start: Instant,
) -> Result<Response, TransportError> {
    let addr = &backend.addr_info;
    let transport = match &cluster.transport {
        ClusterTransport::Ready(transport) => transport,
        ClusterTransport::Missing(protocol) => {
            let reason = format!("protocol {protocol} has no transport");
            return Err(TransportError::Connect { reason, addr: Arc::clone(addr) });
        }
    };
    req.http.state.connect_backend_start = Some(start);
    match transport.kind() {
        Kind::Http => over_http1(worker, cluster, transport, addr, req, "http", start).await,
        // Rare, and not to make the memory of each request larger.
        Kind::Https(_) => Box::pin(over_http1(worker, cluster, transport, addr, req, "https", start)).await,
        Kind::Fcgi(conf) => {
            let host = cluster.conf.basic.disable_host_header.then_some(addr.as_bytes());
            let remote = req.session.remote_addr;
            let asked = fcgi::Asked { addr, remote, host, conf, limits: transport.conf() };
            let answer = Box::pin(fcgi::round_trip(&mut req.http, &asked, out_request::is_forwarded)).await;
            req.http.state.connect_backend_end = Some(start);
            set_url(req, "http", Bytes::copy_from_slice(addr.as_bytes()));
            answer
        }
        Kind::H2c => {
            let host = cluster.conf.basic.disable_host_header.then_some(addr.as_bytes());
            let (pool, keep) = (worker.pool(), out_request::is_forwarded);
            let trip = h2c::round_trip(pool, transport, addr, &mut req.http, host, keep);
            let answer = Box::pin(trip).await;
            req.http.state.connect_backend_end = Some(start);
            set_url(req, "http", Bytes::copy_from_slice(addr.as_bytes()));
            answer
        }
    }
}

/// One attempt by HTTP/1.
async fn over_http1(
    worker: &Worker,
    cluster: &Cluster,
    transport: &Arc<Transport>,
    addr: &Arc<str>,
    req: &mut Request,
    scheme: &'static str,
    start: Instant,
) -> Result<Response, TransportError> {
    let connection = worker.pool().get(transport, addr).await;
    // An idle connection takes no time worth a look at the clock.
    let at_once = connection.as_ref().is_ok_and(|c| !c.is_fresh());
    req.http.state.connect_backend_end = Some(if at_once { start } else { Instant::now() });
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) => {
            set_url(req, scheme, Bytes::copy_from_slice(addr.as_bytes()));
            return Err(error);
        }
    };
    let disable_host = cluster.conf.basic.disable_host_header;
    let outgoing = out_request::encode(req, addr, disable_host, worker.take_buffer());
    set_url(req, scheme, connection.addr());
    let timeout = transport.conf().response_header_timeout;
    let (response, buffer) = client::round_trip(connection, outgoing, start, timeout).await?;
    worker.give_buffer(buffer);
    Ok(response)
}

/// Modules after this point see where the request went (LIFE-55).
fn set_url(req: &mut Request, scheme: &'static str, host: Bytes) {
    req.http.url.scheme = Bytes::from_static(scheme.as_bytes());
    req.http.url.host = host;
}

/// Tells the backend's health how the attempt went by its status.
fn mark(cluster: &Cluster, backend: &Arc<Backend>, status: u16) {
    if !cluster.conf.backend.outlier_codes.contains(status) {
        backend.on_success();
    } else if !cluster.conf.basic.disable_health_check {
        backend.on_fail();
    }
}

enum Next {
    Retry,
    GiveUp(After),
}

/// Notes why an attempt failed, and decides what comes next.
fn note_failure(
    cluster: &Cluster,
    backend: &Arc<Backend>,
    req: &mut Request,
    error: &TransportError,
) -> Next {
    use proxy_state as s;
    count(s::ERR_BK_REQUEST_BACKEND);
    // Only what was not sent, or can be sent again without harm, is tried again; never over HTTP/2 (Q35), and never
    // in the AI gateway, where there always is a body (ai-gateway 3.2).
    let repeatable = req.ai.is_none()
        && cluster.conf.backend.retry_level == RetryLevel::Get
        && req.http.method.as_ref() == b"GET"
        && req.http.content_length == 0
        && req.session.proto.get() != Proto::H2;
    let (code, counter, is_backends_fault, retry, after) = match error {
        TransportError::Connect { .. } => {
            (ErrorCode::BK_CONNECT_BACKEND, s::ERR_BK_CONNECT_BACKEND, true, true, After::Keep)
        }
        TransportError::WriteRequest { processing: true, .. } => {
            (ErrorCode::BK_BODY_PROCESS, s::ERR_BK_BODY_PROCESS, false, false, After::Close)
        }
        TransportError::WriteRequest { client_timeout, .. } => {
            (ErrorCode::BK_WRITE_REQUEST, s::ERR_BK_WRITE_REQUEST, !client_timeout, repeatable, After::Keep)
        }
        TransportError::ReadResponseHead(_) => {
            (ErrorCode::BK_READ_RESP_HEADER, s::ERR_BK_READ_RESP_HEADER, true, repeatable, After::Keep)
        }
        TransportError::ResponseHeadTimeout => {
            (ErrorCode::BK_RESP_HEADER_TIMEOUT, s::ERR_BK_RESP_HEADER_TIMEOUT, true, repeatable, After::Keep)
        }
    };
    count(counter);
    backend.count_error();
    req.set_error(code, error.to_string());
    if is_backends_fault && !cluster.conf.basic.disable_health_check {
        backend.on_fail();
    }
    if retry { Next::Retry } else { Next::GiveUp(after) }
}
