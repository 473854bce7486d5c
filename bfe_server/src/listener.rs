//! Listening sockets: one a worker on the same port, so that the kernel spreads connections among them.

use crate::config::Listen;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

/// Connections that wait to be accepted; the kernel's own limit holds as well.
const BACKLOG: i32 = 4096;
/// TCP keep-alive of client connections: idle time and interval (lifecycle 4.1).
const KEEPALIVE: Duration = Duration::from_secs(15);

/// What a socket for datagrams may hold, in bytes, either way.
#[cfg(feature = "http3")]
const DATAGRAM_BUFFER: usize = 2 << 20;

/// Opens `count` sockets that listen on the same address.
///
/// # Errors
/// When the address is malformed or in use.
pub(crate) fn listen(on: &Listen, count: usize) -> io::Result<Vec<TcpListener>> {
    let addr = resolve(on)?;
    // Sockets that share a port would also share it with another process of this program, and each would
    // get half of the connections. Nobody wants that, so ask for the port alone first.
    drop(bind(addr, false)?);
    (0..count)
        .map(|_| {
            let socket = bind(addr, true)?;
            socket.listen(BACKLOG)?;
            let listener: TcpListener = socket.into();
            Ok(listener)
        })
        .collect()
}

/// Opens `count` sockets for datagrams on the same address.
///
/// # Errors
/// When the address is malformed or in use.
#[cfg(feature = "http3")]
pub(crate) fn datagrams(on: &Listen, count: usize) -> io::Result<Vec<std::net::UdpSocket>> {
    let addr = resolve(on)?;
    drop(bind_datagrams(addr, false)?);
    (0..count).map(|_| Ok(bind_datagrams(addr, true)?.into())).collect()
}

#[cfg(feature = "http3")]
fn bind_datagrams(addr: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = open(addr, (Type::DGRAM, Protocol::UDP), shared)?;
    // All connections of a worker share these; the kernel gives as much as it allows.
    socket.set_recv_buffer_size(DATAGRAM_BUFFER)?;
    socket.set_send_buffer_size(DATAGRAM_BUFFER)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

fn bind(addr: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = open(addr, (Type::STREAM, Protocol::TCP), shared)?;
    socket.set_reuse_address(true)?;
    // Accepted connections inherit these.
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// A socket for that address, not bound yet.
fn open(addr: SocketAddr, (kind, protocol): (Type, Protocol), shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), kind, Some(protocol))?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    if addr.is_ipv6() && addr.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The address of a listener. An empty one means all, IPv4 and IPv6.
pub(crate) fn resolve(on: &Listen) -> io::Result<SocketAddr> {
    if on.addr.is_empty() {
        let any = SocketAddr::from(([0u16; 8], on.port));
        // Where the kernel has no IPv6 at all, IPv4 is all there is.
        let has_v6 = Socket::new(Domain::IPV6, Type::STREAM, None).is_ok();
        return Ok(if has_v6 { any } else { SocketAddr::from(([0u8; 4], on.port)) });
    }
    let text = on.to_string();
    let mut addrs = text.to_socket_addrs()?;
    addrs.next().ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, text))
}
