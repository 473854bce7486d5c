//! Listeners, workers, the request pipeline and the monitor server of the BFE load balancer.
//!
//! [`Server::load`] reads a whole configuration tree; [`Server::run`] serves until a signal ends it.

mod boxed;
pub mod config;
mod connection;
mod delays;
mod descriptors;
mod histogram;
mod http2;
#[cfg(feature = "http3")]
mod http3;
mod keepalive;
mod lease;
mod listener;
mod live;
mod monitor;
mod pipeline;
mod proxy_header;
mod reload_history;
mod server;
mod signals;
mod state;
mod stats;
mod stream;
mod tables;
mod tls;
mod tunnel;
mod websocket;
mod worker;

pub use server::{Server, StartError};

/// The BFE release that this program stands in for.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
