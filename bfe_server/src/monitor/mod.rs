//! The monitor port: pages, reloads, metrics (monitor 1).
//!
//! It runs on the control runtime, never on a worker: a reload of a large tree stalls no request.

mod answer;
pub(crate) mod core;
mod debug;
mod dispatch;
mod live;
mod memory;
mod metrics;
mod pages;
mod refusal;

use crate::server::{Server, WINDOW};
use answer::Whole;
use hyper::body::Incoming;
use hyper::header::ACCEPT;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

/// Pause after an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that may be open at once. Who watches a proxy needs a few.
const MAX_CONNECTIONS: usize = 512;
/// How long a connection may wait for its next request. The original has no limit.
const IDLE: Duration = Duration::from_secs(300);

/// Serves the monitor port for as long as the process runs.
pub(crate) async fn serve(server: Arc<Server>, listener: TcpListener) {
    tokio::spawn(keep_windows(Arc::clone(&server)));
    let site = Arc::new(pages::Site::new());
    let room = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                log::warn!("monitor port: accept: {e}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (server, site) = (Arc::clone(&server), Arc::clone(&site));
        tokio::spawn(async move {
            let service = service_fn(|req| answer(Arc::clone(&server), Arc::clone(&site), req, peer));
            // Names of fields as the original writes them.
            let served = hyper::server::conn::http1::Builder::new()
                .title_case_headers(true)
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(e) = served {
                log::debug!("monitor port: {peer}: {e}");
            }
            drop(permit);
        });
    }
}

async fn answer(
    server: Arc<Server>,
    site: Arc<pages::Site>,
    req: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Whole>, Infallible> {
    if let Some(refusal) = refusal::refusal(&req) {
        return Ok(refusal.into_response());
    }
    let (path, query) = (req.uri().path().to_owned(), req.uri().query().unwrap_or_default().to_owned());
    let accept = req.headers().get(ACCEPT).and_then(|a| a.to_str().ok()).unwrap_or_default();
    let (method, wants_page) = (req.method().clone(), live::wants_page(accept));
    let ask = dispatch::Ask { method, path, query, peer, wants_page };
    Ok(dispatch::dispatch(server, &site, ask).await.into_response())
}

/// Each second of the wall clock, looks at the delay histograms; at those that are a multiple of the window of
/// the counters, ends the window whose differences are shown.
async fn keep_windows(server: Arc<Server>) {
    let since_epoch = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut closed = None;
    loop {
        let now = SystemTime::now();
        let window = since_epoch().as_secs() / WINDOW.as_secs();
        let before = closed.replace(window);
        if before != Some(window) {
            server.web.metrics.iter().for_each(|m| m.close_window());
            // The first sample has none before it.
            if before.is_some() {
                server.web.states.iter().for_each(|s| s.close_window(WINDOW.as_secs()));
            }
        }
        server.web.delays.iter().for_each(|d| d.tick(now));
        let left = 1_000_000_000 - u64::from(since_epoch().subsec_nanos());
        tokio::time::sleep(Duration::from_nanos(left)).await;
    }
}
