//! # mod_secure_link: links that expire and cannot be forged
//!
//! **What it does.** A request for which a rule matches has to carry a checksum over parts of it and a secret,
//! and a time that has not passed; else it is answered with 403. It runs when the cluster is known.
//!
//! **`mod_secure_link/mod_secure_link.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_secure_link/secure_link.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** The first rule of the product that matches decides.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [{
//!       "Cond": "req_path_prefix_in(\"/downloads\", false)",
//!       "ChecksumKey": "sign", "ExpiresKey": "until",
//!       "ExpressionNodes": [{"Type": "query", "Param": "until"}, {"Type": "host"}, {"Type": "label", "Param": " secret"}]
//!     }]
//!   }
//! }
//! ```
//!
//! `ChecksumKey` is the query key of the checksum, `md5` where it is absent. `ExpiresKey` is that of the last
//! second at which the link is good, since 1970; without it links are good for ever. The checksum is the base64
//! (with `-` and `_`, without `=`) of the MD5 of the values of all nodes, one after the other:
//!
//! ```sh
//! printf %s '2147483647example.org secret' | openssl md5 -binary | openssl base64 | tr +/ -_ | tr -d =
//! ```
//!
//! | `Type` | value |
//! |---|---|
//! | `label` | `Param` |
//! | `query` | first value of the query key `Param`, decoded |
//! | `header` | first value of the header field `Param` |
//! | `host` | host as sent, with its port |
//! | `uri` | request target as sent, with its query: a checksum in the query can never be part of it |
//! | `remote_addr` | address **and port** of the peer |
//!
//! MD5 with a secret at the end is what such links are; choose a long one.
//!
//! **Monitor.** No pages, as in the original; `/metrics` has `REQ_TOTAL`, `REQ_ACCEPT`,
//! `REQ_WITHOUT_EXPIRES_KEY`, `REQ_INVALID_EXPIRES_VALUE`, `REQ_EXPIRED`, `REQ_WITHOUT_CHECKSUM_KEY`,
//! `REQ_INVALID_CHECKSUM`.
//!
//! **Reload.** `/reload/mod_secure_link`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-security 5.

mod rule;

use crate::module_conf;
use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::Request;
use bfe_http::Response;
use bfe_module::metrics::Metrics;
use bfe_module::{Callbacks, Handled, InitError, Module, Point, RequestOutcome, WebHandlers};
use mod_secure_link_state as state;
use rule::{Fault, RawLinkRule};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const NAME: &str = "mod_secure_link";

bfe_http::counter_group! {
    /// Counters, on `/metrics` only.
    pub mod_secure_link_state "mod_secure_link" {
        /// Requests for which a rule matched.
        REQ_TOTAL,
        /// Of them, those that passed.
        REQ_ACCEPT,
        /// Of them, those without a time.
        REQ_WITHOUT_EXPIRES_KEY,
        /// Of them, those whose time is no number.
        REQ_INVALID_EXPIRES_VALUE,
        /// Of them, those without a checksum.
        REQ_WITHOUT_CHECKSUM_KEY,
        /// Of them, those with a wrong checksum.
        REQ_INVALID_CHECKSUM,
        /// Of them, those that came too late.
        REQ_EXPIRED,
    }
}

/// The module.
pub struct ModuleSecureLink;

impl Module for ModuleSecureLink {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("DataPath", "mod_secure_link/secure_link.data");
        let rules =
            module_conf::rules::<RawLinkRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Plain)?;
        web_handlers.metrics.push(Arc::new(Metrics::new(state::group())));
        callbacks.add_request_filter(Point::HandleAfterLocation, NAME, move |req| validate(&rules, req))?;
        Ok(())
    }
}

fn validate(rules: &RuleFile<RawLinkRule>, req: &mut Request) -> Handled {
    let table = rules.current();
    let Some(rules) = table.rules(&req.route.product) else { return Ok(RequestOutcome::GO_ON) };
    let Some(rule) = first_match(rules, req)? else { return Ok(RequestOutcome::GO_ON) };
    let group = state::group();
    group.inc(state::REQ_TOTAL);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let Err(fault) = rule.check(req, i64::try_from(now).unwrap_or(i64::MAX)) else {
        group.inc(state::REQ_ACCEPT);
        return Ok(RequestOutcome::GO_ON);
    };
    group.inc(match fault {
        Fault::WithoutExpires => state::REQ_WITHOUT_EXPIRES_KEY,
        Fault::InvalidExpires => state::REQ_INVALID_EXPIRES_VALUE,
        Fault::Expired => state::REQ_EXPIRED,
        Fault::WithoutChecksum => state::REQ_WITHOUT_CHECKSUM_KEY,
        Fault::InvalidChecksum => state::REQ_INVALID_CHECKSUM,
    });
    Ok(RequestOutcome::response(Response::new(403)))
}

#[cfg(test)]
mod tests;
