//! # mod_prison: lock out clients that ask too often
//!
//! **What it does.** A rule counts requests that have the same features (address, path, fields, cookies, ...).
//! Where more than `threshold` of them come within `checkPeriod`, those that follow are dealt with by the rule's
//! action until the rest of the period and `stayPeriod` are over. Counters are one for the whole process.
//!
//! **`mod_prison/mod_prison.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.ProductRulePath` | `mod_prison/prison.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** Those of the product `global` go first, then those of the request's product; every rule whose
//! `cond` matches counts, in order, until one closes the connection.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [{
//!       "Name": "login",
//!       "Cond": "req_path_prefix_in(\"/login\", false)",
//!       "AccessSignConf": {"UseClientIP": true, "Header": ["User-Agent"]},
//!       "Action": {"Cmd": "CLOSE", "Params": []},
//!       "CheckPeriod": 10, "StayPeriod": 60, "Threshold": 5,
//!       "AccessDictSize": 10000, "PrisonDictSize": 10000
//!     }]
//!   }
//! }
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | `Name` | unique in its product; a reload keeps the counters of the rule of that name |
//! | `CheckPeriod`, `StayPeriod` | in seconds; the period begins with the first request |
//! | `Threshold` | requests that pass in a period; 0 denies the first |
//! | `AccessDictSize`, `PrisonDictSize` | how many clients are counted, and locked out; beyond that the one longest not seen is forgotten. A reload can only enlarge them |
//! | `Action` | `CLOSE`: close without an answer. `FINISH`: an empty 200, then close. `PASS`: count only. `REQ_HEADER_SET`, `["X-Bfe-...", value]`: tell the backend |
//!
//! `AccessSignConf` says what makes two requests the same client; all of it together counts. A request that
//! lacks one of the things named is neither counted nor denied.
//!
//! | field | feature |
//! |---|---|
//! | `UseClientIP` | client address |
//! | `UseUrl`, `UseHost`, `UsePath` | request target, host, path |
//! | `UrlRegexp` | groups of this expression in the request target; it needs one at least |
//! | `Header`, `Cookie`, `Query` | lists of names; a query name can be `a|b`: the values of both, one at least |
//! | `UseHeaders` | all header fields in their order; nothing in HTTP/2 and SPDY |
//! | `UseSocketIP`, `UseConnectID` | without effect |
//!
//! **Monitor.** `/monitor/mod_prison`, `/monitor/mod_prison.diff`: `ALL_CHECKED` (matches of rules),
//! `ALL_PRISON` (matches denied).
//!
//! **Reload.** `/reload/mod_prison`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-security 6.

mod cells;
mod rule;
mod sign;

use crate::module_conf;
use crate::rule_file::walk::{Visit, visit_matching};
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::action::Command;
use bfe_basic::{ContextValue, ErrorCode, Request};
use bfe_module::{Callbacks, Handled, InitError, Module, Point, RequestOutcome, WebHandlers};
use cells::Sentence;
use mod_prison_state as state;
use rule::{PrisonRule, RawPrisonRule};
use std::path::Path;
use std::time::Instant;

const NAME: &str = "mod_prison";
/// Product whose rules hold for all.
const GLOBAL: &str = "global";
/// Where the last thing that a prison said is left.
const PRISON_INFO: &str = "mod_prison.prison_info";
/// Where a walk that had to wait for the body goes on.
const RESUME: &str = "mod_prison.resume";
/// In access logs.
const PRISON: ErrorCode = ErrorCode::new("PRISON");

bfe_http::counter_group! {
    /// `/monitor/mod_prison`.
    pub mod_prison_state "mod_prison" {
        /// Matches of rules.
        ALL_CHECKED,
        /// Matches that were denied.
        ALL_PRISON,
    }
}

/// The module.
pub struct ModulePrison;

/// What a prison said of a request, in its context as `mod_prison.prison_info`.
#[derive(Clone, Debug)]
pub struct PrisonInfo {
    /// Name of the rule.
    pub name: Box<str>,
    /// When the client is free, or has been.
    pub free: Instant,
    /// Whether that is over.
    pub is_expired: bool,
    /// What the rule does.
    pub action: Command,
}

impl Module for ModulePrison {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("ProductRulePath", "mod_prison/prison.data");
        let rules =
            module_conf::rules::<RawPrisonRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Version)?;
        web_handlers.add_counters(NAME, "mod_prison.diff", state::group())?;
        callbacks
            .add_request_filter(Point::HandleFoundProduct, NAME, move |req| found_product(&rules, req))?;
        Ok(())
    }
}

fn found_product(rules: &RuleFile<RawPrisonRule>, req: &mut Request) -> Handled {
    let table = rules.current();
    let lists = [GLOBAL, &req.route.product].map(|product| table.rules(product).unwrap_or_default());
    let mut outcome = RequestOutcome::GO_ON;
    visit_matching(
        &lists,
        req,
        RESUME,
        |_| true,
        |rule, req| match judge(rule, req) {
            None => Visit::Next,
            Some(denied) => {
                outcome = denied;
                Visit::Stop
            }
        },
    )?;
    Ok(outcome)
}

/// Counts a request by a rule that it matches, and acts where it is denied. Gives what ends its way.
fn judge(rule: &PrisonRule, req: &mut Request) -> Option<RequestOutcome> {
    let group = state::group();
    group.inc(state::ALL_CHECKED);
    let sign = rule.signer.sign(req)?;
    let (free, is_expired) = match rule.cells.check(&sign, rule.limits, Instant::now()) {
        Sentence::Free => return None,
        Sentence::Served(free) => (free, true),
        Sentence::Denied(free) => (free, false),
    };
    let action = rule.action.command();
    let info = PrisonInfo { name: rule.name.clone(), free, is_expired, action };
    req.context.set(PRISON_INFO, ContextValue::Any(Box::new(info)));
    if is_expired {
        return None;
    }
    group.inc(state::ALL_PRISON);
    match action {
        Command::Close | Command::Finish => {
            req.set_error(PRISON, "");
            Some(if action == Command::Close { RequestOutcome::CLOSE } else { RequestOutcome::finish(None) })
        }
        _ => {
            // Has all its parameters: the file has been checked.
            let _ = rule.action.run(req);
            None
        }
    }
}

#[cfg(test)]
mod tests;
