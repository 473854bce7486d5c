//! # mod_logid: identifiers of connections and requests
//!
//! **What it does.** Gives each connection an identifier for logs, and each request another, which the
//! backend gets as `X-Bfe-Log-Id`. Both are 32 hexadecimal digits of randomness. A trusted peer
//! (mod_trust_clientip) that sent `X-Bfe-Log-Id` already keeps its own; the proxy then has none itself, and
//! `%bfe_log_id` and `$log_id` are empty. It has no configuration file.
//!
//! **Monitor.** `/monitor/mod_logid`: `NO_LOGID_FROM_UPPER_BFE`, requests of trusted peers without an
//! identifier.
//!
//! Realises modules-traffic 11.

use crate::hex;
use bfe_basic::{Request, Session};
use bfe_module::metrics::Metrics;
use bfe_module::{Callbacks, Handled, HandlerResult, InitError, Module, Point, RequestOutcome, WebHandlers};
use bytes::Bytes;
use mod_logid_state as state;
use std::path::Path;

const NAME: &str = "mod_logid";
/// The field with the identifier of a request.
const LOG_ID: &str = "X-Bfe-Log-Id";

bfe_http::counter_group! {
    /// `/monitor/mod_logid`.
    pub mod_logid_state "mod_logid" {
        /// Requests of trusted peers without an identifier.
        NO_LOGID_FROM_UPPER_BFE,
    }
}

/// The module.
pub struct ModuleLogId;

impl Module for ModuleLogId {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        _conf_root: &Path,
    ) -> Result<(), InitError> {
        callbacks.add_session_filter(Point::HandleAccept, "mod_logid.session_id", session_id)?;
        callbacks.add_request_filter(Point::HandleBeforeLocation, "mod_logid.request_id", request_id)?;
        let metrics = Metrics::new(state::group());
        web_handlers.add_monitor(NAME, move |query| metrics.total(query.get("format")))?;
        Ok(())
    }
}

fn session_id(session: &Session) -> HandlerResult {
    *session.id.borrow_mut() = new_id();
    HandlerResult::GoOn
}

fn request_id(req: &mut Request) -> Handled {
    if req.session.trust_source.get() {
        if req.http.header.get(LOG_ID).is_some_and(|id| !id.is_empty()) {
            return Ok(RequestOutcome::GO_ON);
        }
        state::group().inc(state::NO_LOGID_FROM_UPPER_BFE);
    }
    req.log_id = new_id();
    req.http.header.set(LOG_ID, Bytes::copy_from_slice(req.log_id.as_bytes()));
    Ok(RequestOutcome::GO_ON)
}

fn new_id() -> String {
    hex::encode(&rand::random::<[u8; 16]>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn is_id(text: &str) -> bool {
        text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }

    #[test]
    fn logid_1_sessions() {
        let (a, b) = (Session::default(), Session::default());
        session_id(&a);
        session_id(&b);
        assert!(is_id(&a.id.borrow()) && is_id(&b.id.borrow()));
        assert_ne!(*a.id.borrow(), *b.id.borrow());
    }

    #[test]
    fn logid_2_to_4_requests() {
        for (trusted, sent, kept, counted) in [
            (false, Some("x"), false, 0),
            (false, None, false, 0),
            (true, Some("x"), true, 0),
            (true, None, false, 1),
            (true, Some(""), false, 1),
        ] {
            let mut req = testing::request("GET", "/");
            req.session.trust_source.set(trusted);
            if let Some(sent) = sent {
                req.http.header.add(LOG_ID, sent);
            }
            let before = state::group().get(state::NO_LOGID_FROM_UPPER_BFE);
            request_id(&mut req).unwrap();
            let field = String::from_utf8(req.http.header.get(LOG_ID).unwrap().to_vec()).unwrap();
            if kept {
                assert_eq!((field.as_str(), req.log_id.as_str()), ("x", ""));
            } else {
                assert!(is_id(&req.log_id));
                assert_eq!(field, req.log_id);
            }
            assert_eq!(state::group().get(state::NO_LOGID_FROM_UPPER_BFE) - before, counted);
        }
    }
}
