//! A worker: one thread, one runtime, and the connections that live and die on it.

use crate::config::BfeConfig;
use crate::connection;
use crate::delays::Delays;
use crate::descriptors;
#[cfg(feature = "http3")]
use crate::http3;
use crate::server::Server;
use crate::tables::ServerData;
use bfe_http::counter;
use bfe_http::transport::Pool;
use bfe_module::Callbacks;
use bfe_tls::{HandshakeThread, TlsServer};
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::LocalOptions;
use tokio::sync::{Notify, watch};

/// How often idle backend connections are looked after.
const SWEEP: Duration = Duration::from_secs(1);
/// Encoding buffers kept for reuse, and how large one may have grown.
const BUFFERS: (usize, usize) = (16, 32 * 1024);

/// What a worker's connections share. It never leaves its thread.
pub(crate) struct Worker {
    server: Arc<Server>,
    pool: Pool,
    handshakes: HandshakeThread,
    tables: RefCell<Rc<Snapshot>>,
    buffers: RefCell<Vec<Vec<u8>>>,
    draining: Cell<bool>,
    /// The connections, each with what wakes it.
    connections: RefCell<Slab<Waker>>,
    last_gone: Notify,
    /// Most connections at once, and what tells that there is room again.
    max_connections: usize,
    room: Notify,
}

/// The tables that were current when a request was read. Workers count their own users of it.
pub(crate) struct Snapshot(Arc<ServerData>);

impl std::ops::Deref for Snapshot {
    type Target = ServerData;

    fn deref(&self) -> &ServerData {
        &self.0
    }
}

/// A connection's place in the list of its worker.
pub(crate) struct Place {
    worker: Rc<Worker>,
    key: usize,
}

impl Worker {
    fn new(server: Arc<Server>, handshakes: HandshakeThread, max_connections: usize) -> Self {
        let tables = RefCell::new(Rc::new(Snapshot(server.live.data.load_full())));
        Self {
            server,
            pool: Pool::new(),
            handshakes,
            tables,
            buffers: RefCell::default(),
            draining: Cell::new(false),
            connections: RefCell::default(),
            last_gone: Notify::new(),
            max_connections,
            room: Notify::new(),
        }
    }

    /// The current tables: one comparison while they have not changed, and no shared count is touched.
    pub(crate) fn tables(&self) -> Rc<Snapshot> {
        let mut tables = self.tables.borrow_mut();
        let current = self.server.live.data.load();
        if !Arc::ptr_eq(&current, &tables.0) {
            *tables = Rc::new(Snapshot(Arc::clone(&current)));
        }
        Rc::clone(&tables)
    }

    pub(crate) fn config(&self) -> &BfeConfig {
        &self.server.config
    }

    pub(crate) fn callbacks(&self) -> &Callbacks {
        &self.server.callbacks
    }

    pub(crate) fn tls(&self) -> &Arc<TlsServer> {
        &self.server.live.tls
    }

    /// The thread that does the costly step of handshakes.
    pub(crate) fn handshakes(&self) -> &HandshakeThread {
        &self.handshakes
    }

    pub(crate) fn delays(&self) -> &Delays {
        &self.server.delays
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Whether the process is shutting down.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// A buffer to encode into.
    pub(crate) fn take_buffer(&self) -> Vec<u8> {
        self.buffers.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(crate) fn give_buffer(&self, buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < BUFFERS.0 && buffer.capacity() <= BUFFERS.1 {
            buffers.push(buffer);
        }
    }

    /// Tells idle connections that the end has come.
    fn drain(&self) {
        self.draining.set(true);
        for (_, waker) in self.connections.borrow().iter() {
            waker.wake_by_ref();
        }
    }

    /// Waits until there is room for one more connection.
    pub(crate) async fn room(&self) {
        while self.connections.borrow().len() >= self.max_connections {
            self.room.notified().await;
        }
    }

    /// Whether there is room for one more connection now.
    #[cfg(feature = "http3")]
    pub(crate) fn has_room(&self) -> bool {
        self.connections.borrow().len() < self.max_connections
    }

    async fn all_gone(&self) {
        while !self.connections.borrow().is_empty() {
            self.last_gone.notified().await;
        }
    }
}

impl Place {
    /// Enters a connection.
    pub(crate) fn new(worker: Rc<Worker>) -> Self {
        let key = worker.connections.borrow_mut().insert(Waker::noop().clone());
        Self { worker, key }
    }

    /// Notes what wakes the connection when the worker has something to tell.
    pub(crate) fn wake_with(&self, waker: &Waker) {
        if let Some(known) = self.worker.connections.borrow_mut().get_mut(self.key) {
            known.clone_from(waker);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.worker.connections.borrow_mut();
        connections.try_remove(self.key);
        if connections.len() + 1 >= self.worker.max_connections {
            self.worker.room.notify_waiters();
        }
        if connections.is_empty() {
            self.worker.last_gone.notify_one();
        }
    }
}

/// The ports of a worker.
pub(crate) struct Ports {
    pub(crate) plain: std::net::TcpListener,
    pub(crate) secure: std::net::TcpListener,
    /// That of HTTP/3, where it is served.
    #[cfg(feature = "http3")]
    pub(crate) quic: Option<http3::Port>,
}

/// Runs worker number `index` until `draining` becomes true and the last connection is gone.
pub(crate) fn run(
    index: usize,
    server: Arc<Server>,
    ports: Ports,
    max_connections: usize,
    mut draining: watch::Receiver<bool>,
) -> io::Result<()> {
    counter::enter_worker(index);
    bfe_http::h1::limit_pipes(descriptors::max_pipes(max_connections));
    // The library collects randomness for each thread when it first needs some, which takes a while.
    bfe_tls::warm_up();
    let handshakes = HandshakeThread::start(format!("handshake-{index}"))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async move {
        let (plain, secure) = (TcpListener::from_std(ports.plain)?, TcpListener::from_std(ports.secure)?);
        let worker = Rc::new(Worker::new(server, handshakes, max_connections));
        let accepting = [(plain, false), (secure, true)].map(|(listener, is_secure)| {
            tokio::task::spawn_local(connection::accept_loop(Rc::clone(&worker), listener, is_secure))
        });
        #[cfg(feature = "http3")]
        let quic = ports.quic.map(|port| http3::Serving::begin(&worker, port)).transpose()?;
        let mut replaced = worker.server.live.replaced.subscribe();
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !*draining.borrow_and_update() {
            tokio::select! {
                _ = sweep.tick() => worker.pool.sweep(),
                // The sender lives as long as the server.
                _ = replaced.changed() => drop(worker.tables()),
                changed = draining.changed() => if changed.is_err() { break },
            }
        }
        // Dropping the listeners refuses new connections from now on.
        for accepting in accepting {
            accepting.abort();
            let _ = accepting.await;
        }
        #[cfg(feature = "http3")]
        if let Some(quic) = &quic {
            quic.accept_no_more();
        }
        worker.drain();
        worker.all_gone().await;
        #[cfg(feature = "http3")]
        if let Some(quic) = quic {
            quic.part().await;
        }
        Ok(())
    })
}
