//! QPACK, the compression of header lists (RFC 9204), without dynamic tables.
//!
//! Neither side may refer to earlier lists: we tell the client that our table has no room, and don't use the room of
//! its table. So a list can be read and written by itself, nothing waits for another stream, and no memory is kept.

mod static_table;
#[cfg(test)]
mod tests;

use crate::header::is_value;
use crate::header_list::Sink;
use crate::header_list::coding::{Broken, integer, put_integer, put_string, settle_name, string};
use static_table::TABLE;

/// The beginning of a list that refers to no dynamic table: no insert is required, and the base is 0.
const PREFIX: [u8; 2] = [0, 0];

/// Decodes a whole list, or up to where the sink wants no more. No string in it may be longer than `max_string`.
pub(super) fn decode(list: &[u8], max_string: usize, sink: &mut impl Sink) -> Result<(), Broken> {
    let mut rest = list;
    let required = integer(&mut rest, 8)?;
    let _base = integer(&mut rest, 7)?;
    if required != 0 {
        return Err(Broken);
    }
    let mut text = Vec::new();
    while let Some(first) = rest.first().copied() {
        text.clear();
        let go_on = match first {
            // A field of the static table.
            0xc0.. => {
                let (name, value) = known(integer(&mut rest, 6)?)?;
                sink.field(name.as_bytes(), value.as_bytes(), true)
            }
            // A name of the static table.
            0x50..=0x5f | 0x70..=0x7f => {
                let (name, _) = known(integer(&mut rest, 4)?)?;
                string(&mut rest, 7, max_string, &mut text)?;
                sink.field(name.as_bytes(), &text, is_value(&text))
            }
            0x20..=0x3f => {
                string(&mut rest, 3, max_string, &mut text)?;
                let is_sound = settle_name(&mut text);
                let length = text.len();
                string(&mut rest, 7, max_string, &mut text)?;
                let (name, value) = text.split_at_checked(length).ok_or(Broken)?;
                sink.field(name, value, is_sound && is_value(value))
            }
            // All else refers to a dynamic table.
            _ => return Err(Broken),
        };
        if !go_on {
            break;
        }
    }
    Ok(())
}

fn known(index: usize) -> Result<(&'static str, &'static str), Broken> {
    TABLE.get(index).copied().ok_or(Broken)
}

/// A list on its way out.
pub(super) struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    /// The list of a response or of something before it.
    pub(super) fn response(status: u16) -> Self {
        let mut list = Self::fields();
        let index = match status {
            100 => 63,
            103 => 24,
            200 => 25,
            204 => 64,
            206 => 65,
            302 => 66,
            304 => 26,
            400 => 67,
            403 => 68,
            404 => 27,
            421 => 69,
            425 => 70,
            500 => 71,
            503 => 28,
            _ => {
                let mut digits = itoa::Buffer::new();
                list.named(24, digits.format(status).as_bytes());
                return list;
            }
        };
        put_integer(&mut list.out, 0xc0, 6, index);
        list
    }

    /// A list of fields alone, such as trailers.
    pub(super) fn fields() -> Self {
        Self { out: PREFIX.to_vec() }
    }

    /// Adds a field; its name is in lower case.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        match static_name(name) {
            Some(index) => self.named(index, value),
            None => {
                put_string(&mut self.out, 0x20, 3, name);
                put_string(&mut self.out, 0, 7, value);
            }
        }
    }

    fn named(&mut self, index: usize, value: &[u8]) {
        put_integer(&mut self.out, 0x50, 4, index);
        put_string(&mut self.out, 0, 7, value);
    }

    /// The list.
    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// Number of the first field of that name in the static table, of those that responses have.
fn static_name(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"age" => 2,
        b"content-disposition" => 3,
        b"content-length" => 4,
        b"date" => 6,
        b"etag" => 7,
        b"last-modified" => 10,
        b"link" => 11,
        b"location" => 12,
        b"set-cookie" => 14,
        b"accept-ranges" => 32,
        b"access-control-allow-headers" => 33,
        b"access-control-allow-origin" => 35,
        b"cache-control" => 36,
        b"content-encoding" => 42,
        b"content-type" => 44,
        b"strict-transport-security" => 56,
        b"vary" => 59,
        b"x-content-type-options" => 61,
        b"x-xss-protection" => 62,
        b"access-control-allow-credentials" => 73,
        b"access-control-allow-methods" => 76,
        b"access-control-expose-headers" => 79,
        b"alt-svc" => 83,
        b"content-security-policy" => 85,
        b"expect-ct" => 87,
        b"server" => 92,
        b"timing-allow-origin" => 93,
        b"x-frame-options" => 97,
        _ => return None,
    })
}
