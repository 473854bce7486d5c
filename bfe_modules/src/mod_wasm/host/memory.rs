//! A plugin's memory, as its calls name places in it: by an address and a size, both of 32 bits without a sign.

use super::{Env, Refusal};
use bytes::Bytes;
use std::ops::Range;

/// A place, where that can be.
pub(super) fn range(at: i32, size: i32) -> Result<Range<usize>, Refusal> {
    let number = |n: i32| usize::try_from(n.cast_unsigned()).map_err(|_| Refusal::BadMemory);
    let start = number(at)?;
    let end = start.checked_add(number(size)?).ok_or(Refusal::BadMemory)?;
    Ok(start..end)
}

/// What is in a place.
pub(super) fn view<'a>(env: &'a Env<'_>, at: i32, size: i32) -> Result<&'a [u8], Refusal> {
    let memory = env.data().memory.ok_or(Refusal::BadMemory)?;
    memory.data(env).get(range(at, size)?).ok_or(Refusal::BadMemory)
}

/// A copy of what is in a place.
pub(super) fn read(env: &Env<'_>, at: i32, size: i32) -> Result<Bytes, Refusal> {
    view(env, at, size).map(Bytes::copy_from_slice)
}

/// A copy of what is in a place, which has to be something.
pub(super) fn read_some(env: &Env<'_>, at: i32, size: i32) -> Result<Bytes, Refusal> {
    let bytes = read(env, at, size)?;
    if bytes.is_empty() { Err(Refusal::BadArgument) } else { Ok(bytes) }
}

/// Writes to a place.
pub(super) fn write(env: &mut Env<'_>, at: i32, bytes: &[u8]) -> Result<(), Refusal> {
    let memory = env.data().memory.ok_or(Refusal::BadMemory)?;
    let size = i32::try_from(bytes.len()).map_err(|_| Refusal::BadMemory)?;
    let place = memory.data_mut(env).get_mut(range(at, size)?).ok_or(Refusal::BadMemory)?;
    place.copy_from_slice(bytes);
    Ok(())
}

/// Writes a number to a place.
pub(super) fn write_u32(env: &mut Env<'_>, at: i32, number: u32) -> Result<(), Refusal> {
    write(env, at, &number.to_le_bytes())
}

/// Puts bytes into memory that the plugin gives, and says at `to` and `to_size` where they are.
pub(super) fn hand_over(env: &mut Env<'_>, bytes: &[u8], to: i32, to_size: i32) -> Result<(), Refusal> {
    let malloc = env.data().malloc.clone().ok_or(Refusal::BadMemory)?;
    let size = i32::try_from(bytes.len()).map_err(|_| Refusal::BadMemory)?;
    let at = malloc.call(&mut *env, size).map_err(|_| Refusal::BadMemory)?;
    write(env, at, bytes)?;
    write_u32(env, to, at.cast_unsigned())?;
    write_u32(env, to_size, size.cast_unsigned())
}
