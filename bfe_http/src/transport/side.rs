//! Requests that the proxy makes itself, such as to a service that says who may pass.
//!
//! They share nothing with the requests of clients: neither limits nor counters.

use super::{Kind, Pool, Transport, TransportConf, TransportError};
use crate::h1::client::{Outgoing, round_trip};
use crate::{Body, Response};
use bytes::Bytes;
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most idle connections to one server, over all workers.
const MAX_IDLE: usize = 64;
/// How often connections that their server has closed are looked for.
const SWEEP: Duration = Duration::from_secs(30);

thread_local! {
    static POOL: Pool = Pool::new();
    static SWEPT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A server, and the idle connections to it. Every worker can send; each has connections of its own.
#[derive(Clone, Debug)]
pub struct SideClient {
    transport: Arc<Transport>,
    addr: Arc<str>,
    sends_once: bool,
}

impl SideClient {
    /// For a server at `addr`, host and port. No limit on time is set here: the caller has to.
    #[must_use]
    pub fn new(kind: Kind, addr: &str) -> Self {
        Self::with_limits(kind, addr, None, MAX_IDLE)
    }

    /// The same with a limit on the time that connecting takes, and one of its own on idle connections.
    #[must_use]
    pub fn with_limits(kind: Kind, addr: &str, connect: Option<Duration>, max_idle: usize) -> Self {
        let conf = TransportConf {
            connect_timeout: connect,
            response_header_timeout: None,
            max_idle_per_host: max_idle,
            max_conns_per_host: 0,
        };
        let transport = Arc::new(Transport::uncounted(kind, conf));
        Self { transport, addr: addr.into(), sends_once: false }
    }

    /// The same where no request may be sent twice: one that meets a closed connection fails.
    #[must_use]
    pub fn sending_once(self) -> Self {
        Self { sends_once: true, ..self }
    }

    /// Sends a request without a body, whose head is given whole, see [`SideClient::send_with_body`].
    ///
    /// # Errors
    /// See [`TransportError`].
    pub async fn send(&self, head: &[u8]) -> Result<Response, TransportError> {
        self.send_with_body(head, &Bytes::new()).await
    }

    /// Sends a request whose head is given whole, with the length of the body in it, and reads the head of the
    /// answer. Where an idle connection turns out to be closed, another one is taken, unless nothing may be sent
    /// twice. The request is not done at all where this is dropped.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub async fn send_with_body(&self, head: &[u8], body: &Bytes) -> Result<Response, TransportError> {
        let now = Instant::now();
        let pool = POOL.with(|pool| {
            if SWEPT.get().is_none_or(|swept| now.duration_since(swept) >= SWEEP) {
                SWEPT.set(Some(now));
                pool.sweep();
            }
            pool.clone()
        });
        loop {
            let conn = pool.get(&self.transport, &self.addr).await?;
            let fresh = conn.is_fresh();
            let body = if body.is_empty() { Body::Empty } else { Body::Full(body.clone()) };
            let request = Outgoing { head: head.to_vec(), body, chunked: false, is_head: false };
            match round_trip(conn, request, now, None).await {
                Ok((response, _)) => return Ok(response),
                Err(error) if fresh || self.sends_once => return Err(error),
                Err(_) => {}
            }
        }
    }
}
