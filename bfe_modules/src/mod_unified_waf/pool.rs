//! The instances, and whose turn it is.

use super::client::Client;
use super::monitor::Monitor;
use super::params::{Instance, Params};
use super::vendor;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often instances that have left are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// The instances of a vendor's firewall.
pub(super) struct Pool {
    /// The vendor, or `None` by name: then there are no instances, whatever the file says.
    vendor: String,
    /// Connections to an instance.
    pool_size: usize,
    params: ArcSwap<Params>,
    clients: Mutex<Clients>,
    changed: Notify,
    monitor: Arc<Monitor>,
}

#[derive(Default)]
struct Clients {
    active: BTreeMap<String, Arc<Client>>,
    /// No longer in the file, and perhaps still at work.
    leaving: Vec<Arc<Client>>,
    next: usize,
}

impl Pool {
    pub(super) fn new(vendor: String, pool_size: usize, monitor: Arc<Monitor>) -> Self {
        Self {
            vendor,
            pool_size,
            params: ArcSwap::default(),
            clients: Mutex::default(),
            changed: Notify::new(),
            monitor,
        }
    }

    /// The next instance that is available.
    pub(super) fn pick(&self) -> Option<Arc<Client>> {
        let mut clients = self.lock();
        let available = || clients.active.values().filter(|client| client.is_available());
        let picked = available().nth(clients.next).map(|client| (client, clients.next));
        let (client, place) = picked.or_else(|| available().next().map(|client| (client, 0)))?;
        let client = Arc::clone(client);
        clients.next = place + 1;
        Some(client)
    }

    /// Takes new parameters.
    pub(super) fn set_params(&self, params: Params) {
        let params = Arc::new(params);
        let clients = self.lock();
        self.params.store(Arc::clone(&params));
        for client in clients.active.values() {
            client.set_params(&params);
        }
    }

    /// Takes the instances of the file; of those with the same address the last counts.
    pub(super) fn set_instances(&self, instances: &[Instance]) {
        let wanted: BTreeMap<String, &Instance> = instances.iter().map(|i| (i.addr(), i)).collect();
        let mut clients = self.lock();
        let mut added = 0;
        for (addr, instance) in &wanted {
            if let Some(client) = clients.active.get(addr) {
                client.set_instance(instance);
                continue;
            }
            let params = self.params.load_full();
            let agent = vendor::agent(&self.vendor, addr, self.pool_size, params.connect_timeout());
            let Some(agent) = agent else { continue };
            let client = Client::new(instance, agent, params, Arc::clone(&self.monitor));
            clients.active.insert(addr.clone(), Arc::new(client));
            added += 1;
        }
        let Clients { active, leaving, .. } = &mut *clients;
        active.retain(|addr, client| {
            let stays = wanted.contains_key(addr);
            if !stays {
                client.leave();
                leaving.push(Arc::clone(client));
            }
            stays
        });
        if vendor::NAMES.contains(&self.vendor.as_str()) {
            self.monitor.states.add("waf_client.added_clients", added);
        }
        self.changed.notify_one();
    }

    /// Begins to watch the health of the instances, and to let go of those that have left, on a thread of its own.
    pub(super) fn watch(self: &Arc<Self>) -> io::Result<()> {
        let pool = Arc::downgrade(self);
        thread::Builder::new().name("waf".into()).spawn(move || {
            match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
                Ok(runtime) => runtime.block_on(watch_all(&pool)),
                Err(error) => log::error!("mod_unified_waf: instances are not watched: {error}"),
            }
        })?;
        Ok(())
    }

    /// Starts to watch the instances that are new.
    fn watch_new(&self) {
        for client in self.lock().active.values().filter(|client| !client.is_watched.swap(true, Relaxed)) {
            tokio::task::spawn_local(watch_one(Arc::downgrade(client)));
        }
    }

    /// Lets go of instances that nobody asks any more.
    fn sweep(&self) {
        let mut clients = self.lock();
        clients.leaving.retain(|client| {
            let is_busy = Arc::strong_count(client) > 1;
            if !is_busy {
                client.forget();
            }
            is_busy
        });
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.monitor.states.set_number("waf_client.to_delete_clients", number(clients.leaving.len()));
        self.monitor.states.set_number("waf_client.active_clients", number(clients.active.len()));
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the watching thread does.
async fn watch_all(pool: &Weak<Pool>) {
    let mut next = Instant::now() + SWEEP;
    while let Some(pool) = pool.upgrade() {
        pool.watch_new();
        if tokio::time::timeout_at(next, pool.changed.notified()).await.is_err() {
            pool.sweep();
            next = Instant::now() + SWEEP;
        }
    }
}

/// Checks one instance every now and then, for as long as it is there.
async fn watch_one(client: Weak<Client>) {
    while let Some(interval) = client.upgrade().map(|client| client.check_interval()) {
        tokio::time::sleep(interval).await;
        match client.upgrade() {
            Some(client) if !client.is_leaving() => client.check().await,
            _ => return,
        }
    }
}
