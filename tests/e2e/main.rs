//! Tests that start the real binary, on real sockets.

// In a test a panic is how it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ai_gateway;
mod ai_redis;
mod balance;
mod basics;
mod corpus;
mod faults;
mod framework;
mod http2;
mod http3;
mod logs;
mod monitor;
mod peers;
mod process;
mod programs;
mod reload;
mod security;
mod senders;
mod spdy;
mod tls;
mod tls_checklist;
mod tls_reload;
mod tls_session_cache;
mod tunnels;
mod upstream;
mod websocket_peers;
