//! The plugins of one request: which calls they get, in which order, and what becomes of it.

use super::engine::Runtime;
use super::host::{HttpState, Messages, Reply};
use super::http_call::{Answer, HttpCall, MAX_CALLS};
use super::instance::{Callback, Instance};
use super::plugin::Plugin;
use super::rule::PluginList;
use bfe_basic::{ContextValue, Request};
use bfe_module::RequestOutcome;
use std::sync::Arc;

/// Where a request keeps its chain.
const KEY: &str = "mod_wasm.chain";

/// A plugin at work on a request.
struct Filter {
    plugin: Arc<Plugin>,
    instance: Arc<Instance>,
    context: i32,
    /// The plugin knows its context, and has not been told that it ends.
    alive: bool,
    http: HttpState,
}

/// What comes next for the last filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    /// There is none yet for the next plugin.
    #[default]
    Create,
    Request,
    /// Whether the next plugin has its turn.
    Decide,
    Response,
    Done,
    Delete,
}

/// What a chain has come to.
pub(super) enum Next {
    /// This is to be done first.
    Call(Box<HttpCall>),
    /// All plugins have had their turn.
    Over(RequestOutcome),
}

/// The plugins of a request.
#[derive(Default)]
pub(super) struct Chain {
    filters: Vec<Filter>,
    /// The plugins that are to come.
    plugins: PluginList,
    next: usize,
    step: Step,
    reply: Option<Reply>,
    /// HTTP calls since the last call into a plugin that did not follow from one.
    calls: u32,
    /// The HTTP call that is to be done first.
    pub(super) waiting: Option<Box<HttpCall>>,
}

// === impl Filter ===

impl Filter {
    /// `None` where the plugin has no instance, which cannot be.
    fn new(runtime: &Runtime, plugin: &Arc<Plugin>) -> Option<Self> {
        Some(Self {
            instance: plugin.instance()?,
            context: runtime.next_id(plugin.root),
            plugin: Arc::clone(plugin),
            alive: false,
            http: HttpState::default(),
        })
    }

    /// Calls the plugin; says whether that went well.
    fn call(&mut self, callback: Callback, messages: &mut Messages) -> bool {
        let ids = (self.context, self.plugin.root);
        let result = self.instance.lock().call(callback, ids, messages, &mut self.http);
        if let Err(error) = &result {
            // Plugins need not want to know that a context is gone.
            let level = if callback == Callback::Delete { log::Level::Warn } else { log::Level::Error };
            log::log!(level, "mod_wasm: plugin {}: {} fails: {error}", self.plugin.name(), callback.name());
        }
        result.is_ok()
    }
}

impl Drop for Filter {
    /// Ends the context of a request that has had no response.
    fn drop(&mut self) {
        if self.alive {
            self.call(Callback::Done, &mut Messages::default());
            self.call(Callback::Delete, &mut Messages::default());
        }
    }
}

// === impl Chain ===

impl Chain {
    /// The chain of a request; an empty one where it has none.
    pub(super) fn take(req: &mut Request) -> Self {
        Self::take_existing(req).unwrap_or_default()
    }

    /// The chain of a request, if it has one.
    pub(super) fn take_existing(req: &mut Request) -> Option<Self> {
        if req.context.is_empty() {
            return None;
        }
        match req.context.remove(KEY)? {
            ContextValue::Any(chain) => chain.downcast().ok().map(|chain| *chain),
            _ => None,
        }
    }

    /// Leaves the chain with the request.
    pub(super) fn leave(self, req: &mut Request) {
        req.context.set(KEY, ContextValue::Any(Box::new(self)));
    }

    /// Turns to the request, with these plugins.
    pub(super) fn begin(&mut self, plugins: PluginList) {
        self.plugins = plugins;
        (self.next, self.step) = (0, Step::Create);
    }

    /// Turns to the response, with all plugins that had the request, the last one first.
    pub(super) fn turn_back(&mut self) {
        self.step = Step::Response;
    }

    /// Goes on, up to the end or to an HTTP call.
    pub(super) fn advance(&mut self, runtime: &Runtime, req: &mut Request) -> Next {
        loop {
            let callback = match self.step {
                Step::Create => {
                    let Some(plugin) = self.plugins.get(self.next) else {
                        return Next::Over(RequestOutcome::GO_ON);
                    };
                    let Some(filter) = Filter::new(runtime, plugin) else {
                        return Next::Over(RequestOutcome::CLOSE);
                    };
                    self.filters.push(filter);
                    Callback::ContextCreate
                }
                Step::Request => Callback::RequestHeaders,
                Step::Decide => {
                    if let Some(reply) = self.reply.take() {
                        return Next::Over(RequestOutcome::response(reply.into()));
                    }
                    (self.next, self.step) = (self.next + 1, Step::Create);
                    continue;
                }
                Step::Response if self.filters.is_empty() => return Next::Over(RequestOutcome::GO_ON),
                Step::Response => Callback::ResponseHeaders,
                Step::Done => Callback::Done,
                Step::Delete => Callback::Delete,
            };
            self.calls = 0;
            let went_well = self.call(callback, req);
            let call = if went_well { self.next_call() } else { None };
            match self.step {
                // The original loses the request, and closes.
                Step::Create if !went_well => return Next::Over(RequestOutcome::CLOSE),
                Step::Create => {
                    self.set_alive(true);
                    self.step = Step::Request;
                }
                Step::Request | Step::Decide => self.step = Step::Decide,
                Step::Response => self.step = Step::Done,
                Step::Done => self.step = Step::Delete,
                Step::Delete => {
                    self.set_alive(false);
                    // It is needed for as long as a call goes on.
                    if call.is_none() {
                        self.filters.pop();
                    }
                    self.step = Step::Response;
                }
            }
            if let Some(call) = call {
                return Next::Call(call);
            }
        }
    }

    /// Takes what an HTTP call has come to, and goes on.
    pub(super) fn answered(
        &mut self,
        runtime: &Runtime,
        req: &mut Request,
        id: i32,
        answer: Option<Answer>,
    ) -> Next {
        if let Some(answer) = answer {
            if let Some(filter) = self.filters.last_mut() {
                filter.http.answer = Some(answer);
            }
            if self.call(Callback::HttpCallResponse { call: id }, req)
                && let Some(call) = self.next_call()
            {
                return Next::Call(call);
            }
        }
        if self.filters.last().is_some_and(|filter| !filter.alive) {
            self.filters.pop();
        }
        self.advance(runtime, req)
    }

    /// Calls the last filter, and lends it the messages.
    fn call(&mut self, callback: Callback, req: &mut Request) -> bool {
        let Some(filter) = self.filters.last_mut() else { return false };
        let is_back = !matches!(self.step, Step::Create | Step::Request | Step::Decide);
        let response =
            req.response.as_mut().filter(|_| is_back).map(|response| std::mem::take(&mut response.header));
        let request = std::mem::take(&mut req.http.header);
        let mut messages = Messages { request, response, reply: self.reply.take() };
        let went_well = filter.call(callback, &mut messages);
        req.http.header = messages.request;
        if let (Some(response), Some(header)) = (&mut req.response, messages.response) {
            response.header = header;
        }
        self.reply = messages.reply;
        went_well
    }

    /// The HTTP call that the last filter has asked for.
    fn next_call(&mut self) -> Option<Box<HttpCall>> {
        let filter = self.filters.last_mut()?;
        let call = filter.http.take_call()?;
        if self.calls == MAX_CALLS {
            log::error!(
                "mod_wasm: plugin {}: more than {MAX_CALLS} http calls in a row",
                filter.plugin.name()
            );
            return None;
        }
        self.calls += 1;
        Some(call)
    }

    fn set_alive(&mut self, alive: bool) {
        if let Some(filter) = self.filters.last_mut() {
            filter.alive = alive;
        }
    }
}
