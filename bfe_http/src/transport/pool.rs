//! Idle backend connections.
//!
//! Each worker keeps its own, so that a connection is read and written by the thread that polls it. A worker
//! that has none left takes one from another's shelf before it makes a new one: what the reference's single
//! pool would have reused is reused here too.

use super::{HostCounts, Transport, TransportError, h2c, http_state};
use crate::h1::client;
use crate::h1::client::BackendConn;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The idle connections of one worker, by transport and backend. A clone is the same pool.
#[derive(Clone, Default)]
pub struct Pool {
    /// By transport and address.
    hosts: Rc<RefCell<Hosts>>,
    /// Those that many requests share.
    pub(super) h2c: Rc<h2c::Connections>,
}

type Hosts = FxHashMap<(u64, Arc<str>), Rc<Host>>;

/// The idle connections of one worker to one backend, the one used last at the back. Its worker alone puts
/// some in; others look at it when they have none themselves.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<VecDeque<BackendConn>>);

/// One backend of one transport, seen from one worker.
pub(crate) struct Host {
    transport: Weak<Transport>,
    counts: Arc<HostCounts>,
    /// Whether what is done here shows in [`http_state`].
    counted: bool,
    max_idle: usize,
    max_conns: usize,
    shelf: Arc<Shelf>,
    addr: Bytes,
    /// Connections of this worker that are not idle.
    busy: Cell<usize>,
}

/// A connection that goes back to its pool when it has been used well, and is closed otherwise.
pub struct PooledConn {
    conn: Option<BackendConn>,
    /// Where it belongs; `None` for one that is not pooled at all.
    host: Option<Rc<Host>>,
    /// It is back in the pool, so it is not to be counted as closed.
    returned: bool,
    /// It has been made for this round trip.
    fresh: bool,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An idle connection to `addr`, or a new one; begins a round trip.
    ///
    /// # Errors
    /// [`TransportError::Connect`] when there is none to be had.
    pub async fn get(
        &self,
        transport: &Arc<Transport>,
        addr: &Arc<str>,
    ) -> Result<PooledConn, TransportError> {
        transport.count(http_state::HTTP_BACKEND_REQ_ALL);
        let host = self.host(transport, addr);
        if let Some(idle) = host.take_idle() {
            return Ok(idle);
        }
        let fail = |reason| TransportError::Connect { reason, addr: addr.clone() };
        let reserved = host
            .reserve()
            .map_err(|max| fail(format!("cm key[|http|{addr}] greater than max conns[{max}]")))?;
        transport.count(http_state::HTTP_BACKEND_CONN_ALL);
        let stream = transport.dial(addr).await.map_err(fail)?;
        transport.count(http_state::HTTP_BACKEND_CONN_SUCC);
        Ok(reserved.filled(BackendConn::new(stream)))
    }

    fn host(&self, transport: &Arc<Transport>, addr: &Arc<str>) -> Rc<Host> {
        let mut hosts = self.hosts.borrow_mut();
        let key = (transport.id, Arc::clone(addr));
        if let Some(host) = hosts.get(&key) {
            return host.clone();
        }
        let conf = transport.conf();
        let counts = transport.host(addr);
        let host = Rc::new(Host {
            transport: Arc::downgrade(transport),
            shelf: counts.new_shelf(),
            counts,
            counted: transport.counted,
            max_idle: conf.max_idle_per_host,
            max_conns: conf.max_conns_per_host,
            addr: Bytes::copy_from_slice(addr.as_bytes()),
            busy: Cell::new(0),
        });
        hosts.insert(key, host.clone());
        host
    }

    /// Drops idle connections that their backend has closed, and what belongs to transports that are gone.
    /// To be called now and then.
    pub fn sweep(&self) {
        self.h2c.sweep();
        let mut hosts = self.hosts.borrow_mut();
        hosts.retain(|_, host| {
            if host.transport.strong_count() == 0 {
                host.drop_idle(|_| false);
                return false;
            }
            host.drop_idle(|conn| {
                conn.rest();
                conn.is_quiet()
            });
            host.busy.get() > 0 || !host.shelf.lock().is_empty()
        });
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, VecDeque<BackendConn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<BackendConn> {
        self.lock().pop_back()
    }

    /// The same for a worker that the shelf does not belong to.
    fn take_movable(&self) -> Option<BackendConn> {
        let mut idle = self.lock();
        if idle.back().is_some_and(BackendConn::can_move) { idle.pop_back() } else { None }
    }
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} idle", self.lock().len())
    }
}

impl HostCounts {
    /// The shelf of one more worker.
    fn new_shelf(&self) -> Arc<Shelf> {
        let shelf = Arc::new(Shelf::default());
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        // A worker that has forgotten the backend has left its shelf behind.
        shelves.retain(|known| Arc::strong_count(known) > 1);
        shelves.push(shelf.clone());
        shelf
    }

    /// An idle connection of another worker, the one used last on its shelf.
    fn take_from_others(&self, own: &Arc<Shelf>) -> Option<BackendConn> {
        if self.idle.load(Relaxed) <= 0 {
            return None;
        }
        let shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.iter().filter(|shelf| !Arc::ptr_eq(shelf, own)).find_map(|shelf| shelf.take_movable())
    }
}

impl Host {
    /// An idle connection that is still good: the one that this worker used last, or else another worker's.
    fn take_idle(self: &Rc<Self>) -> Option<PooledConn> {
        loop {
            let conn = match self.shelf.take() {
                Some(mut conn) => conn.is_quiet().then_some(conn),
                None => self.counts.take_from_others(&self.shelf)?.move_here(),
            };
            self.counts.idle.fetch_sub(1, Relaxed);
            if let Some(conn) = conn {
                self.busy.set(self.busy.get() + 1);
                return Some(PooledConn {
                    conn: Some(conn),
                    host: Some(self.clone()),
                    returned: false,
                    fresh: false,
                });
            }
            self.counts.open.fetch_sub(1, Relaxed);
        }
    }

    /// Room for one more connection; the limit where there is none.
    fn reserve(self: &Rc<Self>) -> Result<PooledConn, usize> {
        let open = self.counts.open.fetch_add(1, Relaxed);
        let reserved = PooledConn { conn: None, host: Some(self.clone()), returned: false, fresh: true };
        self.busy.set(self.busy.get() + 1);
        if self.max_conns > 0 && usize::try_from(open).unwrap_or(0) >= self.max_conns {
            return Err(self.max_conns);
        }
        Ok(reserved)
    }

    /// Takes a connection back; where too many are idle, the oldest of this worker goes.
    fn put(&self, conn: BackendConn) {
        if self.max_idle == 0 || self.transport.strong_count() == 0 {
            self.counts.open.fetch_sub(1, Relaxed);
            return;
        }
        let idle = self.counts.idle.fetch_add(1, Relaxed) + 1;
        let mut shelf = self.shelf.lock();
        shelf.push_back(conn);
        if usize::try_from(idle).unwrap_or(0) > self.max_idle && shelf.pop_front().is_some() {
            self.counts.idle.fetch_sub(1, Relaxed);
            self.counts.open.fetch_sub(1, Relaxed);
        }
    }

    fn drop_idle(&self, keep: impl FnMut(&mut BackendConn) -> bool) {
        let mut idle = self.shelf.lock();
        let before = idle.len();
        idle.retain_mut(keep);
        let gone = i64::try_from(before - idle.len()).unwrap_or(0);
        self.counts.idle.fetch_sub(gone, Relaxed);
        self.counts.open.fetch_sub(gone, Relaxed);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.drop_idle(|_| false);
    }
}

impl PooledConn {
    fn filled(mut self, conn: BackendConn) -> Self {
        self.conn = Some(conn);
        self
    }

    /// Address and port of the backend.
    #[must_use]
    pub fn addr(&self) -> Bytes {
        self.host.as_ref().map(|h| h.addr.clone()).unwrap_or_default()
    }

    /// Whether it has been made for this round trip, and is not an idle one.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Counts an answer, if anything is counted.
    pub(crate) fn count_answer(&self) {
        if self.host.as_ref().is_none_or(|host| host.counted) {
            http_state::group().inc(http_state::HTTP_BACKEND_REQ_SUCC);
        }
    }

    /// A connection that belongs to no pool.
    pub(crate) fn detached(conn: BackendConn) -> Self {
        Self { conn: Some(conn), host: None, returned: false, fresh: true }
    }

    /// Takes the connection for good.
    pub(crate) fn take(mut self) -> Option<BackendConn> {
        self.conn.take()
    }

    /// Gives the connection back for other requests.
    pub(crate) fn reuse(mut self) {
        if let (Some(conn), Some(host)) = (self.conn.take(), &self.host) {
            self.returned = true;
            host.put(conn);
        }
    }

    pub(crate) fn conn(&mut self) -> Result<&mut BackendConn, client::Closed> {
        self.conn.as_mut().ok_or(client::Closed)
    }
}

impl Drop for PooledConn {
    fn drop(&mut self) {
        let Some(host) = &self.host else { return };
        host.busy.set(host.busy.get().saturating_sub(1));
        if !self.returned {
            host.counts.open.fetch_sub(1, Relaxed);
        }
    }
}
