//! One instance of a plugin: its memory, and the calls into it.

use super::engine::{CALL_TICKS, Runtime, START_TICKS};
use super::host::{Host, HttpState, Messages, Scope};
use super::http_call::{Answer, MAX_CALLS};
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::{Func, InstancePre, Store, TypedFunc, WasmParams};

/// An instance. Requests share it; each call holds it for as long as it takes.
pub(super) struct Instance {
    guest: Mutex<Guest>,
}

/// A call into a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callback {
    ContextCreate,
    RequestHeaders,
    ResponseHeaders,
    Done,
    Delete,
    /// The answer to an HTTP call is there.
    HttpCallResponse {
        call: i32,
    },
}

impl Callback {
    /// The name of the function.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ContextCreate => "proxy_on_context_create",
            Self::RequestHeaders => "proxy_on_request_headers",
            Self::ResponseHeaders => "proxy_on_response_headers",
            Self::Done => "proxy_on_done",
            Self::Delete => "proxy_on_delete",
            Self::HttpCallResponse { .. } => "proxy_on_http_call_response",
        }
    }
}

/// An instance that is held.
pub(super) struct Guest {
    store: Store<Host>,
    exports: Exports,
}

/// The functions that are called.
struct Exports {
    on_context_create: Export<(i32, i32)>,
    on_request_headers: Export<(i32, i32, i32)>,
    on_response_headers: Export<(i32, i32, i32)>,
    on_done: Export<i32>,
    on_delete: Export<i32>,
    on_http_call_response: Export<(i32, i32, i32, i32, i32)>,
}

/// A function of a plugin. What it returns has no meaning here.
enum Export<P> {
    Number(TypedFunc<P, i32>),
    Nothing(TypedFunc<P, ()>),
    /// It is not there, or takes something else: why calls of it fail.
    Unusable(String),
}

impl<P: WasmParams> Export<P> {
    fn find(instance: &wasmtime::Instance, store: &mut Store<Host>, name: &str) -> Self {
        let Some(function) = instance.get_func(&mut *store, name) else {
            return Self::Unusable(format!("unknown func {name}"));
        };
        Self::of(&function, store)
    }

    fn of(function: &Func, store: &Store<Host>) -> Self {
        match function.typed::<P, i32>(store) {
            Ok(function) => Self::Number(function),
            Err(error) => match function.typed::<P, ()>(store) {
                Ok(function) => Self::Nothing(function),
                Err(_) => Self::Unusable(format!("{error:#}")),
            },
        }
    }

    fn call(&self, store: &mut Store<Host>, params: P) -> Result<(), String> {
        let done = match self {
            Self::Number(function) => function.call(store, params).map(drop),
            Self::Nothing(function) => function.call(store, params),
            Self::Unusable(why) => return Err(why.clone()),
        };
        done.map_err(|error| format!("{error:#}"))
    }
}

// === impl Instance ===

impl Instance {
    /// Makes an instance, and tells it that it starts. What goes wrong in the latter is logged, and the instance is
    /// used all the same.
    ///
    /// # Errors
    /// When there is no memory for it, or its start function fails.
    pub(super) fn start(
        runtime: &Runtime,
        module: &InstancePre<Host>,
        plugin: &Arc<str>,
        conf: &Bytes,
        root: i32,
    ) -> Result<Self, String> {
        let host = Host::new(Arc::clone(plugin), conf.clone(), Arc::clone(&runtime.shared));
        let mut store = Store::new(module.module().engine(), host);
        store.limiter(|host| &mut host.limits);
        store.set_epoch_deadline(START_TICKS);
        let instance = module.instantiate(&mut store).map_err(|e| format!("{e:#}"))?;
        Host::bind(&mut store, &instance);
        // What runs before the first context exists sees no configuration, and its log lines go nowhere.
        if instance.get_func(&mut store, "_start").is_some() {
            let start = Export::<()>::find(&instance, &mut store, "_start").call(&mut store, ());
            start.or_else(|e| {
                if store.data().exit_code == Some(0) { Ok(()) } else { Err(format!("_start: {e}")) }
            })?;
        }
        let exports = Exports {
            on_context_create: Export::find(&instance, &mut store, "proxy_on_context_create"),
            on_request_headers: Export::find(&instance, &mut store, "proxy_on_request_headers"),
            on_response_headers: Export::find(&instance, &mut store, "proxy_on_response_headers"),
            on_done: Export::find(&instance, &mut store, "proxy_on_done"),
            on_delete: Export::find(&instance, &mut store, "proxy_on_delete"),
            on_http_call_response: Export::find(&instance, &mut store, "proxy_on_http_call_response"),
        };
        let on_vm_start = Export::find(&instance, &mut store, "proxy_on_vm_start");
        let on_configure = Export::find(&instance, &mut store, "proxy_on_configure");
        let size = i32::try_from(conf.len()).unwrap_or(i32::MAX);
        let mut guest = Guest { store, exports };
        guest.store.data_mut().scope = Scope::Root;
        let started = guest
            .start_step(runtime, root, |guest| {
                guest.exports.on_context_create.call(&mut guest.store, (root, 0))
            })
            .and_then(|()| {
                guest.start_step(runtime, root, |guest| on_vm_start.call(&mut guest.store, (root, 0)))
            })
            .and_then(|()| {
                guest.start_step(runtime, root, |guest| on_configure.call(&mut guest.store, (root, size)))
            });
        if let Err(error) = started {
            log::error!("mod_wasm: plugin {plugin}: start fails: {error}");
        }
        guest.store.data_mut().http = HttpState::default();
        Ok(Self { guest: Mutex::new(guest) })
    }

    /// Holds the instance.
    pub(super) fn lock(&self) -> MutexGuard<'_, Guest> {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Guest ===

impl Guest {
    /// Does one step of the start, and the HTTP calls that it asks for.
    fn start_step(
        &mut self,
        runtime: &Runtime,
        root: i32,
        step: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        self.store.set_epoch_deadline(START_TICKS);
        step(self)?;
        for _ in 0..MAX_CALLS {
            let Some(call) = self.store.data_mut().http.take_call() else { return Ok(()) };
            let id = call.id;
            if let Some(answer) = runtime.caller.call_and_wait(call) {
                self.store.data_mut().http.answer = Some(answer);
                self.store.set_epoch_deadline(START_TICKS);
                self.http_call_response(root, id)?;
            }
        }
        if self.store.data_mut().http.take_call().is_some() {
            return Err(format!("more than {MAX_CALLS} http calls in a row"));
        }
        Ok(())
    }

    /// Makes a call for a request: with what the plugin may see and change of it, which comes back the same way.
    pub(super) fn call(
        &mut self,
        callback: Callback,
        (context, root): (i32, i32),
        messages: &mut Messages,
        http: &mut HttpState,
    ) -> Result<(), String> {
        let count = match callback {
            Callback::RequestHeaders => messages.names_in_request(),
            Callback::ResponseHeaders => messages.names_in_response(),
            _ => 0,
        };
        let host = self.store.data_mut();
        host.scope = Scope::Request(std::mem::take(messages));
        host.http = std::mem::take(http);
        self.store.set_epoch_deadline(CALL_TICKS);
        let (store, exports) = (&mut self.store, &self.exports);
        let done = match callback {
            Callback::ContextCreate => exports.on_context_create.call(store, (context, root)),
            Callback::RequestHeaders => exports.on_request_headers.call(store, (context, count, 0)),
            Callback::ResponseHeaders => exports.on_response_headers.call(store, (context, count, 0)),
            Callback::Done => exports.on_done.call(store, context),
            Callback::Delete => exports.on_delete.call(store, context),
            Callback::HttpCallResponse { call } => self.http_call_response(root, call),
        };
        let host = self.store.data_mut();
        if let Scope::Request(back) = std::mem::replace(&mut host.scope, Scope::Root) {
            *messages = back;
        }
        *http = std::mem::take(&mut host.http);
        done
    }

    fn http_call_response(&mut self, root: i32, call: i32) -> Result<(), String> {
        let answer = self.store.data().http.answer.as_ref();
        let (names, size) = answer.map_or((0, 0), |answer: &Answer| {
            (super::host::names(&answer.header), i32::try_from(answer.body.len()).unwrap_or(i32::MAX))
        });
        self.exports.on_http_call_response.call(&mut self.store, (root, call, names, size, 0))
    }
}
