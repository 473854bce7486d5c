//! # mod_wasm: plugins of one's own
//!
//! **What it does.** Runs plugins, which are WebAssembly files made for
//! [proxy-wasm](https://github.com/proxy-wasm/spec), on requests and responses: they read and change header fields,
//! answer requests themselves, and ask other servers. This module is there with the cargo feature `wasm`, which is on
//! by default.
//!
//! **`mod_wasm/mod_wasm.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.WasmPluginPath` | `mod_wasm` | folder with a folder for each plugin |
//! | `Basic.DataPath` | `mod_wasm/mod_wasm.data` | rules |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Files of a plugin**, in `<WasmPluginPath>/NAME/`: `NAME.wasm`; `NAME.conf`, which the plugin gets byte for byte and
//! may be empty; `NAME.md5`, whose first word is the MD5 sum of `NAME.wasm` (`md5sum NAME.wasm > NAME.md5`).
//!
//! **Rules**
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "BeforeLocationRules": [{"Cond": "req_path_prefix_in(\"/api\", false)", "PluginList": ["headers"]}],
//!   "FoundProductRules": {"shop": [{"Cond": "default_t()", "PluginList": ["headers", "other"]}]},
//!   "PluginMap": {
//!     "headers": {"WasmVersion": "3", "ConfVersion": "6", "InstanceNum": 4},
//!     "other": {}
//!   }
//! }
//! ```
//!
//! Of `BeforeLocationRules` the first that matches counts, before the product is known; of `FoundProductRules`, the
//! first of the product. Its plugins get the request in the order of the list. All plugins that had the request get the
//! response, in reverse. `InstanceNum` is how many instances a plugin has, by default one for each CPU; requests take
//! them in turns. Each has memory of its own, and runs one call at a time.
//!
//! **What plugins are called for**: `proxy_on_context_create`, `proxy_on_vm_start` and `proxy_on_configure` at the start
//! of each instance; `proxy_on_context_create`, `proxy_on_request_headers`, `proxy_on_response_headers`, `proxy_on_done`
//! and `proxy_on_delete` for a request; `proxy_on_http_call_response`. The numbers that callbacks take are those of ABI
//! 0.2. What they return is ignored: no plugin can pause a request. A callback that fails is logged, and the request goes
//! on; where that is `proxy_on_context_create`, its connection is closed.
//!
//! **What plugins can do**: log, fields of request and response (one value for each name), their configuration, local
//! responses, HTTP calls, shared data, shared queues, the system's clock and random numbers. Bodies, trailers,
//! properties, metrics, gRPC, timers and foreign functions are not there; the functions for them answer 12
//! (unimplemented), or that there is nothing. Memory for what they get comes from the `malloc` that they export, or their
//! `proxy_on_memory_allocate`. An HTTP call goes to a whole URL (`http://host/path`) by `GET`, right after the callback
//! that asked for it has returned; the request waits.
//!
//! **Limits**
//!
//! | what | limit |
//! |---|---|
//! | a callback for a request | 200 ms; 10 s at the start of an instance |
//! | memory of an instance | 256 MB |
//! | shared data; all shared queues; queues | 64 MB; 64 MB; 1024 |
//! | an HTTP call: answer; time where the plugin sets none; redirects | 16 MB; 60 s; 9 |
//! | HTTP calls in a row | 32 |
//! | a message in the log | 64 KB |
//!
//! A callback that takes longer ends as one that fails. It is run by the worker of the request, which does nothing else
//! meanwhile: callbacks take microseconds, and handing them to another thread would take longer than most of them.
//!
//! **Reload.** `/reload/mod_wasm`, with `?path=FILE`. A file with the `Version` in force changes nothing. A plugin whose
//! `WasmVersion` and `ConfVersion` are those in force is kept, and its files are not read. A wrong file changes nothing.
//! Requests keep the plugins that they began with.
//!
//! Realises modules-security 11.

mod chain;
mod conf;
mod engine;
mod files;
mod host;
mod http_call;
mod instance;
mod pairs;
mod plugin;
mod rule;
mod shared;

use arc_swap::ArcSwap;
use bfe_basic::rule_index::{RuleList, first_match};
use bfe_basic::{NeedBody, Request};
use bfe_module::{
    AsyncRequestFilter, AsyncResponseFilter, Callbacks, Handled, HandlerResult, InitError, LocalBoxFuture,
    Module, Point, RequestOutcome, WebHandlers,
};
use chain::{Chain, Next};
use engine::Runtime;
use rule::{PluginList, Rule, Table};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const NAME: &str = "mod_wasm";

/// The module.
pub struct ModuleWasm;

impl Module for ModuleWasm {
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
        let runtime = Arc::new(Runtime::new().map_err(InitError::Conf)?);
        let table = Table::default().load(&runtime, &conf.rules, &conf.plugins)?.unwrap_or_default();
        let state = Arc::new(State { runtime, table: ArcSwap::from_pointee(table) });

        let with = |before_location| OnRequest { state: Arc::clone(&state), before_location };
        callbacks.add_async_request_filter(Point::HandleBeforeLocation, NAME, with(true))?;
        callbacks.add_async_request_filter(Point::HandleFoundProduct, NAME, with(false))?;
        callbacks.add_async_response_filter(NAME, OnResponse { state: Arc::clone(&state) });

        // One load after the other: each builds on the table before it.
        let turn = Mutex::new(());
        web_handlers.add_reload(NAME, move |query| {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let file = query.path().map_or(conf.rules.as_path(), Path::new);
            let before = state.table.load_full();
            let table = before.load(&state.runtime, file, &conf.plugins).map_err(|e| e.to_string())?;
            if let Some(table) = table {
                state.table.store(Arc::new(table));
            }
            Ok(None)
        })?;
        Ok(())
    }
}

/// What all requests share.
struct State {
    runtime: Arc<Runtime>,
    table: ArcSwap<Table>,
}

struct OnRequest {
    state: Arc<State>,
    /// Whether these are the rules that need no product.
    before_location: bool,
}

impl OnRequest {
    /// The plugins for a request.
    fn plugins(&self, req: &Request) -> Result<Option<PluginList>, NeedBody> {
        let table = self.state.table.load();
        let rules: Option<RuleList<'_, Rule>> = if self.before_location {
            Some(table.before_location())
        } else {
            table.product(&req.route.product)
        };
        let Some(rules) = rules else { return Ok(None) };
        let rule = first_match(rules, req)?;
        Ok(rule.map(|rule| &rule.plugins).filter(|plugins| !plugins.is_empty()).cloned())
    }
}

impl AsyncRequestFilter for OnRequest {
    fn ready(&self, req: &mut Request) -> Option<Handled> {
        let plugins = match self.plugins(req) {
            Ok(Some(plugins)) => plugins,
            Ok(None) => return Some(Ok(RequestOutcome::GO_ON)),
            Err(need_body) => return Some(Err(need_body)),
        };
        let mut chain = Chain::take(req);
        chain.begin(plugins);
        let outcome = self.state.go(chain, req);
        outcome.map(Ok)
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async { Ok(self.state.wait(req).await) })
    }
}

struct OnResponse {
    state: Arc<State>,
}

impl AsyncResponseFilter for OnResponse {
    fn ready(&self, req: &mut Request) -> Option<Result<HandlerResult, NeedBody>> {
        let Some(mut chain) = Chain::take_existing(req) else { return Some(Ok(HandlerResult::GoOn)) };
        chain.turn_back();
        self.state.go(chain, req).map(|_| Ok(HandlerResult::GoOn))
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Result<HandlerResult, NeedBody>> {
        Box::pin(async {
            self.state.wait(req).await;
            Ok(HandlerResult::GoOn)
        })
    }
}

impl State {
    /// Lets a chain go on without waiting; `None` where it has to wait.
    fn go(&self, mut chain: Chain, req: &mut Request) -> Option<RequestOutcome> {
        let outcome = match chain.advance(&self.runtime, req) {
            Next::Over(outcome) => Some(outcome),
            Next::Call(call) => {
                chain.waiting = Some(call);
                None
            }
        };
        chain.leave(req);
        outcome
    }

    /// Does the HTTP calls of the request's chain, and lets it go on to its end. Where the client goes meanwhile, the
    /// chain goes with it.
    async fn wait(&self, req: &mut Request) -> RequestOutcome {
        let mut chain = Chain::take(req);
        let mut outcome = RequestOutcome::GO_ON;
        while let Some(call) = chain.waiting.take() {
            let id = call.id;
            let answer = self.runtime.caller.call(call).await;
            match chain.answered(&self.runtime, req, id, answer) {
                Next::Over(over) => outcome = over,
                Next::Call(call) => chain.waiting = Some(call),
            }
        }
        chain.leave(req);
        outcome
    }
}

#[cfg(test)]
mod tests;
