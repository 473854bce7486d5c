//! What reaches beyond the plugin: answers to clients, HTTP calls, what plugins share.

use super::memory::{hand_over, read, read_some, view, write_u32};
use super::messages::Reply;
use super::{Env, Refusal, Scope, fields};
use crate::mod_wasm::http_call::HttpCall;
use bfe_http::Header;
use std::sync::Arc;

type Done = Result<(), Refusal>;

/// Fields from a plugin: one value for each name, spelt as it spells them.
fn header(bytes: &bytes::Bytes) -> Header {
    let mut header = Header::new();
    for (name, value) in fields::decode(bytes) {
        header.add(fields::name_of(name), bytes.slice_ref(value));
    }
    header
}

#[allow(clippy::too_many_arguments)] // The plugins' side fixes them.
pub(super) fn send_local_response(
    env: &mut Env<'_>,
    code: i32,
    detail: i32,
    detail_size: i32,
    body: i32,
    body_size: i32,
    fields: i32,
    fields_size: i32,
    _grpc: i32,
) -> Done {
    view(env, detail, detail_size)?;
    let body = read(env, body, body_size)?;
    let header = header(&read(env, fields, fields_size)?);
    match &mut env.data_mut().scope {
        Scope::Request(messages) => {
            let status = u16::try_from(code).map_err(|_| Refusal::BadArgument)?;
            messages.reply = Some(Reply { status, header, body });
            Ok(())
        }
        Scope::Root => Err(Refusal::Trap("there is no request")),
        Scope::Loading => Err(Refusal::Unimplemented),
    }
}

#[allow(clippy::too_many_arguments)] // The plugins' side fixes them.
pub(super) fn http_call(
    env: &mut Env<'_>,
    url: i32,
    url_size: i32,
    fields: i32,
    fields_size: i32,
    body: i32,
    body_size: i32,
    trailers: i32,
    trailers_size: i32,
    timeout: i32,
    to: i32,
) -> Done {
    let url = read(env, url, url_size)?;
    let header = header(&read(env, fields, fields_size)?);
    let body = read(env, body, body_size)?;
    view(env, trailers, trailers_size)?;
    if matches!(env.data().scope, Scope::Loading) {
        return Err(Refusal::Unimplemented);
    }
    let call = HttpCall::new(&url, header, body, timeout).ok_or(Refusal::BadArgument)?;
    let id = call.id;
    let http = &mut env.data_mut().http;
    // What the one before has brought is not shown any longer.
    http.answer = None;
    http.call = Some(Box::new(call));
    write_u32(env, to, id.cast_unsigned())
}

pub(super) fn get_shared_data(
    env: &mut Env<'_>,
    key: i32,
    key_size: i32,
    to: i32,
    to_size: i32,
    number_to: i32,
) -> Done {
    let key = read_some(env, key, key_size)?;
    let (value, number) = env.data().shared.get(&key)?;
    hand_over(env, &value, to, to_size)?;
    write_u32(env, number_to, number)
}

pub(super) fn set_shared_data(
    env: &mut Env<'_>,
    key: i32,
    key_size: i32,
    value: i32,
    value_size: i32,
    number: i32,
) -> Done {
    let key = read_some(env, key, key_size)?;
    let value = read(env, value, value_size)?;
    env.data().shared.set(key, value, number.cast_unsigned())
}

pub(super) fn register_queue(env: &mut Env<'_>, name: i32, name_size: i32, to: i32) -> Done {
    let name = read_some(env, name, name_size)?;
    let id = env.data().shared.register_queue(name)?;
    write_u32(env, to, id)
}

pub(super) fn resolve_queue(env: &mut Env<'_>, name: i32, name_size: i32, to: i32) -> Done {
    let name = read_some(env, name, name_size)?;
    let id = env.data().shared.resolve_queue(&name)?;
    write_u32(env, to, id)
}

pub(super) fn remove_queue(env: &mut Env<'_>, queue: i32) -> Done {
    env.data().shared.remove_queue(queue.cast_unsigned())
}

pub(super) fn enqueue(env: &mut Env<'_>, queue: i32, at: i32, size: i32) -> Done {
    let item = read(env, at, size)?;
    env.data().shared.enqueue(queue.cast_unsigned(), item)
}

pub(super) fn dequeue(env: &mut Env<'_>, queue: i32, to: i32, to_size: i32) -> Done {
    let shared = Arc::clone(&env.data().shared);
    let item = shared.dequeue(queue.cast_unsigned())?;
    hand_over(env, &item, to, to_size)
}
