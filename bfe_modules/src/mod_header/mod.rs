//! # mod_header: header fields and cookies
//!
//! **What it does.** Tells backends who the client is, in six header fields, and changes header fields and
//! cookies of requests and responses by rule.
//!
//! **`mod_header/mod_header.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_header/mod_header.data` | rules, by product |
//! | `Basic.DisableDefaultHeader` | `false` | leaves the six fields out |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **The six fields.** `X-Forwarded-For`, `X-Forwarded-Port` and `X-Forwarded-Host` get the peer's address and
//! port and the request's host behind what is in them; `X-Real-Ip` and `X-Real-Port` are set to the client,
//! where it is known; `X-Bfe-Ip` is the proxy's own address.
//!
//! **Rules.** Those of the product `global` go first, then those of the request's product. All that match are
//! applied, in order; one with `Last` ends its list, for the direction (request or response) in which it has
//! actions. The conditions are asked again for the response.
//!
//! | command | parameters |
//! |---|---|
//! | `REQ_HEADER_SET`, `RSP_HEADER_SET` | name, value: replaces all values |
//! | `REQ_HEADER_ADD`, `RSP_HEADER_ADD` | name, value: adds a field |
//! | `REQ_HEADER_DEL`, `RSP_HEADER_DEL` | name |
//! | `REQ_HEADER_RENAME`, `RSP_HEADER_RENAME` | old, new: where old has a value and new has none |
//! | `REQ_HEADER_MOD`, `RSP_HEADER_MOD` | `scheme_set`, `Referer` or `Location`, `http` or `https` |
//! | | `query_add`, `Referer` or `Location`, key, value: as written, without escaping |
//! | `REQ_COOKIE_SET` | name, value |
//! | `REQ_COOKIE_DEL` | name |
//! | `RSP_COOKIE_SET` | name, value, domain, path, expires (RFC 1123), max-age, http-only, secure |
//! | `RSP_COOKIE_DEL` | name, domain, path |
//!
//! A value may hold variables: `%bfe_client_ip` and the like stand for themselves (see `variable.rs` for all),
//! `%%` for `%`. The value of a cookie is either one variable or plain text.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "global": [
//!       {
//!         "Cond": "default_t()",
//!         "Actions": [{"Cmd": "RSP_HEADER_SET", "Params": ["X-Proxied-By", "bfe"]}],
//!         "Last": false
//!       }
//!     ],
//!     "shop": [
//!       {
//!         "Cond": "req_path_prefix_in(\"/api\", false)",
//!         "Actions": [
//!           {"Cmd": "REQ_HEADER_SET", "Params": ["X-Client", "ip=%bfe_client_ip; id=%bfe_log_id"]},
//!           {"Cmd": "RSP_HEADER_DEL", "Params": ["X-Powered-By"]}
//!         ],
//!         "Last": true
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! `Cond`, `Actions` (at least one) and `Last` must be given. `Host` and what frames a body cannot be changed
//! here. Where cookies of a response are written again, attributes that are not listed above are lost.
//!
//! **Reload.** `/reload/mod_header`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-traffic 4.

mod action;
mod check;
mod conf;
mod cookie;
mod default_header;
mod rule;
mod template;
mod variable;

use crate::rule_file::walk::apply_matching_where;
use crate::rule_file::{ReloadAnswer, RuleFile};
use action::Action;
use bfe_basic::{NeedBody, Request};
use bfe_module::{Callbacks, HandlerResult, InitError, Module, Point, RequestOutcome, WebHandlers};
use rule::{HeaderRule, RawHeaderRule};
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_header";
/// Product whose rules hold for all.
const GLOBAL: &str = "global";
const RESUME_REQUEST: &str = "mod_header.resume.request";
const RESUME_RESPONSE: &str = "mod_header.resume.response";

/// The module.
pub struct ModuleHeader;

impl Module for ModuleHeader {
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
        let rules = Arc::new(RuleFile::<RawHeaderRule>::load(conf.rules)?);
        rules.register_reload(web_handlers, NAME, ReloadAnswer::Plain)?;
        if conf.default_headers {
            // A handler of its own: one that wants the body is called again from the start.
            callbacks.add_request_filter(Point::HandleAfterLocation, "mod_header.default", |req| {
                default_header::set(req);
                Ok(RequestOutcome::GO_ON)
            })?;
        }
        let of_request = Arc::clone(&rules);
        callbacks.add_request_filter(Point::HandleAfterLocation, "mod_header.request", move |req| {
            apply(&of_request, req, RESUME_REQUEST, |rule| &rule.request)?;
            Ok(RequestOutcome::GO_ON)
        })?;
        callbacks.add_response_filter("mod_header.response", move |req| {
            apply(&rules, req, RESUME_RESPONSE, |rule| &rule.response)?;
            Ok(HandlerResult::GoOn)
        });
        Ok(())
    }
}

/// Applies the rules that have `actions` in one direction.
fn apply(
    rules: &RuleFile<RawHeaderRule>,
    req: &mut Request,
    resume: &'static str,
    actions: impl Fn(&HeaderRule) -> &[Action],
) -> Result<(), NeedBody> {
    let table = rules.current();
    let (global, product) = (table.rules(GLOBAL), table.rules(&req.route.product));
    if global.is_none() && product.is_none() {
        return Ok(());
    }
    let lists = [global.unwrap_or_default(), product.unwrap_or_default()];
    let wanted = |rule: &HeaderRule| !actions(rule).is_empty();
    apply_matching_where(&lists, req, resume, wanted, |rule, req| {
        for action in actions(rule) {
            action.run(req);
        }
    })
}

#[cfg(test)]
mod tests;
