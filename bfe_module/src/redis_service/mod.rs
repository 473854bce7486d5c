//! Redis, as a service of one cluster or several (modules-security 12.3).
//!
//! A key belongs to one cluster, by its hash and the clusters' weights; a cluster is a name of `name_conf.data`,
//! of whose instances one is taken at random when a connection is made. Commands of many requests share a
//! connection ([`slot`]). Nothing waits longer than the configured times, whatever the server does.

mod service;
mod slot;

pub use service::parse_services;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use redis::{Cmd, FromRedisValue, RedisError};
use service::Shares;
use slot::Slot;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::sync::Arc;
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
    /// Somebody else has just failed to connect, for that reason.
    #[error("{0}")]
    NotConnected(Arc<str>),
    /// Nobody answers at that address.
    #[error("dial tcp {address}: {reason}")]
    Dial {
        /// Host and port.
        address: String,
        /// Why, in words.
        reason: String,
    },
    /// No answer in time, on the connection between these two ends.
    #[error("read tcp {}->{}: i/o timeout", .0.0, .0.1)]
    TimedOut(Arc<(String, String)>),
    /// The connection ended before there was an answer.
    #[error("EOF")]
    Closed,
    /// The server says that something is wrong, or its answer is none.
    #[error("{}", said(.0))]
    Redis(#[from] RedisError),
}

/// What a server said, as it said it.
fn said(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    }
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

    /// Runs a script on a key. It is done once at most: not again where the connection ends before the answer.
    ///
    /// # Errors
    /// Where no server answers, or it answers with an error.
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &[u8],
        arguments: &[i64],
    ) -> Result<T, Fault> {
        match self.run_once(key, &script.command("EVALSHA", &script.sha, key, arguments)).await {
            Err(Fault::Redis(error)) if error.code() == Some("NOSCRIPT") => {
                self.run_once(key, &script.command("EVAL", script.text, key, arguments)).await
            }
            answer => answer,
        }
    }

    /// Sends a command to the cluster of a key. Where the connection turns out to have ended since it was last
    /// used, it is sent again on a new one.
    async fn run<T: FromRedisValue>(&self, key: &[u8], command: &Cmd) -> Result<T, Fault> {
        match self.attempt(key, command).await {
            Err((Fault::Closed, false)) => self.attempt(key, command).await.map_err(|(fault, _)| fault),
            answer => answer.map_err(|(fault, _)| fault),
        }
    }

    /// Sends a command to the cluster of a key, and never again.
    async fn run_once<T: FromRedisValue>(&self, key: &[u8], command: &Cmd) -> Result<T, Fault> {
        self.attempt(key, command).await.map_err(|(fault, _)| fault)
    }

    /// Sends a command on the connection there is, or a new one. A fault comes with whether it was new.
    async fn attempt<T: FromRedisValue>(&self, key: &[u8], command: &Cmd) -> Result<T, (Fault, bool)> {
        let cluster = self.clusters.get(self.shares.of(key));
        let slot = cluster.and_then(|cluster| cluster.slots.get(worker() % cluster.slots.len()));
        let slot = slot.ok_or_else(|| (Fault::NotConnected("no cluster".into()), true))?;
        let mut connection = slot.connection().await.map_err(|fault| (fault, true))?;
        let answer = tokio::time::timeout(self.answer, command.query_async(&mut connection.handle)).await;
        let fault = match answer {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) if error.is_timeout() => Fault::TimedOut(Arc::clone(&connection.ends)),
            Ok(Err(error)) if error.is_unrecoverable_error() => Fault::Closed,
            // The server has answered, if only that something is wrong.
            Ok(Err(error)) => return Err((error.into(), connection.is_new)),
            Err(_) => Fault::TimedOut(Arc::clone(&connection.ends)),
        };
        slot.forget(&connection).await;
        Err((fault, connection.is_new))
    }
}

/// A Lua script for one key. The server is sent its hash, and its text where it does not know that.
pub struct Script {
    text: &'static str,
    sha: String,
}

impl Script {
    /// For that text.
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let sha = hash.as_ref().iter().fold(String::new(), |mut sha, byte| {
            // Writing to memory cannot fail.
            let _ = write!(sha, "{byte:02x}");
            sha
        });
        Self { text, sha }
    }

    fn command(&self, verb: &str, name: &str, key: &[u8], arguments: &[i64]) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(name).arg(1).arg(key).arg(arguments);
        command
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
