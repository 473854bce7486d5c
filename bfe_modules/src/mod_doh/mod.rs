//! # mod_doh: DNS over HTTPS
//!
//! **What it does.** Answers DNS queries that come by HTTPS (RFC 8484), by asking one resolver over UDP. There
//! are no rules by product: one condition says which requests are queries.
//!
//! **`mod_doh/mod_doh.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.Cond` | | condition, in quotes: which requests are queries |
//! | `Dns.Address` | | the resolver, as `host:port`; without one every query is answered with 500 |
//! | `Dns.RetryMax` | `0` | how often it is asked again |
//! | `Dns.Timeout` | | milliseconds that each attempt may take |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! A query is `GET` with the message in base64url as `dns` in the query, or `POST` with it as the body, of which
//! the first 8192 bytes count. The resolver is told the client's address (RFC 7871, as an IPv6 address also
//! where it is IPv4). Its answer goes back with `Cache-Control: max-age`, the lowest TTL in it. A request that
//! did not come over TLS is answered with 403; whatever else goes wrong, with 500.
//!
//! **Monitor.** `/monitor/mod_doh`, `/monitor/mod_doh.diff`: `DOH_REQUEST`, `DOH_REQUEST_NOT_SECURE`,
//! `FETCH_DNS_ERR`. There is nothing to reload.
//!
//! Realises modules-security 8.

mod conf;
mod message;
mod resolver;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bfe_basic::condition::Condition;
use bfe_basic::{NeedBody, Request};
use bfe_http::Response;
use bfe_module::{
    AsyncRequestFilter, Callbacks, Handled, InitError, LocalBoxFuture, Module, Point, RequestOutcome,
    WebHandlers,
};
use message::Message;
use mod_doh_state as state;
use resolver::Resolver;
use std::path::Path;

const NAME: &str = "mod_doh";
/// Most bytes of a body that are a query.
const MAX_QUERY: usize = 8192;

/// base64 of queries: no padding; bits of the last letter that mean nothing are not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

bfe_http::counter_group! {
    /// `/monitor/mod_doh`.
    pub mod_doh_state "mod_doh" {
        /// Queries.
        DOH_REQUEST,
        /// Of them, those that did not come over TLS.
        DOH_REQUEST_NOT_SECURE,
        /// Of them, those without an answer.
        FETCH_DNS_ERR,
    }
}

/// The module.
pub struct ModuleDoh;

impl Module for ModuleDoh {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let conf = conf::load(conf_root)?;
        web_handlers.add_counters(NAME, "mod_doh.diff", state::group())?;
        let on_request = OnRequest { condition: conf.condition, resolver: conf.resolver };
        callbacks.add_async_request_filter(Point::HandleFoundProduct, NAME, on_request)?;
        Ok(())
    }
}

struct OnRequest {
    condition: Condition,
    resolver: Resolver,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
enum QueryError {
    /// It is neither `GET` nor `POST`.
    #[error("the method is not GET or POST")]
    Method,
    /// `dns` is not there, or more than once, or no base64url.
    #[error("there is no message in the query")]
    Query,
    /// The body could not be read.
    #[error("cannot read the body: {0}")]
    Body(#[from] bfe_http::BodyError),
    /// What was sent is no DNS message.
    #[error("it is no DNS message")]
    Message,
    /// The resolver.
    #[error(transparent)]
    Resolver(#[from] resolver::ResolveError),
}

impl AsyncRequestFilter for OnRequest {
    fn ready(&self, req: &mut Request) -> Option<Handled> {
        match self.condition.matches(req) {
            Ok(false) => Some(Ok(RequestOutcome::GO_ON)),
            Err(NeedBody) => Some(Err(NeedBody)),
            Ok(true) if req.session.is_secure => None,
            Ok(true) => {
                let group = state::group();
                group.inc(state::DOH_REQUEST);
                group.inc(state::DOH_REQUEST_NOT_SECURE);
                Some(Ok(RequestOutcome::response(Response::internal(403))))
            }
        }
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async {
            let group = state::group();
            group.inc(state::DOH_REQUEST);
            Ok(RequestOutcome::response(match self.answer(req).await {
                Ok(response) => response,
                Err(error) => {
                    log::debug!("{NAME}: {error}");
                    group.inc(state::FETCH_DNS_ERR);
                    Response::internal(500)
                }
            }))
        })
    }
}

impl OnRequest {
    async fn answer(&self, req: &mut Request) -> Result<Response, QueryError> {
        let sent = sent_message(req).await?;
        let query = Message::parse(&sent).ok_or(QueryError::Message)?;
        let client = req.client_addr.or(req.remote_addr).filter(|_| req.remote_addr.is_some());
        let query = query.with_client(client.map(|addr| addr.ip()));
        let answer = self.resolver.ask(&query).await?;
        let age = answer.lowest_ttl();
        let mut response = Response::with_content(200, "application/dns-message", answer.to_bytes());
        response.header.set("Cache-Control", format!("max-age={age}"));
        Ok(response)
    }
}

/// The message that a client sent.
async fn sent_message(req: &mut Request) -> Result<Vec<u8>, QueryError> {
    match req.http.method.as_ref() {
        b"GET" => {
            let mut all = req.query().iter().filter(|(key, _)| *key == b"dns");
            let (Some((_, text)), None) = (all.next(), all.next()) else { return Err(QueryError::Query) };
            let text: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
            BASE64.decode(text).map_err(|_| QueryError::Query)
        }
        b"POST" => {
            let body = req.http.body.peek(MAX_QUERY).await?;
            Ok(body.iter().copied().take(MAX_QUERY).collect())
        }
        _ => Err(QueryError::Method),
    }
}

#[cfg(test)]
mod tests;
