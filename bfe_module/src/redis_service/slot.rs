//! One connection, shared by the commands of many requests, and made again when it has ended.

use super::{Fault, Settings};
use bfe_basic::names;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Where a connection is, or will be.
pub(super) struct Slot {
    service: String,
    settings: RedisConnectionInfo,
    connect: Duration,
    answer: Duration,
    dialled: fn(bool),
    /// Locked while a connection is made: the others wait for it, and make none of their own.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    /// Number of the last connection.
    number: u64,
    /// When the last attempt failed.
    failed: Option<Instant>,
}

struct Current {
    handle: MultiplexedConnection,
    address: String,
}

/// A connection, for one command.
pub(super) struct Connection {
    pub(super) handle: MultiplexedConnection,
    number: u64,
    /// Whether nobody has used it before.
    pub(super) is_new: bool,
}

impl Slot {
    pub(super) fn new(service: &str, settings: &Settings) -> Self {
        let Settings { password, connect, answer, dialled, .. } = settings;
        // No more is said to the server than what has to be.
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let info = if password.is_empty() { info } else { info.set_password(password) };
        Self {
            service: service.to_owned(),
            settings: info,
            connect: *connect,
            answer: *answer,
            dialled: *dialled,
            state: Mutex::default(),
        }
    }

    /// The connection, or a new one: where there is none, and where the name's instances have changed and the
    /// one that it leads to is no longer among them. One attempt is made for all who wait.
    pub(super) async fn connection(&self) -> Result<Connection, Fault> {
        let began = Instant::now();
        let addresses = names::resolve(&self.service);
        let state = timeout(self.connect, self.state.lock()).await;
        let mut state = state.map_err(|_| Fault::NotConnected)?;
        if let Some(current) = &state.current
            && addresses.contains(&current.address)
        {
            let handle = current.handle.clone();
            return Ok(Connection { handle, number: state.number, is_new: false });
        }
        state.current = None;
        if state.failed.is_some_and(|failed| failed >= began) {
            return Err(Fault::NotConnected);
        }
        let made = match timeout(self.connect, self.connect_to(&addresses)).await {
            Ok(made) => made,
            Err(_) => Err(Fault::TimedOut),
        };
        (self.dialled)(made.is_ok());
        match made {
            Ok(current) => {
                if state.failed.take().is_some() {
                    log::info!("redis {}: connected again, to {}", self.service, current.address);
                }
                let handle = current.handle.clone();
                state.current = Some(current);
                state.number += 1;
                Ok(Connection { handle, number: state.number, is_new: true })
            }
            Err(fault) => {
                if state.failed.replace(Instant::now()).is_none() {
                    log::warn!("redis {}: cannot connect: {fault}", self.service);
                }
                Err(fault)
            }
        }
    }

    /// Has the next command make a connection of its own, unless one has done so already.
    pub(super) async fn forget(&self, connection: &Connection) {
        let mut state = self.state.lock().await;
        if state.number == connection.number {
            state.current = None;
        }
    }

    async fn connect_to(&self, addresses: &[String]) -> Result<Current, Fault> {
        let at = rand::random_range(0..addresses.len().max(1));
        let address = addresses.get(at).and_then(|address| Some((address, address.rsplit_once(':')?)));
        let (address, (host, port)) = address.ok_or_else(|| Fault::NoInstance(self.service.clone()))?;
        let port = port.parse().map_err(|_| Fault::NoInstance(self.service.clone()))?;
        let info = ConnectionAddr::Tcp(host.to_owned(), port).into_connection_info()?;
        let client = Client::open(info.set_redis_settings(self.settings.clone()))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect))
            .set_response_timeout(Some(self.answer));
        let handle = client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Current { handle, address: address.clone() })
    }
}
