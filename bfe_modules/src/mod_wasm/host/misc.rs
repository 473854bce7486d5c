//! The log, the clock, and what is not there: properties, metrics, gRPC, other contexts.

use super::memory::{hand_over, read_some, view, write_u32};
use super::{Env, Refusal, Scope};
use std::time::{SystemTime, UNIX_EPOCH};

type Done = Result<(), Refusal>;

/// Longest message in the log, in bytes; of a longer one this much is written.
const MAX_MESSAGE: usize = 64 * 1024;

pub(super) fn log(env: &mut Env<'_>, level: i32, at: i32, size: i32) -> Done {
    let message = view(env, at, size)?;
    if matches!(env.data().scope, Scope::Loading) {
        return Ok(());
    }
    let level = match level {
        0 => log::Level::Trace,
        1 => log::Level::Debug,
        3 => log::Level::Warn,
        4 | 5 => log::Level::Error,
        _ => log::Level::Info,
    };
    if log::log_enabled!(level) {
        let message = String::from_utf8_lossy(message.get(..MAX_MESSAGE).unwrap_or(message));
        // A message is one line, whatever a plugin takes into it.
        let message = message.replace(['\n', '\r'], " ");
        log::log!(level, "mod_wasm: plugin {}: {message}", env.data().plugin);
    }
    Ok(())
}

/// The nanoseconds of the current second, as the original has it: 32 bits.
pub(super) fn time(env: &mut Env<'_>, to: i32) -> Done {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    write_u32(env, to, now.subsec_nanos())
}

/// Every property is there, and empty.
pub(super) fn get_property(env: &mut Env<'_>, key: i32, key_size: i32, to: i32, to_size: i32) -> Done {
    read_some(env, key, key_size)?;
    hand_over(env, b"", to, to_size)
}

pub(super) fn set_property(env: &mut Env<'_>, key: i32, key_size: i32, value: i32, value_size: i32) -> Done {
    read_some(env, key, key_size)?;
    view(env, value, value_size)?;
    Err(Refusal::Unimplemented)
}

pub(super) fn no(_: &mut Env<'_>) -> Done {
    Err(Refusal::Unimplemented)
}

pub(super) fn no_with_one(_: &mut Env<'_>, _: i32) -> Done {
    Err(Refusal::Unimplemented)
}

pub(super) fn no_with_two(_: &mut Env<'_>, _: i32, _: i32) -> Done {
    Err(Refusal::Unimplemented)
}

pub(super) fn no_with_metric(_: &mut Env<'_>, _: i32, _: i64) -> Done {
    Err(Refusal::Unimplemented)
}

pub(super) fn define_metric(env: &mut Env<'_>, kind: i32, name: i32, name_size: i32, _: i32) -> Done {
    if kind > 2 {
        return Err(Refusal::BadArgument);
    }
    read_some(env, name, name_size)?;
    Err(Refusal::Unimplemented)
}

pub(super) fn call_foreign(
    env: &mut Env<'_>,
    name: i32,
    name_size: i32,
    at: i32,
    size: i32,
    _: i32,
    _: i32,
) -> Done {
    unimplemented_with(env, &[(name, name_size), (at, size)])
}

#[allow(clippy::too_many_arguments)] // The plugins' side fixes them.
pub(super) fn open_grpc_stream(
    env: &mut Env<'_>,
    service: i32,
    service_size: i32,
    name: i32,
    name_size: i32,
    method: i32,
    method_size: i32,
    _: i32,
) -> Done {
    unimplemented_with(env, &[(service, service_size), (name, name_size), (method, method_size)])
}

pub(super) fn send_grpc_message(env: &mut Env<'_>, _: i32, at: i32, size: i32, _: i32) -> Done {
    unimplemented_with(env, &[(at, size)])
}

#[allow(clippy::too_many_arguments)] // The plugins' side fixes them.
pub(super) fn grpc_call(
    env: &mut Env<'_>,
    service: i32,
    service_size: i32,
    name: i32,
    name_size: i32,
    method: i32,
    method_size: i32,
    at: i32,
    size: i32,
    _: i32,
    _: i32,
) -> Done {
    unimplemented_with(env, &[(service, service_size), (name, name_size), (method, method_size), (at, size)])
}

/// Refuses, once the places are known to be good.
fn unimplemented_with(env: &Env<'_>, places: &[(i32, i32)]) -> Done {
    for (at, size) in places {
        view(env, *at, *size)?;
    }
    Err(Refusal::Unimplemented)
}
