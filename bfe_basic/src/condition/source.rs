//! What primitives read of a request (condition 6).

use crate::{NeedBody, Request, Session};
use std::net::IpAddr;

/// A value that a primitive tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Host,
    HostTag,
    Port,
    Path,
    Url,
    Query(Box<[u8]>),
    Cookie(Box<[u8]>),
    /// Canonical name.
    Header(Box<str>),
    Method,
    Protocol,
    Context(Box<str>),
    ResponseCode,
    ResponseHeader(Box<str>),
    Sni,
    ClientCa,
    BodyJson(Box<str>),
}

impl Source {
    /// Hands the value to `test`; without a value the answer is no.
    pub(crate) fn test(&self, req: &Request, test: impl FnOnce(&[u8]) -> bool) -> Result<bool, NeedBody> {
        let http = &req.http;
        Ok(match self {
            Self::Host => test(host(&http.host)),
            Self::HostTag => test(req.route.host_tag.as_bytes()),
            Self::Port => test(port(&http.host)),
            Self::Path => test(&http.url.path),
            Self::Url => test(&http.request_uri),
            Self::Query(key) => test(req.query().get(key).unwrap_or_default()),
            Self::Cookie(name) => req.cookies().get(name).is_some_and(test),
            Self::Header(name) => test(http.header.get(name).unwrap_or_default()),
            Self::Method => test(&http.method),
            Self::Protocol => test(req.protocol()),
            Self::Context(key) => !key.is_empty() && req.with_context_text(key, test).unwrap_or(false),
            Self::ResponseCode => req
                .response
                .as_ref()
                .is_some_and(|response| test(itoa::Buffer::new().format(response.status).as_bytes())),
            Self::ResponseHeader(name) => req
                .response
                .as_ref()
                .is_some_and(|response| test(response.header.get(name).unwrap_or_default())),
            Self::Sni => with_tls(&req.session, |tls| {
                let name = tls.server_name.as_bytes();
                !name.is_empty() && test(name)
            }),
            Self::ClientCa => with_tls(&req.session, |tls| {
                let auth = &tls.client_auth;
                auth.authenticated && !auth.ca_name.is_empty() && test(auth.ca_name.as_bytes())
            }),
            Self::BodyJson(path) => req.body_json(path)?.is_some_and(|text| test(&text)),
        })
    }
}

/// Asks what the handshake told; without TLS the answer is no.
pub(crate) fn with_tls(session: &Session, ask: impl FnOnce(&crate::TlsState) -> bool) -> bool {
    session.is_secure && session.tls.borrow().as_deref().is_some_and(ask)
}

/// The host up to the first colon.
fn host(authority: &[u8]) -> &[u8] {
    memchr::memchr(b':', authority).and_then(|at| authority.get(..at)).unwrap_or(authority)
}

/// What follows the first colon, where that does not lead; else `80`.
fn port(authority: &[u8]) -> &[u8] {
    match memchr::memchr(b':', authority) {
        Some(at) if at > 0 => authority.get(at + 1..).unwrap_or_default(),
        _ => b"80",
    }
}

/// An address that a primitive tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    /// The client, as far as trusted headers tell.
    Client,
    /// The peer of the connection.
    Socket,
    /// The destination by the layer-4 balancer.
    Vip,
}

impl Address {
    pub(crate) fn get(self, req: &Request) -> Option<IpAddr> {
        match self {
            Self::Client => req.client_addr.map(|addr| addr.ip()),
            Self::Socket => req.session.remote_addr.map(|addr| addr.ip()),
            Self::Vip => req.session.vip,
        }
    }
}
