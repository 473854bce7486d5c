//! Buffers: a plugin's configuration, and the body of the answer to an HTTP call. Bodies of requests and responses
//! are not shown.

use super::memory::{hand_over, read};
use super::{Env, Refusal, Scope};
use crate::mod_wasm::http_call::MAX_BODY;
use bytes::{Bytes, BytesMut};

/// The buffer of that number.
fn buffer(env: &Env<'_>, kind: i32) -> Result<Bytes, Refusal> {
    let host = env.data();
    match (kind, &host.scope) {
        (4, _) => host.http.answer.as_ref().map(|answer| answer.body.clone()).ok_or(Refusal::NotFound),
        (0 | 1, Scope::Root) => Err(Refusal::Trap("there is no request")),
        (6, Scope::Root | Scope::Request(_)) => Ok(Bytes::new()),
        (7, Scope::Root | Scope::Request(_)) => Ok(host.conf.clone()),
        _ => Err(Refusal::NotFound),
    }
}

/// Gives as many bytes as there are from `start` on, at most `length`, but from the beginning: as the original does.
pub(super) fn get(
    env: &mut Env<'_>,
    kind: i32,
    start: i32,
    length: i32,
    to: i32,
    to_size: i32,
) -> Result<(), Refusal> {
    let bytes = buffer(env, kind)?;
    let end = start.checked_add(length).filter(|end| *end >= start).ok_or(Refusal::BadArgument)?;
    let size = i32::try_from(bytes.len()).map_err(|_| Refusal::Internal)?;
    let length = if end > size { size.saturating_sub(start) } else { length };
    let length = usize::try_from(length).map_err(|_| Refusal::BadArgument)?;
    hand_over(env, bytes.get(..length).unwrap_or(&bytes), to, to_size)
}

/// Replaces a buffer, or appends to it. Only the answer to an HTTP call stays changed.
pub(super) fn set(
    env: &mut Env<'_>,
    kind: i32,
    start: i32,
    length: i32,
    at: i32,
    size: i32,
) -> Result<(), Refusal> {
    let old = buffer(env, kind)?;
    let new = read(env, at, size)?;
    let reaches = |n: i32| usize::try_from(n).is_ok_and(|n| n >= old.len());
    let changed = match start {
        0 if length == 0 || reaches(length) => new,
        0 => return Err(Refusal::BadArgument),
        _ if reaches(start) => {
            let mut all = BytesMut::from(old);
            all.extend_from_slice(&new);
            all.freeze()
        }
        _ => return Err(Refusal::BadArgument),
    };
    if changed.len() > MAX_BODY {
        return Err(Refusal::Internal);
    }
    if kind == 4
        && let Some(answer) = &mut env.data_mut().http.answer
    {
        answer.body = changed;
    }
    Ok(())
}
