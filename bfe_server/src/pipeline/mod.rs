//! A request's way through the proxy (lifecycle 3, 6).
//!
//! [`serve`] reads like the list in the architecture page: each step is a function of its own, each early
//! exit an [`Exit`] that is dealt with in one place.

mod ai;
pub(crate) mod body;
mod client_addr;
mod finish;
mod forward;
mod out_request;
mod picked;
mod redirect;
mod respond;
mod route;

use crate::lease::Lease;
use crate::state::{Active, count, of_requests, proxy_state};
use crate::tables::{Cluster, ServerData};
use crate::worker::Worker;
use bfe_basic::{ErrorCode, Request};
use bfe_http::{Exchange, Response};
use bfe_module::{HandlerResult, Point};
use bfe_route::ProductNumber;
use std::time::Instant;

/// How the way of a request ended before the end of the list.
enum Exit {
    /// Send `req.response`, by way of the ReadResponse handlers.
    Respond(After),
    /// Send `req.response`, or an empty 200, as it is; then close.
    Finish,
    /// Redirect by `req.redirect`.
    Redirect,
    /// Close without a byte.
    Close,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It serves the next request.
    Keep,
    /// It ends, without a word about it to the client.
    Close,
    /// It ends, but the client may still be sending: it gets the time to read the answer.
    CloseSlowly,
}

/// What is found out about a request on its way.
struct Way<'t> {
    /// The time, as far as the clock has been read: again only after what may have taken some.
    now: Instant,
    /// The product's number, if it has one.
    product: Option<ProductNumber>,
    /// The cluster, once it has been looked up.
    cluster: Option<&'t Cluster>,
    /// Status that was sent.
    status: Option<u16>,
    /// The backend of the last attempt, counted as busy until the request is over.
    lease: Option<Lease>,
    /// A backend has answered.
    forwarded: bool,
    /// The handlers of RequestFinish are to see no response.
    is_unlogged: bool,
}

impl Way<'_> {
    fn new(now: Instant) -> Self {
        Self {
            now,
            product: None,
            cluster: None,
            status: None,
            lease: None,
            forwarded: false,
            is_unlogged: false,
        }
    }
}

/// Serves a request: finds out who answers it, sends the answer, and calls the handlers of each point.
pub(crate) async fn serve<E: Exchange>(worker: &Worker, req: &mut Request, exchange: &E) -> After {
    let tables = worker.tables();
    let _active = begin(req);
    client_addr::set(req);

    let now = req.stat.read_req_end.unwrap_or_else(Instant::now);
    let mut way = Way::new(now);
    let exit = if worker.config().server.enable_ai_gateway {
        // Much more than plain requests need.
        Box::pin(ai::serve(worker, &tables, req, &mut way, exchange)).await
    } else {
        match locate(worker, &tables, req, &mut way, exchange).await {
            Ok(cluster) => forward::forward::<false>(worker, cluster, req, &mut way).await.into_exit(req),
            Err(exit) => exit,
        }
    };
    let mut after = match exit {
        Exit::Respond(after) => respond::respond(worker, req, &mut way, exchange, after).await,
        Exit::Finish => respond::finish(worker, req, &mut way, exchange).await,
        Exit::Redirect => respond::redirect(worker, req, &mut way, exchange).await,
        Exit::Close => After::Close,
    };
    if req.ai.is_some() {
        after = ai::settle(req, &way, after);
    }
    tables.product_stats(way.product).observe(way.status, way.now.saturating_duration_since(now));
    let body_sent = if way.forwarded { exchange.body_read() } else { 0 };
    finish::finish(worker, req, body_sent, after).await
}

/// The first half of the way: to the cluster.
async fn locate<'t, E: Exchange>(
    worker: &Worker,
    tables: &'t ServerData,
    req: &mut Request,
    way: &mut Way<'t>,
    exchange: &E,
) -> Result<&'t Cluster, Exit> {
    call(worker, Point::HandleBeforeLocation, req, way).await?;
    way.product = route::find_product(tables, req, way.now)?;
    call(worker, Point::HandleFoundProduct, req, way).await?;
    let cluster = route::find_cluster(worker, tables, req, way).await?;
    let limit = if req.is_sse { None } else { cluster.conf.basic.read_client };
    exchange.set_read_deadline(deadline(way.now, limit));
    way.cluster = Some(cluster);
    call(worker, Point::HandleAfterLocation, req, way).await?;
    Ok(cluster)
}

/// Counts the request, and looks at what it says about itself.
fn begin(req: &mut Request) -> [Option<Active>; 2] {
    use proxy_state as s;
    let session = &req.session;
    session.requests.set(session.requests.get() + 1);
    session.requests_active.set(session.requests_active.get() + 1);
    req.is_sse = respond::accepts_event_stream(&req.http);
    let active =
        Active::begin((s::CLIENT_REQ_SERVED, s::CLIENT_REQ_ACTIVE), of_requests(session.proto.get()));
    let sse = req.is_sse.then(|| Active::begin((s::SSE_REQ_SERVED, s::SSE_REQ_ACTIVE), None));
    req.stat.read_req_start = req.http.state.start_time;
    req.stat.read_req_end = req.http.state.head_time.or(req.http.state.start_time);
    req.stat.header_len_in = u64::from(req.http.state.header_size);
    [Some(active), sse]
}

/// Calls the handlers of a request point; what they say may end the way.
async fn call(worker: &Worker, point: Point, req: &mut Request, way: &mut Way<'_>) -> Result<(), Exit> {
    if worker.callbacks().is_empty(point) {
        req.response = None;
        return Ok(());
    }
    let result = body::with_body(worker, point, req).await;
    way.now = Instant::now();
    match result {
        HandlerResult::GoOn => Ok(()),
        HandlerResult::Finish => {
            req.bfe_status_code = 500;
            Err(Exit::Finish)
        }
        HandlerResult::Redirect => Err(Exit::Redirect),
        HandlerResult::Response => Err(Exit::Respond(After::Keep)),
        HandlerResult::Close => Err(Exit::Close),
    }
}

/// Answers with an internal error: what, why, and whether the connection goes on.
fn fail(req: &mut Request, counter: usize, code: ErrorCode, message: &str, after: After) -> Exit {
    count(counter);
    req.set_error(code, message);
    internal_error(req, after)
}

/// Answers with an internal error whose reason is noted already.
fn internal_error(req: &mut Request, after: After) -> Exit {
    req.bfe_status_code = 500;
    req.response = Some(Response::internal(500));
    Exit::Respond(after)
}

/// A limit as a point in time.
fn deadline(now: Instant, limit: Option<std::time::Duration>) -> Option<Instant> {
    limit.and_then(|limit| now.checked_add(limit))
}
