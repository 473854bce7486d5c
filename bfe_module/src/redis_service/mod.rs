//! Redis, as a service of one cluster or several (modules-security 12.3).
//!
//! A key belongs to one cluster, by its hash and the clusters' weights; a cluster is a name of `name_conf.data`,
//! of whose instances one is taken at random when a connection is made. Commands of many requests share a
//! connection ([`slot`]). Nothing waits longer than the configured times, whatever the server does.

mod service;
mod slot;

pub use service::parse_services;

use redis::{Cmd, FromRedisValue};
use service::Shares;
use slot::Slot;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::available_parallelism;
use std::time::Duration;

/// What a configuration says.
pub struct Settings {
    /// Clusters with their weights, see [`parse_services`].
    pub services: Vec<(String, u32)>,
    /// Sent with `AUTH` unless it is empty.
    pub password: String,
    /// How long connecting may take.
    pub connect: Duration,
    /// How long a command and its answer may take.
    pub answer: Duration,
    /// Is told of each attempt to connect, and whether it succeeded.
    pub dialled: fn(bool),
    /// Most connections to a cluster; 0 means one for each CPU, which is also the most there are.
    pub max_connections: usize,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The name is unknown, or has no instances.
    #[error("{0}: no instance in name_conf.data")]
    NoInstance(String),
    /// Somebody else has just failed to connect.
    #[error("not connected")]
    NotConnected,
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// The server or the connection.
    #[error(transparent)]
    Redis(#[from] redis::RedisError),
}

/// Redis behind names.
pub struct RedisService {
    shares: Shares,
    clusters: Vec<Cluster>,
    answer: Duration,
}

struct Cluster {
    /// Each worker has one of its own, as far as there are enough.
    slots: Box<[Slot]>,
}

impl RedisService {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let cpus = available_parallelism().map_or(1, NonZeroUsize::get);
        let count = if settings.max_connections == 0 { cpus } else { cpus.min(settings.max_connections) };
        let cluster =
            |name: &String| Cluster { slots: (0..count).map(|_| Slot::new(name, settings)).collect() };
        Self {
            shares: Shares::new(settings.services.iter().map(|(_, weight)| *weight)),
            clusters: settings.services.iter().map(|(name, _)| cluster(name)).collect(),
            answer: settings.answer,
        }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// Where no server answers, or it answers with an error.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let mut get = redis::cmd("GET");
        get.arg(key);
        self.run(key, &get).await
    }

    /// Sets a key for some seconds.
    ///
    /// # Errors
    /// Where no server answers, or it answers with an error.
    pub async fn set_for(&self, key: &[u8], value: &[u8], seconds: i64) -> Result<(), Fault> {
        let mut set = redis::cmd("SETEX");
        set.arg(key).arg(seconds).arg(value);
        self.run(key, &set).await
    }

    /// Sends a command to the cluster of a key. Where the connection turns out to have ended since it was last
    /// used, it is sent again on a new one.
    async fn run<T: FromRedisValue>(&self, key: &[u8], command: &Cmd) -> Result<T, Fault> {
        let cluster = self.clusters.get(self.shares.of(key));
        let slot = cluster.and_then(|cluster| cluster.slots.get(worker() % cluster.slots.len()));
        let slot = slot.ok_or(Fault::NotConnected)?;
        loop {
            let mut connection = slot.connection().await?;
            let answer = tokio::time::timeout(self.answer, command.query_async(&mut connection.handle)).await;
            let fault = match answer {
                Ok(Ok(value)) => return Ok(value),
                // The server has answered, if only that something is wrong.
                Ok(Err(fault)) if !fault.is_unrecoverable_error() && !fault.is_timeout() => {
                    return Err(fault.into());
                }
                Ok(Err(fault)) => Fault::Redis(fault),
                Err(_) => Fault::TimedOut,
            };
            slot.forget(&connection).await;
            let ended = matches!(&fault, Fault::Redis(fault) if !fault.is_timeout());
            if connection.is_new || !ended {
                return Err(fault);
            }
        }
    }
}

/// Number of this thread among those that have asked.
fn worker() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Relaxed);
    }
    NUMBER.with(|number| *number)
}

#[cfg(test)]
mod tests;
