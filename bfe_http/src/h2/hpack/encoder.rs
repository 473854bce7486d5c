//! Header blocks out.

use super::{ENTRY_OVERHEAD, TABLE_SIZE};
use crate::header_list::coding::{put_integer, put_string};
use rustc_hash::FxHasher;
use std::collections::VecDeque;
use std::hash::Hasher;

/// Number of the first entry of the dynamic table.
const FIRST_DYNAMIC: usize = 62;
/// How many fields are remembered that were sent once and may come again.
const REMEMBERED: usize = 32;

/// The encoder of a connection. A field that is sent for the second time goes into the dynamic table, so that
/// values which differ from response to response don't push out those that do not.
pub(in crate::h2) struct Encoder {
    table: VecDeque<Entry>,
    size: usize,
    max_size: usize,
    /// Changes of the size that the peer has not been told: the smallest since, and the last.
    resized: Option<(usize, usize)>,
    seen: [u64; REMEMBERED],
    next_seen: usize,
}

struct Entry {
    hash: u64,
    name: Box<[u8]>,
    value: Box<[u8]>,
}

impl Entry {
    fn size(&self) -> usize {
        self.name.len() + self.value.len() + ENTRY_OVERHEAD
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            table: VecDeque::new(),
            size: 0,
            max_size: TABLE_SIZE,
            resized: None,
            seen: [0; REMEMBERED],
            next_seen: 0,
        }
    }
}

impl Encoder {
    /// Takes the size that the peer allows the table to have.
    pub(in crate::h2) fn set_max_size(&mut self, size: usize) {
        let size = size.min(TABLE_SIZE);
        let smallest = self.resized.map_or(size, |(smallest, _)| smallest.min(size));
        self.resized = Some((smallest, size));
        self.max_size = size;
        self.shrink_to(size);
    }

    /// Begins a block.
    pub(in crate::h2) fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some((smallest, last)) = self.resized.take() {
            if smallest < last {
                put_integer(out, 0x20, 5, smallest);
            }
            put_integer(out, 0x20, 5, last);
        }
    }

    /// Writes `:status`.
    pub(in crate::h2) fn status(&mut self, out: &mut Vec<u8>, status: u16) {
        let index = match status {
            200 => 8,
            204 => 9,
            206 => 10,
            304 => 11,
            400 => 12,
            404 => 13,
            500 => 14,
            _ => {
                let mut digits = itoa::Buffer::new();
                return self.field(out, b":status", digits.format(status).as_bytes());
            }
        };
        put_integer(out, 0x80, 7, index);
    }

    /// Writes a field; its name is in lower case.
    pub(in crate::h2) fn field(&mut self, out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        let mut hasher = FxHasher::default();
        hasher.write(name);
        hasher.write_u8(b':');
        hasher.write(value);
        let hash = hasher.finish();
        let known = |e: &Entry| e.hash == hash && *e.name == *name && *e.value == *value;
        if let Some(place) = self.table.iter().position(known) {
            return put_integer(out, 0x80, 7, FIRST_DYNAMIC + place);
        }
        let size = name.len() + value.len() + ENTRY_OVERHEAD;
        let add = size <= self.max_size / 4 && !is_private(name) && self.is_second_time(hash);
        let index = static_name(name);
        if add {
            put_integer(out, 0x40, 6, index);
        } else {
            put_integer(out, 0, 4, index);
        }
        if index == 0 {
            put_string(out, 0, 7, name);
        }
        put_string(out, 0, 7, value);
        if add {
            self.shrink_to(self.max_size - size);
            self.table.push_front(Entry { hash, name: name.into(), value: value.into() });
            self.size += size;
        }
    }

    fn is_second_time(&mut self, hash: u64) -> bool {
        if self.seen.contains(&hash) {
            return true;
        }
        if let Some(seen) = self.seen.get_mut(self.next_seen) {
            *seen = hash;
        }
        self.next_seen = (self.next_seen + 1) % REMEMBERED;
        false
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.table.pop_back() else { break };
            self.size -= oldest.size();
        }
    }
}

/// Fields whose values are nobody's business but the client's.
fn is_private(name: &[u8]) -> bool {
    name == b"set-cookie"
}

/// Number of a name in the static table; 0 where it is not there.
fn static_name(name: &[u8]) -> usize {
    match name {
        b":status" => 8,
        b"accept-ranges" => 18,
        b"access-control-allow-origin" => 20,
        b"age" => 21,
        b"allow" => 22,
        b"cache-control" => 24,
        b"content-disposition" => 25,
        b"content-encoding" => 26,
        b"content-language" => 27,
        b"content-length" => 28,
        b"content-location" => 29,
        b"content-range" => 30,
        b"content-type" => 31,
        b"date" => 33,
        b"etag" => 34,
        b"expires" => 36,
        b"last-modified" => 44,
        b"link" => 45,
        b"location" => 46,
        b"refresh" => 52,
        b"retry-after" => 53,
        b"server" => 54,
        b"set-cookie" => 55,
        b"strict-transport-security" => 56,
        b"vary" => 59,
        b"via" => 60,
        b"www-authenticate" => 61,
        _ => 0,
    }
}
