//! The monitor port: pages, reloads, metrics (monitor 1).
//!
//! It runs on the control runtime, never on a worker: a reload of a large tree stalls no request.

pub(crate) mod core;
mod dispatch;
mod pages;
mod prometheus;

use crate::server::{Server, WINDOW};
use dispatch::Answer;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

/// Pause after an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that may be open at once. Who watches a proxy needs a few.
const MAX_CONNECTIONS: usize = 512;

/// Serves the monitor port for as long as the process runs.
pub(crate) async fn serve(server: Arc<Server>, listener: TcpListener) {
    tokio::spawn(close_windows(Arc::clone(&server)));
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
            let served = hyper::server::conn::http1::Builder::new()
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
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = req.uri().path().to_owned();
    let query = req.uri().query().unwrap_or_default().to_owned();
    // Handlers read files and build tables: that is no work for a thread that others wait for.
    let made =
        tokio::task::spawn_blocking(move || dispatch::dispatch(&server, &site, &path, &query, peer)).await;
    let answer = made.unwrap_or_else(|_| Answer::text("{\"error\":\"monitor panic\"}".into()));
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    if let Some(kind) = answer.content_type {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    if let Some(location) = answer.location.and_then(|l| HeaderValue::try_from(l).ok()) {
        *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Ends the windows whose differences are shown, at each second of the wall clock that is a multiple of
/// their length.
async fn close_windows(server: Arc<Server>) {
    loop {
        for metrics in &server.web.metrics {
            metrics.close_window();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let window = WINDOW.as_secs();
        let next = Duration::from_secs((now.as_secs() / window + 1) * window);
        tokio::time::sleep(next.saturating_sub(now)).await;
    }
}
