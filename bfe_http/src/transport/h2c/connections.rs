//! The connections of a worker to its HTTP/2 backends.

use super::super::{Transport, TransportError};
use bytes::Bytes;
use h2::client::SendRequest;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;

/// What a backend may send on one stream before it is taken on, in bytes; on all of one connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Largest header list of a response.
const MAX_HEADER_LIST: u32 = 1024 * 1024;
/// Limit on the beginning of a connection, where the cluster has none.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Most connections of a worker to one backend.
const MAX_CONNECTIONS: usize = 64;

/// By transport, then by address.
#[derive(Default)]
pub(crate) struct Connections(RefCell<FxHashMap<u64, Hosts>>);

type Hosts = FxHashMap<Arc<str>, Rc<Host>>;

/// One backend, seen from one worker.
struct Host {
    transport: Weak<Transport>,
    open: RefCell<Vec<Rc<Connection>>>,
    /// Held by whoever connects: those who come meanwhile wait for the connection that is made.
    connecting: Mutex<()>,
}

struct Connection {
    sender: SendRequest<Bytes>,
    streams: Cell<usize>,
    is_over: Cell<bool>,
}

/// A connection for one request, which counts as a stream until this is dropped.
pub(crate) struct Lent {
    sender: SendRequest<Bytes>,
    connection: Rc<Connection>,
}

impl Lent {
    pub(crate) fn sender(&mut self) -> &mut SendRequest<Bytes> {
        &mut self.sender
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let streams = &self.connection.streams;
        streams.set(streams.get().saturating_sub(1));
    }
}

impl Connections {
    /// A connection that takes one more request now.
    pub(crate) async fn get(
        &self,
        transport: &Arc<Transport>,
        addr: &Arc<str>,
    ) -> Result<Lent, TransportError> {
        let host = self.host(transport, addr);
        if let Some(lent) = host.lend() {
            return Ok(lent);
        }
        let _connecting = host.connecting.lock().await;
        if let Some(lent) = host.lend() {
            return Ok(lent);
        }
        let fail = |reason| TransportError::Connect { reason, addr: Arc::clone(addr) };
        if host.open.borrow().len() >= MAX_CONNECTIONS {
            return Err(fail(format!("{MAX_CONNECTIONS} connections have no room for a stream")));
        }
        let connection = dial(transport, addr).await.map_err(fail)?;
        host.open.borrow_mut().push(Rc::clone(&connection));
        Ok(connection.lend())
    }

    fn host(&self, transport: &Arc<Transport>, addr: &Arc<str>) -> Rc<Host> {
        let mut hosts = self.0.borrow_mut();
        let of_transport = hosts.entry(transport.id).or_default();
        if let Some(host) = of_transport.get(addr.as_ref()) {
            return Rc::clone(host);
        }
        let host = Rc::new(Host {
            transport: Arc::downgrade(transport),
            open: RefCell::default(),
            connecting: Mutex::const_new(()),
        });
        of_transport.insert(Arc::clone(addr), Rc::clone(&host));
        host
    }

    /// Forgets connections that are over, and those of transports that are gone: they end with their last
    /// stream.
    pub(crate) fn sweep(&self) {
        self.0.borrow_mut().retain(|_, of_transport| {
            of_transport.retain(|_, host| {
                host.open.borrow_mut().retain(|connection| !connection.is_over.get());
                host.transport.strong_count() > 0
                    && (Rc::strong_count(host) > 1 || !host.open.borrow().is_empty())
            });
            !of_transport.is_empty()
        });
    }
}

impl Host {
    fn lend(&self) -> Option<Lent> {
        let mut open = self.open.borrow_mut();
        open.retain(|connection| !connection.is_over.get());
        open.iter().find(|connection| connection.has_room()).map(Connection::lend)
    }
}

impl Connection {
    fn has_room(&self) -> bool {
        self.streams.get() < self.sender.current_max_send_streams()
    }

    fn lend(self: &Rc<Self>) -> Lent {
        self.streams.set(self.streams.get() + 1);
        Lent { sender: self.sender.clone(), connection: Rc::clone(self) }
    }
}

/// A new connection, ready for requests.
async fn dial(transport: &Transport, addr: &str) -> Result<Rc<Connection>, String> {
    let timeout = transport.conf.connect_timeout;
    let stream = transport.dial(addr).await?;
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADER_LIST);
    let handshake = tokio::time::timeout(timeout.unwrap_or(HANDSHAKE), builder.handshake(stream));
    let (sender, driver) = handshake
        .await
        .map_err(|_| format!("http2: {addr}: i/o timeout"))?
        .map_err(|e| format!("http2: {addr}: {e}"))?;
    let connection = Rc::new(Connection { sender, streams: Cell::new(0), is_over: Cell::new(false) });
    let driven = Rc::clone(&connection);
    tokio::task::spawn_local(async move {
        if let Err(e) = driver.await {
            log::debug!("http2 backend: {e}");
        }
        driven.is_over.set(true);
    });
    Ok(connection)
}
