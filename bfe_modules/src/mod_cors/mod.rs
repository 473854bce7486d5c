//! # mod_cors: cross-origin requests of browsers
//!
//! **What it does.** Answers preflight requests, and adds the header fields of CORS to responses, where a rule
//! matches.
//!
//! A preflight request has the method `OPTIONS`, `Origin`, and one of the usual methods, in upper case, as
//! `Access-Control-Request-Method`. It is answered with 204 before mod_block and authentication are asked.
//!
//! **`mod_cors/mod_cors.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_cors/cors_rule.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** The first rule that matches decides. An origin that it does not allow gets no field at all.
//!
//! | field | meaning |
//! |---|---|
//! | `AccessControlAllowOrigins` | origins; or `%origin` for any, repeated to the client; or `*` alone, for any without credentials; or `null` alone |
//! | `AccessControlAllowCredentials` | default false |
//! | `AccessControlExposeHeaders` | for responses |
//! | `AccessControlAllowMethods`, `AccessControlAllowHeaders`, `AccessControlMaxAge` | for preflight; seconds from -1 to 86400 |
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {
//!         "Cond": "req_path_prefix_in(\"/api\", false)",
//!         "AccessControlAllowOrigins": ["https://shop.example.org"],
//!         "AccessControlAllowMethods": ["GET", "POST"],
//!         "AccessControlAllowHeaders": ["X-Requested-With"],
//!         "AccessControlMaxAge": 600
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! `Vary: Origin` is added to what a backend says there.
//!
//! **Monitor.** `/monitor/mod_cors`, `/monitor/mod_cors.diff`: `REQ_CORS_RULE_HIT`, `REQ_PRE_FLIGHT_HIT`,
//! `REQ_ALLOW_ORIGIN_HIT`, `REQ_NOT_ALLOW_ORIGIN_HIT`.
//!
//! **Reload.** `/reload/mod_cors`, with `?path=FILE`; it answers with the version. A wrong file changes nothing.
//!
//! Realises modules-traffic 19.

mod rule;

use crate::module_conf;
use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::{NeedBody, Request};
use bfe_http::{Header, Response};
use bfe_module::{Callbacks, Handled, HandlerResult, InitError, Module, Point, RequestOutcome, WebHandlers};
use bytes::Bytes;
use mod_cors_state as state;
use rule::{CorsRule, METHODS, RawCorsRule};
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_cors";

bfe_http::counter_group! {
    /// `/monitor/mod_cors`.
    pub mod_cors_state "mod_cors" {
        /// Requests that a rule matched.
        REQ_CORS_RULE_HIT,
        /// Preflight requests answered.
        REQ_PRE_FLIGHT_HIT,
        /// Origins allowed.
        REQ_ALLOW_ORIGIN_HIT,
        /// Origins not allowed.
        REQ_NOT_ALLOW_ORIGIN_HIT,
    }
}

/// The module.
pub struct ModuleCors;

impl Module for ModuleCors {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("DataPath", "mod_cors/cors_rule.data");
        let rules =
            module_conf::rules::<RawCorsRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Version)?;
        web_handlers.add_counters(NAME, "mod_cors.diff", state::group())?;
        let of_request = Arc::clone(&rules);
        callbacks.add_request_filter(Point::HandleFoundProduct, "mod_cors.preflight", move |req| {
            preflight(&of_request, req)
        })?;
        callbacks.add_response_filter("mod_cors.response", move |req| on_response(&rules, req));
        Ok(())
    }
}

/// Where the request comes from, if it says so.
fn origin(req: &Request) -> Option<&[u8]> {
    req.http.header.get("Origin").filter(|origin| !origin.is_empty())
}

fn is_preflight(req: &Request) -> bool {
    req.http.method.as_ref() == b"OPTIONS"
        && origin(req).is_some()
        && req
            .http
            .header
            .get("Access-Control-Request-Method")
            .is_some_and(|method| METHODS.iter().any(|known| known.as_bytes() == method))
}

fn preflight(rules: &RuleFile<RawCorsRule>, req: &mut Request) -> Handled {
    let table = rules.current();
    let Some(rules) = table.rules(&req.route.product).filter(|_| is_preflight(req)) else {
        return Ok(RequestOutcome::GO_ON);
    };
    let Some(rule) = first_match(rules, req)? else { return Ok(RequestOutcome::GO_ON) };
    state::group().inc(state::REQ_CORS_RULE_HIT);
    state::group().inc(state::REQ_PRE_FLIGHT_HIT);
    let mut response = Response::internal(204);
    if let Some(origin) = allowed_origin(rule, req) {
        let header = &mut response.header;
        set_origin(header, rule, origin);
        for (name, list) in [
            ("Access-Control-Allow-Methods", &rule.allow_methods),
            ("Access-Control-Allow-Headers", &rule.allow_headers),
        ] {
            if let Some(list) = list {
                header.set(name, list.clone());
            }
        }
        if let Some(max_age) = &rule.max_age {
            header.set("Access-Control-Max-Age", max_age.clone());
        }
        add_vary(header);
    }
    Ok(RequestOutcome::response(response))
}

fn on_response(rules: &RuleFile<RawCorsRule>, req: &mut Request) -> Result<HandlerResult, NeedBody> {
    let table = rules.current();
    let Some(rules) = table.rules(&req.route.product) else { return Ok(HandlerResult::GoOn) };
    if origin(req).is_none() || is_preflight(req) {
        return Ok(HandlerResult::GoOn);
    }
    let Some(rule) = first_match(rules, req)? else { return Ok(HandlerResult::GoOn) };
    state::group().inc(state::REQ_CORS_RULE_HIT);
    let origin = allowed_origin(rule, req);
    if let (Some(origin), Some(response)) = (origin, &mut req.response) {
        let header = &mut response.header;
        set_origin(header, rule, origin);
        if let Some(list) = &rule.expose_headers {
            header.set("Access-Control-Expose-Headers", list.clone());
        }
        add_vary(header);
    }
    Ok(HandlerResult::GoOn)
}

/// What to say about the origin of a request; `None` where the rule does not allow it.
fn allowed_origin(rule: &CorsRule, req: &Request) -> Option<Bytes> {
    let origin = origin(req).unwrap_or_default();
    let allowed = rule.origins.allowed(origin);
    let counter =
        if allowed.is_some() { state::REQ_ALLOW_ORIGIN_HIT } else { state::REQ_NOT_ALLOW_ORIGIN_HIT };
    state::group().inc(counter);
    allowed
}

fn set_origin(header: &mut Header, rule: &CorsRule, origin: Bytes) {
    header.set("Access-Control-Allow-Origin", origin);
    if rule.credentials {
        header.set("Access-Control-Allow-Credentials", "true");
    }
}

/// Says that the answer depends on the origin, behind what the first `Vary` says.
fn add_vary(header: &mut Header) {
    let vary = header.get("Vary").unwrap_or_default();
    if vary.is_empty() {
        header.set("Vary", "Origin");
    } else if vary != b"*" && !vary.split(|b| *b == b',').any(|name| name.trim_ascii() == b"Origin") {
        let vary = [vary, b",Origin"].concat();
        header.set("Vary", vary);
    }
}

#[cfg(test)]
mod tests;
