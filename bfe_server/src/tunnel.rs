//! Tunnels: a backend that is chosen for a connection, and bytes that go both ways (lifecycle 18, 19).

use crate::lease::Lease;
use crate::worker::Worker;
use bfe_balance::Backend;
use bfe_basic::{Request, Session};
use bfe_http::counter::CounterGroup;
use bfe_http::h1::Stream;
use bfe_http::transport;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Backends that are tried.
const TRIES: usize = 3;
/// Limit on the TCP connect to each of them.
const CONNECT: Duration = Duration::from_secs(1);
/// What the other direction gets once one has ended.
const LAST_BYTES: Duration = Duration::from_millis(250);
/// Room for what is on its way in one direction.
const BUFFER: usize = 8 * 1024;

/// Counters of a kind of tunnel.
pub(crate) struct Counters {
    pub(crate) group: fn() -> &'static CounterGroup,
    /// Tries without a backend.
    pub(crate) balance: usize,
    /// Backends that could not be connected.
    pub(crate) connect: usize,
    /// Tunnels for which all tries failed.
    pub(crate) proxy: usize,
    /// Directions that ended by a failure.
    pub(crate) transfer: usize,
    /// Bytes from clients; counted when the direction ends, however it does.
    pub(crate) received: usize,
    /// Bytes to clients, in the same way.
    pub(crate) sent: usize,
}

/// Finds product, cluster and backend, and connects, a few times. What balancing sees is the request alone, on
/// a connection without TLS, and no client address (TLS-60). The request is given back.
pub(crate) async fn connect(
    worker: &Worker,
    session: &Session,
    http: bfe_http::Request,
    counters: &Counters,
) -> (bfe_http::Request, Option<(TcpStream, Lease)>) {
    let seen = Session {
        start: session.start,
        remote_addr: session.remote_addr,
        local_addr: session.local_addr,
        vip: session.vip,
        vport: session.vport,
        is_secure: session.is_secure,
        ..Session::default()
    };
    let mut req = Request::new(Rc::new(seen), http);
    req.client_addr = None;
    for _ in 0..TRIES {
        let Some(backend) = choose(worker, &mut req) else {
            (counters.group)().inc(counters.balance);
            continue;
        };
        match transport::connect(&backend.addr_info, Some(CONNECT)).await {
            Ok(stream) => return (req.http, Some((stream, Lease::new(backend)))),
            Err(e) => {
                log::debug!("tunnel: {e}");
                (counters.group)().inc(counters.connect);
            }
        }
    }
    (counters.group)().inc(counters.proxy);
    (req.http, None)
}

fn choose(worker: &Worker, req: &mut Request) -> Option<Arc<Backend>> {
    let tables = worker.tables();
    let hit = tables.routes.find_product(&req.http.host, req.session.vip)?;
    req.route.host_tag = hit.host_tag.into();
    req.route.product = hit.product.into();
    // There is no body that a condition could want.
    let cluster = tables.routes.find_cluster(hit.number, req).ok()?.ok()?;
    tables.cluster(cluster)?.balancer.load_full()?.balance(req).ok()
}

/// What is left of a tunnel.
pub(crate) struct Ended {
    pub(crate) backend: Stream,
    /// The client's side was reset, or could not be read or written for another reason.
    pub(crate) client_broke: bool,
}

/// Passes bytes both ways until one side ends; the other is told, and gets a moment for its last bytes.
pub(crate) async fn run(
    client: impl AsyncRead + AsyncWrite + Unpin,
    backend: Stream,
    counters: &Counters,
) -> Ended {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_backend, mut to_backend) = split(backend);
    let passed = |counter| Passed { bytes: Cell::new(0), counters, counter };
    let (first, end, second) = {
        let up =
            async { passed(counters.received).run(&mut from_client, &mut to_backend).await.of_client(true) };
        let down =
            async { passed(counters.sent).run(&mut from_backend, &mut to_client).await.of_client(false) };
        let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
        let (first, up_ended) = tokio::select! {
            broke = &mut up => (broke, true),
            broke = &mut down => (broke, false),
        };
        // Both sockets are there for that time in any case, as with the reference.
        let end = Instant::now() + LAST_BYTES;
        let second = if up_ended { timeout_at(end, down).await } else { timeout_at(end, up).await };
        (first, end, second)
    };
    sleep_until(end).await;
    Ended { backend: from_backend.unsplit(to_backend), client_broke: first || second.unwrap_or(false) }
}

/// How a direction ended.
enum Way {
    /// With the end of what there was to read.
    Through,
    CannotRead,
    CannotWrite,
}

impl Way {
    /// Whether it was the client that broke; `up` is the way from it.
    fn of_client(&self, up: bool) -> bool {
        match self {
            Self::Through => false,
            Self::CannotRead => up,
            Self::CannotWrite => !up,
        }
    }
}

/// Bytes that have been passed on one way.
struct Passed<'c> {
    bytes: Cell<u64>,
    counters: &'c Counters,
    counter: usize,
}

impl Passed<'_> {
    /// Passes bytes on to their end.
    async fn run(self, from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> Way {
        let Err((way, e)) = self.pass(from, to).await else { return Way::Through };
        log::debug!("tunnel: {e}");
        (self.counters.group)().inc(self.counters.transfer);
        way
    }

    async fn pass(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), (Way, io::Error)> {
        let mut buf = vec![0; BUFFER];
        loop {
            let n = from.read(&mut buf).await.map_err(|e| (Way::CannotRead, e))?;
            if n == 0 {
                let _ = to.shutdown().await;
                return Ok(());
            }
            to.write_all(buf.get(..n).unwrap_or_default()).await.map_err(|e| (Way::CannotWrite, e))?;
            to.flush().await.map_err(|e| (Way::CannotWrite, e))?;
            self.bytes.set(self.bytes.get() + n as u64);
        }
    }
}

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        (self.counters.group)().add(self.counter, self.bytes.get());
    }
}
