//! One connection, shared by the commands of many requests, and made again when it has ended.

use super::{Fault, Settings};
use bfe_basic::names;
use bfe_http::transport::dial_error;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Why there is no connection where somebody else is still trying.
const BUSY: &str = "another command is still connecting";

/// Where a connection is, or will be.
pub(super) struct Slot {
    service: String,
    /// Sent with `AUTH` unless it is empty.
    password: String,
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
    /// When the last attempt failed, and why.
    failed: Option<(Instant, Arc<str>)>,
}

struct Current {
    handle: MultiplexedConnection,
    /// Moves what is said on the connection; over once that has ended.
    driver: AbortHandle,
    address: String,
    ends: Ends,
}

/// Both ends of a connection: ours and the server's.
pub(super) type Ends = Arc<(String, String)>;

/// A connection, for one command.
pub(super) struct Connection {
    pub(super) handle: MultiplexedConnection,
    pub(super) ends: Ends,
    number: u64,
    /// Whether nobody has used it before.
    pub(super) is_new: bool,
}

impl Slot {
    pub(super) fn new(service: &str, settings: &Settings) -> Self {
        let Settings { password, connect, answer, dialled, .. } = settings;
        Self {
            service: service.to_owned(),
            password: password.clone(),
            connect: *connect,
            answer: *answer,
            dialled: *dialled,
            state: Mutex::default(),
        }
    }

    /// The connection, or a new one: where there is none, and where the name's instances have changed and the
    /// one that it leads to is no longer among them, or has closed. One attempt is made for all who wait.
    pub(super) async fn connection(&self) -> Result<Connection, Fault> {
        let began = Instant::now();
        let addresses = names::resolve(&self.service);
        let state = timeout(self.connect, self.state.lock()).await;
        let mut state = state.map_err(|_| Fault::NotConnected(BUSY.into()))?;
        if let Some(current) = &state.current
            && addresses.contains(&current.address)
            && !current.driver.is_finished()
        {
            let (handle, ends) = (current.handle.clone(), Arc::clone(&current.ends));
            return Ok(Connection { handle, ends, number: state.number, is_new: false });
        }
        state.current = None;
        if let Some((_, why)) = state.failed.as_ref().filter(|(failed, _)| *failed >= began) {
            return Err(Fault::NotConnected(Arc::clone(why)));
        }
        let made = self.connect_to(&addresses).await;
        (self.dialled)(made.is_ok());
        match made {
            Ok(current) => {
                if state.failed.take().is_some() {
                    log::info!("redis {}: connected again, to {}", self.service, current.address);
                }
                let (handle, ends) = (current.handle.clone(), Arc::clone(&current.ends));
                state.current = Some(current);
                state.number += 1;
                Ok(Connection { handle, ends, number: state.number, is_new: true })
            }
            Err(fault) => {
                if state.failed.replace((Instant::now(), fault.to_string().into())).is_none() {
                    log::warn!("redis {}: cannot connect: {fault}", self.service);
                }
                Err(fault)
            }
        }
    }

    /// Whether there is a connection that has not ended.
    #[cfg(test)]
    pub(super) async fn is_connected(&self) -> bool {
        self.state.lock().await.current.as_ref().is_some_and(|current| !current.driver.is_finished())
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
        let address = addresses.get(at).ok_or_else(|| Fault::NoInstance(self.service.clone()))?;
        let fault = |reason: String| Fault::Dial { address: address.clone(), reason };
        let work = async {
            let stream = TcpStream::connect(address).await.map_err(|e| fault(dial_error(&e)))?;
            let end = |end: std::io::Result<std::net::SocketAddr>| {
                end.map(|end| end.to_string()).map_err(|e| fault(dial_error(&e)))
            };
            let ends = Arc::new((end(stream.local_addr())?, end(stream.peer_addr())?));
            // What delays a small command is the wait for another one to go with it.
            let _ = stream.set_nodelay(true);
            let config = AsyncConnectionConfig::new().set_response_timeout(Some(self.answer));
            // No more is said to the server than what has to be.
            let info = RedisConnectionInfo::default().set_skip_set_lib_name();
            let made = MultiplexedConnection::new_with_config(&info, stream, config).await;
            let (mut handle, driver) = made?;
            // It ends with the last handle.
            let driver = tokio::spawn(driver).abort_handle();
            if !self.password.is_empty() {
                redis::cmd("AUTH").arg(&self.password).query_async::<()>(&mut handle).await?;
            }
            Ok(Current { handle, driver, address: address.clone(), ends })
        };
        timeout(self.connect, work).await.unwrap_or_else(|_| Err(fault("i/o timeout".into())))
    }
}
