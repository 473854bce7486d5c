//! TCP keepalive of a client's connection, as a module asked for it.

use bfe_basic::{KeepaliveChange, KeepaliveStep, Session};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use tokio::net::TcpStream;

/// Does what a module asked for; a failure is only logged.
pub(crate) fn apply(session: &Session, stream: &TcpStream) {
    let Some(change) = session.keepalive.take() else { return };
    let socket = SockRef::from(stream);
    if let Err(e) = change.apply(|change, step| set(&socket, change, step)) {
        log::warn!("TCP keepalive of a client connection: {e}");
    }
}

fn set(socket: &SockRef<'_>, change: &KeepaliveChange, step: KeepaliveStep) -> io::Result<()> {
    let mut params = TcpKeepalive::new();
    match step {
        KeepaliveStep::Disable => return socket.set_keepalive(false),
        KeepaliveStep::Idle => {
            if let Some(idle) = change.idle {
                params = params.with_time(idle);
            }
        }
        KeepaliveStep::Interval => {
            if let Some(interval) = change.interval {
                params = params.with_interval(interval);
            }
        }
        KeepaliveStep::Count => {
            if let Some(count) = change.count {
                params = params.with_retries(count);
            }
        }
    }
    socket.set_tcp_keepalive(&params)
}
