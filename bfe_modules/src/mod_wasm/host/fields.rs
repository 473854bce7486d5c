//! Header fields. A plugin sees one value for each name, the first; what it sets replaces all of them.

use super::memory::{hand_over, read, read_some};
use super::messages::{Map, map};
use super::{Env, Refusal};
use crate::mod_wasm::pairs;
use bfe_http::canonical;
use bytes::Bytes;
use std::collections::BTreeMap;

type Done = Result<(), Refusal>;

/// Pairs from a plugin. Of a name that is given twice, the last counts.
pub(super) fn decode(bytes: &[u8]) -> BTreeMap<&[u8], &[u8]> {
    pairs::decode(bytes).collect()
}

/// The name as headers have it.
pub(super) fn name_of(key: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&canonical(key))
}

fn set_field(env: &mut Env<'_>, number: i32, key: &[u8], value: Bytes) -> Done {
    match map(env, number)? {
        Map::Fields(header) => {
            header.set(name_of(key), value);
            Ok(())
        }
        Map::Trailers => Err(Refusal::Trap("trailers cannot be set")),
    }
}

pub(super) fn get_pairs(env: &mut Env<'_>, number: i32, to: i32, to_size: i32) -> Done {
    let bytes = match map(env, number)? {
        Map::Fields(header) => {
            let firsts: BTreeMap<_, _> = header.first_values().collect();
            pairs::encode(firsts.iter().map(|(name, value)| (*name, *value)))
        }
        Map::Trailers => pairs::encode(std::iter::empty()),
    };
    hand_over(env, &bytes, to, to_size)
}

pub(super) fn set_pairs(env: &mut Env<'_>, number: i32, at: i32, size: i32) -> Done {
    map(env, number)?;
    let bytes = read(env, at, size)?;
    for (name, value) in decode(&bytes) {
        set_field(env, number, name, bytes.slice_ref(value))?;
    }
    Ok(())
}

pub(super) fn get(env: &mut Env<'_>, number: i32, key: i32, key_size: i32, to: i32, to_size: i32) -> Done {
    map(env, number)?;
    let key = read_some(env, key, key_size)?;
    let Map::Fields(header) = map(env, number)? else { return Err(Refusal::NotFound) };
    let key = canonical(&key);
    let value = header.iter().find(|(name, _)| *name == &*key).map(|(_, value)| value);
    let value = value.filter(|value| !value.is_empty()).ok_or(Refusal::NotFound)?;
    let value = Bytes::copy_from_slice(value);
    hand_over(env, &value, to, to_size)
}

pub(super) fn replace(env: &mut Env<'_>, number: i32, key: i32, key_size: i32, at: i32, size: i32) -> Done {
    map(env, number)?;
    let key = read_some(env, key, key_size)?;
    let value = read_some(env, at, size)?;
    set_field(env, number, &key, value)
}

pub(super) fn add(env: &mut Env<'_>, number: i32, key: i32, key_size: i32, at: i32, size: i32) -> Done {
    map(env, number)?;
    let key = read_some(env, key, key_size)?;
    let value = read(env, at, size)?;
    set_field(env, number, &key, value)
}

pub(super) fn remove(env: &mut Env<'_>, number: i32, key: i32, key_size: i32) -> Done {
    map(env, number)?;
    let key = read_some(env, key, key_size)?;
    if let Map::Fields(header) = map(env, number)? {
        header.del_bytes(&canonical(&key));
    }
    Ok(())
}
