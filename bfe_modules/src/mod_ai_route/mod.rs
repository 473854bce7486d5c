//! # mod_ai_route: where the AI gateway sends a request
//!
//! **What it does.** Finds the cluster and model for a request by the client's API key. It does so where
//! `EnableAiGateway` is on; anywhere else it counts requests and nothing more.
//!
//! **`mod_ai_route/mod_ai_route.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.RouteRulePath` | – | tables of routes; required |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Tables.** A key is bound to tables, which are searched in the order of the binding, whatever their types
//! are; the first rule that matches decides. Keys stand there without `sk-`. Names of tables are free; those
//! that are not there are passed over.
//!
//! ```json
//! {
//!   "Version": "2026-01-01",
//!   "route_rules": {
//!     "apikey_alice": {
//!       "type": "apikey",
//!       "owner": "alice",
//!       "rules": [
//!         {
//!           "name": "chat",
//!           "Cond": "req_path_prefix_in(\"/v1/chat\", false)",
//!           "targets": [
//!             {"ClusterName": "big", "Model": "", "Weight": 90},
//!             {"ClusterName": "new", "Model": "model-2", "Weight": 10}
//!           ],
//!           "fallbacks": [{"ClusterName": "small", "Model": "model-1"}]
//!         }
//!       ]
//!     }
//!   },
//!   "ApikeyRouteTableBindings": {"alices_key": ["apikey_alice", "global_default"]}
//! }
//! ```
//!
//! `type` is `apikey` (or `api_key`), `entity` or `global`; with `owner` it is for logs and counters. One of
//! the `targets` is chosen by its `Weight`; these add up to 100. Where it fails, the `fallbacks` are tried in
//! turn. An empty `Model` leaves the request's. `RouteRules` stands for `route_rules` where that is absent.
//!
//! **Monitor.** `/monitor/mod_ai_route`: `REQ_TOTAL`, `REQ_HIT_APIKEY`, `REQ_HIT_ENTITY`, `REQ_HIT_GLOBAL`
//! by the type of the table, `REQ_MISS` (a key, but no rule), `REQ_FALLBACK` (stays 0).
//!
//! **Reload.** `/reload/mod_ai_route`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises ai-gateway 8.

mod conf;
mod table;
#[cfg(test)]
mod tests;

use arc_swap::ArcSwap;
use bfe_basic::Request;
use bfe_module::metrics::Metrics;
use bfe_module::{Callbacks, Handled, InitError, Module, Point, RequestOutcome, WebHandlers};
use mod_ai_route_state as state;
use std::path::Path;
use std::sync::Arc;
use table::RouteTables;

const NAME: &str = "mod_ai_route";

bfe_http::counter_group! {
    /// `/monitor/mod_ai_route`.
    pub mod_ai_route_state "mod_ai_route" {
        /// Requests.
        REQ_TOTAL,
        /// Requests that a table of type `apikey` routed.
        REQ_HIT_APIKEY,
        /// Requests that a table of type `entity` routed.
        REQ_HIT_ENTITY,
        /// Requests that a table of type `global` routed.
        REQ_HIT_GLOBAL,
        /// Requests with a key, for which there was no rule.
        REQ_MISS,
        /// Counts nothing.
        REQ_FALLBACK,
    }
}

/// The module.
pub struct ModuleAiRoute;

impl Module for ModuleAiRoute {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let path = conf::load(conf_root)?;
        let tables = Arc::new(ArcSwap::from_pointee(RouteTables::read(&path)?));
        let of_requests = Arc::clone(&tables);
        callbacks.add_request_filter(Point::HandleFoundProduct, "mod_ai_route.route", move |req| {
            route(&of_requests.load(), req)
        })?;
        // There is no page of differences.
        let metrics = Arc::new(Metrics::new(state::group()));
        web_handlers.metrics.push(Arc::clone(&metrics));
        web_handlers.add_monitor(NAME, move |query| metrics.total(query.get("format")))?;
        web_handlers.add_reload(NAME, move |query| {
            let path = query.path().map_or(path.as_path(), Path::new);
            tables.store(Arc::new(RouteTables::read(path).map_err(|e| e.to_string())?));
            Ok(None)
        })?;
        Ok(())
    }
}

fn route(tables: &RouteTables, req: &mut Request) -> Handled {
    let group = state::group();
    let found = match &req.ai {
        Some(ai) if !ai.client_api_key.is_empty() => tables.find(&ai.client_api_key, req)?.cloned(),
        _ => {
            group.inc(state::REQ_TOTAL);
            return Ok(RequestOutcome::GO_ON);
        }
    };
    group.inc(state::REQ_TOTAL);
    group.inc(match found.as_deref().map(|route| route.kind.as_str()) {
        None => state::REQ_MISS,
        Some("apikey") => state::REQ_HIT_APIKEY,
        Some("entity") => state::REQ_HIT_ENTITY,
        Some(_) => state::REQ_HIT_GLOBAL,
    });
    if let Some(ai) = &mut req.ai {
        ai.route = found;
    }
    Ok(RequestOutcome::GO_ON)
}
