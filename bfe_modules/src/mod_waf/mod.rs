//! # mod_waf: block requests that look like attacks
//!
//! **What it does.** Looks at requests by built-in rules. A block rule that hits ends the request with an empty
//! 200 and closes the connection; a check rule that hits is counted. Each look is written to a log.
//!
//! **`mod_waf/mod_waf.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.ProductRulePath` | `mod_waf/waf_rule.data` | rules, by product |
//! | `Log.LogPrefix` | – | the file is `LogPrefix.log`; required |
//! | `Log.LogDir` | – | folder, made where missing; required |
//! | `Log.RotateWhen` | – | when the file is put aside: `M`, `H`, `D`, `NEXTHOUR`, `MIDNIGHT` |
//! | `Log.BackupCount` | – | how many such files are kept, at least 1 |
//!
//! **Rules.** The first rule of the product that matches decides: its block rules are tried one after the other
//! until one hits, and where none does, all of its check rules.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [{"Cond": "default_t()", "BlockRules": ["RuleBashCmd"], "CheckRules": []}]
//!   }
//! }
//! ```
//!
//! There is one rule: `RuleBashCmd` hits where the value of a header field begins like a function of the shell,
//! `() { ...};`, which is how CVE-2014-6271 was used.
//!
//! **Log.** A line for each rule that was tried, whether it hit or not:
//!
//! ```text
//! [2024/01/02 15:04:05 CST] [INFO] [4711] {"Rule":"RuleBashCmd","Type":"Block","Hit":true,"RuleRequest":{...}}
//! ```
//!
//! `RuleRequest` has the method, all header fields, and the target as sent, decoded and taken apart.
//!
//! **Monitor.** `/monitor/mod_waf`, `/monitor/mod_waf.diff`: `CHECKED_REQ`, `HIT_BLOCKED_REQ`,
//! `HIT_CHECKED_RULE`, `BLOCKED_RULE_ERROR`, `CHECKED_RULE_ERROR`.
//!
//! **Reload.** `/reload/mod_waf`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-security 9.

mod conf;
mod record;
mod rule;
mod uri;

use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::{ErrorCode, Request};
use bfe_module::log_file::{self, LogFile};
use bfe_module::{Callbacks, Handled, InitError, Module, Point, RequestOutcome, WebHandlers};
use mod_waf_state as state;
use record::Kind;
use rule::{Check, RawWafRule};
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_waf";
/// In access logs.
const WAF: ErrorCode = ErrorCode::new("WAF");

bfe_http::counter_group! {
    /// `/monitor/mod_waf`.
    pub mod_waf_state "mod_waf" {
        /// Requests for which a rule matched.
        CHECKED_REQ,
        /// Requests that a block rule hit.
        HIT_BLOCKED_REQ,
        /// Check rules that hit.
        HIT_CHECKED_RULE,
        /// Never moves: the rule that there is cannot fail.
        BLOCKED_RULE_ERROR,
        /// Never moves: the rule that there is cannot fail.
        CHECKED_RULE_ERROR,
    }
}

/// The module.
pub struct ModuleWaf;

impl Module for ModuleWaf {
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
        let rules = Arc::new(RuleFile::<RawWafRule>::load(conf.rules)?);
        let log = LogFile::open(&conf.log).map_err(|e| InitError::Conf(e.to_string()))?;
        log_file::register_metrics(web_handlers);
        rules.register_reload(web_handlers, NAME, ReloadAnswer::Plain)?;
        web_handlers.add_counters(NAME, "mod_waf.diff", state::group())?;
        callbacks.add_request_filter(Point::HandleFoundProduct, NAME, move |req| {
            found_product(&rules, req, |line| log.write(line))
        })?;
        Ok(())
    }
}

/// Tries the rules on a request; `write` gets the line of each.
fn found_product(rules: &RuleFile<RawWafRule>, req: &mut Request, write: impl Fn(&[u8])) -> Handled {
    let table = rules.current();
    let Some(rules) = table.rules(&req.route.product) else { return Ok(RequestOutcome::GO_ON) };
    let Some(rule) = first_match(rules, req)? else { return Ok(RequestOutcome::GO_ON) };
    let group = state::group();
    group.inc(state::CHECKED_REQ);
    let hits = |check: &Check, kind| {
        let hit = check.hits(&req.http.header);
        write(&record::line(check.name(), kind, hit, &req.http));
        hit
    };
    if rule.block.iter().any(|check| hits(check, Kind::Block)) {
        group.inc(state::HIT_BLOCKED_REQ);
        req.set_error(WAF, "");
        return Ok(RequestOutcome::finish(None));
    }
    for check in &rule.check {
        if hits(check, Kind::Check) {
            group.inc(state::HIT_CHECKED_RULE);
        }
    }
    Ok(RequestOutcome::GO_ON)
}

#[cfg(test)]
mod tests;
