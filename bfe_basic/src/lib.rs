//! Sessions, requests, conditions and actions of the BFE load balancer.
//!
//! A [`Session`] is a client connection, a [`Request`] one request on it, with all that modules and logs
//! want to know of its way through the proxy.

pub mod action;
pub mod ai;
pub mod condition;
pub mod conf;
mod context;
mod error_code;
pub mod ip_dict;
mod keepalive;
pub mod label_trie;
mod name;
pub mod names;
pub mod pace;
mod request;
mod request_cache;
mod request_stat;
pub mod rule_index;
mod session;
mod sticky;

pub use context::{Context, ContextValue};
pub use error_code::ErrorCode;
pub use keepalive::{KeepaliveChange, KeepaliveStep};
pub use name::Name;
pub use request::{BackendInfo, NeedBody, Redirect, Request, RequestRoute, Tags};
pub use request_cache::{BodyPeek, JSON_CONTEXT_PREFIX};
pub use request_stat::RequestStat;
pub use session::{ClientAuth, ClientCert, Proto, Session, TlsSecret, TlsState};
pub use sticky::{SESSION_STICKY_BACKEND_KEY, StickyBackend};
