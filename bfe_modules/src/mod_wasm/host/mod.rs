//! What plugins can call (modules-security 11): what they see of a request, their own state, and the table of all
//! functions. The functions themselves are in the files beside this one, by topic.

mod buffer;
mod fields;
mod memory;
mod messages;
mod misc;
mod outside;
mod wasi;

pub(super) use messages::{Messages, Reply, names};

use super::http_call::{Answer, HttpCall};
use super::shared::Shared;
use bytes::Bytes;
use std::sync::Arc;
use wasmtime::{Caller, Instance, Linker, Memory, Store, StoreLimits, StoreLimitsBuilder, TypedFunc};

/// Most memory of an instance.
pub(super) const MAX_MEMORY: usize = 256 << 20;
/// Most entries of a table of an instance.
const MAX_TABLE: usize = 1 << 20;

/// A call from a plugin: its memory, and its state on this side.
pub(super) type Env<'a> = Caller<'a, Host>;

/// The state of an instance on this side.
pub(super) struct Host {
    plugin: Arc<str>,
    conf: Bytes,
    shared: Arc<Shared>,
    pub(super) limits: StoreLimits,
    memory: Option<Memory>,
    /// The plugin's function that gives it memory.
    malloc: Option<TypedFunc<i32, i32>>,
    pub(super) scope: Scope,
    pub(super) http: HttpState,
    /// What the plugin has ended with, by its own wish.
    pub(super) exit_code: Option<i32>,
}

/// What a plugin is called for.
#[allow(clippy::large_enum_variant)] // There is one for each instance; a box would be one for each call.
pub(super) enum Scope {
    /// It is being loaded: there is nothing yet.
    Loading,
    /// For itself: there is no request.
    Root,
    /// For a request.
    Request(Messages),
}

/// The HTTP calls of a plugin for one request.
#[derive(Default)]
pub(super) struct HttpState {
    /// Asked for, not done yet; one at a time.
    call: Option<Box<HttpCall>>,
    /// The answer to the last one.
    pub(super) answer: Option<Answer>,
}

impl HttpState {
    /// The call that is to be done now.
    pub(super) fn take_call(&mut self) -> Option<Box<HttpCall>> {
        self.call.take()
    }
}

/// Why a function does not do what it was called for.
#[derive(Debug)]
pub(super) enum Refusal {
    NotFound,
    BadArgument,
    /// A place outside the plugin's memory, or no memory to be had from it.
    BadMemory,
    Empty,
    CasMismatch,
    Internal,
    Unimplemented,
    /// The whole call into the plugin ends.
    Trap(&'static str),
}

impl Refusal {
    /// The number that the plugin gets.
    pub(super) fn code(&self) -> i32 {
        match self {
            Self::NotFound => 1,
            Self::BadArgument => 2,
            Self::BadMemory => 6,
            Self::Empty => 7,
            Self::CasMismatch => 8,
            Self::Internal | Self::Trap(_) => 10,
            Self::Unimplemented => 12,
        }
    }
}

/// What a function answers to the plugin.
fn status(result: Result<(), Refusal>) -> wasmtime::Result<i32> {
    match result {
        Ok(()) => Ok(0),
        Err(Refusal::Trap(why)) => Err(wasmtime::Error::msg(why)),
        Err(refusal) => Ok(refusal.code()),
    }
}

// === impl Host ===

impl Host {
    pub(super) fn new(plugin: Arc<str>, conf: Bytes, shared: Arc<Shared>) -> Self {
        let limits =
            StoreLimitsBuilder::new().memory_size(MAX_MEMORY).table_elements(MAX_TABLE).instances(1).build();
        Self {
            plugin,
            conf,
            shared,
            limits,
            memory: None,
            malloc: None,
            scope: Scope::Loading,
            http: HttpState::default(),
            exit_code: None,
        }
    }

    /// Finds what of an instance the functions use: its memory, and where more of it comes from.
    pub(super) fn bind(store: &mut Store<Self>, instance: &Instance) {
        let memory = instance.get_memory(&mut *store, "memory").or_else(|| {
            let names: Vec<_> =
                instance.exports(&mut *store).map(|export| export.name().to_owned()).collect();
            names.iter().find_map(|name| instance.get_memory(&mut *store, name))
        });
        // The second is what the specification has, and what newer plugins bring instead of the first.
        let malloc = ["malloc", "proxy_on_memory_allocate"]
            .into_iter()
            .find_map(|name| instance.get_typed_func(&mut *store, name).ok());
        let host = store.data_mut();
        host.memory = memory;
        host.malloc = malloc;
    }
}

/// Links functions that answer with a status: `"name" => function(parameters)`.
macro_rules! functions {
    ($linker:ident, $($name:literal => $function:path, ($($arg:ident: $type:ty),*);)*) => {$(
        $linker.func_wrap("env", $name, |mut env: Env<'_>, $($arg: $type),*| status($function(&mut env, $($arg),*)))?;
    )*};
}

/// Links all functions.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    functions! { linker,
        "proxy_log" => misc::log, (level: i32, at: i32, size: i32);
        "proxy_get_current_time_nanoseconds" => misc::time, (to: i32);
        "proxy_get_property" => misc::get_property, (key: i32, key_size: i32, to: i32, to_size: i32);
        "proxy_set_property" => misc::set_property, (key: i32, key_size: i32, value: i32, value_size: i32);
        "proxy_set_effective_context" => misc::no_with_one, (context: i32);
        "proxy_set_tick_period_milliseconds" => misc::no_with_one, (period: i32);
        "proxy_done" => misc::no, ();
        "proxy_resume_downstream" => misc::no, ();
        "proxy_resume_upstream" => misc::no, ();
        "proxy_resume_http_request" => misc::no, ();
        "proxy_resume_http_response" => misc::no, ();
        "proxy_call_foreign_function" => misc::call_foreign, (name: i32, name_size: i32, param: i32, param_size: i32, to: i32, to_size: i32);

        "proxy_get_buffer_bytes" => buffer::get, (kind: i32, start: i32, length: i32, to: i32, to_size: i32);
        "proxy_set_buffer_bytes" => buffer::set, (kind: i32, start: i32, length: i32, at: i32, size: i32);

        "proxy_get_header_map_pairs" => fields::get_pairs, (map: i32, to: i32, to_size: i32);
        "proxy_set_header_map_pairs" => fields::set_pairs, (map: i32, at: i32, size: i32);
        "proxy_get_header_map_value" => fields::get, (map: i32, key: i32, key_size: i32, to: i32, to_size: i32);
        "proxy_replace_header_map_value" => fields::replace, (map: i32, key: i32, key_size: i32, value: i32, value_size: i32);
        "proxy_add_header_map_value" => fields::add, (map: i32, key: i32, key_size: i32, value: i32, value_size: i32);
        "proxy_remove_header_map_value" => fields::remove, (map: i32, key: i32, key_size: i32);

        "proxy_send_local_response" => outside::send_local_response, (code: i32, detail: i32, detail_size: i32, body: i32, body_size: i32, header: i32, header_size: i32, grpc: i32);
        "proxy_http_call" => outside::http_call, (url: i32, url_size: i32, header: i32, header_size: i32, body: i32, body_size: i32, trailer: i32, trailer_size: i32, timeout: i32, to: i32);
        "proxy_dispatch_http_call" => outside::http_call, (url: i32, url_size: i32, header: i32, header_size: i32, body: i32, body_size: i32, trailer: i32, trailer_size: i32, timeout: i32, to: i32);

        "proxy_get_shared_data" => outside::get_shared_data, (key: i32, key_size: i32, to: i32, to_size: i32, number: i32);
        "proxy_set_shared_data" => outside::set_shared_data, (key: i32, key_size: i32, value: i32, value_size: i32, number: i32);
        "proxy_register_shared_queue" => outside::register_queue, (name: i32, name_size: i32, to: i32);
        "proxy_resolve_shared_queue" => outside::resolve_queue, (name: i32, name_size: i32, to: i32);
        "proxy_remove_shared_queue" => outside::remove_queue, (queue: i32);
        "proxy_enqueue_shared_queue" => outside::enqueue, (queue: i32, at: i32, size: i32);
        "proxy_dequeue_shared_queue" => outside::dequeue, (queue: i32, to: i32, to_size: i32);

        "proxy_define_metric" => misc::define_metric, (kind: i32, name: i32, name_size: i32, to: i32);
        "proxy_increment_metric" => misc::no_with_metric, (metric: i32, by: i64);
        "proxy_record_metric" => misc::no_with_metric, (metric: i32, value: i64);
        "proxy_get_metric" => misc::no_with_two, (metric: i32, to: i32);
        "proxy_remove_metric" => misc::no_with_one, (metric: i32);

        "proxy_open_grpc_stream" => misc::open_grpc_stream, (service: i32, service_size: i32, name: i32, name_size: i32, method: i32, method_size: i32, to: i32);
        "proxy_send_grpc_call_message" => misc::send_grpc_message, (call: i32, at: i32, size: i32, end: i32);
        "proxy_cancel_grpc_call" => misc::no_with_one, (call: i32);
        "proxy_close_grpc_call" => misc::no_with_one, (call: i32);
        "proxy_grpc_call" => misc::grpc_call, (service: i32, service_size: i32, name: i32, name_size: i32, method: i32, method_size: i32, at: i32, size: i32, timeout: i32, to: i32);
        "proxy_dispatch_grpc_call" => misc::grpc_call, (service: i32, service_size: i32, name: i32, name_size: i32, method: i32, method_size: i32, at: i32, size: i32, timeout: i32, to: i32);
    }
    wasi::link(linker)
}
