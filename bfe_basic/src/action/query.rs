//! Commands that change the query: once as text, which is what backends see, and once as parsed pairs, which
//! is what conditions see. The two can disagree (condition 10.3).

use crate::Request;
use crate::condition::PrefixSet;
use bytes::Bytes;
use memchr::memmem;

/// Appends pairs. In the parsed query, an empty first value is replaced.
pub(super) fn add(req: &mut Request, pairs: &[[Bytes; 2]]) {
    req.edit_query(|query| {
        for [key, value] in pairs {
            if query.get(key).is_some_and(|old| !old.is_empty()) {
                query.add(key.clone(), value.clone());
            } else {
                query.set(key.clone(), value.clone());
            }
        }
    });
    let raw = &mut req.http.url.raw_query;
    let mut text = raw.to_vec();
    for [key, value] in pairs {
        if !text.is_empty() || !raw.is_empty() {
            text.push(b'&');
        }
        text.extend_from_slice(key);
        text.push(b'=');
        text.extend_from_slice(value);
    }
    *raw = Bytes::from(text);
}

/// Renames a key, if the parsed query has it.
pub(super) fn rename(req: &mut Request, from: &Bytes, to: &Bytes) {
    let known = req.edit_query(|query| {
        let known = query.contains(from);
        query.rename(from, to);
        known
    });
    if !known {
        return;
    }
    // With a `&` before the first pair, too, every key stands between `&` and `=`.
    let text = [b"&", req.http.url.raw_query.as_ref()].concat();
    let needle = [b"&", from.as_ref(), b"="].concat();
    let mut out = Vec::with_capacity(text.len());
    let mut copied = 0;
    for at in memmem::find_iter(&text, &needle) {
        out.extend_from_slice(text.get(copied..at).unwrap_or_default());
        out.push(b'&');
        out.extend_from_slice(to);
        out.push(b'=');
        copied = at + needle.len();
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    req.http.url.raw_query = Bytes::from(out).slice(1..);
}

/// Removes keys.
pub(super) fn delete(req: &mut Request, keys: &[Bytes]) {
    req.edit_query(|query| query.retain(|key| !keys.iter().any(|k| k == key)));
    let mut text = fenced(&req.http.url.raw_query);
    for key in keys {
        cut_key(&mut text, key);
    }
    req.http.url.raw_query = unfenced(text);
}

/// Removes all keys of the parsed query but these.
pub(super) fn delete_all_except(req: &mut Request, keys: &[Bytes]) {
    let mut gone: Vec<Vec<u8>> = Vec::new();
    req.edit_query(|query| {
        query.retain(|key| {
            let stays = keys.iter().any(|k| k == key);
            if !stays && gone.last().is_none_or(|last| last != key) {
                gone.push(key.to_vec());
            }
            stays
        });
    });
    // A client chooses how many keys there are, so that all go in one pass; those with a `&` in them, which
    // was escaped, can only match where several pieces make up their text.
    let (odd, plain): (Vec<_>, Vec<_>) = gone.into_iter().partition(|key| key.contains(&b'&'));
    let starts = plain.into_iter().map(|key| [key.as_slice(), b"="].concat().into()).collect();
    let starts = PrefixSet::new(starts);
    let raw = &req.http.url.raw_query;
    let pieces: Vec<&[u8]> = raw.split(|b| *b == b'&').filter(|p| !starts.has_prefix_of(p)).collect();
    let mut text = fenced(&pieces.join(&b'&'));
    if pieces.is_empty() {
        text.truncate(1);
    }
    for key in odd {
        cut_key(&mut text, &key);
    }
    req.http.url.raw_query = unfenced(text);
}

/// A query with `&` at both ends, so that every pair stands between two.
fn fenced(raw: &[u8]) -> Vec<u8> {
    [b"&", raw, b"&"].concat()
}

fn unfenced(text: Vec<u8>) -> Bytes {
    let end = text.len().saturating_sub(1).max(1).min(text.len());
    Bytes::from(text).slice(1.min(end)..end)
}

/// Cuts what begins with `&key=`, up to the next `&`, as often as it occurs.
fn cut_key(text: &mut Vec<u8>, key: &[u8]) {
    let needle = [b"&", key, b"="].concat();
    let finder = memmem::Finder::new(&needle);
    let mut from = 0;
    while let Some(start) = text.get(from..).and_then(|rest| finder.find(rest)).map(|at| from + at) {
        let Some(len) = text.get(start + 1..).and_then(|rest| memchr::memchr(b'&', rest)) else { return };
        text.drain(start..=start + len);
        // What has moved up may complete an earlier match where the key has a `&` in it.
        from = start.saturating_sub(needle.len());
    }
}
