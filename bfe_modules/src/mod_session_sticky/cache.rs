//! The backends of sessions, by their identifiers: in this process, or in Redis.

use bfe_basic::StickyBackend;
use bfe_module::redis_service::{Fault, RedisService};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// What keys begin with.
const PREFIX: &[u8] = b"bfe:stickyid:";

/// Where backends are remembered.
pub(super) enum Cache {
    /// Here, and the least recently used ones go. Shared by all workers: the lock is held for one lookup.
    Local(Mutex<LruCache<Box<[u8]>, StickyBackend>>),
    /// In Redis, for that many seconds.
    Redis(RedisService, i64),
}

/// A backend as Redis has it.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Stored {
    addr: String,
    port: i64,
    sub_cluster: String,
    /// In seconds since 1970.
    created_at: u64,
}

impl Cache {
    pub(super) fn local(size: NonZeroUsize) -> Self {
        Self::Local(Mutex::new(LruCache::new(size)))
    }

    /// Whether asking takes time.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self, Self::Redis(..))
    }

    /// The backend of a session, where it is known here.
    pub(super) fn get_local(&self, id: &[u8]) -> Option<StickyBackend> {
        match self {
            Self::Local(cache) => cache.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned(),
            Self::Redis(..) => None,
        }
    }

    /// The backend of a session. What cannot be read or asked is not known.
    pub(super) async fn get(&self, id: &[u8]) -> Option<StickyBackend> {
        match self {
            Self::Local(_) => self.get_local(id),
            Self::Redis(redis, _) => {
                let text = redis.get(&key(id)).await.inspect_err(debug).ok()??;
                let stored: Stored = serde_json::from_slice(&text).ok()?;
                Some(StickyBackend {
                    sub_cluster: stored.sub_cluster,
                    addr_info: format!("{}:{}", stored.addr, stored.port),
                })
            }
        }
    }

    /// Remembers the backend of a session here; in Redis it needs [`Cache::set`].
    pub(super) fn set_local(&self, id: &[u8], backend: StickyBackend) {
        if let Self::Local(cache) = self {
            cache.lock().unwrap_or_else(PoisonError::into_inner).put(id.into(), backend);
        }
    }

    /// Remembers the backend of a session.
    pub(super) async fn set(&self, id: &[u8], backend: StickyBackend) {
        let Self::Redis(redis, seconds) = self else { return self.set_local(id, backend) };
        let Some(text) = stored(&backend) else { return };
        if let Err(fault) = redis.set_for(&key(id), text.as_bytes(), *seconds).await {
            debug(&fault);
        }
    }
}

/// A backend as it is stored.
fn stored(backend: &StickyBackend) -> Option<String> {
    let (addr, port) = backend.addr_info.rsplit_once(':')?;
    let stored = Stored {
        addr: addr.to_owned(),
        port: port.parse().ok()?,
        sub_cluster: backend.sub_cluster.clone(),
        created_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
    };
    serde_json::to_string(&stored).ok()
}

fn key(id: &[u8]) -> Vec<u8> {
    [PREFIX, id].concat()
}

/// A failure is nothing for the log of a busy proxy: that there is no connection is said once.
fn debug(fault: &Fault) {
    log::debug!("mod_session_sticky: redis: {fault}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sticky_10_form_in_redis() {
        let backend = StickyBackend { sub_cluster: "s.bj".into(), addr_info: "10.0.0.1:80".into() };
        let text = stored(&backend).unwrap();
        let rest = text.strip_prefix(r#"{"addr":"10.0.0.1","port":80,"sub_cluster":"s.bj","created_at":"#);
        assert!(rest.is_some_and(|time| time.len() == 11 && time.ends_with('}')), "{text}");
        assert_eq!(key(b"x"), b"bfe:stickyid:x");
        let read: Stored = serde_json::from_str(r#"{"addr":"a","more":1}"#).unwrap();
        assert_eq!((read.addr.as_str(), read.port), ("a", 0));
    }
}
