//! Harness for tests that go through the front door: the real binary, a real configuration tree, real
//! sockets, raw bytes.
//!
//! ```no_run
//! use bfe_tests::{Backend, Bfe, Tree};
//!
//! // A backend that answers everything with 200 and this body, on a port of its own.
//! let backend = Backend::ok("hello");
//! // A configuration whose host `ok` leads to it; any key can be set to something else.
//! let tree = Tree::proxy(&backend).set("KeepAliveEnabled", "false");
//! // The process: started, listening, killed when it goes out of scope.
//! let bfe = Bfe::start(&tree);
//!
//! let answer = bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n");
//! assert_eq!((answer.status, answer.text()), (200, "hello"));
//! assert_eq!(backend.requests()[0].head, "GET / HTTP/1.1\r\nHost: ok\r\n\r\n");
//! assert_eq!(bfe.counter("CLIENT_REQ_SERVED"), 1);
//! ```
//!
//! - [`Tree`] is a configuration: ports and temporary paths are filled in when it is laid out on the disk.
//! - [`Bfe`] is a process: monitor port, reloads, signals, memory, descriptors, logs.
//! - [`Backend`] is a scripted server: bytes, pauses, resets; it records all bytes of all connections.
//! - [`Client`] is a raw connection: what is sent is what the test says, byte by byte.
//! - [`h2::TlsClient`] is the same over TLS, in frames of HTTP/2 or not; [`spdy::SpdyClient`] in those of SPDY.
//! - [`wait_until`] is how a test waits: for something that can be seen, with a deadline, never for a time.
//!
//! The binary is the one of the same build profile; it is built once for each run. The environment variable
//! `BFE_BIN` names another one instead. A test that needs a program which the machine has not says so, and
//! fails where `BFE_REQUIRE_PEERS=1` (see [`peer`]).

// In a harness a panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backend;
mod bfe;
mod client;
mod exposition;
pub mod h2;
mod launch;
mod peers;
mod process;
mod reply;
mod response;
pub mod spdy;
mod tls_files;
mod tree;
mod wait;

pub use backend::{Backend, Received};
pub use bfe::Bfe;
pub use client::Client;
pub use exposition::Exposition;
pub use launch::{Finished, Launch, Program, run};
pub use peers::{peer, python_module, rare_peer};
pub use process::allow_fds;
pub use reply::{Reply, Step};
pub use response::Response;
pub use tls_files::certificate_pin;
pub use tree::{Cluster, Tree};
pub use wait::{LIMIT, TellsOver, wait_for, wait_until};
