//! Sessions of TLS 1.2 in Redis, shared by several proxies (tls 8.3).
//!
//! The TLS library asks for sessions without waiting, so what it may ask for is fetched before the handshake
//! goes on, and what it stores goes to Redis after it. TLS 1.3 resumes by tickets alone.
//!
//! Values are marked: what the reference has written is passed over here, and it passes over ours.

use bfe_module::redis_service::{Fault, RedisService, Settings};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::StoresServerSessions;

/// No version that the reference knows.
const MARK: [u8; 2] = [0xff, 0xff];
/// Length of the name of those who vouch for a client, in bytes.
const DOMAIN: usize = 16;
/// Largest session: one with a chain of client certificates, with room to spare.
const MAX: usize = 64 * 1024;
/// Most sessions on their way to Redis; more are not kept.
const MAX_STORING: usize = 1024;

/// Something that happened, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheEvent {
    /// The name has no instances.
    NoInstance,
    /// A session was asked for.
    Get,
    /// Redis did not answer.
    GetFailed,
    /// There is no such session, or none of ours.
    Missed,
    /// The session was there.
    Hit,
    /// A session was stored.
    Set,
    /// Redis did not take it.
    SetFailed,
}

/// `[SessionCache]` of `bfe.conf`.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    /// The name in `name_conf.data`.
    pub service: String,
    /// What keys begin with.
    pub key_prefix: String,
    /// Limit of a connect.
    pub connect: Duration,
    /// Limit of a question and its answer.
    pub read: Duration,
    /// Limit of storing a session.
    pub write: Duration,
    /// How long a session lives.
    pub expire: Duration,
    /// Most connections.
    pub max_connections: usize,
    /// Counts connects: all of them, and those that failed.
    pub dialled: fn(bool),
    /// Counts all else.
    pub count: fn(CacheEvent),
}

/// Sessions in Redis.
pub(crate) struct SessionCache {
    redis: RedisService,
    settings: CacheSettings,
    storing: AtomicUsize,
}

/// What one connection may ask for, and what it stored.
#[derive(Debug)]
pub(crate) struct OneSession {
    /// Who vouches for the client.
    domain: [u8; DOMAIN],
    /// Identifier and session that were found.
    found: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether a session is to be stored: not where the client gets a ticket.
    stores: bool,
    made: Mutex<Option<(Vec<u8>, Vec<u8>)>>,
}

impl StoresServerSessions for OneSession {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, value));
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.found.as_ref().filter(|(id, _)| id == key).map(|(_, session)| session.clone())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        self.stores
    }
}

impl SessionCache {
    pub(crate) fn new(settings: CacheSettings) -> Arc<Self> {
        let redis = RedisService::new(&Settings {
            services: vec![(settings.service.clone(), 1)],
            password: String::new(),
            connect: settings.connect,
            answer: settings.read.max(settings.write),
            dialled: settings.dialled,
            max_connections: settings.max_connections,
        });
        Arc::new(Self { redis, settings, storing: AtomicUsize::new(0) })
    }

    /// Fetches the session of that identifier, if it is one of those for whom `domain` vouches.
    async fn fetch(&self, id: &[u8], domain: &[u8; DOMAIN]) -> Option<Vec<u8>> {
        let count = self.settings.count;
        count(CacheEvent::Get);
        let limit = self.settings.connect + self.settings.read;
        let key = self.key(id);
        let answer = tokio::time::timeout(limit, self.redis.get(&key)).await;
        let session = match answer {
            Ok(Ok(session)) => {
                session.and_then(|value| Some(value.strip_prefix(&MARK)?.strip_prefix(domain)?.to_vec()))
            }
            failed => {
                if let Ok(Err(fault)) = failed {
                    note(&fault, count);
                }
                count(CacheEvent::GetFailed);
                return None;
            }
        };
        count(if session.is_some() { CacheEvent::Hit } else { CacheEvent::Missed });
        session
    }

    /// The same configuration for one connection that presents the session `id` (empty for none) and for whose
    /// client `domain` vouches; its own session is stored if it `stores`. All else stays shared.
    pub(crate) async fn of_one_connection(
        &self,
        config: &ServerConfig,
        id: &[u8],
        domain: [u8; DOMAIN],
        stores: bool,
    ) -> (Arc<ServerConfig>, Arc<OneSession>) {
        let found = if id.is_empty() { None } else { self.fetch(id, &domain).await };
        let found = found.map(|session| (id.to_vec(), session));
        let one = Arc::new(OneSession { domain, found, stores, made: Mutex::default() });
        let mut config = config.clone();
        config.session_storage = one.clone();
        (Arc::new(config), one)
    }

    /// Stores what a connection has left, without waiting for it.
    pub(crate) fn store(self: &Arc<Self>, one: &OneSession) {
        let made = one.made.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((id, session)) = made.filter(|(_, session)| session.len() <= MAX) else { return };
        let count = self.settings.count;
        count(CacheEvent::Set);
        if self.storing.fetch_add(1, Relaxed) >= MAX_STORING {
            self.storing.fetch_sub(1, Relaxed);
            count(CacheEvent::SetFailed);
            return;
        }
        let (cache, key) = (Arc::clone(self), self.key(&id));
        let value = [&MARK, one.domain.as_slice(), &session].concat();
        tokio::spawn(async move {
            let seconds = i64::try_from(cache.settings.expire.as_secs()).unwrap_or(i64::MAX);
            let limit = cache.settings.connect + cache.settings.write;
            let stored = tokio::time::timeout(limit, cache.redis.set_for(&key, &value, seconds)).await;
            match stored {
                Ok(Ok(())) => {}
                failed => {
                    if let Ok(Err(fault)) = failed {
                        note(&fault, count);
                    }
                    count(CacheEvent::SetFailed);
                }
            }
            cache.storing.fetch_sub(1, Relaxed);
        });
    }

    fn key(&self, id: &[u8]) -> Vec<u8> {
        let mut key = format!("{}:", self.settings.key_prefix);
        for byte in id {
            // Writing to memory cannot fail.
            let _ = write!(key, "{byte:02x}");
        }
        key.into_bytes()
    }
}

/// That there is no connection is said once in the log, by who could not make it.
fn note(fault: &Fault, count: fn(CacheEvent)) {
    if matches!(fault, Fault::NoInstance(_)) {
        count(CacheEvent::NoInstance);
    }
    log::debug!("TLS session cache: {fault}");
}

impl std::fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionCache")
    }
}
