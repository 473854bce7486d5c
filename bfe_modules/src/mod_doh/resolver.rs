//! The resolver: a query out, an answer in, over UDP.

use super::message::Message;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;

/// The longest answer.
const MAX_ANSWER: usize = 4096;

/// Where queries go.
#[derive(Debug)]
pub(super) struct Resolver {
    /// Host and port; may be empty.
    pub(super) address: String,
    /// How often it is asked.
    pub(super) attempts: u32,
    /// How long an attempt may take to be sent, and as long again to be answered.
    pub(super) timeout: Duration,
}

/// Why there is no answer: what came of the last attempt.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// No address is configured.
    #[error("no resolver is configured")]
    NoAddress,
    /// Nothing came in time.
    #[error("no answer in time")]
    TimedOut,
    /// The socket.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came is no answer to the query.
    #[error("the answer is none")]
    NoAnswer,
}

impl Resolver {
    /// Asks until there is an answer, as often as is configured.
    pub(super) async fn ask(&self, query: &Message) -> Result<Message, ResolveError> {
        if self.address.is_empty() {
            return Err(ResolveError::NoAddress);
        }
        let mut last = ResolveError::TimedOut;
        for _ in 0..self.attempts {
            match self.attempt(query).await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// One attempt, on a socket of its own: its port is part of what an answer has to know.
    async fn attempt(&self, query: &Message) -> Result<Message, ResolveError> {
        let late = |_| ResolveError::TimedOut;
        let socket = timeout(self.timeout, self.send(query)).await.map_err(late)??;
        let mut buffer = vec![0; MAX_ANSWER];
        let length = timeout(self.timeout, socket.recv(&mut buffer)).await.map_err(late)??;
        let answer =
            Message::parse(buffer.get(..length).unwrap_or_default()).ok_or(ResolveError::NoAnswer)?;
        if answer.id() == query.id() { Ok(answer) } else { Err(ResolveError::NoAnswer) }
    }

    async fn send(&self, query: &Message) -> io::Result<UdpSocket> {
        let all: Vec<_> = lookup_host(&self.address).await?.collect();
        let to = all.iter().find(|addr| addr.is_ipv4()).or(all.first());
        let to = to.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        let from: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(from).await?;
        // From now on only what comes from there is received.
        socket.connect(to).await?;
        socket.send(query.as_bytes()).await?;
        Ok(socket)
    }
}
