//! HTTP messages, bodies, server protocols and backend transports of the BFE load balancer.
//!
//! This is the ground floor of the house: everything above sees the types of this crate and never a
//! protocol library. A [`Request`] is what a client sent, a [`Response`] what it gets; both carry a
//! [`Body`] that is streamed, never collected.
//!
//! Nothing here is `Send`: a connection lives and dies on the worker that accepted it.

mod body;
mod buffer;
mod bytes_of_word;
mod cookie;
pub mod counter;
mod date;
mod exchange;
pub mod h1;
pub mod h2;
#[cfg(feature = "http3")]
pub mod h3;
mod header;
mod header_list;
pub mod protocol_state;
pub mod proxy_protocol;
mod query;
pub mod quote;
mod request;
mod response;
pub mod sniff;
pub mod status;
pub mod transport;
pub mod url;

pub use body::{Body, BodyError, BodyStream};
pub use cookie::Cookies;
pub use date::http_date;
pub use exchange::Exchange;
pub use header::{Header, canonical, is_token};
pub use query::Query;
pub use request::{Request, RequestState, Version};
pub use response::Response;
pub use url::Url;
