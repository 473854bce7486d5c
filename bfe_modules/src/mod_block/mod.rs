//! # mod_block: refuse connections by address, close requests by rule
//!
//! **What it does.** A connection whose peer is in the IP list is closed right after it was accepted, before
//! TLS and before any byte is read. A request for which a rule says `CLOSE` is closed without an answer.
//!
//! **`mod_block/mod_block.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.ProductRulePath` | `mod_block/block_rules.data` | rules, by product |
//! | `Basic.IPBlocklistPath` | `mod_block/ip_blocklist.data` | addresses |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** Rules of the product `global` go first, for all requests; the request's own product comes only
//! where none of them matched. The first rule that matches decides; every match leaves the rule's name in the
//! request's context, as `mod_block.block_info`.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "global": [
//!       {"Name": "health checks", "Cond": "req_path_in(\"/health\", false)", "Action": {"Cmd": "ALLOW", "Params": []}}
//!     ],
//!     "shop": [
//!       {"Name": "no scanners", "Cond": "req_path_prefix_in(\"/.git|/.env\", false)", "Action": {"Cmd": "CLOSE", "Params": []}}
//!     ]
//!   }
//! }
//! ```
//!
//! `Name`, `Cond`, `Action.Cmd` and an empty list `Action.Params` must be there; names are unique in a product.
//!
//! **Addresses.** A line each: an address, two addresses `from to`, or `address/length`. Empty lines and
//! those that start with `#` are skipped. A first line `#` and JSON can limit the entries:
//! `# {"version": "v1", "singleIPNum": 100, "pairIPNum": 10}`.
//!
//! **Monitor.** `/monitor/mod_block`, `/monitor/mod_block.diff`: `CONN_TOTAL`, `CONN_ACCEPT`, `CONN_REFUSE`,
//! `REQ_TOTAL`, `REQ_ACCEPT` (a rule allowed it, or the product has rules and none matched), `REQ_REFUSE`,
//! `WRONG_COMMAND`.
//!
//! **Reload.** `/reload/mod_block.product_rule_table`, `/reload/mod_block.global_ip_table`; both take
//! `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-traffic 3.

mod conf;
mod ip_list;
mod rule;

use crate::rule_file::walk::first_match;
use crate::rule_file::{RuleFile, RuleTable};
use arc_swap::ArcSwap;
use bfe_basic::ip_dict::IpDict;
use bfe_basic::{ErrorCode, NeedBody, Request, Session};
use bfe_module::{Callbacks, Handled, HandlerResult, InitError, Module, Point, RequestOutcome, WebHandlers};
use mod_block_state as state;
use rule::{BlockRule, Command, RawBlockRule};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "mod_block";
/// Product whose rules hold for all.
const GLOBAL: &str = "global";
/// Where the name of the matching rule is left.
const BLOCK_INFO: &str = "mod_block.block_info";

bfe_http::counter_group! {
    /// `/monitor/mod_block`.
    pub mod_block_state "mod_block" {
        /// Connections looked at.
        CONN_TOTAL,
        /// Connections let through.
        CONN_ACCEPT,
        /// Connections refused.
        CONN_REFUSE,
        /// Requests looked at.
        REQ_TOTAL,
        /// Requests that rules let through.
        REQ_ACCEPT,
        /// Requests closed.
        REQ_REFUSE,
        /// Never moves: other commands are refused when the file is loaded.
        WRONG_COMMAND,
    }
}

/// The module.
pub struct ModuleBlock;

/// What the handlers share.
struct Tables {
    rules: RuleFile<RawBlockRule>,
    ips: ArcSwap<IpDict>,
    ip_path: PathBuf,
}

impl Module for ModuleBlock {
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
        let ips = ArcSwap::from_pointee(ip_list::load(&conf.ip_blocklist)?);
        let rules = RuleFile::load(conf.product_rules)?;
        let tables = Arc::new(Tables { rules, ips, ip_path: conf.ip_blocklist });

        let of_accept = Arc::clone(&tables);
        callbacks.add_session_filter(Point::HandleAccept, "mod_block.global_block", move |session| {
            of_accept.accept(session)
        })?;
        let of_product = Arc::clone(&tables);
        callbacks.add_request_filter(Point::HandleFoundProduct, "mod_block.product_block", move |req| {
            of_product.found_product(req)
        })?;

        web_handlers.add_counters(NAME, "mod_block.diff", state::group())?;
        let of_rules = Arc::clone(&tables);
        web_handlers.add_reload("mod_block.product_rule_table", move |query| {
            of_rules.rules.reload(query.path()).map(|_| None).map_err(|e| e.to_string())
        })?;
        web_handlers.add_reload("mod_block.global_ip_table", move |query| {
            let path = query.path().map_or(tables.ip_path.as_path(), Path::new);
            let ips = ip_list::load(path).map_err(|e| e.to_string())?;
            tables.ips.store(Arc::new(ips));
            Ok(None)
        })?;
        Ok(())
    }
}

impl Tables {
    fn accept(&self, session: &Session) -> HandlerResult {
        let group = state::group();
        group.inc(state::CONN_TOTAL);
        if session.remote_addr.is_some_and(|peer| self.ips.load().contains(peer.ip())) {
            group.inc(state::CONN_REFUSE);
            session.set_error(ErrorCode::BLOCK, "connection blocked");
            return HandlerResult::Close;
        }
        group.inc(state::CONN_ACCEPT);
        HandlerResult::GoOn
    }

    fn found_product(&self, req: &mut Request) -> Handled {
        let rules = self.rules.current();
        // Looked up before anything is counted: a rule that wants the body has this called again.
        let verdict = verdict(&rules, req)?;
        let group = state::group();
        group.inc(state::REQ_TOTAL);
        let Some(rule) = verdict.rule else {
            if verdict.product_has_rules {
                group.inc(state::REQ_ACCEPT);
            }
            return Ok(RequestOutcome::GO_ON);
        };
        req.context.set_text(BLOCK_INFO, rule.name.as_bytes());
        match rule.command {
            Command::Allow => {
                group.inc(state::REQ_ACCEPT);
                Ok(RequestOutcome::GO_ON)
            }
            Command::Close => {
                group.inc(state::REQ_REFUSE);
                req.set_error(ErrorCode::BLOCK, "");
                Ok(RequestOutcome::CLOSE)
            }
        }
    }
}

struct Verdict<'r> {
    rule: Option<&'r BlockRule>,
    product_has_rules: bool,
}

/// The rule that decides about a request, if any.
fn verdict<'r>(table: &'r RuleTable<BlockRule>, req: &Request) -> Result<Verdict<'r>, NeedBody> {
    let global = first_match(table.rules(GLOBAL).unwrap_or_default(), req)?;
    if global.is_some() {
        return Ok(Verdict { rule: global, product_has_rules: false });
    }
    let of_product = table.rules(&req.route.product);
    let rule = first_match(of_product.unwrap_or_default(), req)?;
    Ok(Verdict { rule, product_has_rules: of_product.is_some() })
}
